"""Inputs of calls for people: recorded ones, and the inputs with which a waiting call will run,
without secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.call.masking import connection_secrets
from jackfield.manifest.manifest import WHOLE_BODY
from jackfield.redaction.marks import masked
from jackfield_store.journal.contents import sealed_inputs
from jackfield_store.journal.entry import REQUEST, is_shown

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.redaction.redactor import Redactor
    from jackfield_store.journal.contents import Called
    from jackfield_store.journal.journal import Journal


class ReadableInputs:
    """Reader of inputs in one workspace.

    ``keeps`` is true if the workspace records inputs. Only then are the inputs of dead letters, and
    of calls that have not begun, shown. ``decides`` is true for callers who may approve; they see
    the inputs of each call that waits for an approval. ``is_bound`` is true for callers with rules,
    who do not see the inputs of doubts: these are stored unasked.
    """

    def __init__(
        self,
        journal: Journal,
        known: Connections,
        catalog: Catalog,
        *,
        keeps: bool,
        decides: bool,
        is_bound: bool,
    ) -> None:
        self._journal, self._known, self._catalog = journal, known, catalog
        self._keeps, self._decides, self._is_bound = keeps, decides, is_bound
        self._redactors: dict[str, Redactor | None] = {}

    def of(self, calls: Sequence[Called]) -> dict[str, Any]:
        """Return the inputs of calls that the caller may see, by ID; large and damaged ones are
        left out.
        """
        sealed = sealed_inputs(self._journal, calls)
        found = {
            call.id: self._inputs_of(call, sealed[call.id]) for call in calls if call.id in sealed
        }
        return {identifier: inputs for identifier, inputs in found.items() if inputs is not None}

    def _inputs_of(self, call: Called, stored: Mapping[str, Any]) -> Any:
        status = "ended" if self._is_bound else call.status
        if not is_shown(stored, status):
            return None
        if REQUEST in stored and "inputs" not in stored:
            return self._masked(call, stored[REQUEST])
        if "invocation" not in stored:
            return stored.get("inputs")
        asked = stored.get("approval")
        if isinstance(asked, Mapping) and (
            self._keeps or (self._decides and call.status == "waiting")
        ):
            return asked.get("shown", {}).get("inputs")
        return self._masked(call, stored) if self._keeps else None

    def _masked(self, call: Called, stored: Mapping[str, Any]) -> Any:
        """Return the inputs of a stored request, with secrets masked; None if the secrets
        or the action are unknown.
        """
        manifest, invocation = self._catalog.look(call.connector)[1], self._known.followed(stored)
        action, inputs = (
            None if manifest is None else manifest.actions.get(call.action),
            invocation.get("inputs"),
        )
        if action is None or not isinstance(inputs, Mapping) or WHOLE_BODY in inputs:
            return None
        shown, connection = masked(action.inputs, inputs), invocation.get("connection")
        if connection is None:
            return shown
        if connection not in self._redactors:
            self._redactors[connection] = connection_secrets(connection, self._known, self._catalog)
        redactor = self._redactors[connection]
        return None if redactor is None else redactor.clean_json(shown)
