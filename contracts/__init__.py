"""What services say to each other: operations, events and errors, each declared once. Imports nothing of ours."""
