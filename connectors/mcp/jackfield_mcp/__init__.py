"""MCP servers as connectors: the binding of actions to tools, and the generator. Our own endpoint is in ``jackfield_service``."""
