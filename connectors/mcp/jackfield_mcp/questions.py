"""Questions that a server asks a person within a call: which of them can be answered, and the answers of the plugins' hook ``answer``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from jackfield.connector import OpenContext
from jackfield_mcp.outcomes import InputRequired
from jackfield_mcp.texts import plain

_LOG = logging.getLogger("jackfield.mcp")
ASKS = "elicitation/create"
"""Method of a question."""
_LONGEST = 4_096
_MOST_FIELDS = 100
_ACTIONS = ("accept", "decline", "cancel")

Json = Mapping[str, Any]
Answer = Callable[[Json], Json | None]


class Questions:
    """Questions of one server within one attempt, and who answers them."""

    def __init__(self, context: OpenContext, answer: Answer) -> None:
        self._context = context
        self._answer = answer

    def answered(self, asks: InputRequired) -> dict[str, Any]:
        """Return the answers to what a server asks for, by their names; fewer than it asks for if one of them cannot be answered."""
        if not all(row.get("method") == ASKS and self.can_answer(row.get("params")) for row in asks.requests.values()):
            return {}
        return {name: self.answer(row["params"]) for name, row in asks.requests.items()}

    def can_answer(self, params: object) -> bool:
        """Return whether a question is a form: pages at addresses are for the person alone."""
        schema = params.get("requestedSchema") if isinstance(params, Mapping) else None
        if not isinstance(params, Mapping) or params.get("mode", "form") != "form" or not isinstance(schema, Mapping):
            return False
        fields = schema.get("properties", {})
        return isinstance(fields, Mapping) and len(fields) <= _MOST_FIELDS and all(isinstance(one, Mapping) for one in fields.values())

    def answer(self, params: Json) -> dict[str, Any]:
        """Return the answer to a form: that of the first plugin that has one, with the defaults of what it leaves out."""
        call, schema = self._context.call, params["requestedSchema"]
        found = self._answer({
            "workspace": call.workspace, "invocationId": call.invocation_id, "connector": self._context.connector,
            "connection": self._context.connection, "message": plain(params.get("message"), _LONGEST), "schema": schema,
        })  # fmt: skip
        if found is None:
            return {"action": "cancel"}
        action, content = found.get("action"), found.get("content", {})
        fields: Json = schema.get("properties", {})
        if action not in _ACTIONS or not isinstance(content, Mapping) or content.keys() - fields.keys():
            _LOG.error("the answer of a plugin to a question of '%s' does not fit its form", self._context.connector)
            return {"action": "cancel"}
        if action != "accept":
            return {"action": action}
        defaults = {name: about["default"] for name, about in fields.items() if "default" in about}
        return {"action": action, "content": {**defaults, **content}}
