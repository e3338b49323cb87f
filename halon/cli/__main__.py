"""Where the command begins: `halon`, and `python -m halon.cli` for processes that start others of their kind."""

import gc
from typing import NoReturn


def main() -> NoReturn:
    """Import the command, and run it."""
    gc.disable()  # what imports make stays: looking for garbage in it takes a seventh of the time to start
    from halon.cli.app import main as run  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
