"""Actions on pipelines and deployments of GitLab."""
