"""Tabs with an invocation as code, next to the form of an action and after a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout import snippets
from jackfield_service.shell.pages.layout.components import code_block, json_text, tabs
from jackfield_service.shell.pages.layout.page_request import PageRequest


def call_as_code(request: PageRequest, invocation: Mapping[str, Any], name: str = "code") -> Markup:
    """Render tabs with an invocation as JSON, for curl, in Python and on the command line."""
    panels: list[tuple[str, Node]] = [
        ("JSON", code_block(json_text(invocation), "The invocation as JSON")),
        (
            "curl",
            code_block(
                snippets.as_curl(invocation, request.server.seen(request.http)),
                "The call with curl",
            ),
        ),
        ("Python", code_block(snippets.as_python(invocation), "The call from Python")),
        ("CLI", code_block(snippets.as_command(invocation), "The call from a shell")),
    ]
    return tabs(name, panels)
