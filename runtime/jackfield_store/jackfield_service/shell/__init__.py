"""The shell of the service: the HTTP API, the pages, MCP, and the commands ``serve`` and
``worker``. Each surface translates its protocol to an invocation and a Result back, and holds no
logic of its own.
"""

from __future__ import annotations

from jackfield.kernel.hints import add_surface
from jackfield_service.shell.requests.hints import worded

add_surface("http", worded)
