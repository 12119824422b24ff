"""The Model Context Protocol: language-model clients find actions and run them. The SDK (extra ``mcp``) is imported with the first name
that needs it.

``serve_stdio`` serves the operator's own client; ``Exchange`` answers single requests of streamable HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.surfaces.mcp.call_context import CallContext
    from jackfield.surfaces.mcp.stateless_http import Exchange
    from jackfield.surfaces.mcp.stdio import serve_stdio

__all__ = ["CallContext", "Exchange", "serve_stdio"]

__getattr__, __dir__ = exports(
    __name__,
    {
        ".stateless_http": ("Exchange",),
        ".stdio": ("serve_stdio",),
        ".call_context": ("CallContext",),
    },
)
