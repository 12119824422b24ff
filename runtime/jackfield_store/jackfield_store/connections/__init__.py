"""Stored connections: their rows and seals, grants and authorizations, leases that processes share,
OAuth clients.
"""
