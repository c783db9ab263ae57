"""What a merge of two clients is made of, and its undo. `merging` does it."""
