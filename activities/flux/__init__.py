"""Actions on what Flux applies, through its objects in Kubernetes."""
