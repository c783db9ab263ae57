"""Finding clients: lists, the search box, and the keys that it looks for."""
