"""Tokens of a workspace: made, listed, revoked."""
