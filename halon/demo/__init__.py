"""The demonstration: a small cluster behind a real HTTP API, for demos and tests."""
