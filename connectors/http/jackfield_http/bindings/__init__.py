"""Execution of actions that a manifest binds to HTTP requests."""
