"""Packaging and publishing of connectors: read wheels defensively, pack, sign, verify, and compare two versions."""
