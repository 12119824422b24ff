"""Isolation of connectors from a marketplace: each runs in a warm child process, which gets one call's values at a time over a socket.

The child starts with an empty environment, drops its rights before it imports the connector, and ends with this process. Its death settles
its running calls by their effect, and affects no other connector (docs/reference/isolation.md).
"""
