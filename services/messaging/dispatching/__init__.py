"""What a dispatcher does, from a wish to write to what came of the call."""
