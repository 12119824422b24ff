"""Exchanges of a call with its provider, as the journal stores them: of calls that failed, are in
doubt or were traced; masked, bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Sent
from jackfield.redaction.marks import leaves
from jackfield.redaction.messages import masked_body, masked_fields, masked_url
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.call.reached import Reached
    from jackfield.invocation import Result
    from jackfield.wire.exchanges import Exchange, ExchangeBody
    from jackfield.wire.head import Fields

_LARGEST = 1024 * 1024
"""Maximum bytes of the stored bodies of one call, the last exchanges first."""
_WITHHELD, _JUDGED = "secrets of the output", "withheld by a policy"
_NOT_SENT = {Sent.NOTHING: False, Sent.REFUSED: True, Sent.UNKNOWN: True}


def exchanges_of(call: Reached, result: Result) -> Mapping[str, Any] | None:
    """Return the exchanges to store of an ended call, without secrets; None if none are to be
    stored.

    They are stored if the call failed or is in doubt, or if its caller requested a trace.
    ``captured`` is false for a call that sends by other means than HTTP, or that requests
    credentials.
    """
    attempts, asked = call.attempts, call.asked
    if (
        attempts is None
        or asked is None
        or not (asked.invocation.trace or result.status in ("failed", "in_doubt"))
    ):
        return None
    seen = [*(attempts.tally.exchanges or ())]
    if not seen:
        return {"captured": False, "dropped": 0, "exchanges": []} if attempts.count else None
    redactor = call.redactor or Redactor()
    if asked.inline is not None:
        redactor = redactor.extended(leaves(asked.inline))
    shows_answers = attempts.tally.sees_bodies and not attempts.plan.secrets[0]
    room, found = _LARGEST, []
    for exchange in reversed(seen):
        shown = _json_of_exchange(
            exchange, redactor, room, shows_answers=shows_answers, conceals=attempts.conceals
        )
        room -= sum(
            len(shown[name].get("body", "")) for name in ("request", "response") if name in shown
        )
        found.append(shown)
    return {"captured": True, "dropped": seen[-1].number - len(seen), "exchanges": found[::-1]}


def _json_of_exchange(
    exchange: Exchange, redactor: Redactor, room: int, *, shows_answers: bool, conceals: bool
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "method": redactor.clean(exchange.method),
        "url": masked_url(exchange.url, redactor),
        "startedAt": iso(exchange.started),
        "durationMs": round(exchange.took * 1000, 1),
        "sent": _NOT_SENT[exchange.sent] or exchange.status is not None,
        "request": _message(exchange.given, exchange.request, redactor, room),
    }
    if exchange.status is not None:
        answer = _message(exchange.fields, exchange.answer, redactor, room)
        if not shows_answers and answer.pop("body", None) is not None:
            answer["omitted"] = _WITHHELD
        if conceals:  # of a whole answer, nobody has judged anything
            answer = {"headers": [], "bytes": exchange.answer.size, "omitted": _JUDGED}
        shown["response"] = {"status": exchange.status, **answer}
    if exchange.fault:
        shown["error"] = redactor.clean(exchange.fault)
    return shown


def _message(
    fields: Fields, content: ExchangeBody, redactor: Redactor, room: int
) -> dict[str, Any]:
    """Return a message's head and size, and its body if it was captured and fits into ``room``
    bytes.
    """
    shown: dict[str, Any] = {"headers": masked_fields(fields, redactor), "bytes": content.size}
    kept = content.beginning
    if not kept or room <= 0:
        return shown
    body = masked_body(kept, content.size, fields, redactor)
    if body.text is None:
        return {**shown, "omitted": body.omitted}
    return {**shown, "body": body.text, **({"truncated": True} if body.is_cut else {})}
