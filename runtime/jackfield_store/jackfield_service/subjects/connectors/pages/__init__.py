"""Pages of the console about connectors."""
