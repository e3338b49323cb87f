"""The `halon` command."""
