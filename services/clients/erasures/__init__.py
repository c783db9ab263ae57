"""What an erasure takes, keeps and tells. `erasing` does it."""
