"""What cases answers and listens to, by capability."""
