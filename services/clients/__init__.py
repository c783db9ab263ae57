"""clients: people and businesses, how to reach them, and their import."""
