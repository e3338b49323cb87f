"""What outlives Temporal's histories: incidents, the audit chain, evidence."""
