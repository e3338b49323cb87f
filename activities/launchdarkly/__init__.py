"""Actions on feature flags in LaunchDarkly."""
