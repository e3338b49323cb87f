"""Actions on feature flags in Unleash."""
