"""MCP servers as connectors: the binding of actions to tools, and the generator. Jackfield's own endpoint is in ``jackfield_service``."""
