"""Connections: the way from a name to values, secrets and leased credentials."""
