"""Manifests: descriptions of connectors that a host reads without their code."""
