"""The playbook language: loading, checking, linting, schema, and running a playbook's own tests."""
