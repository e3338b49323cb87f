"""What people do to Halon, whichever way they come: look, decide, start, stop. The command and the gateway call it."""
