"""Calls of a connector that runs in a child process: the same Results as in this process, and the
truth about calls whose child dies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from isolated import install_from, isolating
from jackfield import Result
from jackfield.connections.connection_cache import ConnectionCache
from jackfield.invocation import decode
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.exact import exact_json
from jackfield.kernel.local import CORES
from jackfield_isolation.sessions import Sessions
from jackfield_store.runtime import Jackfield
from waiting import until
from warm_child import really_started

CONNECTIONS: dict[str, Any] = {
    "mine": {"type": "plain/token", "values": {"token": "tick-tock"}},
    "quiet": {"type": "plain/silent", "values": {"token": "tick-tock"}},
    "moody": {"type": "plain/token", "values": {"token": "moody"}},
    "refused": {"type": "plain/token", "values": {"token": "refused"}},
    "lines": {
        "type": "plain/token",
        "values": {"token": "begin-4711-hidden\nmiddle-4711-hidden\nend-4711-hidden"},
    },
    "long": {"type": "plain/token", "values": {"token": "begin-4711-hidden" * 3}},
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jackfield]:
    """A runtime with the connector ``plain``, whose child all tests of this module share."""
    home = tmp_path_factory.mktemp("home")
    install_from(home, "plain", "plain.py")
    with isolating(home, CONNECTIONS) as jackfield:
        yield jackfield


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime of one test, whose child may die."""
    install_from(tmp_path, "plain", "plain.py")
    with isolating(tmp_path, CONNECTIONS) as jackfield:
        yield jackfield


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jackfield]:
    """A runtime whose child dies again and again."""
    home = tmp_path_factory.mktemp("mortal")
    install_from(home, "plain", "plain.py")
    with isolating(home, CONNECTIONS) as jackfield:
        yield jackfield


@pytest.fixture
def mortal(shared: Jackfield) -> Jackfield:
    """The runtime, with a child that answers."""
    assert call(shared).status == "succeeded"
    return shared


def call(
    runtime: Jackfield,
    action: str = "read",
    connection: str = "mine",
    timeout: float = 30,
    **inputs: Any,
) -> Result:
    """Run an action of ``plain``."""
    return runtime.invoke(invocation(action, connection, timeout, **inputs))


def invocation(
    action: str = "read", connection: str = "mine", timeout: float = 30, **inputs: Any
) -> dict[str, Any]:
    """An invocation of ``plain``."""
    return {
        "connector": "plain",
        "action": action,
        "connection": connection,
        "timeoutSeconds": timeout,
        "inputs": {"text": "hi", **inputs},
    }


def test_a_call_runs_in_another_process(runtime: Jackfield) -> None:
    """The output comes from a warm child, which later calls use too; the secret and what was minted
    from it are masked.
    """
    first, second = call(runtime), call(runtime)
    assert first.unwrap()["process"] not in (os.getpid(), None)
    assert second.unwrap()["process"] == first.unwrap()["process"]
    assert first.unwrap()["text"] == "hi ***"
    assert (first.meta.attempts, first.meta.request_id) == (1, "request-1")


@pytest.mark.skipif(len(CORES) < 2, reason="one core is all that there is")
def test_a_process_that_keeps_to_one_core_leaves_its_children_all(own: Jackfield) -> None:
    """A child that is started by a thread on one core may use every core that the server had."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(os.sched_setaffinity, 0, {min(CORES)}).result()
        with really_started():
            child = pool.submit(call, own).result().unwrap()["process"]
        assert os.sched_getaffinity(child) == CORES


def test_async_actions_and_actions_without_a_connection(runtime: Jackfield) -> None:
    """An ``async def`` action runs in an event loop of the child; an action without a client needs
    no connection.
    """
    assert call(runtime, "later").status == "succeeded"
    assert (
        runtime.invoke({"connector": "plain", "action": "noop", "inputs": {"text": "ho"}}).unwrap()[
            "text"
        ]
        == "ho"
    )


@pytest.mark.parametrize(
    ("fail", "die", "status"),
    [
        (None, None, "in_doubt"),
        (None, "refuse", "in_doubt"),
        ("answered", None, "succeeded"),
        ("answered", "refuse", "in_doubt"),
        ("refused", None, "succeeded"),
        ("refused", "refuse", "failed"),
    ],
)
def test_requests_of_an_actions_threads_cross_the_boundary(
    runtime: Jackfield, fail: str | None, die: str | None, status: str
) -> None:
    """The parent knows which requests of a child's threads have an outcome, and nothing is sent for
    a call that has ended.
    """
    given: dict[str, Any] = {
        name: value for name, value in (("fail", fail), ("die", die)) if value is not None
    }
    assert call(runtime, "apart", **given).status == status
    assert call(runtime, "apart", fail="late").status == "failed"


@pytest.mark.parametrize(
    "number",
    [
        "3.14159265358979323846",
        "-12345678901234567890.5",
        "1.5e-400",
        "9" * 40,
        "0.10000000000000000555111512312578270211815",
    ],
)
def test_numbers_cross_the_boundary_with_all_digits(runtime: Jackfield, number: str) -> None:
    """A number of more digits than a double keeps, or too small for one, reaches the connector and
    comes back as it was given.
    """
    given = decode(
        f'{{"connector": "plain", "action": "same", "inputs": {{"value": [{number}, {{"n": '
        f"{number}}}]}}}}"
    )
    assert (
        exact_json(runtime.invoke(given).unwrap(), json.JSONEncoder())
        == f'{{"value": [{number}, {{"n": {number}}}]}}'
    )


def test_errors_cross_the_boundary(runtime: Jackfield) -> None:
    """The connector's error map and rules apply in the child; an exception that it does not know
    keeps its name, and is in doubt.
    """
    assert (mapped := call(runtime, fail="mapped").error) is not None
    assert (mapped.code, mapped.message) == ("rejected", "the provider refuses it")
    refused = call(runtime, text="forbidden")
    assert refused.error is not None
    assert [(item.path, item.message) for item in refused.error.details] == [
        ("/text", "must not be that word")
    ]
    assert refused.meta.attempts == 0
    doubt = call(runtime, "write", fail="unmapped")
    assert doubt.error is not None
    assert doubt.status == "in_doubt"
    assert "an unexpected ValueError" in doubt.error.message


def test_a_step_that_succeeded_is_reported(runtime: Jackfield) -> None:
    """A write that fails after its first request lists that request and what it returned."""
    doubt = call(runtime, "write", fail="partly")
    assert doubt.error is not None
    assert doubt.status == "in_doubt"
    assert "'say' had succeeded (request ID request-1)" in doubt.error.details[0].message


def test_a_connection_that_is_refused_when_it_opens(runtime: Jackfield) -> None:
    """A fault while opening is an error of the connection, and nothing was sent."""
    refused = call(runtime, "write", "refused")
    assert refused.error is not None
    assert (refused.error.code, refused.meta.attempts) == ("unauthenticated", 0)


def test_a_dry_run_checks_the_rules(runtime: Jackfield) -> None:
    """A dry run asks the child about the inputs, and runs nothing."""
    assert runtime.invoke({**invocation(text="forbidden"), "dryRun": True}).status == "failed"
    assert (
        runtime.invoke({**invocation("write", die="before"), "dryRun": True}).status == "succeeded"
    )


def test_options_and_connection_tests(runtime: Jackfield) -> None:
    """Option sources and the test of a connection run in the child, too."""
    assert runtime.options("plain", "voices") == [{"value": "alto", "label": "Alto"}]
    trial = runtime.connections.test("mine")
    assert trial["status"] == "ok"
    assert trial["lastTest"]["steps"][0]["message"] == "It is ***."


def test_many_calls_at_once(runtime: Jackfield) -> None:
    """A child answers calls of many threads at the same time."""
    with ThreadPoolExecutor(20) as pool:
        found = list(
            pool.map(lambda number: call(runtime, text=str(number), seconds=0.05), range(60))
        )
    assert [result.unwrap()["text"] for result in found] == [
        f"{number} ***" for number in range(60)
    ]


def test_an_event_loop_goes_on(runtime: Jackfield) -> None:
    """In asyncio, a call that waits in its child does not stop the loop."""

    async def main() -> list[Result]:
        slow = asyncio.create_task(runtime.ainvoke(invocation(seconds=2)))
        quick = await runtime.ainvoke(invocation())
        assert not slow.done()
        return [quick, await slow]

    assert {result.status for result in asyncio.run(main())} == {"succeeded"}


@pytest.mark.parametrize(
    ("action", "connection", "die", "status", "code", "attempts"),
    [
        ("write", "mine", "before", "failed", "unavailable", 0),
        ("write", "mine", "after", "in_doubt", "in_doubt", 1),
        ("write", "quiet", "before", "in_doubt", "in_doubt", 1),
    ],
)
def test_a_child_that_dies(
    mortal: Jackfield, action: str, connection: str, die: str, status: str, code: str, attempts: int
) -> None:
    """A write whose child dies before it announced a request has sent nothing; after that, it is in
    doubt. Without announcements, entering the action counts.
    """
    assert mortal.invoke(invocation(connection=connection)).status == "succeeded"
    result = call(mortal, action, connection, 60, die=die)
    assert result.error is not None
    assert (result.status, result.error.code, result.meta.attempts) == (status, code, attempts)
    assert "ended with status 7" in result.error.message


@pytest.mark.parametrize(
    ("action", "status", "attempts"), [("read", "succeeded", 2), ("write", "in_doubt", 1)]
)
def test_a_child_that_dies_once(own: Jackfield, action: str, status: str, attempts: int) -> None:
    """A read that had begun is repeated in the next child; a write is not."""
    result = call(own, action, timeout=60, die="first")
    assert (result.status, result.meta.attempts) == (status, attempts)


def test_a_child_that_was_killed_is_started_again(mortal: Jackfield) -> None:
    """The next call after the death of a child gets a new one."""
    first = call(mortal).unwrap()["process"]
    os.kill(first, signal.SIGKILL)
    second = call(mortal)
    assert second.status == "succeeded"
    assert second.unwrap()["process"] != first


def test_a_call_that_does_not_return(mortal: Jackfield) -> None:
    """At the deadline the caller gets a typed error, and the child that did not answer is
    replaced.
    """
    first = call(mortal).unwrap()["process"]
    late = call(mortal, "write", timeout=4, seconds=60)
    assert late.error is not None
    assert late.status == "in_doubt"
    assert "the deadline of 4 s passed" in late.error.message
    assert call(mortal).unwrap()["process"] != first


def test_no_child_is_left(tmp_path: Path) -> None:
    """Closing the runtime ends its children."""
    install_from(tmp_path, "plain", "plain.py")
    with isolating(tmp_path, CONNECTIONS) as jackfield:
        process = call(jackfield).unwrap()["process"]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_connector_that_fails_on_import(tmp_path: Path) -> None:
    """It is broken, as it would be in this process; the message has the reason."""
    site = install_from(tmp_path, "plain", "plain.py")
    module = site / "jackfield_plain" / "__init__.py"
    module.write_text("raise ValueError('not today')", encoding="utf-8")
    with isolating(tmp_path, CONNECTIONS) as jackfield:
        result = call(jackfield)
    assert result.error is not None
    assert result.error.code == "unknown_connector"
    assert "ValueError: not today" in result.error.message


def test_what_a_child_prints_is_logged(
    runtime: Jackfield, caplog: pytest.LogCaptureFixture
) -> None:
    """Output of the child goes to the log, with secrets masked, and not to the standard output of
    this process.
    """
    assert call(runtime).status == "succeeded"
    with caplog.at_level(logging.INFO, "jackfield.isolation"):
        assert call(runtime, "print", text="tick-tock is the secret").status == "succeeded"
        until(lambda: caplog.records)
    assert [record.getMessage() for record in caplog.records] == [
        "the process of plain 1.0.0 says: *** is the secret"
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ("x" * 1990, "y" * 5000), ("x" * 65_530, "")],
    ids=["of several lines", "at the cut", "at the end of a read"],
)
def test_a_secret_that_a_child_prints_is_masked_before_it_is_cut(
    runtime: Jackfield, caplog: pytest.LogCaptureFixture, before: str, after: str
) -> None:
    """A private key that a child printed was logged line by line, in clear, and so was the
    beginning of a secret at the 2,000th character of a line.
    """
    connection = "long" if before else "lines"
    secret = CONNECTIONS[connection]["values"]["token"]
    assert call(runtime, connection=connection, text="x").status == "succeeded"
    with caplog.at_level(logging.INFO, "jackfield.isolation"):
        assert (
            call(runtime, "print", connection, text=f"{before}{secret}{after}\nafterwards").status
            == "succeeded"
        )
        until(lambda: any("afterwards" in record.getMessage() for record in caplog.records))
    said = [record.getMessage() for record in caplog.records]
    assert not [line for line in said if "4711" in line or "begin" in line]
    assert said[-1].endswith("says: afterwards")
    assert len(said) == 2


def test_connections_that_are_gone() -> None:
    """When the cache of a connection is dropped, each child is told to forget it; numbers are never
    used again.
    """
    sessions = Sessions()
    first, second = sessions.dropped(), sessions.dropped()
    caches = [
        ConnectionCache(SystemClock(), {}, frozenset({f"secret-{number}"})) for number in range(2)
    ]
    numbers = [sessions.find(cache).number for cache in caches]
    assert sessions.find(caches[0]).number == numbers[0]
    assert sessions.clean("secret-0, secret-1") == "***, ***"
    del caches[0]
    assert (first.take(), second.take(), first.take()) == ([numbers[0]], [numbers[0]], [])
    assert sessions.clean("secret-0, secret-1") == "secret-0, ***"


def test_the_death_of_a_child_is_logged(
    mortal: Jackfield, caplog: pytest.LogCaptureFixture
) -> None:
    """A child that ends by itself leaves a line in the log, with the reason."""
    call(mortal, "write", die="after")
    assert "the process of plain 1.0.0 ended with status 7" in [
        record.getMessage() for record in caplog.records
    ]


def test_a_caller_who_has_left(runtime: Jackfield) -> None:
    """The child asks before its first request: if the caller has left by then, nothing is sent."""
    left = threading.Event()
    left.set()
    result = runtime.invoke(invocation("write"), cancelled=left)
    assert result.error is not None
    assert (result.error.code, result.meta.attempts) == ("cancelled", 0)


def test_leases_belong_to_this_process(mortal: Jackfield) -> None:
    """A credential is minted once, by whichever child was asked, and serves the child that comes
    after it.
    """
    first = call(mortal, "minted").unwrap()
    assert call(mortal, "minted").unwrap()["text"] == first["text"]
    os.kill(first["process"], signal.SIGKILL)
    after = call(mortal, "minted").unwrap()
    assert after["process"] != first["process"]
    assert after["text"] == first["text"]


def test_a_credential_that_expired(mortal: Jackfield) -> None:
    """If the provider calls the credential expired, the client renews it in the child, and the
    attempt is repeated once.
    """
    first = call(mortal, "minted").unwrap()
    assert call(mortal, "write", fail="expired once").status == "succeeded"
    assert call(mortal, "minted").unwrap()["text"] != first["text"]


def test_a_fault_of_a_connection_type(runtime: Jackfield) -> None:
    """An exception while opening that nobody maps is a bug, and nothing was sent: a write is not in
    doubt, also on a warm connection.
    """
    assert call(runtime, "write", "moody").status == "succeeded"
    result = call(runtime, "write", "moody", text="moody")
    assert result.error is not None
    assert (result.status, result.error.code, result.meta.attempts) == ("failed", "internal", 0)


def test_a_job_is_started_polled_and_cancelled_in_its_process(tmp_path: Path) -> None:
    """Its steps, its progress and the provider's word cross the border like those of a connector in
    this process.
    """
    install_from(tmp_path, "plain", "plain.py")
    with isolating(
        tmp_path,
        CONNECTIONS,
        environment={"JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path / 'jackfield.db'}"},
    ) as jackfield:
        assert [call(jackfield, "cook", text=text).output for text in ("short", "raw")] == [
            {"text": "done"},
            {"text": "raw"},
        ]
        burnt = call(jackfield, "cook", text="burnt")
        assert burnt.error is not None
        assert (burnt.status, burnt.error.code, burnt.error.message) == (
            "failed",
            "rejected",
            "it is burnt",
        )
        running = call(jackfield, "cook", text="long", timeout=1.5)
        assert (running.status, running.progress) == (
            "running",
            {"fraction": 0.5, "text": "it simmers"},
        )
        assert jackfield.cancel(running.meta.invocation_id)
        ended = running.wait()
        assert ended.error is not None
        assert (ended.status, ended.error.code) == ("failed", "cancelled")
