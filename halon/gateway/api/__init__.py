"""The HTTP API for people and their programs: everything that the command can do to incidents and guards."""
