"""Actions that ask Loki for logs."""
