"""Calls that were cancelled or declined are told apart from failed ones, in lists, counts and what
is saved of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from jackfield.callers import Rules

SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where one call has succeeded, one failed, and one was cancelled; the filter of each
    label is its own.
    """
    with placed(tmp_path, queue_workers=0) as found:
        runtime = found.host.runtime("default")
        runtime.connections.add("hall", "echo/token", {"token": "sesame"})
        runtime.invoke({**SAY, "context": {"labels": {"was": "succeeded"}}})
        runtime.invoke(
            {**SAY, "action": "fail", "inputs": {}, "context": {"labels": {"was": "failed"}}}
        )
        waiting = runtime.enqueue({**SAY, "context": {"labels": {"was": "cancelled"}}})
        assert isinstance(waiting, str)
        assert runtime.cancel(waiting)
        yield found


def listed(client: Client, query: str) -> list[str]:
    """The labels of the calls that a filter of the list finds, as they are saved."""
    saved = client.get(f"/invocations/export?kind=csv&{query}")
    assert saved.status == 200, saved.words
    return sorted(row["labels"].split('"')[3] for row in csv.DictReader(io.StringIO(saved.text)))


@pytest.mark.parametrize("rules", [None, Rules(allow=("echo/*",))])
@pytest.mark.parametrize("further", ["", "&connector=echo", "&q=echo", "&label=was", "&errorCode="])
def test_the_filter_of_failed_calls_leaves_cancelled_ones_out(
    place: Place, rules: Rules | None, further: str
) -> None:
    """Beside each other filter, for whoever sees all, and a part; the cancelled ones have their
    own.
    """
    client = place.signed_in(token(place, "manage", rules=rules))
    found = {
        status: listed(client, f"status={status}{further}")
        for status in ("failed", "cancelled", "succeeded")
    }
    assert found == {"failed": ["failed"], "cancelled": ["cancelled"], "succeeded": ["succeeded"]}
    assert listed(client, "status=failed&errorCode=cancelled") == []


def test_the_start_page_counts_cancelled_calls_apart(place: Place) -> None:
    """They lower no share of successes, and are no errors of their connector; for a caller with
    rules it counts so, too.
    """
    for client in (
        place.signed_in(),
        place.signed_in(token(place, "read", rules=Rules(allow=("echo/*",)))),
    ):
        words = client.get("/").words
        assert "Succeeded 50.0% without 1 cancelled" in words
        assert "echo 3 1 0 1" in words
        assert "cancelled (1)" not in words


def test_the_usage_says_what_it_counts(place: Place) -> None:
    """All that did not succeed, and of these the refused and the cancelled ones, on the page and in
    what is saved of it.

    The list of tenants counts failures without cancelled ones.
    """
    client = place.signed_in()
    words = client.get("/tenants/default").words
    assert (
        "3 calls in 14 days, of which 2 did not succeed: 1 was refused before anything was "
        "sent, 1 was cancelled or declined."
    ) in words
    row = next(
        iter(csv.DictReader(io.StringIO(client.get("/tenants/default/usage?usage=month").text)))
    )
    assert [row[name] for name in ("calls", "failures", "refused", "cancelled")] == [
        "3",
        "2",
        "1",
        "1",
    ]
    assert "default (you are here) active 1 3 1 none" in client.get("/tenants").words
