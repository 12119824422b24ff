"""Forms for the person behind an MCP client, for a provider's question (elicitation) that no
package of the operator answers.

The call is refused, with nothing done, and the client gets the form instead of a result. The client
shows the form, and calls again with the answer and the state. The state holds the answers of
earlier rounds, sealed for one caller, one call and a limited time. The provider is then called
again, and gets the answers. Anyone who may call may answer: unlike a link, a form gives nobody an
account.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from jackfield.callers import Caller
from jackfield.kernel.errors import Forbidden, Sent
from jackfield.kernel.hidden import has_hidden, visible
from jackfield.kernel.scripts import mixed_words
from jackfield_service.subjects.mcp.connect_requests import ANSWERS, digest_of_call, refuse_state
from jackfield_store.database import SealBroken

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

_LASTS = 900.0
"""Seconds within which a form must be answered."""
_STATE = ("mcp", "form")
_LONGEST, _MOST = 64 * 1024, 32 * 1024
"""Maximum lengths in characters of a state, and of the answers of all rounds as JSON."""
_NAME = 200
_WORDS = ("title", "description", "enumNames")
"""Members of a form that are for people only, and no part of an answer."""
_DEEP, _TOLD = 8, 5
"""Maximum depth of a form, and maximum number of texts in a warning."""

Json = Mapping[str, Any]


class Forms:
    """Forms of one call of a tool. ``asked`` are the forms without an answer, empty before the call
    has run.
    """

    def __init__(self, runtime: Jackfield, caller: Caller, tool: str, arguments: Json) -> None:
        self._runtime = runtime
        self._who = [*((caller.identity or ()) if caller.remote else ())]
        self._call = digest_of_call(tool, arguments)
        self._answers: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}

    def __call__(self, name: str, question: Json) -> Json:
        """Return the client's answer to a question.

        :raises Forbidden: if there is no answer yet; the form is then added to ``asked``.
        """
        found: Json | None = self._answers.get(name[:_NAME])
        if found is not None:
            return found
        message = (
            f"{question.get('connector') or 'The provider'} asks: {question.get('message') or ''}"
        )
        schema = _escape(question["schema"])
        words = [message, *_texts(schema)]
        params = {
            "mode": "form",
            "message": "\n".join([visible(message), *_warnings(words)]),
            "requestedSchema": schema,
        }
        self.asked[name[:_NAME]] = {"method": "elicitation/create", "params": params}
        raise Forbidden(
            "the provider asks a person for something before it does this",
            hint="Answer it.",
            sent=Sent.REFUSED,
        )

    def answer(self, responses: Mapping[str, Any]) -> None:
        """Store the answers of a call. Answers to unknown questions are ignored.

        :raises MCPError: if they have another shape, or are too long.
        """
        for name, given in responses.items():
            found = (
                given
                if isinstance(given, Mapping)
                else given.model_dump(mode="json", by_alias=True, exclude_none=True)
            )
            if found.get("action") not in ANSWERS or not isinstance(
                found.get("content", {}), Mapping
            ):
                raise MCPError(
                    INVALID_PARAMS,
                    f"inputResponses: '{name[:80]}' must have an action: {', '.join(ANSWERS)}",
                )
            self._answers[name[:_NAME]] = {
                "action": found["action"],
                "content": found.get("content", {}),
            }
        if len(json.dumps(self._answers)) > _MOST:
            raise MCPError(INVALID_PARAMS, f"inputResponses have more than {_MOST:,} characters")

    def resume(self, text: str) -> bool:
        """Read the answers of earlier rounds from a state; return False if it is no state of a
        form.

        :raises MCPError: if the state is for another caller or call, or has expired.
        """
        if len(text) > _LONGEST or not text.isascii():
            refuse_state()
        try:
            state = json.loads(
                self._runtime.storage.vault.open_text(self._runtime.workspace, _STATE, text)
            )
        except (SealBroken, ValueError):
            return False
        if (
            state["who"] != self._who
            or state["call"] != self._call
            or self._runtime.clock.time() > state["until"]
        ):
            refuse_state()
        self._answers = {**state["answers"], **self._answers}
        return True

    def input_required(self) -> dict[str, Any]:
        """Return the result that makes the client ask the person, and repeat the call
        afterwards.
        """
        state = {
            "who": self._who,
            "call": self._call,
            "answers": self._answers,
            "until": self._runtime.clock.time() + _LASTS,
            "once": secrets.token_hex(8),
        }
        sealed = self._runtime.storage.vault.seal_text(
            self._runtime.workspace, _STATE, json.dumps(state).encode()
        )
        return {"resultType": "input_required", "inputRequests": self.asked, "requestState": sealed}


def _escape(given: Any, levels: int = _DEEP, *, is_read: bool = False) -> Any:
    """Return a form with the hidden characters of its words as escapes. Names and values are
    unchanged, since the answer contains them.
    """
    if isinstance(given, str):
        return visible(given) if is_read else given
    if not levels and isinstance(given, Mapping | list):
        return {}  # no form of the protocol is as deep
    if isinstance(given, Mapping):
        return {
            name: _escape(
                value, levels - 1, is_read=name in _WORDS and not isinstance(value, Mapping)
            )
            for name, value in given.items()
        }
    return (
        [_escape(value, levels - 1, is_read=is_read) for value in given]
        if isinstance(given, list)
        else given
    )


def _texts(form: Any) -> Iterator[str]:
    """Yield the texts of a displayed form, with the names of its members."""
    if isinstance(form, str):
        yield form
    elif isinstance(form, Mapping | list):
        parts = [*form, *form.values()] if isinstance(form, Mapping) else form
        for part in parts:
            yield from _texts(part)


def _warnings(texts: list[str]) -> list[str]:
    hidden = [visible(text, "")[:_NAME] for text in texts[1:] if has_hidden(text, "\n")][:_TOLD]
    mixed = [word[:_NAME] for text in texts for word in mixed_words(text)][:_TOLD]
    found = (
        [f"Its form has characters that are not seen or that reorder others: {', '.join(hidden)}."]
        if hidden
        else []
    )
    return [
        *found,
        *(
            [f"It has words with letters of several alphabets that look alike: {', '.join(mixed)}."]
            if mixed
            else []
        ),
    ]
