"""Tools that freeze or move the time of a host's tests: deadlines hold, no wait is endless, and
what is read of the clock is theirs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import time_machine
from freezegun import freeze_time

from host_provider import Provider, request
from jackfield import Jackfield

_PAST, _FUTURE = datetime(2020, 2, 29, 12, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)


def _travelled(at: datetime) -> AbstractContextManager[Any]:
    return time_machine.travel(at, tick=False)


def _stopped(_at: datetime) -> AbstractContextManager[Any]:
    now = time.monotonic()
    return mock.patch("time.monotonic", return_value=now)


_TOOLS: dict[str, Callable[[datetime], AbstractContextManager[Any]]] = {
    "freezegun": lambda at: freeze_time(at, real_asyncio=True),
    "freezegun, ticking by hand": lambda at: freeze_time(
        at, auto_tick_seconds=1, real_asyncio=True
    ),
    "time-machine": _travelled,
    "a monotonic clock that stands still": _stopped,
}


@pytest.fixture
def jackfield(tmp_path: Path, provider: Provider) -> Iterator[Jackfield]:
    """A runtime that was made, as that of an application, before its test stops the clock."""
    with Jackfield(
        connections=[provider.connection()], database_url=f"sqlite:///{tmp_path / 'j.db'}"
    ) as made:
        made.open()
        yield made


@pytest.mark.parametrize("at", [_PAST, _FUTURE])
@pytest.mark.parametrize("tool", _TOOLS)
def test_a_deadline_holds_while_the_time_stands_still(
    tool: str, at: datetime, jackfield: Jackfield, provider: Provider
) -> None:
    """A provider that hangs is given up at the deadline, not asked again and again by a clock that
    does not go on.
    """
    with _TOOLS[tool](at):
        result = jackfield.invoke(request("/slow", "GET", timeoutSeconds=1))
    assert result.error is not None
    assert result.error.code == "timeout", result.error
    provider.go.set()


@pytest.mark.parametrize("tool", _TOOLS)
def test_calls_succeed_at_any_time(tool: str, jackfield: Jackfield) -> None:
    """Reads, writes, a key that is replayed and ``ainvoke`` work in the past, in the future, and
    while the time stands still.
    """
    for at in (_PAST, _FUTURE):
        with _TOOLS[tool](at):
            first = jackfield.invoke(request(idempotencyKey=f"k-{at.year}"))
            again = jackfield.invoke(request(idempotencyKey=f"k-{at.year}"))
            assert [first.status, again.status, again.meta.replayed] == [
                "succeeded",
                "succeeded",
                True,
            ], first.error or again.error
            assert jackfield.invoke(request(method="GET")).status == "succeeded"
            assert asyncio.run(jackfield.ainvoke(request())).status == "succeeded"


def test_the_journal_has_the_time_of_the_test(jackfield: Jackfield) -> None:
    """A test that asserts what its application recorded sees the time that it has set with
    time-machine.
    """
    with _travelled(_FUTURE):
        result = jackfield.invoke(request())
        (entry,) = jackfield.journal_of().entries()[0]
    assert entry.id == result.meta.invocation_id
    assert datetime.fromtimestamp(entry.created_at, UTC) == _FUTURE


def test_days_pass_in_a_test(jackfield: Jackfield, provider: Provider) -> None:
    """A test may move the time by days in the middle of its calls: connections that are kept,
    caches and leases take it.
    """
    with freeze_time(_PAST) as frozen:
        for days in (0, 1, 30, 365):
            frozen.tick(timedelta(days=days))
            assert jackfield.invoke(request()).status == "succeeded"
    with time_machine.travel(_PAST, tick=False) as traveller:
        for days in (0, 1, 30, -365):
            traveller.shift(timedelta(days=days))
            assert jackfield.invoke(request()).status == "succeeded"
    assert len(provider.paths) == 8
