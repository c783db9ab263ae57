"""What is particular to email."""
