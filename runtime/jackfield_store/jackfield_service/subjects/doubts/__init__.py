"""Calls with an unknown outcome: looked for at the provider, and resolved."""
