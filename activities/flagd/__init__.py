"""Actions on the feature flags that flagd reads from Kubernetes."""
