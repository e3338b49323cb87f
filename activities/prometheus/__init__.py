"""Actions that ask Prometheus."""
