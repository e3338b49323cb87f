"""The store: audit records, incidents and evidence, kept for longer than Temporal keeps histories."""
