"""Manifests: what a host knows of a connector without its code."""
