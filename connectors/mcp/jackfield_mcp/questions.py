"""Questions of a server to a person within a call, answered by an installed package or by the
caller.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from jackfield.connector import OpenContext
from jackfield.connector.context import Answer, AskCaller
from jackfield_mcp.messages import present
from jackfield_mcp.outcomes import InputRequired
from jackfield_mcp.texts import plain

_LOG = logging.getLogger("jackfield.mcp")
ASKS = "elicitation/create"
"""Method of a question."""
_LONGEST = 4_096
_MOST_FIELDS = 100
_ACTIONS = ("accept", "decline", "cancel")
_GROUP = "jackfield.answers"

Json = Mapping[str, Any]


class Questions:
    """Questions of one server within one attempt, answered by a package, or else by the caller."""

    def __init__(
        self, context: OpenContext, answer: Answer | None, ask_caller: AskCaller | None
    ) -> None:
        self._context = context
        self._answer = answer
        self._ask_caller = ask_caller

    @classmethod
    def of(cls, context: OpenContext) -> Questions | None:
        """Return the questions of an attempt; None if neither a package nor the caller can
        answer.
        """
        call = context.call
        return (
            None
            if call.answer is None and call.ask_caller is None
            else cls(context, call.answer, call.ask_caller)
        )

    @property
    def at_once(self) -> bool:
        """True if a package answers. A caller answers in another call, so never during this one."""
        return self._answer is not None

    def answered(self, asks: InputRequired) -> dict[str, Any]:
        """Return the answers to a server's questions, by name; empty if a question is no form.

        :raises Forbidden: if the caller must answer.
        """
        if not all(
            row.get("method") == ASKS and can_answer(row.get("params"))
            for row in asks.requests.values()
        ):
            return {}
        return {name: self._found(name, row["params"]) for name, row in asks.requests.items()}

    def answer(self, params: Json) -> dict[str, Any]:
        """Return the package's answer to a form, completed by the form's defaults; a cancellation
        if the package has no answer.
        """
        found = None if self._answer is None else self._answer(self._question(params))
        return (
            {"action": "cancel"}
            if found is None
            else self._fitted(found, params["requestedSchema"])
        )

    def _found(self, name: str, params: Json) -> dict[str, Any]:
        question = self._question(params)
        found = None if self._answer is None else self._answer(question)
        if found is None and self._ask_caller is not None:
            found = self._ask_caller(name, question)
        return (
            {"action": "cancel"}
            if found is None
            else self._fitted(found, params["requestedSchema"])
        )

    def _question(self, params: Json) -> dict[str, Any]:
        call = self._context.call
        return {
            "workspace": call.workspace,
            "invocationId": call.invocation_id,
            "connector": self._context.connector,
            "connection": self._context.connection,
            "message": plain(params.get("message"), _LONGEST),
            "schema": params["requestedSchema"],
        }

    def _fitted(self, found: Json, schema: Json) -> dict[str, Any]:
        action, content = found.get("action"), found.get("content", {})
        fields: Json = present(schema).get("properties", {})
        if (
            action not in _ACTIONS
            or not isinstance(content, Mapping)
            or content.keys() - fields.keys()
        ):
            _LOG.error(
                "an answer to a question of '%s' does not fit its form", self._context.connector
            )
            return {"action": "cancel"}
        if action != "accept":
            return {"action": action}
        defaults = {
            name: about["default"]
            for name, about in fields.items()
            if about.get("default") is not None
        }
        return {"action": action, "content": {**defaults, **content}}


def declares_answers(context: OpenContext) -> bool:
    """Return whether a package answers the questions of a connection's server. Sessions and lists
    of tools depend on it.

    Some servers list a tool that asks questions only for clients that answer. Tests and reviews
    list the same tools as calls.
    """
    if context.call.invocation_id:
        return context.call.answer is not None
    found: bool = context.cached("jackfield_mcp answers", lambda: is_answered(context.connector))
    return found


def is_answered(key: str) -> bool:
    """Return whether an installed package answers for a connector."""
    return bool(entry_points(group=_GROUP, name=key))


def can_answer(params: object) -> bool:
    """Return whether a question is a form: only the person may open a page at an address."""
    given = present(params) if isinstance(params, Mapping) else {}
    schema = given.get("requestedSchema")
    if given.get("mode", "form") != "form" or not isinstance(schema, Mapping):
        return False
    fields = present(schema).get("properties", {})
    return (
        isinstance(fields, Mapping)
        and len(fields) <= _MOST_FIELDS
        and all(isinstance(one, Mapping) for one in fields.values())
    )
