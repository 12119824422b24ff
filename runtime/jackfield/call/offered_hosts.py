"""Hosts that the schema of a connection type offers as defaults, choices or examples: the author's
choice, which must be public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from jackfield.call.open import hosts_of
from jackfield.kernel.errors import InvalidConnection
from jackfield.wire.guard import Guard

_PUBLIC = Guard()
_OFFERING = frozenset({"default", "const", "enum", "examples"})
"""Keywords of a schema whose values the author offers. An operator who chooses one has not written
it.
"""


def inner_hosts(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values that a connection type's schema offers and that name this machine or an
    address in the operator's network.
    """
    for text in offered(schema):
        # no client can read the host: a connection with this value is refused
        with suppress(InvalidConnection):
            if any(map(_is_inner, hosts_of(text, ""))):
                yield text


def _is_inner(name: str) -> bool:
    host = name.strip("[]").rstrip(".").lower()
    if not is_written_out(host):
        return False
    try:
        ip_address(host)
        _PUBLIC.check_address(host, host)
    except (ValueError, InvalidConnection):
        return True
    return False


def offered(node: object) -> Iterator[str]:
    """Yield all strings in the defaults, choices and examples of a schema."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _strings(value) if name in _OFFERING else offered(value)
    elif isinstance(node, list):
        for item in node:
            yield from offered(item)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(item)


def is_written_out(host: str) -> bool:
    """Return whether a host is an IP address or ``localhost``, and not a name that DNS resolves."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
