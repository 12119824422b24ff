"""A host's WSGI application: ``gunicorn host_wsgi:application --workers 4``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.jackfield.embedding import host_calls


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer a request once the provider was called; that of ``/wait`` takes longer than gunicorn
    lets it.
    """
    (host_calls.wait if environ["PATH_INFO"] == "/wait" else host_calls.call)()
    start_response("204 No Content", [])
    return []
