"""Import every module that ships, but for the demonstration, whose dependencies the image does not have."""

import importlib
import pkgutil
import sys
import sysconfig
from pathlib import Path

PACKAGES = ("halon", "workflows", "activities")


def main() -> int:
    """Say how many there are, and which could not be imported."""
    below = (
        found.name
        for package in PACKAGES
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    )
    shipped = (name for name in below if not name.startswith("halon.demo.") and not name.endswith(".__main__"))
    modules = ["worker", *PACKAGES, *shipped]
    failed = [problem for problem in map(_problem, modules) if problem]
    print("\n".join([*failed, f"{len(modules)} modules imported, {len(failed)} failed"]))
    return 1 if failed else 0


def _problem(name: str) -> str:
    try:
        module = importlib.import_module(name)
    except Exception as error:  # noqa: BLE001  # whatever it is, the module cannot be used
        return f"{name}: {error!r}"
    installed = Path(sysconfig.get_path("purelib"))
    if module.__file__ is None or not Path(module.__file__).is_relative_to(installed):
        return f"{name} comes from {module.__file__}, not from the wheel in {installed}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
