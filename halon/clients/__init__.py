"""Thin typed wrappers over vendors' clients; each maps its vendor's errors to `halon.errors`."""
