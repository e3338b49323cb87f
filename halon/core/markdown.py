"""Texts of others inside Markdown: they are shown as they are, and mean nothing."""

from halon.redaction import cut_text

_SIGNS = ("\\", "|", "[", "]", "<", ">", "`", "*", "_", "!", "#", "~")


def plain(text: str, limit: int) -> str:
    """Keep what somebody else wrote from becoming Markdown of its own; one line of at most `limit` characters."""
    line = " ".join(cut_text(text, limit).split())
    for sign in _SIGNS:
        line = line.replace(sign, f"\\{sign}")
    return line
