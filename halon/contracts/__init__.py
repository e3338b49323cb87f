"""Frozen, closed types that cross a wire between gateway, workflow and activity. Data only."""
