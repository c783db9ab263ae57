"""What messaging has of clients that were merged. `client_merges` hears of them."""
