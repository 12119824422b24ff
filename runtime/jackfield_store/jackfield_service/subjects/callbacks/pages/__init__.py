"""Pages of the console about callbacks."""
