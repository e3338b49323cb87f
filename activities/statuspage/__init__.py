"""Actions on a status page."""
