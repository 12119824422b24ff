"""Calls of which nobody knows whether they took effect: looked for at the provider, and resolved."""
