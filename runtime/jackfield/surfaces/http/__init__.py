"""The HTTP API (contract §7)."""
