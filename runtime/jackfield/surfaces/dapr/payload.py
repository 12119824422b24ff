"""The data of a binding request: what the caller means as the body of the message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.surfaces.dapr.quoting import QuotingError, unquote

__all__ = ["PayloadError", "from_json", "from_octets"]


class PayloadError(ValueError):
    """The data is not what the binding takes."""


def from_json(data: Any, members: Sequence[str], *, strict: bool) -> str | Mapping[str, Any]:
    """The body in the ``data`` of a JSON request: a text; or (lenient) an object of inputs named in ``members``.

    :raises PayloadError: for anything else, as in the original, which re-quotes the text and takes nothing but texts.
    """
    if isinstance(data, str):
        return data
    if not strict and isinstance(data, Mapping) and data and all(name in members for name in data):
        return data
    raise PayloadError(str(QuotingError()))


def from_octets(data: bytes, members: Sequence[str], *, strict: bool) -> str | Mapping[str, Any]:
    """The body in the octets of a gRPC request: a quoted literal; or (lenient) a JSON text, an object of inputs, or the text as it is.

    :raises PayloadError: for what is not UTF-8, or not a literal (``strict``), or a JSON value of another kind.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise PayloadError("the data is not UTF-8 text") from None
    try:
        return unquote(text)
    except QuotingError as error:
        if strict:
            raise PayloadError(str(error)) from None
    value = _json(text)
    return text if value is None else from_json(value, members, strict=False)


def _json(text: str) -> Any:
    """The JSON text, object or list that a text is; None for everything else, numbers and words included."""
    trimmed = text.strip()
    if not trimmed.startswith(('"', "{", "[")):
        return None
    try:
        return json.loads(trimmed)
    except (ValueError, RecursionError):
        return None
