"""Our own side of what is measured by itself, on the chassis as services use it."""
