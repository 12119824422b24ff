"""The server: the HTTP API, what the console, MCP and Dapr's API share with it, and the commands ``serve`` and ``worker``. Each surface
translates its protocol to an invocation and a Result back, and holds no logic of its own."""
