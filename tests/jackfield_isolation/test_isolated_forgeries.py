"""Two workspaces use one connector, and the child of one forges answers: the other workspace gets
its own, and nothing else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from isolated import CONNECTORS, install
from jackfield import Result
from jackfield.catalog import Catalog
from jackfield_isolation.children import Children
from jackfield_store.runtime import Jackfield

_RAW = """
from jackfield_isolation.wire import ANSWER, HEAD, LINE, OTHER
from threading import Event, Thread
stay = Event().wait
wire, number = call.talk._wire, call.talk._number
def raw(body, kind=ANSWER, about=number):
    with wire._sending:
        wire._end.sendall(HEAD.pack(len(body), kind, about) + body)
forged = b'{"end":{"out":"forged"}}'
"""
_SECRET = "secret of the victim"
_VICTIM = f"out = '{_SECRET}'"


class _Two(NamedTuple):
    victim: Jackfield
    forger: Jackfield


@pytest.fixture(scope="module", name="home")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("home")
    install(found, "lying", (CONNECTORS / "lying.py").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module", name="two")
def _two(home: Path) -> Iterator[_Two]:
    environment = {"JACKFIELD_HOME": str(home)}
    with closing(Children(environment)) as children:
        catalog = Catalog.installed({}, environment, children.load)
        one, two = (
            Jackfield(name, [{}], "none", catalog=catalog, environment=environment, groups={})
            for name in ("one", "two")
        )
        with one, two:
            yield _Two(one, two)


def _run(runtime: Jackfield, code: str) -> Result:
    return runtime.invoke(
        {"connector": "lying", "action": "run", "timeoutSeconds": 60, "inputs": {"code": code}}
    )


def _pid(runtime: Jackfield) -> int:
    return int(_run(runtime, "import os; out = os.getpid()").unwrap()["out"])


FORGERIES = {
    "answers to all questions before": (
        "for about in [*range(number)] * 2: raw(forged, about=about)\nout = 'own'",
        "own",
    ),
    "answers to questions to come": (
        "for about in range(number + 1, number + 4): raw(forged, about=about)\nstay(60)",
        None,
    ),
    "an answer twice": (
        """raw(b'{"end":{"out":"own"}}'); raw(forged); raw(forged)\nstay(1)""",
        "own",
    ),
    "a late answer": (
        (
            "Thread(target=lambda: (stay(0.1), [raw(forged) for _ in range(9)]), "
            "daemon=True).start()\nout = 'own'"
        ),
        "own",
    ),
    "parts of an answer": (
        """for about in range(number): raw(b'{"returned":{"out":"forged"}}', OTHER, about)\nout = 'own'""",
        "own",
    ),
    "frames of another workspace": (
        """frame = b'{"workspace":"one","key":{"workspace":"one"},"end":{"out":"forged"}}'
for about in range(number): raw(frame, OTHER, about)
out = 'own'""",
        "own",
    ),
    "a line with another's number": ("""raw(b'{"log":"forged"}', LINE, 1)\nout = 'own'""", "own"),
    "a description": ("""raw(b'{"description":{"key":"forged"}}', about=0)\nout = 'own'""", "own"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_i23_a_forged_answer_reaches_no_other_workspace(two: _Two, name: str) -> None:
    """While a call of one workspace waits for its child, that of another answers with its number,
    twice, late or in parts: the call gets the answer of its own child, and the forger nothing of
    it.
    """
    code, own = FORGERIES[name]
    child = _pid(two.victim)
    assert _pid(two.forger) != child
    with ThreadPoolExecutor(1) as thread:
        os.kill(child, signal.SIGSTOP)
        try:
            waiting = thread.submit(_run, two.victim, _VICTIM)
            results = [
                _run(two.forger, f"{_RAW}{code}"),
                *(_run(two.forger, "out = 'after'") for _ in range(3)),
            ]
            assert not waiting.done()
        finally:
            os.kill(child, signal.SIGCONT)
        assert waiting.result().unwrap() == {"out": _SECRET}
    assert _pid(two.victim) == child
    if own is None:
        assert results[0].error is not None
        assert "a question that was not asked" in results[0].error.message
    else:
        assert results[0].unwrap() == {"out": own}
    assert [result.unwrap() for result in results[1:]] == [{"out": "after"}] * 3
    assert _SECRET not in repr([result.to_json() for result in results])
