"""The Model Context Protocol: language-model clients find actions and run them. The SDK (extra ``mcp``) is imported by ``stdio``, which
serves the operator's own client, and at the first request by ``http_route``."""
