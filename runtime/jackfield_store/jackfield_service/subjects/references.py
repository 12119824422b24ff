"""References of schedules and subscriptions to a connector, its action or trigger, and a
connection, each of which may be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.call.call_rules import find_action
from jackfield.kernel.errors import (
    InvalidConnection,
    JackfieldError,
    UnknownAction,
    UnknownConnection,
    UnknownName,
    did_you_mean,
)

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.manifest.manifest import Manifest
    from jackfield.manifest.triggers import TriggerManifest
    from jackfield_store.runtime import Jackfield


_CURES = {
    "unknown_connector": "Install it again, or remove what refers to it.",
    "unknown_action": "Install a version that has it, or change or remove what refers to it.",
    "unknown_connection": "Add a connection of that name, or change or remove what refers to it.",
}
"""Next steps by the code of the fault."""


class References:
    """Look-up of the references in the rows of one list; each connection is looked up once."""

    def __init__(self, runtime: Jackfield) -> None:
        self._catalog = runtime.catalog
        self._known: Connections = runtime.pipeline.known
        self._found: dict[str, UnknownConnection | None] = {}

    def of_call(self, connector: str, action: str, connection: str | None) -> UnknownName | None:
        """Return the fault of a call whose action or connection is missing; None if both exist."""

        def find() -> None:
            manifest = self._catalog.find(connector)
            found = find_action(manifest, action, self._catalog)
            self._require(manifest, connection, needs=found.needs_connection)

        return _fault(find)

    def of_trigger(
        self, connector: str, trigger: str, connection: str | None
    ) -> UnknownName | None:
        """Return the fault of a missing trigger or connection; None if both exist."""

        def find() -> None:
            manifest, found = find_trigger(self._catalog, f"{connector}/{trigger}")
            self._require(manifest, connection, needs=found.needs_connection)

        return _fault(find)

    def of_then(self, then: Mapping[str, Any] | None) -> UnknownName | None:
        """Return the fault of a missing action or connection of the invocation that events start;
        None if both exist, or events start none.
        """
        return (
            None
            if then is None
            else self.of_call(then["connector"], then["action"], then.get("connection"))
        )

    def _require(self, manifest: Manifest, connection: str | None, *, needs: bool) -> None:
        if connection is None:
            if needs and manifest.connection_types and not self._known.fitting(manifest, 1):
                text = (
                    f"no connection of '{manifest.key}' is there any more, and the call names none"
                )
                raise UnknownConnection(text)
            return
        if connection not in self._found:
            self._found[connection] = self._look(connection)
        fault = self._found[connection]
        if fault is not None:
            raise fault

    def _look(self, connection: str) -> UnknownConnection | None:
        try:
            with suppress(InvalidConnection):  # it is there, and two files define it
                self._known.find(connection)
        except UnknownConnection as fault:
            return fault
        return None


def find_trigger(catalog: Catalog, text: str) -> tuple[Manifest, TriggerManifest]:
    """Return the connector's manifest and the trigger of a name such as ``echo/posted``.

    :raises UnknownConnector: if there is no such connector.
    :raises UnknownAction: if it has no such trigger.
    """
    key, _, name = text.partition("/")
    manifest = catalog.find(key)
    trigger = manifest.triggers.get(name)
    if trigger is None:
        hint = f"It has {', '.join(sorted(manifest.triggers)) or 'none'}."
        raise UnknownAction(
            f"'{key}' has no trigger '{name[:80]}'{did_you_mean(name, manifest.triggers)}",
            hint=hint,
        )
    return manifest, trigger


def require(fault: UnknownName | None) -> None:
    """Require that there is no fault.

    :raises UnknownName: the fault, if there is one.
    """
    if fault is not None:
        raise fault


def said(error: JackfieldError) -> str:
    """Return an error's message and hint for people."""
    return f"{error.message}. {error.hint}" if error.hint else error.message


def fault_of(fault: UnknownName | None) -> dict[str, Any]:
    """Return the member ``fault`` of a schedule or subscription with a missing reference, in a
    mapping; empty if none is missing.
    """
    return (
        {}
        if fault is None
        else {"fault": {"code": fault.code, "message": fault.message, "hint": fault.hint}}
    )


def _fault(find: Callable[[], None]) -> UnknownName | None:
    try:
        find()
    except UnknownName as fault:
        return type(fault)(fault.message, hint=_CURES[fault.code])
    return None
