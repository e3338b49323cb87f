"""What holds for every test."""

import asyncio

# The plugin that gives tests a clock of their own asks for an event loop around synchronous tests too. One that is made
# for it is never closed, and a later test fails with the warning; told that there is none, it asks for nothing.
asyncio.set_event_loop(None)
