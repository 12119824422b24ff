"""File inputs: one type for all forms in which a caller can pass a file."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["File"]

_TEXT = "text/plain; charset=utf-8"
_OCTETS = "application/octet-stream"


class File:
    """File passed by a caller: content and media type. For fields of ``Inputs``.

    In JSON it is a text (UTF-8), a ``data:`` URL, or ``{"data": base64, "contentType": …}``. The CLI reads ``name=@path``, the HTTP API and
    MCP accept uploads (``{"file": id}``), and the console shows a file picker.
    """

    __slots__ = ("content", "content_type")

    def __init__(self, content: bytes, content_type: str = _OCTETS) -> None:
        self.content = content
        self.content_type = content_type

    def __repr__(self) -> str:  # content from callers stays out of logs
        return f"File({len(self.content)} bytes, {self.content_type!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_read)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "anyOf": [
                {"type": "string", "description": "The file's text (UTF-8), or a data: URL (RFC 2397)."},
                {
                    "type": "object",
                    "properties": {
                        "data": {"type": "string", "contentEncoding": "base64", "description": "The file's octets as base64."},
                        "contentType": {"type": "string", "description": "The file's media type, such as application/pdf."},
                    },
                    "required": ["data"],
                    "additionalProperties": False,
                },
            ]
        }


def _read(value: object) -> File:
    """Parse a file from its JSON form.

    :raises ValueError: for invalid base64, or if the value is no file at all.
    """
    if isinstance(value, File):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("data"), str):
        return File(_decoded(value["data"]), value.get("contentType") or _OCTETS)
    if not isinstance(value, str):
        raise ValueError("is neither text nor an object with 'data'")  # noqa: TRY004 (pydantic only handles ValueError)
    head, comma, rest = value.partition(",")
    if value[:5].lower() != "data:" or not comma:
        return File(value.encode("utf-8", "surrogatepass"), _TEXT)
    kind, encoded = head[5:], head[-7:].lower() == ";base64"
    media_type = unquote(kind[:-7] if encoded else kind) or "text/plain"
    return File(_decoded(unquote(rest)) if encoded else unquote_to_bytes(rest), media_type)


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        raise ValueError("is not base64") from None
