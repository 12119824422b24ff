"""Fetching all pages as one output: the action fetches one page; this loop merges pages, limits the
rate and detects endless lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.call.check import typed
from jackfield.connector.conversion import Handle
from jackfield.kernel.errors import JackfieldError, NotFound, Unavailable
from jackfield.kernel.pointers import copy_member, find, merge_member
from jackfield.manifest.pagination import OPEN_END, Pagination

if TYPE_CHECKING:
    from jackfield.call.attempts import Attempts

MAX_EQUAL = 3
"""Maximum number of equal pages in a row; after them, a list is not fetched further. A server that
repeats its last page would never end.
"""
MAX_PAGES = 10_000
"""Maximum number of pages of one invocation; the output's token resumes after them."""


def wants_all(paging: Pagination | None, values: Mapping[str, Any]) -> bool:
    """Return whether the inputs request every page."""
    return (
        paging is not None and paging.all_input is not None and values.get(paging.all_input) is True
    )


def next_inputs(
    paging: Pagination, values: Mapping[str, Any], following: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the inputs for the next call that fetches the page after this one; ``following`` has
    the page token.

    After all pages were requested, they contain the page size, which the token depends on, and turn
    off fetching all pages, which would restart at the first page.
    """
    if paging.all_input is None or not wants_all(paging, values):
        return following
    added = {name: value for name, value in _first(values, paging).items() if name not in values}
    return {**added, **following, paging.all_input: False}


async def run_attempts(attempts: Attempts, paging: Pagination) -> Mapping[str, Any]:
    """Call an action with pages until it succeeds, for one page or for all. A started job returns
    its handle instead of a page.

    :raises JackfieldError: the error that ends the call.
    """
    if wants_all(paging, attempts.inputs):
        return await _collected(attempts, paging)
    output = await attempts.page(attempts.values)
    _conclude(attempts, paging, output)
    return output


def _conclude(attempts: Attempts, paging: Pagination, page: Mapping[str, Any]) -> None:
    """Set ``meta.complete`` after the last page. Warn if the list has neither a next page nor an
    end.
    """
    is_open = attempts.remarks.open_end
    attempts.asked.how.meta.complete = paging.ends(page) and not is_open
    if not is_open and not attempts.asked.how.meta.complete and paging.following(page) is None:
        attempts.remarks.warn(OPEN_END)


async def _collected(attempts: Attempts, paging: Pagination) -> Mapping[str, Any]:
    """Fetch every page of the action and merge them into the first.

    Pages after the first obey the action's rate limit. If time runs out, or a later page is not
    found or fails with a retryable error, the output has the pages fetched so far and the token to
    resume with. ``meta.complete`` is false then, with the reason as a warning. It is also false if
    the provider repeats a page, if a page lacks items, and after a page that does not say whether
    it is the last.

    :raises JackfieldError: if the first page fails, or a later one with an error that is not
        retryable, or a page token has a secret.
    """
    plan, sources = attempts.plan, attempts.asked.given.sources
    values = _first(attempts.inputs, paging)
    merged: dict[str, Any] | None = None
    guard = _Guard(paging)
    attempts.asked.how.meta.complete = False
    for number in range(MAX_PAGES):
        try:
            if number:
                await attempts.take_turn(always=True)
            page = await attempts.page(typed(plan, values, sources))
        except JackfieldError as error:
            if merged is None or not (error.retryable or isinstance(error, NotFound)):
                raise
            attempts.remarks.warn(f"the list is cut after {number} of its pages: {error.message}")
            return merged
        if isinstance(page, Handle):
            return page
        if number == 0:
            attempts.turn.mark()
        following = paging.following(page)
        if attempts.opening is not None and attempts.opening.cache.output_mask.holds_token(
            following
        ):
            raise attempts.unusable(secret_token())
        if guard.is_stuck(page, following):
            attempts.remarks.warn(
                f"the provider returned {MAX_EQUAL} equal pages in a row, so nobody can tell "
                "where the list ends"
            )
            break
        merged = _merged(merged, page, paging)
        attempts.asked.how.tell(f"Pages read: {number + 1}.", step=number + 1)
        if following is None:
            _add_missing(merged, page)
            _conclude(attempts, paging, page)
            break
        values = {**_without_tokens(values, paging), **following}
    return merged or {}


class _Guard:
    """Guard against lists without an end: it detects repeated tokens and pages."""

    def __init__(self, paging: Pagination) -> None:
        self._paging = paging
        self._seen: set[str] = set()
        self._before: list[Any] = []
        self._equal = 1

    def is_stuck(self, page: Mapping[str, Any], following: Mapping[str, Any] | None) -> bool:
        """Return whether the provider seems to repeat a page for ever.

        :raises Unavailable: if it certainly does.
        """
        if following is None:
            return False
        items = [
            found[:] for path in self._paging.merged if isinstance(found := find(page, path), list)
        ]
        self._equal = self._equal + 1 if any(items) and items == self._before else 1
        self._before, token = items, json.dumps(following, sort_keys=True)
        if token in self._seen:
            raise _loop("page token")
        if self._equal > 1 and _is_counted(following) and any(map(_are_distinct, items)):
            raise _loop("page")
        self._seen.add(token)
        return self._equal == MAX_EQUAL


def _first(values: Mapping[str, Any], paging: Pagination) -> dict[str, Any]:
    first = _without_tokens(values, paging)
    if (
        paging.size_input is not None
        and paging.max_size is not None
        and paging.size_input not in first
    ):
        first[paging.size_input] = paging.max_size
    return first


def _without_tokens(values: Mapping[str, Any], paging: Pagination) -> dict[str, Any]:
    tokens = {name for name, _ in paging.tokens}
    return {name: value for name, value in values.items() if name not in tokens}


def _merged(
    merged: dict[str, Any] | None, page: Mapping[str, Any], paging: Pagination
) -> dict[str, Any]:
    if merged is None:
        return dict(page)
    for path in paging.merged:
        merge_member(merged, page, path)
    more = () if paging.more is None else (paging.more,)
    for path in (*(path for _, path in paging.tokens), *more, *paging.page_members):
        copy_member(merged, page, path)
    return merged


def _add_missing(merged: dict[str, Any], last: Mapping[str, Any]) -> None:
    """Add the members that the last page has alone, such as Google's ``nextSyncToken``, at any
    depth beside the merged lists.
    """
    for name, value in last.items():
        if name not in merged:
            merged[name] = value
        elif isinstance(merged[name], dict) and isinstance(value, Mapping):
            _add_missing(merged[name], value)


def _is_counted(following: Mapping[str, Any]) -> bool:
    """Return whether the page tokens are numbers. A server may ignore numbers, so only equal items
    prove that a page is repeated.
    """
    return all(str(value).isdecimal() for value in following.values())


def _are_distinct(items: list[Any]) -> bool:
    """Return whether a page has several items, all different. A list of equal items may have equal
    pages.
    """
    return 1 < len(items) == len({json.dumps(item, sort_keys=True, default=str) for item in items})


def _loop(what: str) -> Unavailable:
    return Unavailable(
        f"the provider returned the same {what} twice, so the list would never end",
        hint="Fetch single pages with the token, or report it to the provider.",
        repeatable=False,
    )


def secret_token() -> Unavailable:
    """Return the error for a page token that contains a secret of the connection. Such a token
    cannot be returned, and a part of it fetches nothing.
    """
    return Unavailable(
        "the provider's page token has a secret of the connection in it, so the list ends here "
        "and cannot be continued",
        hint=(
            "Ask for a page that holds the whole list, or report it to the provider: a page "
            "token must not repeat credentials."
        ),
        repeatable=False,
    )
