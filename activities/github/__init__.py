"""Actions on workflows and deployments of GitHub."""
