"""What quotas on effects count: sums of any number, spans of any length, quotas that change, those
of connections, several at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.jackfield_store.journal.quota_place import (
    MONTH,
    Place,
    database_url,
    place,
    placed,
    postgres_database,
    postgres_server,
    postgres_url,
    still_place,
)

from http_stand import say
from jackfield.kernel.errors import InvalidConnection, InvalidInvocation
from jackfield_store.connections.connection_table import VersionConflict
from jackfield_store.database import Transaction
from jackfield_store.journal.instance import Instance

__all__ = [
    "database_url",
    "place",
    "postgres_database",
    "postgres_server",
    "postgres_url",
    "still_place",
]
SUM: dict[str, Any] = {
    "count": 10,
    "per": "month",
    "of": {"action": "letters/send"},
    "sum": "/amount",
}
TO = ["ann@x.test"]

NUMBERS: dict[str, tuple[Any, int | str]] = {
    "whole": (3, 3_000_000),
    "fraction": (0.1, 100_000),
    "nothing": (0, 0),
    "nothing, signed": (-0.0, 0),
    "all": (10, 10_000_000),
    "text": ("2.50", 2_500_000),
    "text with an exponent": ("2e-1", 200_000),
    "less than is told apart": (1e-9, 1),
    "less than is told apart, in text": ("0." + "0" * 500 + "1", 1),
    "many digits": ("1." + "3" * 400, 1_333_334),
    "too much": (10.000001, "quota_exceeded"),
    "far too much": (1e300, "quota_exceeded"),
    "a whole number of 300 digits": (10**299, "quota_exceeded"),
    "text of a huge number": ("1e99999", "quota_exceeded"),
    "negative": (-1, "invalid_input"),
    "negative text": ("-0.5", "invalid_input"),
    "text with a line": ("1_000", "invalid_input"),
    "text with a space": (" 1", "invalid_input"),
    "no number": ("NaN", "invalid_input"),
    "endless": ("Infinity", "invalid_input"),
    "other digits": ("\N{FULLWIDTH DIGIT ONE}", "invalid_input"),
    "true": (True, "invalid_input"),
    "a list": ([1], "invalid_input"),
    "an object": ({"n": 1}, "invalid_input"),
    "null": (None, "invalid_input"),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_each_number_is_counted_exactly_or_refused(place: Place, kind: str) -> None:
    """Numbers, also in text as JSON writes them, count in millionths, rounded up. What is none, or
    negative, is not valid.
    """
    amount, expected = NUMBERS[kind]
    place.allow(SUM)
    result = place.send(TO, amount=amount)
    if isinstance(expected, str):
        assert result.error is not None
        assert result.error.code == expected
        assert place.rows("SELECT 1 AS n FROM quota_places") == []
    else:
        assert result.status == "succeeded"
        assert place.rows("SELECT spent FROM quota_counts") == [(expected,)]


def test_a_number_deep_in_the_inputs_is_summed_for_each_value_of_another(place: Place) -> None:
    """Pointers lead anywhere; objects are told apart by what they say, not by how they are written,
    and what is missing is one of them.
    """
    place.allow(
        {
            "count": 5,
            "per": "month",
            "of": {"effect": "write"},
            "sum": "/data/price/0",
            "by": "/data/shop",
        }
    )

    def buy(price: float, **shop: Any) -> str:
        error = place.post(data={"price": [price], **shop}).error
        return "done" if error is None else error.code

    assert [
        buy(3, shop={"a": 1, "b": 2}),
        buy(3, shop={"b": 2, "a": 1.0}),
        buy(3, shop="b"),
        buy(3),
        buy(2),
        buy(1, shop=None),
    ] == [
        "done",
        "quota_exceeded",
        "done",
        "done",
        "done",
        "quota_exceeded",
    ]


def test_each_recipient_is_counted_for_the_sum(place: Place) -> None:
    """A sum by recipients counts for each of them."""
    place.allow({**SUM, "by": "recipient"})
    assert place.send(TO, cc=["bob@x.test"], amount=6).status == "succeeded"
    assert place.send(["cid@x.test"], bcc=["bob@x.test"], amount=5).status == "failed"
    assert place.send(["cid@x.test"], amount=10).status == "succeeded"


def test_what_has_no_recipient_counts_together(place: Place) -> None:
    """A quota by recipients counts calls of actions without any, too."""
    place.allow({**MONTH, "count": 1, "by": "recipient"})
    assert place.codes(2) == ["succeeded", "quota_exceeded"]


SPANS = {
    "second": ("2027-03-05T10:00:00.25+00:00", "2027-03-05T10:00:01+00:00"),
    "minute": ("2027-03-05T10:00:00.25+00:00", "2027-03-05T10:01:00+00:00"),
    "hour": ("2027-03-05T10:59:00+00:00", "2027-03-05T11:00:00+00:00"),
    "day": ("2027-03-28T00:30:00+00:00", "2027-03-29T00:00:00+00:00"),
    "month": ("2027-12-31T23:00:00+00:00", "2028-01-01T00:00:00+00:00"),
    "month before a leap day": ("2028-02-28T23:00:00+00:00", "2028-03-01T00:00:00+00:00"),
}


@pytest.mark.parametrize("span", SPANS)
def test_a_span_ends_to_the_second(still_place: Place, span: str) -> None:
    """A refusal says when the place is free again: not before, and then it is. A clock that goes
    back finds what was spent.
    """
    place, (begin, end) = (
        still_place,
        (datetime.fromisoformat(moment).timestamp() for moment in SPANS[span]),
    )
    place.pass_until(begin)
    place.allow({"count": 1, "per": span.split(maxsplit=1)[0], "of": {"effect": "write"}})
    assert place.codes(1) == ["succeeded"]
    error = place.post().error
    assert error is not None
    assert error.retry_after == pytest.approx(end - begin, abs=0.01)
    assert SPANS[span][1].replace("+00:00", "") in error.message
    place.pass_until(end - 0.05)
    assert place.codes(1) == ["quota_exceeded"]
    place.pass_until(end + 0.05)
    assert place.codes(2) == ["succeeded", "quota_exceeded"]
    place.pass_until(end - 0.05)
    assert place.codes(1) == ["quota_exceeded"]


def test_the_last_of_several_full_quotas_says_when_all_are_free(still_place: Place) -> None:
    """Whichever is looked at first: a caller that comes again then is served. One that wants more
    than one allows need not come.
    """
    place = still_place
    place.pass_until(datetime.fromisoformat("2027-03-05T10:00:30+00:00").timestamp())
    place.allow(
        *({"count": 1, "per": per, "of": {"effect": "write"}} for per in ("minute", "day", "hour"))
    )
    assert place.codes(1) == ["succeeded"]
    error = place.post().error
    assert error is not None
    assert "1 of effect:write per day" in error.message
    assert error.retry_after == pytest.approx(14 * 3600 - 30, abs=0.01)
    place.allow(
        {"count": 1, "per": "day", "of": {"effect": "write"}},
        {"count": 5, "per": "minute", "sum": "/times"},
    )
    large = place.post(times=6).error
    assert large is not None
    assert (large.code, large.retry_after, "allows no call as large" in large.message) == (
        "quota_exceeded",
        None,
        True,
    )


def test_the_full_count_of_a_recipient_says_when_it_is_free(still_place: Place) -> None:
    """Of several recipients, one that has no place left decides."""
    place = still_place
    place.pass_until(datetime.fromisoformat("2027-03-05T10:00:30+00:00").timestamp())
    place.allow({"count": 1, "per": "hour", "by": "recipient"})
    assert place.send(TO).status == "succeeded"
    error = place.send(["bob@x.test"], cc=TO).error
    assert error is not None
    assert error.retry_after == pytest.approx(3570, abs=0.01)


def test_quotas_change_while_calls_are_counted(place: Place) -> None:
    """What is spent stays spent: with a lower count, after a quota was away, and beside another one
    of the same calls.
    """
    place.allow({**MONTH, "count": 3})
    assert place.codes(2) == ["succeeded", "succeeded"]
    place.allow({**MONTH, "count": 1})
    assert place.codes(1) == ["quota_exceeded"]
    place.allow()
    assert place.codes(1) == ["succeeded"]
    place.allow({**MONTH, "count": 3})
    assert place.codes(2) == ["succeeded", "quota_exceeded"]
    # which are one count: the least holds
    place.allow({**MONTH, "count": 9}, {**MONTH, "count": 4}, {**MONTH, "count": 6})
    assert place.codes(2) == ["succeeded", "quota_exceeded"]


def test_tries_of_one_call_count_once(place: Place) -> None:
    """However often it is tried, and by however many requests with its key."""
    place.allow({**MONTH, "count": 1})
    keyed = {
        **say("post", "hall", text="x", fault={"kind": "throttled", "tries": 2, "name": "twice"}),
        "idempotencyKey": "k",
    }
    results = [place.jackfield.invoke(keyed) for _ in range(3)]
    assert [(result.status, result.meta.attempts, result.meta.replayed) for result in results] == [
        ("succeeded", 3, False),
        ("succeeded", 3, True),
        ("succeeded", 3, True),
    ]
    assert place.spent == 1


def test_a_key_is_free_again_after_a_quota_has_refused(place: Place) -> None:
    """Its call can be repeated with the same key, and takes effect once there is a place."""
    place.allow({**MONTH, "count": 1})
    place.post()
    keyed = {**say("post", "hall", text="y"), "idempotencyKey": "k"}
    assert place.jackfield.invoke(keyed).status == "failed"
    place.allow({**MONTH, "count": 2})
    assert [place.jackfield.invoke(keyed).meta.replayed for _ in range(2)] == [False, True]
    assert place.spent == 2


def test_a_connection_has_quotas_of_its_own(place: Place) -> None:
    """They count the effects over it, whoever calls and however it is named; others with the same
    quota have a count of their own.
    """
    connections = place.jackfield.connections
    connections.add(
        "attic", "echo/token", {"token": "secret-4712"}, test=False, quotas=[{**MONTH, "count": 1}]
    )
    shown = connections.limit("hall", [{**MONTH, "count": 1}])
    assert (shown["quotas"], shown["values"]["token"]) == ([{**MONTH, "count": 1}], "***")
    found = [
        place.jackfield.invoke(say("post", name, text="x"))
        for name in ("hall", "attic", "hall", "attic")
    ]
    assert [result.status for result in found] == ["succeeded", "succeeded", "failed", "failed"]
    assert found[2].error is not None
    assert (
        "the quota of 1 of effect:write per month of this connection is used up"
        in found[2].error.message
    )
    connections.rename("hall", "cellar")
    assert connections.show("cellar")["quotas"] == [{**MONTH, "count": 1}]
    assert place.jackfield.invoke(say("post", "cellar", text="x")).status == "failed"
    assert place.jackfield.invoke(say("say", "cellar", text="x")).status == "succeeded"
    connections.limit("cellar", [])
    assert "quotas" not in connections.show("cellar")
    assert place.jackfield.invoke(say("post", "cellar", text="x")).status == "succeeded"


def test_values_of_a_connection_change_beside_its_quotas(place: Place) -> None:
    """Values that are replaced keep the quotas, and quotas that are replaced keep values, secrets
    and the last test. Faults are told.
    """
    connections = place.jackfield.connections
    connections.test("hall")
    before = connections.show("hall")
    first = connections.limit("hall", [{**MONTH, "count": 7}])
    assert {**first, "version": 1, "quotas": None} == {**before, "version": 1, "quotas": None}
    assert connections.replace("hall", {"greeting": "Hi"}, test=False)["quotas"] == [
        {**MONTH, "count": 7}
    ]
    spoken = place.jackfield.invoke(say("say", "hall", reveal=True))
    assert (spoken.status, (spoken.output or {})["text"]) == ("succeeded", "Hi ***")
    assert connections.replace("hall", {}, test=False, quotas=[MONTH])["quotas"] == [MONTH]
    with pytest.raises(VersionConflict):
        connections.limit("hall", [], version=1)
    for wrong in ({"count": 0, "per": "day"}, 5):
        with pytest.raises(InvalidInvocation) as refused:
            connections.limit("hall", [wrong])
        assert refused.value.details[0].path.startswith("/quotas/0")


def test_a_quota_that_is_changed_in_the_database_closes_its_connection(place: Place) -> None:
    """Whoever can write to the database lifts no quota."""
    place.jackfield.connections.limit("hall", [{**MONTH, "count": 1}])

    def lifted(transaction: Transaction) -> None:
        row = transaction.execute("SELECT public_values FROM connections WHERE name = 'hall'")[0]
        document = json.loads(row.public_values)
        document.pop("quotas")
        values = {"values": json.dumps(document)}
        transaction.change(
            "UPDATE connections SET public_values = :values, version = version + 1 WHERE name = "
            "'hall'",
            values,
        )

    place.jackfield.storage.database.record(lifted)
    assert place.codes(1) == ["invalid_connection"]
    with pytest.raises(InvalidConnection):
        place.jackfield.connections.find("hall")


def test_a_call_that_no_quota_counts_makes_no_further_statement(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many statements as without quotas, for a read and for a write that none is about. One that
    counts makes more.
    """
    statements: list[str] = []
    # the lease has a thread and statements of its own
    monkeypatch.setattr(Instance, "renew", lambda _instance: None)
    for name in ("execute", "change", "change_all"):
        real: Callable[..., Any] = getattr(Transaction, name)
        monkeypatch.setattr(Transaction, name, _noting(statements, real))

    def made(action: str) -> int:
        place.jackfield.invoke(say(action, "hall", text="x"))
        place.rows("SELECT 1 AS n")
        counts = []
        for _ in range(3):  # a thread of the process may have a statement of its own in between
            statements.clear()
            place.jackfield.invoke(say(action, "hall", text="x"))
            place.rows("SELECT 1 AS n")
            counts.append(len([one for one in statements if "instances" not in one]))
        return min(counts)

    without = {action: made(action) for action in ("say", "post")}
    place.allow(
        {**MONTH, "of": {"action": "letters/*"}},
        {"count": 1, "per": "day", "of": {"connection": "attic"}},
    )
    assert {action: made(action) for action in ("say", "post")} == without
    place.allow({**MONTH, "count": 9})
    assert (made("say"), made("post") > without["post"]) == (without["say"], True)


def _noting(statements: list[str], real: Callable[..., Any]) -> Callable[..., Any]:
    def noted(self: Transaction, sql: Any, *more: Any) -> Any:
        statements.append(str(sql))
        return real(self, sql, *more)

    return noted


def test_no_process_waits_for_another_one_for_ever(postgres_url: str, tmp_path: Path) -> None:
    """Two processes take places of several quotas and give them back, in all orders: the server
    never has to end one of them.
    """
    quotas = [
        {"count": 10**6, "per": "month", "of": {"effect": "write"}, "by": by}
        for by in (None, "/text", "/voice", "recipient")
    ]
    with placed(tmp_path, postgres_url) as one, one.beside() as two, ThreadPoolExecutor(12) as pool:
        one.allow(*quotas)

        def call(number: int) -> str:
            fault = {"fault": {"kind": "rejected"}} if number % 3 else {}
            inputs = {"text": str(number % 4), "voice": ("alto", "bass")[number % 2], **fault}
            return (one, two)[number % 5 % 2].post(**inputs).status

        found = [*pool.map(call, range(120))]
        for each in (one, two):
            each.rows("SELECT 1 AS n")  # what each has put off is written
        assert (found.count("succeeded"), one.spent) == (40, 160)
    with psycopg.connect(postgres_url) as connection:
        asked = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert asked == (0,)
