"""Import of clients: what a file holds, whom its rows mean, taking them in and back. It begins in `importing`."""
