"""botocore's responses as JSON values, made by its own parser: converting them afterwards would
take longer than the call itself.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.utils import parse_timestamp

from jackfield.connector import current_call

_DATE, _ZONE = len("2026-01-31"), len("+00:00")
_NUMBERS = ("_handle_integer", "_handle_long", "_handle_float", "_handle_double")
"""Methods of botocore's parsers that read numbers in XML and header fields."""
_POINT, _GROUP, _MILLI = ".", 3, 1000


def parse_as_json(parsers: Any) -> None:
    """Make the parsers of a botocore factory return times as RFC 3339 and bytes as ``{"data":
    base64}``. An invalid number in XML or in a header field is returned as text.
    """
    parsers.set_parser_defaults(timestamp_parser=timestamp, blob_parser=blob)
    make = parsers.create_parser

    def made(protocol: str) -> Any:
        parser = make(protocol)
        for name in _NUMBERS:
            if handle := getattr(parser, name, None):
                setattr(parser, name, partial(_number, handle))
        return parser

    parsers.create_parser = made


def _number(handle: Callable[[Any, Any], Any], shape: Any, found: Any) -> Any:
    """Return botocore's reading of a number, or its text with a warning: an invalid value must not
    lose a response.
    """
    try:
        return handle(shape, found)
    except (TypeError, ValueError):
        text = str(getattr(found, "text", found) or "")
        _tell(text, "a number")
        return text


def _tell(value: object, what: str) -> None:
    call = current_call()
    if call is not None:
        call.warn(f"AWS sent {str(value)[:40]!r} where {what} belongs: it is returned as it is")


def timestamp(value: Any) -> str:
    """Return a response's time in the form of outputs: RFC 3339 in UTC with ``Z``. Fractions of a
    second have three, six or nine digits, as few as possible. An unreadable time stays unchanged,
    with a warning: AWS sends empty times, and milliseconds in place of seconds.
    """
    try:
        return _rfc3339(value)
    except (ArithmeticError, OSError, RuntimeError, TypeError, ValueError):
        _tell(value, "a time")
        return str(value)


def _rfc3339(value: Any) -> str:
    if isinstance(value, str):
        if value.endswith("Z") and value[_DATE : _DATE + 1] == "T":
            return value if _POINT not in value else _grouped(value)
        try:
            value = float(value)
        except ValueError:
            return _parsed(value)
    return _text(value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC))


def _grouped(text: str) -> str:
    """Return a time with as few groups of three fractional digits as possible, without losing
    digits.
    """
    whole, _, part = text[:-1].partition(_POINT)
    digits = part.rstrip("0")
    if part and not part.isdigit():
        return _parsed(text)
    return (
        f"{whole}{_POINT}{digits.ljust(-(-len(digits) // _GROUP) * _GROUP, '0')}Z"
        if digits
        else f"{whole}Z"
    )


def _parsed(text: str) -> str:
    return _text(parse_timestamp(text))


def _text(moment: datetime) -> str:
    found = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    how = (
        "seconds"
        if not found.microsecond
        else "microseconds"
        if found.microsecond % _MILLI
        else "milliseconds"
    )
    return found.isoformat(timespec=how)[:-_ZONE] + "Z"


def blob(value: Any) -> dict[str, str]:
    """Return a response's bytes as a file. botocore passes base64 text from JSON and XML, and bytes
    from other protocols.
    """
    return {"data": value if isinstance(value, str) else b64encode(value).decode("ascii")}


def cleaned(value: Any) -> Any:
    """Return a response with all its bytes as files, including bytes that bypass the parser's hooks
    (whole bodies, CBOR, events).
    """
    if isinstance(value, bytes | bytearray):
        return blob(value)
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, dict):
        return {name: cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value
