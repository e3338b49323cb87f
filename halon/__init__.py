"""Halon: automatic fire suppression for production."""
