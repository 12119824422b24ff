"""Resolution of a workflow's provider to a connection: by key, then by name, then by type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jackfield.connections.aliases import Alias, Aliases
from jackfield.connections.named_connection import NamedConnection
from jackfield.kernel.errors import InvalidInvocation, UnknownConnection
from jackfield.kernel.exports import late_hints

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

_FORMAT = "thand"
_OPERATION = "notify"


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """Connection that can notify, and its alias."""

    connection: str
    alias: Alias

    @property
    def action(self) -> str:
        """Action that sends the notification."""
        return self.alias.operations[_OPERATION]


class Providers:
    """Providers of a workspace."""

    def __init__(self, jackfield: Jackfield) -> None:
        self._jackfield = jackfield
        self._aliases = Aliases.installed(jackfield.catalog)
        self._known = jackfield.connections.known

    def find(self, name: str, kind: str | None) -> Provider:
        """Return the provider called ``name``; ``kind`` is the notification type that the task
        requires, if any.

        :raises InvalidInvocation: if no provider has this name, or the provider does not support
            the type.
        """
        stored = self._find_connection(name)
        alias = self._alias(stored)
        if alias is None:
            raise InvalidInvocation(
                f"the connection '{stored.name}' of the type '{stored.type}' cannot send "
                "notifications",
                hint="Use a connection whose connector declares a notifier alias.",
            )
        supported = alias.raw.get("kind")
        if kind is not None and kind not in (supported, alias.key):
            raise InvalidInvocation(
                f"the provider '{name[:100]}' notifies by '{supported}', not by '{kind[:80]}'"
            )
        return Provider(stored.name, alias)

    def _find_connection(self, name: str) -> NamedConnection:
        files = self._known.files()
        theirs = [
            item for item in files if item.foreign is not None and item.foreign.format == _FORMAT
        ]
        by_key = self._known.in_files(name) or _first(
            item for item in theirs if _names(item)[:1] == (name,)
        )
        found = by_key or _first(item for item in theirs if name in _names(item)[1:2])
        found = found or _first(item for item in theirs if name.lower() in _names(item)[2:])
        if found is not None:
            return self._known.find(found.name)
        try:
            return self._known.find(name)
        except UnknownConnection as error:
            hint = "; ".join(self._known.problems[:3]) or error.hint
            off = next(
                (f" ({item.text})" for item in self._known.disabled if name in item.names), ""
            )
            raise InvalidInvocation(
                f"no matching provider found for name: {name[:100]}{off}", hint=hint
            ) from None

    def _alias(self, stored: NamedConnection) -> Alias | None:
        """Return the alias by which a provider was read. For one of jackfield's own connections,
        return the alias of a connector that accepts the connection. None without such an alias.
        """
        known = self._aliases.all(_FORMAT)
        if stored.foreign is not None and stored.foreign.format == _FORMAT:
            found = known.get(stored.foreign.type)
            return found if found is not None and _OPERATION in found.operations else None
        for alias in known.values():
            if (
                _OPERATION in alias.operations
                and self._jackfield.catalog.find(alias.connector).connection_type(stored.type)
                is not None
            ):
                return alias
        return None


def _names(item: NamedConnection) -> tuple[str, ...]:
    return (*item.foreign.names, item.foreign.type) if item.foreign is not None else ()


def _first(items: Iterable[NamedConnection]) -> NamedConnection | None:
    return next(iter(items), None)


late_hints(__name__)
