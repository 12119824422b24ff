"""AWS's query protocol: form-encoded parameters in, XML out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

_NAMESPACES = {
    "ses": "http://ses.amazonaws.com/doc/2010-12-01/",
    "route53": "https://route53.amazonaws.com/doc/2013-04-01/",
    "sns": "http://sns.amazonaws.com/doc/2010-03-31/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_SERVER_ERROR = 500
_LARGE = 4096
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot represent."""


def parse_form(body: bytes | bytearray) -> dict[str, str]:
    """Return the parameters of a form-encoded body; the last value of a repeated name counts."""
    form: dict[str, str] = {}
    for pair in bytes(body).split(b"&"):
        name, _, value = pair.partition(b"=")
        if name:
            form[_decode(name)] = _decode(value)
    return form


def _decode(value: bytes) -> str:
    value = value.replace(b"+", b" ")
    if len(value) > _LARGE:
        # A base64 message of 13 MB contains only four kinds of escapes; unquoting it piece by piece
        # takes most of a second.
        for escaped, plain in ((b"%2B", b"+"), (b"%2F", b"/"), (b"%3D", b"="), (b"%0A", b"\n")):
            value = value.replace(escaped, plain)
    return unquote_to_bytes(value).decode("utf-8", "replace")


def listed(form: Mapping[str, str], prefix: str) -> tuple[str, ...]:
    """Return the values of ``prefix.member.1``, ``prefix.member.2`` and so on."""
    values: list[str] = []
    while (value := form.get(f"{prefix}.member.{len(values) + 1}")) is not None:
        values.append(value)
    return tuple(values)


def element(name: str, value: object) -> str:
    """Return one XML element, its text escaped."""
    return f"<{name}>{escape(_NOT_XML.sub('?', str(value)))}</{name}>"


def read_members(form: Mapping[str, str], shape: Any, prefix: str = "") -> dict[str, Any]:
    """Convert the parameters of a form by the shape of an operation's input."""
    found = {}
    for name, member in shape.members.items():
        value = _parse_value(form, member, f"{prefix}{name}")
        if value is not None:
            found[name] = value
    return found


def _parse_value(form: Mapping[str, str], shape: Any, place: str) -> Any:
    if shape.type_name == "structure":
        return read_members(form, shape, f"{place}.") or None
    if shape.type_name == "list":
        return [
            _parse_value(form, shape.member, one) for one in _numbered(form, f"{place}.member")
        ] or None
    if shape.type_name == "map":
        key, value = (
            shape.key.serialization.get("name", "key"),
            shape.value.serialization.get("name", "value"),
        )
        return {
            form.get(f"{one}.{key}", ""): _parse_value(form, shape.value, f"{one}.{value}")
            for one in _numbered(form, f"{place}.entry")
        } or None
    text = form.get(place)
    if shape.type_name == "boolean" and text is not None:
        return text == "true"
    return (
        int(text)
        if shape.type_name in ("integer", "long") and text is not None and text.isdecimal()
        else text
    )


def _numbered(form: Mapping[str, str], place: str) -> Iterator[str]:
    """Yield ``place.1``, ``place.2`` and so on, while the form has such parameters."""
    number = 1
    while any(
        name == f"{place}.{number}" or name.startswith(f"{place}.{number}.") for name in form
    ):
        yield f"{place}.{number}"
        number += 1


def members_xml(shape: Any, value: Mapping[str, Any]) -> str:
    """Return the elements of a structure, in the order of its shape."""
    return "".join(
        _xml(member, name, value[name])
        for name, member in shape.members.items()
        if value.get(name) is not None
    )


def _xml(shape: Any, name: str, value: Any) -> str:
    if shape.type_name == "structure":
        inner = members_xml(shape, value)
    elif shape.type_name == "list":
        inner = "".join(
            _xml(shape.member, shape.member.serialization.get("name", "member"), one)
            for one in value
        )
    elif shape.type_name == "map":
        inner = "".join(
            f"<entry>{element('key', key)}{_xml(shape.value, 'value', one)}</entry>"
            for key, one in value.items()
        )
    elif shape.type_name == "timestamp":
        return element(name, datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z"))
    else:
        return element(name, str(value).lower() if isinstance(value, bool) else value)
    return f"<{name}>{inner}</{name}>"


def result_xml(service: str, operation: str, inner: str, request_id: str) -> bytes:
    """Return a complete answer around the inner elements."""
    return (
        f"<{operation}Response "
        f'xmlns="{_NAMESPACES[service]}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata>{element('RequestId', request_id)}</ResponseMetadata></{operation}Response>\n"
    ).encode("utf-8", "xmlcharrefreplace")


def document_xml(service: str, operation: str, inner: str) -> bytes:
    """Return a complete answer of the REST-XML protocol around the inner elements."""
    return f'<{operation}Response xmlns="{_NAMESPACES[service]}">{inner}</{operation}Response>\n'.encode(
        "utf-8", "xmlcharrefreplace"
    )


def error_xml(service: str, code: str, message: str, status: int, request_id: str) -> bytes:
    """Return a complete error answer."""
    side = "Sender" if status < _SERVER_ERROR else "Receiver"
    return (
        f'<ErrorResponse xmlns="{_NAMESPACES[service]}"><Error><Type>{side}</Type>'
        f"{element('Code', code)}{element('Message', message)}</Error>{element('RequestId', request_id)}</ErrorResponse>\n"
    ).encode("utf-8", "xmlcharrefreplace")
