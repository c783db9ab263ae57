"""Cases from a file, as clients are imported: `fields` and `rows` read it, `people` finds or makes the clients of its
rows, `matching` decides on each row, `writing` writes a chunk, `undo` takes it back."""
