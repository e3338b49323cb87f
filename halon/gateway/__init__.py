"""The HTTP front door: authenticate, parse, match, hand to Temporal, and only then answer 2xx."""
