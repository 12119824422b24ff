"""The HTTP API (docs/reference/http.md)."""
