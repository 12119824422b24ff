"""Calls with an unknown outcome: looks for evidence at the provider, and resolution."""
