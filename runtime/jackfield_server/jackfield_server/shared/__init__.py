"""Shared parts of the surfaces: problem documents, bodies, files, identity, and the context of one server process."""
