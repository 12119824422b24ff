"""Export of the rows that a list's filters match: the links, and the file that they save."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.kernel.markup import Markup
from jackfield_service.shell.operations.entry_export import KINDS, MOST
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import secured
from jackfield_service.shell.requests.problem import Problem

_NEWEST = f"(the newest {MOST:,} at most)"


def export_links(address: str, given: Mapping[str, str], most: str = _NEWEST) -> Markup:
    """Render the links that save a list with the filters ``given``; ``most`` describes the export's
    limit.
    """
    lines, sheet = (
        h.a(title, href=f"{address}/export?{urlencode({**given, 'kind': kind})}", download=True)
        for kind, title in (("jsonl", "JSON Lines"), ("csv", "CSV"))
    )
    return h.p(
        "Export what matches: ",
        sheet,
        " · ",
        lines,
        " ",
        h.span(most, class_="muted"),
        class_="small export",
    )


def export_kind(request: PageRequest) -> str:
    """Return the kind of file that ``?kind=`` requests, by its ending.

    :raises Problem: 400 if there is no such kind.
    """
    kind = request.query.get("kind", "csv")
    if kind not in KINDS:
        raise Problem(400, f"'kind' must be one of {', '.join(KINDS)}")
    return kind


def exported_file(text: bytes, name: str, kind: str) -> Response:
    """Return a response that browsers save as ``name``, with the ending ``kind``."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return secured(Response(text, headers=headers, media_type=f"{KINDS[kind]}; charset=utf-8"))
