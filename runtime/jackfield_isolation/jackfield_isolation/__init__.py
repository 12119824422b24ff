"""Isolation of connectors from a marketplace: each runs in a warm child process, which gets one
call's values at a time over a socket.

The child starts with an empty environment, drops its rights before it imports the connector, and
ends together with this process. When a child dies, its running calls are settled by their effect,
and no other connector is affected (docs/reference/isolation.md).
"""
