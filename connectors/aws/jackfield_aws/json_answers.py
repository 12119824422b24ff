"""botocore's answers as JSON values, made by its own parser: converting them afterwards would take longer than the call itself."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_timestamp

from jackfield.connector import current_call

_DATE, _ZONE = len("2026-01-31"), len("+00:00")


def parse_as_json(parsers: Any) -> None:
    """Make the parsers of a botocore factory return times as RFC 3339 and bytes as ``{"data": base64}``."""
    parsers.set_parser_defaults(timestamp_parser=timestamp, blob_parser=blob)


def timestamp(value: Any) -> str:
    """Return a time of an answer as RFC 3339 in UTC. A text that is one already stays as it is, and so does what cannot be read as a time,
    with a warning: AWS sends empty times, and milliseconds where seconds belong."""
    try:
        return _rfc3339(value)
    except (ArithmeticError, OSError, RuntimeError, TypeError, ValueError):
        call = current_call()
        if call is not None:
            call.warn(f"AWS sent {str(value)[:40]!r} where a time belongs: it is returned as it is")
        return str(value)


def _rfc3339(value: Any) -> str:
    if isinstance(value, str):
        if value.endswith("Z") and value[_DATE : _DATE + 1] == "T":
            return value
        try:
            value = float(value)
        except ValueError:
            return _parsed(value)
    if isinstance(value, datetime):
        return _text(value)
    moment = datetime.fromtimestamp(value, UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")[:-_ZONE] + "Z"


def _parsed(text: str) -> str:
    return _text(parse_timestamp(text))


def _text(moment: datetime) -> str:
    found = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return found.isoformat(timespec="milliseconds" if found.microsecond else "seconds").removesuffix("+00:00") + "Z"


def blob(value: Any) -> dict[str, str]:
    """Return bytes of an answer as a file. botocore passes the base64 text of JSON and XML, but the bytes of other protocols."""
    return {"data": value if isinstance(value, str) else b64encode(value).decode("ascii")}


def cleaned(value: Any) -> Any:
    """Return an answer with all bytes in it as files: those that do not pass the parser's hooks (whole bodies, CBOR, events)."""
    if isinstance(value, bytes | bytearray):
        return blob(value)
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, dict):
        return {name: cleaned(item) for name, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return value
