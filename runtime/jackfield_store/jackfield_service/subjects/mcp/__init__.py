"""The Model Context Protocol: language-model clients find actions and run them. The SDK (extra
``mcp``) is imported by ``stdio``, which serves the operator's own client, and at the first request
by ``http_route``.

A tool call over HTTP passes ``http_route.Door`` and ``stateless_http.StatelessExchange``, a call
over stdio ``stdio.serve_stdio``; both continue to ``sdk_server._called``, ``CallContext.run`` and
``Jackfield``.
"""

from __future__ import annotations

from jackfield.kernel.hints import add_words
from jackfield_service.subjects.mcp.hints import WORDS

add_words("mcp", WORDS)
