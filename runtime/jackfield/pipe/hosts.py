"""The hosts that a connection's values name, so that the runtime judges them before any connector code connects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from jackfield.connector.guard import Guard
from jackfield.errors import Detail, InvalidConnection
from jackfield.json_pointer import child
from jackfield.schema_walk import Nodes, Schema, extension, members, nodes

__all__ = ["judge_hosts", "named_hosts"]

_FORMATS = frozenset({"uri", "uri-reference", "iri", "iri-reference", "hostname", "idn-hostname", "ipv4", "ipv6"})
_SCHEMES = ("http:", "https:", "ws:", "wss:", "ftp:", "ftps:")
"""Schemes for which clients make up for missing slashes."""


def judge_hosts(guard: Guard, schema: Schema, values: Mapping[str, Any]) -> None:
    """Do nothing where ``guard`` lets every host through that the values name.

    :raises InvalidConnection: at each value that names a host which may not be reached, or which two readers could read differently.
    """
    if guard.internal:
        return
    refused: list[InvalidConnection] = []
    for path, text in named_hosts(schema, values):
        try:
            for host in _hosts(text, path):
                guard.check(host, path)
        except InvalidConnection as error:
            refused.append(error)
    if refused:
        refused[0].details = tuple(detail for error in refused for detail in error.details)
        raise refused[0]


def named_hosts(schema: Schema, values: object) -> Iterator[tuple[str, str]]:
    """Find each value that names a host, by its format or the mark ``destination``, with its JSON Pointer."""
    return _named(schema, nodes(schema, schema), values, "", marked=False)


def _named(root: Schema, applying: Nodes, value: object, path: str, *, marked: bool) -> Iterator[tuple[str, str]]:
    marked = marked or any(extension(node).get("destination") for node in applying)
    if isinstance(value, str) and (marked or any(node.get("format") in _FORMATS for node in applying)):
        yield path, value
    for name, known, member in members(root, applying, value):
        # the items of a marked array are destinations too
        yield from _named(root, known or (), member, child(path, name), marked=marked and isinstance(value, list | tuple))


def _hosts(text: str, path: str) -> set[str]:
    """Every host that a client may take the text for: a URL, ``host``, ``host:port``, with or without slashes and escapes."""
    given = text.strip()
    if "\\" in given or not given.isprintable() or " " in given:
        raise _odd(path)
    low = given.lower()
    readings = [given] if "://" in given else [f"//{given.lstrip('/')}"]
    if low.startswith(_SCHEMES):
        readings.append(f"//{given.partition(':')[2].lstrip('/')}")
    try:
        found = [urlsplit(reading).hostname for reading in readings]
    except ValueError:
        raise _odd(path) from None
    return {name for host in found if host for name in (host, unquote(host))}


def _odd(path: str) -> InvalidConnection:
    return InvalidConnection(
        "the connection does not name a host clearly",
        details=[Detail(path, "is not a plain host name or URL", "format")],
        hint="Give a host name or a URL without blanks, backslashes and control characters.",
    )
