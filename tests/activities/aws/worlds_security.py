"""What the changes act on that contain an incident."""

from world import Opening

WORLDS: dict[str, Opening] = {}
