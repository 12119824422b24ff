"""MCP servers that are connectors of a workspace: reviewed, accepted, changed, removed."""
