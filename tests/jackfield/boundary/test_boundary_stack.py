"""Calls of functions with ``once`` near the end of Python's stack, and others beside them."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from jackfield import once
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.runtime import Jackfield

_NEAR = 200
"""Depths from the end of the stack at which a call is made."""
PATIENCE = 60.0


def _at(depth: int, call: Callable[[], Any]) -> Any:
    return call() if depth <= 0 else _at(depth - 1, call)


def _charging(jackfield: Jackfield, effects: Counter[str], effect: Any) -> Callable[[str], str]:
    @once("charge", effect=effect, key=lambda order: order, runtime=jackfield)
    def charge(order: str) -> str:
        effects[order] += 1
        return order

    return charge


def _states(jackfield: Jackfield) -> dict[str, str]:
    states, cursor, more = dict[str, str](), None, True
    while more:
        page, cursor = jackfield.journal_of().entries(cursor=cursor, limit=200)
        for entry in page:
            states.setdefault((entry.idempotency_key or "").rpartition("/")[2], entry.status)
        more = cursor is not None
    return states


@pytest.mark.parametrize("effect", [None, "write"])
def test_a_call_near_the_end_of_the_stack_stops_no_other(jackfield: Jackfield, effect: Any) -> None:
    """At each depth it takes effect and is recorded, or neither; other threads get their values."""
    effects, told = Counter[str](), Counter[str]()
    charge = _charging(jackfield, effects, effect)
    charge("first")
    is_over = threading.Event()

    def beside() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            found = attempt(charge, f"{threading.get_ident()}-{number}")
            if isinstance(found, Raised):
                told[repr(found.error)] += 1

    others = [threading.Thread(target=beside, daemon=True) for _ in range(2)]
    for other in others:
        other.start()
    for left in range(_NEAR):
        attempt(_at, sys.getrecursionlimit() - left, partial(charge, f"deep-{left}"))
    is_over.set()
    for other in others:
        other.join(PATIENCE)
    assert [other.is_alive() for other in others] == [False, False]
    assert told == {}
    assert charge("last") == "last"
    assert set(effects.values()) == {1}
    states = _states(jackfield)
    assert {key for key, state in states.items() if state == "succeeded"} == {*effects}
    assert {*states.values()} <= {"succeeded", "failed"}
