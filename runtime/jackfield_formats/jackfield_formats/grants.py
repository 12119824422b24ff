"""Exports of grants: Nango's, Apideck's, and tables of one's own as CSV or JSON Lines.

JSON exports are an array, one object, JSON Lines, or an object that has the array as
``connections`` or ``data``. No reader uses the address of a token endpoint, a client or its secret
from another system's export.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jackfield.connections.grant_formats import MEMBERS, ForeignGrant
from jackfield.invocation.wire import parse_json
from jackfield.kernel.errors import InvalidInvocation

Json = Mapping[str, Any]
_LISTS = ("connections", "data", "items")
_OWN = frozenset({"name", "type", "values", "grant"})
_NO_TOKENS = "has neither a refresh token nor an access token"


def nango(text: str) -> Iterator[ForeignGrant]:
    """Yield the connections that Nango's API returns one by one (``GET /connections/{id}``)."""
    yield from _rows(text, _of_nango)


def apideck(text: str) -> Iterator[ForeignGrant]:
    """Yield the bodies that Apideck's vault imports, each with ``service_id`` and
    ``consumer_id``.
    """
    yield from _rows(text, _of_apideck)


def jsonl(text: str) -> Iterator[ForeignGrant]:
    """Yield objects in the form of ``POST /v1/connections``."""
    yield from _rows(text, _of_own)


def csv_rows(text: str) -> Iterator[ForeignGrant]:
    """Yield the rows of a table whose header names ``name``, ``type``, members of a grant, and
    ``values.…`` and ``metadata.…``.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        wrong = next((name for name in header if not _is_column(name)), None)
        if wrong is not None or len(set(header)) < len(header):
            about = (
                "has two columns of one name"
                if wrong is None
                else f"has a column '{wrong[:60]}', which is none of a grant"
            )
            yield ForeignGrant("line 1", fault=about)
            return
        for cells in rows:
            place = f"line {rows.line_num}"
            if len(cells) != len(header):
                yield ForeignGrant(
                    place, fault=f"has {len(cells)} cells; the header has {len(header)}"
                )
            elif any(cells):
                yield _of_cells(place, dict(zip(header, cells, strict=True)))
    except csv.Error:
        yield ForeignGrant(f"line {rows.line_num}", fault="is not CSV (RFC 4180)")


def _is_column(name: str) -> bool:
    return name in {"name", "type", "oauthClient"} | MEMBERS - {"metadata"} or name.partition(".")[
        0
    ] in ("values", "metadata")


def _of_cells(place: str, cells: Mapping[str, str]) -> ForeignGrant:
    given = {name: value for name, value in cells.items() if value != ""}
    parts: dict[str, dict[str, Any]] = {"values": {}, "metadata": {}}
    grant: dict[str, Any] = {}
    for name, value in given.items():
        whole, _, member = name.partition(".")
        if member and whole in parts:
            parts[whole][member] = value
        elif name in MEMBERS:
            grant[name] = value
    if "oauthClient" in given:
        parts["values"]["oauthClient"] = given["oauthClient"]
    about = {"metadata": parts["metadata"]} if parts["metadata"] else {}
    return ForeignGrant(
        place, given.get("name", ""), "", given.get("type"), parts["values"], {**grant, **about}
    )


def _of_own(place: str, row: Json) -> ForeignGrant:
    unknown = sorted(row.keys() - _OWN)
    if unknown:
        return ForeignGrant(
            place,
            fault=f"has a member '{unknown[0][:60]}', which is none of: {', '.join(sorted(_OWN))}",
        )
    values, grant = row.get("values", {}), row.get("grant")
    if (
        not isinstance(values, Mapping)
        or not isinstance(grant, Mapping)
        or not isinstance(row.get("type"), str)
    ):
        return ForeignGrant(
            place, fault="must have 'name' and 'type' as strings, and 'grant' as an object"
        )
    return ForeignGrant(place, str(row.get("name", "")), "", row["type"], values, grant)


def _of_nango(place: str, row: Json) -> ForeignGrant:
    credentials, owner = row.get("credentials"), row.get("end_user")
    if not isinstance(credentials, Mapping) or not isinstance(row.get("connection_id"), str):
        return ForeignGrant(
            place,
            fault=(
                "has no 'connection_id' or no 'credentials': export each connection by GET "
                "/connections/{id}"
            ),
        )
    if (kind := credentials.get("type", "OAUTH2")) != "OAUTH2":
        return ForeignGrant(
            place,
            fault=(
                f"is of the type '{str(kind)[:40]}': only OAUTH2 has a grant; add the others "
                "as connections"
            ),
        )
    raw = credentials.get("raw")
    grant = {
        **_tokens(credentials),
        "scopes": raw.get("scope") if isinstance(raw, Mapping) else None,
        "user": owner.get("id") if isinstance(owner, Mapping) else None,
        "metadata": row.get("metadata") or None,
    }
    config = row.get("connection_config")
    return _foreign(
        place,
        row["connection_id"],
        row.get("provider_config_key") or row.get("provider"),
        config,
        grant,
    )


def _of_apideck(place: str, row: Json) -> ForeignGrant:
    credentials = row.get("credentials")
    if not isinstance(credentials, Mapping) or not isinstance(row.get("service_id"), str):
        return ForeignGrant(place, fault="has no 'service_id' or no 'credentials'")
    consumer = row.get("consumer_id")
    grant = {**_tokens(credentials), "user": consumer, "metadata": row.get("metadata") or None}
    return _foreign(
        place,
        str(row.get("id") or f"{row['service_id']}-{consumer}"),
        row["service_id"],
        row.get("settings"),
        grant,
    )


def _foreign(
    place: str, identifier: str, provider: object, values: object, grant: Json
) -> ForeignGrant:
    given = {name: value for name, value in grant.items() if value is not None}
    if not given.keys() & {"refreshToken", "accessToken"}:
        return ForeignGrant(place, fault=_NO_TOKENS)
    return ForeignGrant(
        place,
        identifier,
        str(provider or ""),
        None,
        values if isinstance(values, Mapping) else {},
        given,
    )


def _tokens(credentials: Json) -> dict[str, Any]:
    found = {
        "refreshToken": credentials.get("refresh_token"),
        "accessToken": credentials.get("access_token"),
    }
    return {**found, "expiresAt": credentials.get("expires_at") or _expiry(credentials)}


def _expiry(credentials: Json) -> str | None:
    """Return the expiry of a token whose time of issue and lifetime in seconds are known; else
    None.
    """
    issued, lasts = credentials.get("issued_at"), credentials.get("expires_in")
    if not isinstance(issued, str) or not isinstance(lasts, int | float):
        return None
    try:
        return (
            (datetime.fromisoformat(issued) + timedelta(seconds=lasts)).astimezone(UTC).isoformat()
        )
    except (ValueError, OverflowError):
        return None


def _rows(text: str, read: Callable[[str, Json], ForeignGrant]) -> Iterator[ForeignGrant]:
    for place, row in _objects(text):
        yield (
            read(place, row)
            if isinstance(row, Mapping)
            else ForeignGrant(place, fault="is not a JSON object")
        )


def _objects(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the objects of a JSON document, or of JSON Lines, each with its place; None for text
    that is not JSON.

    :raises InvalidInvocation: if an array is not JSON, or too large.
    """
    try:
        whole = parse_json(text)
    except InvalidInvocation:
        if text.lstrip().startswith("["):
            raise
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"line {number}", _parsed(line)
        return
    if isinstance(whole, Mapping):
        whole = next((whole[name] for name in _LISTS if isinstance(whole.get(name), list)), [whole])
    for number, row in enumerate(whole if isinstance(whole, list) else [whole], 1):
        yield f"entry {number}", row


def _parsed(line: str) -> Any:
    try:
        return parse_json(line)
    except InvalidInvocation:
        return None
