"""Pages of the console about connect."""
