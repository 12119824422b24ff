"""Conformance rules about the ends of calls: lists end, a caller's cancellation is obeyed, and a
call in doubt has one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from jackfield.connector import Action, Look, Pagination
from jackfield.connector.evidence import PREFIX, placeholders, stamped
from jackfield.kernel.failures import Raised
from jackfield.kernel.pointers import find
from jackfield_market.testing.driving import Drive, drivable, drive, would_repeat
from jackfield_market.testing.loopback_provider import Answer, Request, Script
from jackfield_market.testing.outputs import with_inputs
from jackfield_market.testing.playing import exchanges_of, expected, place_of_output, run_well
from jackfield_market.testing.subject import Rule, Subject
from jackfield_market.testing.turning import COUNTED, Turn, known_turn, possible_turns

_MARKS = ("conformance-page-2", "conformance-page-3")
"""Marks in the tokens of the second and the third page."""
_MANY = 25
"""Number of requests in one attempt from which a list counts as endless."""

_ASKED = frozenset({"$marker", "$key"})
"""Placeholders of a look for the marker and the key of its call."""
_NOBODY = f"{PREFIX}{'a' * 26}"
"""Marker and key that belong to no call."""
_PLACES = frozenset({"items", "response", "more", "last"})
"""Members of a pagination declaration that are JSON Pointers into the answer."""

Example = Mapping[str, Any]


@dataclass(frozen=True)
class _List:
    """Paginated action with its example.

    ``address`` is the part before the mark in a token that is an address. ``empty_ends`` is True if
    an empty page is declared the last, although it names a next page.
    """

    subject: Subject
    action: Action
    example: Example
    paging: Pagination
    turn: Turn
    address: str = ""
    empty_ends: bool = False

    def page(self, token: Any, mark: str | None, *, empty: bool) -> Drive:
        """Fetch the page at ``token``. The provider returns a token with ``mark`` for the next
        page.
        """
        inputs = {
            name: value
            for name, value in self.example["invocation"].get("inputs", {}).items()
            if name != self.paging.token_input
        }
        inputs |= {self.paging.token_input: token} if token else {}
        return drive(
            self.subject,
            self.action,
            with_inputs(self.example, inputs),
            self._script(mark, empty=empty),
        )

    def token(self, found: Drive) -> Any:
        """Return the page token of an output; None on the last page."""
        return (
            None
            if isinstance(found.answer, Raised)
            else find(found.answer, self.paging.token_output) or None
        )

    def _script(self, mark: str | None, *, empty: bool) -> Script:
        well = expected(self.subject, self.example)
        returned = None if mark is None else f"{self.address}{mark}"

        def play(number: int, request: Request) -> Any:
            if number >= _MANY:
                return Answer({"message": "this list does not end"}, 400)
            answer = well(number, request)
            return self.turn(answer, returned, empty) if isinstance(answer, Answer) else answer

        return play


def _lists(subject: Subject) -> Iterator[_List]:
    """Yield the lists whose pages have tokens; lists that page by a count or by the last item have
    none.
    """
    bindings = {row["key"]: _bound(row) for row in subject.manifest.raw["actions"] if "http" in row}
    for action, example in drivable(subject):
        unread = [row for row in exchanges_of(subject, example) if "json" not in row["response"]]
        if action.pagination is None or unread:  # a token can be put into JSON only
            continue
        bound, wire = bindings.get(action.key), action.pagination.wire
        given = subject, action, example, action.pagination
        if bound is not None and bound["kind"] not in COUNTED:
            turn = known_turn(bound)
            yield _List(
                *given, turn, "" if bound["kind"] == "token" else "/", bound.get("emptyEnds", False)
            )
        elif bound is None and wire is not None and wire["kind"] not in COUNTED:
            yield _List(*given, known_turn(wire), "" if wire["kind"] == "token" else "?page=")
        elif bound is None and wire is None:
            yield _with_turn(_List(*given, lambda answer, _token, _empty: answer))


def _bound(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the pagination that a bound action declares, with pointers into the answer; None if
    the action declares none.
    """
    paging, around = row["http"].get("paging"), place_of_output(row)
    if paging is None or "pagination" not in row:
        return None
    found = {"items": f"/{row['pagination']['items'].removeprefix('/')}", **paging}
    return {name: around + value if name in _PLACES else value for name, value in found.items()}


def _with_turn(row: _List) -> _List:
    """Complete an undeclared list with the first possible place of tokens from which the action
    returns a token; return the list.
    """
    key = (row.action.key, "turn")
    if key not in row.subject.outcomes:
        well = run_well(row.subject, row.action, row.example)
        bodies = [
            exchange["response"].get("json") for exchange in exchanges_of(row.subject, row.example)
        ]
        rows = [
            replace(row, turn=turn)
            for turn in possible_turns(
                bodies[-1] if bodies else row.example["result"].get("output", {}),
                row.token(well),
                row.paging.token_output,
            )
        ]
        row.subject.outcomes[key] = next(
            (one for one in rows if one.token(one.page(None, _MARKS[0], empty=False))), rows[0]
        )
    found: _List = row.subject.outcomes[key]
    return found


def _pages_are_complete(subject: Subject) -> Iterator[str]:
    """Fetch three pages one by one, and yield faults. One is empty and has a token: the second, or
    the last if an empty page ends the list.
    """
    for row in _lists(subject):
        yield from (f"'{row.action.key}' {fault}" for fault in _followed(row))


def _followed(row: _List) -> Iterator[str]:
    one, other = _MARKS
    first = row.page(None, one, empty=False)
    if first.raised is not None:
        yield f"fails for the first of several pages: {first.raised!r}"
        return
    token = row.token(first)
    if token is None:
        yield (
            f"returns no '{row.paging.token_output}' although the provider has another page, "
            "so the rest of the list is lost"
        )
        return
    second, middle = (
        row.page(token, other, empty=not row.empty_ends),
        "a later" if row.empty_ends else "an empty",
    )
    following = row.token(second)
    if not any(
        one in unquote_plus(text) for request in second.requests for text in _texts(request)
    ):
        yield (
            f"does not send '{row.paging.token_input}', so it fetches the first page again "
            "and again"
        )
    elif second.raised is not None:
        yield f"fails for {middle} page: {second.raised!r}"
    elif other not in unquote_plus(str(following)):
        yield (
            f"returns no '{row.paging.token_output}' with {middle} page, so the rest of the "
            "list is lost"
        )
    elif (
        row.token(row.page(following, one if row.empty_ends else None, empty=row.empty_ends))
        is not None
    ):
        yield f"returns a '{row.paging.token_output}' with the last page, so the list does not end"


def _texts(request: Request) -> tuple[str, ...]:
    return request.path, request.body.decode("utf-8", "replace"), *request.headers.values()


def _pages_are_single(subject: Subject) -> Iterator[str]:
    """Yield a fault for each list that fetches several pages in one attempt if the provider always
    returns the same token.
    """
    for row in _lists(subject):
        alone = len(row.page(None, None, empty=False).requests)
        endless = row.page(None, _MARKS[0], empty=True)
        if not endless.ended:
            yield f"'{row.action.key}' does not end if the provider returns the same token for ever"
        elif len(endless.requests) > alone:
            yield (
                f"'{row.action.key}' fetches {len(endless.requests)} pages in one attempt if "
                "the provider returns the same token for ever"
            )


def _cancel_is_obeyed(subject: Subject) -> Iterator[str]:
    for action, example in drivable(subject):
        yield from (f"'{action.key}' {fault}" for fault in _cancelled(subject, action, example))


def _cancelled(subject: Subject, action: Action, example: Example) -> Iterator[str]:
    found = drive(subject, action, example, expected(subject, example), leaves="before")
    if found.requests:
        yield f"sends {len(found.requests)} requests although its caller has left before the first"
    elif not found.ended:
        yield "does not end although its caller has left"
    elif found.error is None or found.error.code != "cancelled":
        ended = found.error.code if found.error is not None else "succeeded"
        yield f"ends as {ended}, not as cancelled, if its caller has left before the first request"
    if action.effect == "write" and action.key not in subject.safe_posts:
        found = drive(subject, action, example, expected(subject, example), leaves="during")
        if not found.ended:
            yield "does not end if its caller leaves during a request"
        elif any(request.changes for request in found.requests) and would_repeat(subject, found):
            yield "reports a request that was sent as not executed if its caller leaves during it"


def _evidence_is_of_one(subject: Subject) -> Iterator[str]:
    for action, example in drivable(subject):
        sent = (
            sum(request.changes for request in run_well(subject, action, example).requests)
            if action.evidence
            else 0
        )
        if sent > 1 and action.key not in subject.safe_posts:
            yield (
                f"'{action.key}' declares evidence, and sends {sent} requests that change "
                "something: a lost first one would pass for all"
            )


def _evidence_repeats_nothing(subject: Subject) -> Iterator[str]:
    reads = {action.key: (action, example) for action, example in drivable(subject)}
    for action in subject.connector.actions.values():
        for look in action.evidence:
            if (
                isinstance(look, Look)
                and _ASKED & {*placeholders(look.inputs)}
                and look.action in reads
            ):
                read, example = reads[look.action]
                if _repeats(subject, read, example, look):
                    yield (
                        f"evidence '{look.key}' of '{action.key}' is refused: '{read.key}' "
                        "answers with what it is asked for"
                    )


def _repeats(subject: Subject, read: Action, example: Example, look: Look) -> bool:
    """Return whether a read with an unused marker and key returns an object that has them, although
    the provider's answer has neither.
    """
    asked = {
        name: _of_nobody(value)
        for name, value in look.inputs.items()
        if _ASKED & {*placeholders(value)}
    }
    inputs = {**example["invocation"].get("inputs", {}), **asked}
    found = drive(subject, read, with_inputs(example, inputs), expected(subject, example)).answer
    if isinstance(found, Raised):
        return False
    listed = find(found, look.each) if look.each else None
    compared = [
        at
        for at, value in (*look.match.items(), *look.contains.items())
        if _ASKED & {*placeholders(value)}
    ]
    things = listed if isinstance(listed, list) else [found]
    return any(
        bool(compared) and all(_NOBODY in str(find(thing, at)) for at in compared)
        for thing in things
    )


def _of_nobody(value: Any) -> Any:
    if isinstance(value, Mapping):
        return (
            _NOBODY
            if "$key" in value or "$fresh" in value
            else stamped(value, _NOBODY)
            if "$marker" in value
            else {name: _of_nobody(one) for name, one in value.items()}
        )
    return [_of_nobody(one) for one in value] if isinstance(value, list | tuple) else value


def _no_list(subject: Subject) -> str | None:
    return None if next(_lists(subject), None) else "no action that can be run is paginated"


_drives = partial(Rule, drives=True)

ENDINGS = (
    _drives(
        "pages-are-complete",
        "A paginated action follows page tokens to the end, over empty pages too.",
        _pages_are_complete,
        "silver",
        "Send the token of the inputs, and return that of the provider whenever it gives one, "
        "also with an empty page.",
        reason=_no_list,
    ),
    _drives(
        "pages-are-single",
        "A paginated action fetches one page in an attempt, so that a list without an end ends.",
        _pages_are_single,
        "bronze",
        "Remove the loop from the action: the runtime fetches the pages, limits them and detects "
        "a token that is repeated.",
        reason=_no_list,
    ),
    _drives(
        "cancel-is-obeyed",
        "If its caller leaves before the first request, an action sends nothing; after it, the "
        "outcome is still reported truthfully.",
        _cancel_is_obeyed,
        "bronze",
        "Let the exceptions of begin() and check() through, and run to the end once a request "
        "was sent.",
    ),
    _drives(
        "evidence-is-of-one-request",
        "An action with evidence sends one request that changes something: what is found of one "
        "says nothing of the others.",
        _evidence_is_of_one,
        "bronze",
        "Make an action of each request, or replace 'evidence' with 'no_evidence' and the reason.",
    ),
    _drives(
        "evidence-repeats-nothing",
        "A read that evidence asks by a marker or a key does not answer with what it is asked for.",
        _evidence_repeats_nothing,
        "bronze",
        "Return what the provider has answered, or look in a list that is not asked by the marker.",
    ),
)
