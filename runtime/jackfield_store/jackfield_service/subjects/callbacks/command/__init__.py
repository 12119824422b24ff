"""Commands on callbacks and their deliveries."""
