"""Many pages as one output: merged, paced, guarded, and never lost half way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import jackfield.call.paging
from clocks import FakeClock
from jackfield import Result
from jackfield.connector import (
    Pagination,
    RateLimit,
    RateLimited,
    Rejected,
    Sent,
    Unavailable,
    current_call,
)
from jackfield.retry import TRIES
from scripted import Page, Panel, Script, runtime, scripted

PAGES = Pagination(
    "nextToken", "NextToken", "Items", all_input="fetchAll", size_input="pageSize", max_size=50
)
DOWN = Unavailable("it is down", sent=Sent.UNKNOWN)
FIRST, SECOND, LAST = (
    Page(items=("a", "b"), next_token="2"),
    Page(items=("c",), next_token="3"),
    Page(items=("d",)),
)


def fetch(board: Panel, **inputs: Any) -> Result:
    """All pages."""
    return board.ask(inputs={"fetchAll": True, **inputs})


def test_pages_are_merged(tmp_path: Path) -> None:
    """Every page is fetched by the token of the one before, and the items are one list; it is
    complete, and counts as one attempt.
    """
    script = Script(FIRST, SECOND, LAST)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert result.output == {"Items": ["a", "b", "c", "d"]}
    assert (result.meta.complete, result.meta.attempts, result.meta.request_id) == (
        True,
        1,
        "request-3",
    )
    assert [(asked.next_token, asked.page_size) for asked in script.inputs] == [
        (None, 50),
        ("2", 50),
        ("3", 50),
    ]


def test_one_page(tmp_path: Path) -> None:
    """Who does not ask for all gets one page with its token, and is told whether there is more."""
    script = Script(SECOND, LAST)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        more, last = board.ask(inputs={"nextToken": "2"}), board.ask()
    assert (more.output, more.meta.complete) == ({"Items": ["c"], "NextToken": "3"}, False)
    assert (last.output, last.meta.complete) == ({"Items": ["d"]}, True)
    assert [(asked.next_token, asked.page_size) for asked in script.inputs] == [
        ("2", None),
        (None, None),
    ]


def test_all_pages_begin_with_the_first(tmp_path: Path) -> None:
    """Asking for all passes a token over, and keeps the page size that the caller wants."""
    script = Script(FIRST, LAST)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        fetch(board, nextToken="7", pageSize=2)
    assert [(asked.next_token, asked.page_size) for asked in script.inputs] == [(None, 2), ("2", 2)]


@pytest.mark.parametrize(
    "pages", [(Page(next_token="2"), LAST), (FIRST, Page(), LAST), (Page(items=()),)]
)
def test_pages_without_items(tmp_path: Path, pages: tuple[Page, ...]) -> None:
    """A page may be empty, or not have its list at all."""
    with runtime(tmp_path, scripted(Script(*pages), effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert result.status == "succeeded"
    assert result.meta.complete


def test_a_page_is_tried_again(tmp_path: Path) -> None:
    """A failing page is repeated by itself, as often as a first one is: nothing is fetched twice
    and nothing is lost.
    """
    script = Script(FIRST, DOWN, DOWN, DOWN, SECOND, DOWN, DOWN, DOWN, LAST)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert result.output == {"Items": ["a", "b", "c", "d"]}
    assert (result.meta.complete, result.meta.attempts) == (True, 7)
    assert [asked.next_token for asked in script.inputs] == [
        None,
        "2",
        "2",
        "2",
        "2",
        "3",
        "3",
        "3",
        "3",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        DOWN,
        RateLimited("slow", sent=Sent.REFUSED),
    ],
    ids=["down", "throttled"],
)
def test_what_was_fetched_is_kept(tmp_path: Path, fault: Exception) -> None:
    """Where a later page cannot be had, the pages before it are the output, with the token that
    resumes.
    """
    script = Script(FIRST, SECOND, fault)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert (result.status, result.error) == ("succeeded", None)
    assert result.output == {"Items": ["a", "b", "c"], "NextToken": "3"}
    assert result.meta.complete is False
    assert result.meta.next == {"nextToken": "3", "fetchAll": False, "pageSize": 50}
    assert any(str(fault.args[0]) in str(warning) for warning in result.meta.warnings)
    if isinstance(fault, RateLimited):  # which is repeated until the deadline
        assert result.meta.attempts > TRIES + 1
    else:
        assert result.meta.attempts == TRIES + 1


def test_the_deadline_keeps_what_was_fetched(tmp_path: Path) -> None:
    """Where time runs out in a page, what was fetched before it is the output, with the token that
    resumes.
    """
    clock = FakeClock()

    def slow() -> Page:
        clock.advance(40)
        return FIRST if script.tries == 1 else SECOND

    script = Script(slow)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES), clock=clock) as board:
        result = fetch(board)
    assert (result.status, result.meta.complete, script.tries) == ("succeeded", False, 2)
    assert result.output == {"Items": ["a", "b"], "NextToken": "2"}


def test_next_continues_the_list(tmp_path: Path) -> None:
    """The inputs of ``meta.next``, merged into those of the call, fetch what is missing in pages of
    the same size.
    """
    script = Script(FIRST, *[DOWN] * TRIES, SECOND, LAST)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        inputs: dict[str, Any] = {"fetchAll": True}
        found, seen = [], []
        while True:
            result = board.ask(inputs=inputs)
            found += result.unwrap()["Items"]
            seen.append(result.meta.next)
            if result.meta.next is None:
                break
            inputs |= result.meta.next
    assert found == ["a", "b", "c", "d"]
    assert seen == [{"nextToken": "2", "fetchAll": False, "pageSize": 50}, {"nextToken": "3"}, None]
    assert [(asked.next_token, asked.page_size) for asked in script.inputs][-2:] == [
        ("2", 50),
        ("3", 50),
    ]


@pytest.mark.parametrize(
    "turns",
    [(DOWN,), (Rejected("no", sent=Sent.REFUSED),), (FIRST, Rejected("no", sent=Sent.REFUSED))],
)
def test_what_fails_for_good(tmp_path: Path, turns: tuple[Any, ...]) -> None:
    """Where the first page fails, or a later one for good, the whole fails."""
    with runtime(tmp_path, scripted(Script(*turns), effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert (result.status, result.output, result.meta.complete) == ("failed", None, False)


@pytest.mark.parametrize("tokens", [("2", "2"), ("2", "3", "2")])
def test_a_token_that_comes_again(tmp_path: Path, tokens: tuple[str, ...]) -> None:
    """A token that was there before would go on for ever: the list has no end, and that is said."""
    script = Script(*(Page(items=("x",), next_token=token) for token in tokens))
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert result.error is not None
    assert (result.error.code, script.tries) == ("unavailable", len(tokens))
    assert "the same page token twice" in result.error.message


def test_pages_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of too many pages is cut, with the token that resumes."""
    monkeypatch.setattr(jackfield.call.paging, "MAX_PAGES", 5)

    def endless() -> Page:
        return Page(items=(str(script.tries),), next_token=f"t{script.tries}")

    script = Script(endless)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        result = fetch(board)
    assert (result.output, result.meta.complete) == (
        {"Items": list("12345"), "NextToken": "t5"},
        False,
    )


def test_pages_keep_to_the_rate(tmp_path: Path) -> None:
    """Pages after the first come no faster than the declared rate, over all invocations with that
    connection.
    """
    with runtime(
        tmp_path,
        scripted(
            Script(FIRST, SECOND, LAST, FIRST, LAST),
            effect="read",
            pages=PAGES,
            rate_limit=RateLimit(0.5),
        ),
    ) as board:
        fetch(board)
        fetch(board)
        assert [round(seconds) for seconds in board.clock.slept] == [2, 2, 2]


def test_a_rate_that_the_deadline_does_not_allow(tmp_path: Path) -> None:
    """Where the slot of the next page lies behind the deadline, what was fetched is the output,
    without a wait.
    """
    with runtime(
        tmp_path,
        scripted(Script(FIRST, LAST), effect="read", pages=PAGES, rate_limit=RateLimit(0.01)),
    ) as board:
        result = fetch(board)
        assert (result.status, result.meta.complete, board.clock.slept) == ("succeeded", False, ())
    assert result.output == {"Items": ["a", "b"], "NextToken": "2"}


def test_a_token_that_the_inputs_do_not_take(tmp_path: Path) -> None:
    """Page tokens go back as they came, whatever pattern the caller's token must have."""
    script = Script(Page(items=("a",), next_token=" odd\n/~token "), LAST)
    with runtime(tmp_path, scripted(script, effect="read", pages=PAGES)) as board:
        assert fetch(board).meta.complete
    assert script.inputs[1].next_token == " odd\n/~token "


FLAGGED = Pagination("nextToken", "NextToken", "Items", all_input="fetchAll", more="More")


@pytest.mark.parametrize("inputs", [{}, {"fetchAll": True}])
def test_an_end_that_nobody_names_is_none(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """A declared "more" that is left out is neither yes nor no, so the list is not complete, with a
    reason.
    """
    with runtime(
        tmp_path, scripted(Script(Page(items=("a",))), effect="read", pages=FLAGGED)
    ) as board:
        result = board.ask(inputs=inputs)
    assert (result.unwrap()["Items"], result.meta.complete) == (["a"], False)
    assert "the list may go on" in result.meta.warnings[0]["message"]


@pytest.mark.parametrize(
    ("token", "ends"),
    [(None, True), ("", True), (False, True), ([], True), (0, False), (0.0, False), ("0", False)],
)
def test_what_is_no_token_ends_a_list_but_for_the_number_0(token: Any, ends: bool) -> None:
    """Null, an empty value and false say that there is no next page; 0 may be a token."""
    assert PAGES.ends({"NextToken": token}) is ends


@pytest.mark.parametrize("inputs", [{}, {"fetchAll": True}])
def test_an_action_may_leave_the_end_open(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """What an action reports as unfinished is not complete; pages after the first are known to
    follow one of this invocation.
    """
    seen: list[bool] = []

    def turn(token: str | None = None) -> Page:
        call = current_call()
        assert call is not None
        seen.append(call.follows)
        if token is None:
            call.unfinished("the response has no list")
        return Page(items=("a",), next_token=token)

    with runtime(
        tmp_path, scripted(Script(lambda: turn("2"), turn), effect="read", pages=PAGES)
    ) as board:
        results = [
            board.ask(inputs=inputs),
            *([] if inputs else [board.ask(inputs={"nextToken": "2"})]),
        ]
    assert (results[-1].meta.complete, seen) == (False, [False, bool(inputs)])
    assert results[-1].meta.warnings == ({"path": "", "message": "the response has no list"},)


def test_secrets_are_masked_in_what_comes_with_an_output(tmp_path: Path) -> None:
    """Warnings repeat a provider's words, so the connection's secrets are masked there as in the
    output.
    """

    def turn() -> Page:
        call = current_call()
        assert call is not None
        call.warn("s3cret-token is deprecated")
        return Page(items=("s3cret-token",), next_token="after")

    with runtime(tmp_path, scripted(Script(turn), effect="read", pages=PAGES)) as board:
        result = board.ask(inputs={}).to_json()
    assert result["output"] == {"Items": ["***"], "NextToken": "after"}
    assert result["meta"]["warnings"] == [{"path": "", "message": "*** is deprecated"}]
    assert result["meta"]["next"] == {"nextToken": "after"}


@pytest.mark.parametrize("inputs", [{}, {"fetchAll": True}])
def test_a_page_token_with_a_secret_ends_the_list_with_an_error(
    tmp_path: Path, inputs: dict[str, Any]
) -> None:
    """A token of which a secret was cut would fetch nothing: the call fails and says why, with one
    request and without the secret.
    """
    pages = Script(
        Page(items=("a",), next_token="after s3cret-token"), Page(items=("b",), next_token=None)
    )
    with runtime(tmp_path, scripted(pages, effect="read", pages=PAGES)) as board:
        result = board.ask(inputs=inputs).to_json()
    assert (result["status"], result["error"]["code"], result["meta"]["attempts"]) == (
        "failed",
        "unavailable",
        1,
    )
    assert "page token has a secret" in result["error"]["message"]
    assert "s3cret" not in json.dumps(result)
