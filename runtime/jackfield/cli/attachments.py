"""Which inputs take files, told from their schema; and a file as such an input takes it."""

from __future__ import annotations

import base64
import mimetypes
import os
from collections.abc import Mapping
from typing import Any, Literal

from jackfield.schema_walk import nodes

__all__ = ["Kind", "file_value", "kind_of", "takes_list_only"]

Kind = Literal["map", "array", "file", "text"]
"""How an input takes files: by name (``{"a.pdf": FILE}``), as ``[{"key", "value": FILE}]``, as one FILE, or as text."""

_ENCODED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz", "compress": "application/x-compress"}
_OFFICE = {
    suffix: f"application/vnd.openxmlformats-officedocument.{kind}"
    for suffix, kind in (
        (".docx", "wordprocessingml.document"),
        (".xlsx", "spreadsheetml.sheet"),
        (".pptx", "presentationml.presentation"),
    )
}


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """How the input that ``schema`` describes takes files; a FILE is an object with ``data`` and ``contentType``."""
    branches = nodes({}, schema)
    if any(_is_file(branch.get("additionalProperties")) for branch in branches):
        return "map"
    if any(_is_pair(branch.get("items")) for branch in branches):
        return "array"
    return "file" if _is_file(schema) else "text"


def takes_list_only(schema: Mapping[str, Any]) -> bool:
    """Whether the input is a list and nothing else, so that one value on the command line means a list of one."""
    alternatives = [branch for branch in nodes({}, schema) if "anyOf" not in branch and "oneOf" not in branch]
    return bool(alternatives) and all(branch.get("type") == "array" for branch in alternatives)


def file_value(content: bytes, path: str) -> dict[str, str]:
    """A file as a FILE: base64, and the media type that its name suggests."""
    return {"data": base64.b64encode(content).decode("ascii"), "contentType": _content_type(path)}


def _content_type(path: str) -> str:
    suffix = os.path.splitext(path)[1].lower()
    # a table of our own makes the answer the same on every host; Python's module-level one reads the host's files
    found, encoding = mimetypes.MimeTypes().guess_type(os.path.basename(path))
    if encoding:
        return _ENCODED.get(encoding, "application/octet-stream")
    return _OFFICE.get(suffix) or found or "application/octet-stream"


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _is_file(schema: object) -> bool:
    return any({"data", "contentType"} <= _properties(branch).keys() for branch in nodes({}, schema))


def _is_pair(schema: object) -> bool:
    return any(_is_file(_properties(branch).get("value")) for branch in nodes({}, schema))
