"""The server: the HTTP API, what the console, MCP and Dapr's API share with it, and the commands ``serve`` and ``worker``. Each surface
translates its protocol to an invocation and a Result back, and holds no logic of its own."""

from __future__ import annotations

from jackfield.kernel.hints import add_surface
from jackfield_server.shared.requests.hints import worded

add_surface("http", worded)
