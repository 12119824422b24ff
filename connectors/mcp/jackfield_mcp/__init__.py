"""MCP servers as connectors: the binding of actions to tools, and the generator. The own MCP endpoint is ``jackfield_mcp_server``."""
