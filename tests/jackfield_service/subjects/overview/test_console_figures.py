"""The numbers of the overview, the pictures of them, and what an entry shows of its tries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from jackfield.invocation import new_invocation_id
from jackfield.manifest.manifest import ActionManifest
from jackfield_service.shell.pages.layout.components import ago, span_text
from jackfield_service.shell.pages.layout.results import result_shown
from jackfield_service.subjects.invocations.pages.timeline import timeline
from jackfield_service.subjects.overview.pages.charts import (
    failure_chart,
    latency_chart,
    rate_chart,
)
from jackfield_service.subjects.overview.pages.statistics import SPANS, Figures, figures, percentile
from jackfield_store.journal.counts import Sample, open_counts, samples
from jackfield_store.journal.entry import read_entry

NOW = 1_800_000_000.0
HOUR, DAY, WEEK = SPANS


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection."""
    with placed(tmp_path) as found:
        found.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
        yield found


def sample(
    at: float,
    status: str = "succeeded",
    seconds: float | None = 1.0,
    connector: str = "echo",
    code: str | None = None,
) -> Sample:
    """An invocation."""
    return Sample(connector, "say", status, code, at, seconds)


def counted(found: list[Sample]) -> Figures:
    """The figures of a day."""
    return figures(found, DAY, NOW)


def test_what_is_counted() -> None:
    """Invocations of the span are counted by part and by connector; what is older, or still open,
    is where it belongs.
    """
    found = counted(
        [
            sample(NOW - 1),
            sample(NOW - 10, "failed", 3.0, code="timeout"),
            sample(NOW - 7200, "in_doubt", 5.0, code="in_doubt"),
            sample(NOW - 5, "queued", None),
            sample(NOW - 2 * 86_400),
            sample(NOW - 20, connector="aws-ses", seconds=0.1),
        ]
    )
    assert (found.total, found.settled, found.succeeded) == (5, 4, 2)
    assert (found.p50, found.p95) == (1.0, 5.0)
    assert [sum(bucket.counts.values()) for bucket in found.buckets][-3:] == [0, 1, 4]
    assert len(found.buckets) == DAY.count
    echo, ses = found.rows
    assert (echo.connector, echo.count, echo.failed, echo.in_doubt, echo.codes) == (
        "echo",
        4,
        1,
        1,
        [("timeout", 1), ("in_doubt", 1)],
    )
    assert (ses.p50, ses.failed) == (0.1, 0)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.floats(0, 1000), min_size=1), st.integers(1, 100))
def test_percentiles(values: list[float], share: int) -> None:
    """A percentile is one of the values; at least that share of all is no larger, and fewer are
    smaller.
    """
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= share * len(ordered)
    assert sum(value < found for value in ordered) * 100 < share * len(ordered)
    assert percentile([], share) is None


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(
        st.builds(
            sample,
            st.floats(NOW - 9e5, NOW + 10),
            st.sampled_from(["succeeded", "failed", "in_doubt", "running"]),
            st.none() | st.floats(0, 900),
        ),
        max_size=40,
    ),
    st.sampled_from(SPANS),
)
def test_charts_are_drawn_of_anything(found: list[Sample], span: object) -> None:
    """Whatever happened, the charts can be drawn, and each says in words what it is."""
    numbers = figures(found, next(one for one in SPANS if one is span), NOW)
    for chart in (
        rate_chart(numbers.buckets),
        latency_chart(numbers.rows),
        failure_chart(numbers.rows),
    ):
        assert chart.startswith("<svg")
        assert 'role="img"' in chart
        assert "<title>" in chart
        assert "nan" not in chart
        assert 'height="-' not in chart
        assert 'width="-' not in chart


def test_the_journal_is_read(place: Place) -> None:
    """Samples are those of the workspace, newest first, with their durations; open ones are
    counted.
    """
    runtime = place.host.runtime("default")
    call = {"connector": "echo", "action": "post", "connection": "hall", "inputs": {"text": "Hi"}}
    runtime.invoke(call)
    runtime.invoke({**call, "inputs": {"text": "Hi", "fault": {"kind": "reset"}}})
    runtime.enqueue(call)
    database = place.host.storage.database
    found = samples(database, "default", 0, 10)
    assert [one.status for one in found] == ["queued", "in_doubt", "succeeded"]
    assert found[0].seconds is None
    assert all(one.seconds is not None and one.seconds >= 0 for one in found[1:])
    assert len(samples(database, "default", 0, 2)) == 2
    assert samples(database, "default", place.host.clock.time() + 10, 10) == []
    assert open_counts(database, "default") == {
        "queued": 1,
        "running": 0,
        "in_doubt": 1,
        "dead": 0,
        "waiting": 0,
    }
    assert samples(database, "acme", 0, 10) == []
    assert open_counts(database, "acme") == {
        "queued": 0,
        "running": 0,
        "in_doubt": 0,
        "dead": 0,
        "waiting": 0,
    }


def test_the_overview_says_it_in_words_too(place: Place) -> None:
    """What the charts show is in a table as well, whose numbers stand at their last digits, and
    what needs somebody is said, first.
    """
    runtime, client = place.host.runtime("default"), place.signed_in()
    assert "First steps" in client.get("/").words
    call = {
        "connector": "echo",
        "action": "post",
        "connection": "hall",
        "inputs": {"text": "Hi", "fault": {"kind": "reset"}},
    }
    runtime.invoke(call)
    runtime.connections.add("closed", "echo/token", {"token": "bad"}, force=True)
    page = client.get("/?span=1h")
    words = page.words
    assert [
        'class="count">p95<' in page.text,
        page.text.count('class="count"><div>1</div>') > 1,
    ] == [True, True]
    assert (
        words.index("1 connection fails : closed")
        < words.index("All in doubt")
        < words.index("By connector")
    )
    assert ("1 to be resolved" in words, "Failing connections" in words) == (False, False), (
        "what is told above is told once"
    )
    assert "in_doubt (1)" in words
    assert "<svg" in client.get("/?live=1", hx_request="true").text


# Entries


def entry(log: list[dict[str, object]], **given: object) -> object:
    """An entry with these tries."""
    row = dict.fromkeys(
        (
            "connector_version",
            "effect",
            "connection",
            "caller",
            "idempotency_key",
            "fingerprint",
            "error_code",
            "request_id",
            "started_at",
            "settled_at",
            "expires_at",
            "owner",
            "rule",
            "resolved_by",
            "context",
            "attempt_log",
            "deliveries",
            "available_at",
            "not_after",
            "corrected_at",
            "cancel_requested_at",
            "dead_at",
            "job_until",
            "progress_fraction",
            "progress_text",
            "kept_for",
            "key_space",
            "key_facts",
            "asked",
        )
    )
    found = read_entry(
        {
            **row,
            "id": new_invocation_id(),
            "status": "succeeded",
            "connector": "echo",
            "action": "say",
            "key_held": 0,
            "dry_run": 0,
            "attempts": len(log),
            "delivery": 0,
            "priority": 5,
            "created_at": NOW,
            **given,
            "result": None,
        },
        None,
    )
    return type(
        "Entry",
        (),
        {
            "attempt_log": log,
            "is_open": found.is_open,
            **{
                name: getattr(found, name)
                for name in (
                    "created_at",
                    "started_at",
                    "settled_at",
                    "attempts",
                    "status",
                    "doubt",
                )
            },
        },
    )


def test_every_reader_sees_how_many_calls_wait(place: Place) -> None:
    """Whoever may not decide is led to the list of invocations."""
    place.workspaces.set("default", {"rules": {"approve": ["echo/say"]}})
    place.host.runtime("default").invoke(
        {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hi"}}
    )
    for scope, address in (("read", "/invocations?status=waiting"), ("approve", "/approvals")):
        page = place.signed_in(token(place, scope)).get("/")
        assert f'href="{address}">1 call waits for an approval' in page.text, scope


def test_tries_are_bars_and_rows() -> None:
    """Each try has a bar where it lies in time and a row that says the same."""
    log = [
        {
            "startedAt": NOW + 0.1,
            "endedAt": NOW + 0.3,
            "outcome": "rate_limited",
            "requestId": "r-1",
        },
        {"startedAt": NOW + 0.9, "endedAt": NOW + 1.0, "outcome": "succeeded", "requestId": None},
    ]
    shown = timeline(entry(log, settled_at=NOW + 1.0))  # type: ignore[arg-type]
    assert "2 attempts in 1.0 s" in shown
    assert shown.count('class="bar') == 2
    assert "r-1" in shown
    assert "after 900 ms" in shown
    assert "bar bad" in shown
    assert "bar good" in shown
    alone = timeline(entry(log[:1], settled_at=NOW + 1.0))  # type: ignore[arg-type]
    assert ("r-1" in alone, "<svg" in alone) == (True, False), "one row says all of one attempt"


@pytest.mark.parametrize(
    ("attempts", "status", "text"),
    [
        (0, "succeeded", "Nothing was sent."),
        (0, "queued", "Nothing was sent yet."),
        (3, "failed", "Only the number of attempts was"),
    ],
)
def test_no_tries(attempts: int, status: str, text: str) -> None:
    """Where there is nothing to draw, it is said why."""
    assert text in timeline(entry([], attempts=attempts, status=status))  # type: ignore[arg-type]


def test_times_are_readable() -> None:
    """Spans and moments are in a unit that fits."""
    assert [span_text(one) for one in (None, 0.0123, 2.5, 90.0)] == [
        "no data",
        "12 ms",
        "2.5 s",
        "1.5 min",
    ]
    moments = [ago(NOW - one, NOW) for one in (0, 5, 300, 7200, 5 * 86_400)] + [
        ago(NOW + one, NOW) for one in (86_399.2 * 90, 1799.5, 86_398)
    ]
    assert moments == [
        "just now",
        "5 s ago",
        "5 min ago",
        "2 h ago",
        "5 days ago",
        "in 90 days",
        "in 30 min",
        "in 24 h",
    ]


ACTION = ActionManifest.from_json({"key": "say", "title": "Say", "effect": "read"}, "echo")
META = {"invocationId": "i", "connector": "echo", "action": "say"}


def test_outputs_of_every_shape_are_shown() -> None:
    """Lists of objects become tables, nested values stay readable, and what is too deep or too long
    is left to the JSON.
    """
    output = {
        "rows": [{"id": 1, "name": "a"}, {"id": 2}],
        "names": ["x", "y"],
        "none": [],
        "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
        "flag": True,
        "nothing": None,
        "many": list(range(300)),
        "empty": {},
    }
    shown = result_shown(
        {
            "status": "succeeded",
            "output": output,
            "meta": {**META, "durationMs": 3.2, "replayed": True},
        },
        ACTION,
    )
    for text in (
        "<table",
        "<li><span",
        "100 more in the JSON",
        "null",
        "the key was used before",
        '"e": 1',
    ):
        assert text in shown.replace("&quot;", '"'), text
    empty = result_shown(
        {"status": "succeeded", "output": {}, "meta": {**META, "complete": False}}, ACTION
    )
    assert "Empty." in empty
    assert "next page" in empty
