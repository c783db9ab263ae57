"""The plain way of others, as their documentation shows it. Not tuned down."""
