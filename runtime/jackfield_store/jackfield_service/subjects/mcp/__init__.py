"""The Model Context Protocol: language-model clients find actions and run them. The SDK (extra ``mcp``) is imported by ``stdio``, which
serves the operator's own client, and at the first request by ``http_route``.

The way of a tool call: over HTTP ``http_route.Door`` and ``stateless_http.StatelessExchange``, over stdio ``stdio.serve_stdio``; both go on
to ``sdk_server._called``, ``CallContext.run`` and ``Jackfield``.
"""

from __future__ import annotations

from jackfield.kernel.hints import add_words
from jackfield_service.subjects.mcp.hints import WORDS

add_words("mcp", WORDS)
