"""Side effects: `activities/<family>/<verb_noun>.py` is the action `<family>.<verb_noun>`."""
