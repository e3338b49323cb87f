"""Actions on alerts of Opsgenie."""
