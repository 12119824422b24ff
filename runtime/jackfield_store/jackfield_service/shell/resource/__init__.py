"""Nouns that subjects declare once, for HTTP, the command line and pages."""
