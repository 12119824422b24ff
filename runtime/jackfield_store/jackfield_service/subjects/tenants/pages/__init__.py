"""Pages of the console about tenants."""
