"""The service that stands on the engine: a shell (HTTP, identity, pages, MCP, commands) and the subjects that it shows."""
