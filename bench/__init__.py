"""What is fast, measured against peers: `make bench`."""
