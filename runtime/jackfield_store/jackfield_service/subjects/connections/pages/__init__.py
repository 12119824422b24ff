"""Pages of the console about connections."""
