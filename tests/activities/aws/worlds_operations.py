"""What the changes act on that keep things running."""

from world import Opening

WORLDS: dict[str, Opening] = {}
