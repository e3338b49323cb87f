"""Deterministic Temporal workflows: order, waiting and messages. Decisions live in `halon.core`."""
