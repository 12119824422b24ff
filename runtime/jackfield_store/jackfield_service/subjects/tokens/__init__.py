"""Tokens of a workspace: created, listed, revoked."""
