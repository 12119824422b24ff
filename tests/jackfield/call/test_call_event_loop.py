"""What an event loop may wait for: small values are judged in it, large ones and dear schemas in
threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import many_keys
from growth import calls
from jackfield import Jackfield
from plugboard import make_connector, plugged


@pytest.fixture(name="runtime")
def _runtime(tmp_path: Path) -> Iterator[Jackfield]:
    make_connector(tmp_path / "plugs", many_keys.KEY, many_keys.SOURCE)
    with plugged(tmp_path / "plugs"):
        runtime = Jackfield(
            environment={"JACKFIELD_HOME": str(tmp_path / "home"), "JACKFIELD_DATABASE_URL": "none"}
        )
        # loads the connector and compiles its schemas
        assert asyncio.run(runtime.ainvoke(_asked(items=1))).status == "succeeded"
        yield runtime


def _asked(**inputs: Any) -> Mapping[str, Any]:
    return {"connector": many_keys.KEY, "action": many_keys.ACTION, "inputs": inputs}


def _work(runtime: Jackfield, **inputs: Any) -> int:
    """Count the calls that one invocation makes in the thread of its event loop."""
    return calls(lambda: asyncio.run(runtime.ainvoke(_asked(**inputs))))


def test_s2_a_large_answer_is_settled_in_a_thread(runtime: Jackfield) -> None:
    """A provider answers with 20,000 secrets: a thread judges, masks and writes them, and the event
    loop makes no call for each.
    """
    assert _work(runtime, items=20_000) - _work(runtime, items=4_000) < 16_000


def test_s2_large_inputs_are_judged_in_a_thread(runtime: Jackfield) -> None:
    """A caller sends 40,000 wrong tags: a thread judges and explains them, and the event loop only
    sees that they are many.
    """
    few, many = (_work(runtime, items=1, tags=[1] * count) for count in (8_000, 40_000))
    assert many - few < 3 * 32_000


def test_s2_small_calls_stay_in_the_event_loop(runtime: Jackfield) -> None:
    """An ordinary answer is settled where it is: it does not wait for a thread."""
    assert _work(runtime, items=400) - _work(runtime, items=4) > 400
