"""Pages of the console about overview."""
