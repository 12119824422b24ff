"""Packaging, publishing and installation of connectors: read wheels defensively, pack, sign, verify, compare, install, upgrade."""
