"""Pages of the console about invocations."""
