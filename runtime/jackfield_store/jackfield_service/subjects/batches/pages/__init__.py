"""Pages of the console about batches."""
