"""Actions on issues of Jira."""
