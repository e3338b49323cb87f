#!/bin/sh
# Builds the wheel of this tree and installs it, with the pinned versions and nothing else, into a new virtual
# environment that has no pip: sh deploy/install.sh ENVIRONMENT [WHEELS]. The wheel stays in WHEELS when it is named.
# The image is made by this script, and the gate tests what it made.
set -eu
cd "$(dirname "$0")/.."
environment=$1
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheels=${2:-$work/wheels}
pins=$PWD/requirements/constraints.txt

"$python" -m venv "$work/tools"
pip() {
  "$work/tools/bin/python" -m pip --disable-pip-version-check "$@"
}
pip install --quiet --constraint "$pins" pip
pip wheel --quiet --no-deps --build-constraint "$pins" --wheel-dir "$wheels" .
"$python" -m venv --without-pip "$environment"
pip --python "$environment/bin/python" install --quiet --constraint "$pins" "$wheels"/halon-*.whl
