"""MCP servers as connectors: the binding of actions to tools, and the generator.

Jackfield's own MCP endpoint is in ``jackfield_service``.
"""
