"""Actions that speak plain HTTP."""
