"""What messaging has of somebody who is forgotten. `erasing` decides what of it goes."""
