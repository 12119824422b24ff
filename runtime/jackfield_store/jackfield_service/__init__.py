"""The service on top of the engine: a shell (HTTP, identity, pages, MCP, commands) and its
subjects.
"""
