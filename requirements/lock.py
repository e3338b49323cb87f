"""Write the constraints file: install the newest of everything into a fresh environment and note the versions.

Run it with the oldest Python that is supported: `make lock`.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HEADER = """\
# The versions that Halon is built, tested and imaged with. `make lock` writes this file anew; nobody edits it by hand.
"""
UNPINNED = ("setuptools==", "wheel==")
"""What `venv` brings along on old Pythons and nothing here needs."""


def main() -> int:
    """Resolve, freeze, write."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        pip = [f"{directory}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--upgrade", "pip"], check=True)
        # hatchling and editables build the package: they are pinned like what they build.
        subprocess.run(
            [*pip, "install", "--quiet", "--editable", ".", "--group", "dev", "hatchling", "editables"], check=True
        )
        frozen = subprocess.run(
            [*pip, "freeze", "--all", "--exclude-editable"], check=True, capture_output=True, text=True
        ).stdout
    pins = [line for line in frozen.splitlines() if not line.startswith(UNPINNED)]
    target.write_text(HEADER + "\n".join(pins) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
