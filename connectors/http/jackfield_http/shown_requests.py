"""Requests as JSON, for dry runs: the request to be sent, without sign-in. Files are described, not
read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.connector import File, StreamedFile
from jackfield.kernel.dataclass import dataclass
from jackfield_http.bodies import Part, form_body, json_body, pairs_of
from jackfield_http.urls import plain

_LARGEST_SHOWN = 64 * 1024
"""Maximum size in bytes of a body in a request's description."""


@dataclass(frozen=True, slots=True)
class ShownFile:
    """Description of a file in place of its content."""

    about: Mapping[str, Any]

    @classmethod
    def of(cls, file: StreamedFile | File) -> ShownFile:
        """Return a file's description, with the ID of a stored file."""
        if isinstance(file, File):
            return cls({"bytes": len(file.content)})
        about = {"file": file.id, "bytes": file.size}
        return cls({name: value for name, value in about.items() if value is not None})


def request_shown(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    options: Mapping[str, Any],
    server: str | None = None,
) -> dict[str, Any]:
    """Return a request's description as JSON. ``options`` are the client's options for its body,
    with ``ShownFile`` for files.

    ``server`` is present if it differs from the connection's.
    """
    about = {
        "method": method,
        "server": server,
        "path": path,
        "query": query,
        "headers": dict(headers),
        **_body(options),
    }
    return {
        name: value
        for name, value in about.items()
        if value not in ({}, None) and (value != "" or name == "path")
    }


def _body(options: Mapping[str, Any]) -> dict[str, Any]:
    kind = options.get("content_type")
    if "json" in options:
        options = {
            "content": json_body(options["json"]).whole,
            "content_type": kind or "application/json",
        }
    elif "form" in options:
        body = form_body(options["form"])
        options = {"content": body.whole, "content_type": body.content_type}
    elif "multipart" in options:
        parts = [_part(name, value) for name, value in pairs_of(options["multipart"])]
        return {"contentType": "multipart/form-data", "body": {"parts": parts}}
    content, kind = options.get("content"), options.get("content_type")
    if content is None:
        return {}
    if isinstance(content, str):
        kind = kind or "text/plain; charset=utf-8"
    return {"contentType": kind, "body": _description(content, str(kind))}


def _part(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Part):
        return {"name": name, "body": plain(value)}
    about = {
        "name": name,
        "filename": value.filename,
        "contentType": value.content_type,
        "body": _description(value.content, value.content_type),
    }
    return {key: one for key, one in about.items() if one is not None}


def _description(content: Any, kind: str) -> Any:
    """Return a body's description: JSON and strings of up to 64 KiB unchanged, other bodies by
    their size.
    """
    if isinstance(content, ShownFile):
        return dict(content.about)
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if not isinstance(data, bytes):
        return {}
    size = {"bytes": len(data)}
    if len(data) > _LARGEST_SHOWN:
        return size
    try:
        return json.loads(data) if "json" in kind else data.decode()
    except ValueError:
        return size
