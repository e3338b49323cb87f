"""What playbooks need their credentials to be allowed: worked out from the actions, written for who grants it."""
