"""Conformance rules about how calls end: lists must come to an end, and a caller who leaves must be obeyed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from jackfield import json_pointer
from jackfield.connector import Action, Pagination
from jackfield.testing.driving import Drive, drivable, drive, exchanges_of, expected, would_repeat
from jackfield.testing.loopback_provider import Answer, Request, Script
from jackfield.testing.subject import Rule, Subject

_TOKENS = ("conformance-page-2", "conformance-page-3")
_NAMES = (
    "after", "continuation", "continuationToken", "cursor", "marker", "next", "nextCursor", "nextPage", "nextPageToken", "nextToken",
    "next_cursor", "next_page", "next_page_token", "next_token", "NextMarker", "NextToken", "pageToken",
)  # fmt: skip
"""Members in which a provider may return a page token, if it does not use the output's own name."""
_MANY = 25
"""Requests in one attempt from which on a list is taken for an endless one."""

Example = Mapping[str, Any]


@dataclass(frozen=True)
class _List:
    """Paginated action with its example."""

    subject: Subject
    action: Action
    example: Example
    paging: Pagination
    bound: Mapping[str, Any] | None = None
    """The binding's ``paging``, if the action has no code: where the provider names the next page."""

    @property
    def tokens(self) -> tuple[str, str]:
        """Tokens of the second page and of the third; addresses where the provider's are."""
        first, second = _TOKENS
        return (f"/{first}", f"/{second}") if self.bound is not None and self.bound["kind"] in ("url", "linkHeader") else _TOKENS

    def page(self, token: str | None, returned: str | None, *, empty: bool) -> Drive:
        """Fetch the page at ``token``; the provider returns ``returned`` as the token of the next one."""
        inputs = {name: value for name, value in self.example["invocation"].get("inputs", {}).items() if name != self.paging.token_input}
        inputs |= {self.paging.token_input: token} if token else {}
        example = {**self.example, "invocation": {**self.example["invocation"], "inputs": inputs}}
        return drive(self.subject, self.action, example, self._script(returned, empty=empty))

    def token(self, found: Drive) -> str | None:
        """Return the page token of an output."""
        token = self._output(found).get(self.paging.token_output)
        return str(token) if token else None

    def items(self, found: Drive) -> int:
        """Return the number of items of an output."""
        return len(self._output(found).get(self.paging.items) or ())

    @staticmethod
    def _output(found: Drive) -> Mapping[str, Any]:
        dump: Callable[..., Mapping[str, Any]] | None = getattr(found.output, "model_dump", None)
        return dump(mode="json", by_alias=True, exclude_none=True) if dump is not None else {}

    def _script(self, returned: str | None, *, empty: bool) -> Script:
        well = expected(self.subject, self.example)

        def play(number: int, request: Request) -> Any:
            if number >= _MANY:
                return Answer({"message": "this list does not end"}, 400)
            answer = well(number, request)
            if not isinstance(answer, Answer) or not isinstance(answer.body, dict):
                return answer
            if self.bound is not None:
                return _bound_page(answer, self.bound, self.paging.items, returned, empty=empty)
            names = (self.paging.token_output, *_NAMES)
            body = {name: value for name, value in answer.body.items() if name not in names}
            body |= dict.fromkeys(names, returned) if returned else {}
            body |= {self.paging.items: []} if empty and self.paging.items in body else {}
            return Answer(body, answer.status, answer.headers)

        return play


def _bound_page(answer: Answer, bound: Mapping[str, Any], items: str, returned: str | None, *, empty: bool) -> Answer:
    """Return a page whose next one is named where the binding expects it: in the header field ``Link`` or at a place of the body."""
    body = copy.deepcopy(answer.body)
    if empty and items in body:
        body[items] = []
    if bound["kind"] == "linkHeader":
        link = {"Link": f'<{returned}>; rel="next"'} if returned else {}
        return Answer(body, answer.status, {**answer.headers, **link})
    *way, last = json_pointer.names(bound["response"])
    place = body
    for name in way:
        place = place.setdefault(name, {})
    place.pop(last, None)
    if returned:
        place[last] = returned
    return Answer(body, answer.status, answer.headers)


def _lists(subject: Subject) -> Iterator[_List]:
    bindings = {row["key"]: row["http"].get("paging") for row in subject.manifest.raw["actions"] if "http" in row}
    for action, example in drivable(subject):
        unread = [row for row in exchanges_of(subject, example) if "json" not in row["response"]]
        bound = bindings.get(action.key)
        if bound is not None and bound["kind"] not in ("token", "url", "linkHeader"):
            continue  # pages are counted, or found by the last item: there is no token
        if action.pagination is not None and not unread:  # a token can be put into JSON only
            yield _List(subject, action, example, action.pagination, bound)


def _pages_are_complete(subject: Subject) -> Iterator[str]:
    """Fetch three pages one by one, of which the second is empty and has a token."""
    for row in _lists(subject):
        yield from (f"'{row.action.key}' {fault}" for fault in _followed(row))


def _followed(row: _List) -> Iterator[str]:
    one, other = row.tokens
    first = row.page(None, one, empty=False)
    if first.raised is not None:
        yield f"fails for the first of several pages: {first.raised!r}"
        return
    if row.token(first) is None:
        yield f"returns no '{row.paging.token_output}' although the provider has another page, so the rest of the list is lost"
        return
    second = row.page(one, other, empty=True)
    if not any(one in unquote_plus(text) for request in second.requests for text in _texts(request)):
        yield f"does not send '{row.paging.token_input}', so it fetches the first page again and again"
    elif second.raised is not None:
        yield f"fails for an empty page: {second.raised!r}"
    elif row.token(second) != other:
        yield f"returns no '{row.paging.token_output}' with an empty page, so the rest of the list is lost"
    elif row.token(row.page(other, None, empty=False)) is not None:
        yield f"returns a '{row.paging.token_output}' with the last page, so the list does not end"


def _texts(request: Request) -> tuple[str, ...]:
    return request.path, request.body.decode("utf-8", "replace"), *request.headers.values()


def _pages_are_single(subject: Subject) -> Iterator[str]:
    """Return one token for ever, and count the requests of one attempt."""
    for row in _lists(subject):
        alone = len(row.page(None, None, empty=False).requests)
        endless = row.page(None, row.tokens[0], empty=True)
        if not endless.ended:
            yield f"'{row.action.key}' does not end if the provider returns the same token for ever"
        elif len(endless.requests) > alone:
            yield f"'{row.action.key}' fetches {len(endless.requests)} pages in one attempt if the provider returns the same token for ever"


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


def _no_list(subject: Subject) -> str | None:
    return None if next(_lists(subject), None) else "no action that can be run is paginated"


_drives = partial(Rule, drives=True)

ENDINGS = (
    _drives(
        "pages-are-complete",
        "A paginated action follows page tokens to the end, over empty pages too.",
        _pages_are_complete,
        "silver",
        "Send the token of the inputs, and return that of the provider whenever it gives one, also with an empty page.",
        reason=_no_list,
    ),
    _drives(
        "pages-are-single",
        "A paginated action fetches one page in an attempt, so that a list without an end ends.",
        _pages_are_single,
        "bronze",
        "Remove the loop from the action: the runtime fetches the pages, limits them and detects a token that is repeated.",
        reason=_no_list,
    ),
    _drives(
        "cancel-is-obeyed",
        "If its caller leaves before the first request, an action sends nothing; after it, the outcome is still reported truthfully.",
        _cancel_is_obeyed,
        "bronze",
        "Let the exceptions of begin() and check() through, and run to the end once a request was sent.",
    ),
)
