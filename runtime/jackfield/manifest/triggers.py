"""Triggers in a manifest, as a host reads them without running the connector's code."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.kernel.dataclass import dataclass
from jackfield.manifest import reading as read

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

Json = Mapping[str, "Any"]

KINDS = ("webhook", "poll")
"""Kinds of triggers: a provider that sends requests, and a provider that is polled."""
CHANGES = ("Created", "Updated", "Deleted")
"""Suffixes of the event types of a poll that compares a list with its earlier state."""
EVERY, LEAST = 300.0, 10.0
"""Seconds between two polls: the default, and the minimum that a manifest may declare."""
LARGEST = 1024 * 1024
"""Maximum and default size of a webhook's body, in bytes."""
WINDOW = 14 * 86_400
"""Seconds for which an event's key is stored: longer than providers repeat a request
(docs/tutorial/triggers.md).
"""


@dataclass(frozen=True, slots=True, eq=False)
class TriggerManifest:
    """One trigger. ``types`` are the types of its events, without the connector's name.

    ``every`` are the seconds between two polls, ``least`` the minimum that a subscription may
    choose. ``largest`` is the maximum size of a webhook's body in bytes. ``registers`` is true if
    the connector registers its webhook at the provider, so that nobody has to copy the URL there.
    ``polls`` is true for a poll, and for a webhook with a poll that closes its gaps. ``compares``
    is true for a poll that compares a list with its earlier state.
    """

    key: str
    title: str
    description: str
    kind: str
    inputs: Json
    event: Json
    types: tuple[str, ...]
    needs_connection: bool
    registers: bool
    polls: bool
    compares: bool
    every: float
    least: float
    largest: int
    setup: str
    permissions: Mapping[str, tuple[str, ...]]
    row: Json

    @classmethod
    def from_json(cls, data: Json, where: str) -> TriggerManifest:
        """Read one member of ``triggers``."""
        key = read.text(data, "key", where)
        where = f"{where}, trigger '{key}'"
        kind = data.get("kind")
        if kind not in KINDS:
            raise read.ManifestError(f"{where}: 'kind' must be webhook or poll")
        interval, webhook = (
            read.members(data, "interval", where),
            read.members(data, "webhook", where),
        )
        permissions = read.members(data, "permissions", where)
        return cls(
            key=key,
            title=read.title(data, where) or key,
            description=read.optional_text(data, "description", where) or "",
            kind=kind,
            inputs=read.schema(data, "inputs", where),
            event=read.schema(data, "event", where),
            types=read.texts(data, "types", where) or (key,),
            needs_connection=data.get("needsConnection") is not False,
            registers=read.is_true(webhook, "registers", where),
            polls=kind == "poll" or "interval" in data,
            compares=read.is_true(data, "compares", where),
            every=_seconds(interval, "defaultSeconds", EVERY, where),
            least=_seconds(interval, "minSeconds", LEAST, where),
            largest=int(min(_seconds(webhook, "maxBodyBytes", LARGEST, where), LARGEST)),
            setup=read.optional_text(data, "setup", where) or "",
            permissions={system: read.texts(permissions, system, where) for system in permissions},
            row=data,
        )


def event_type(connector: str, name: str) -> str:
    """Return the type of an event of a connector: ``aws_ses.bounced``. Types have no hyphens
    (Standard Webhooks).
    """
    return f"{connector.replace('-', '_').replace('.', '_')}.{name}"


def _seconds(data: Json, name: str, usual: float, where: str) -> float:
    value = data.get(name, usual)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < float("inf")
    ):
        raise read.ManifestError(f"{where}: '{name}' must be a number above 0")
    try:
        return float(value)
    except OverflowError:
        raise read.ManifestError(f"{where}: '{name}' is too large") from None
