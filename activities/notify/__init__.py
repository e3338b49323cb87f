"""Actions that tell people."""
