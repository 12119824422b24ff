"""Pages of the console about triggers."""
