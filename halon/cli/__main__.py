"""`python -m halon.cli`, for processes that start others of their kind."""

from halon.cli.app import main

main()
