"""Requests that an action sends in threads of its own are told apart from its own, and nothing is
sent once it has returned.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inmemory import installed
from jackfield import Jackfield, Result
from jackfield.connector import (
    Call,
    ConnectionType,
    Connector,
    Inputs,
    JackfieldError,
    OpenContext,
    Output,
    Rejected,
    Sent,
    current_call,
)
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.kernel.errors import Cancelled, TimedOut

Act = Callable[[Call], Any]


class Plain(ConnectionType):
    """A connection to nobody."""

    key = "plain"
    title = "Plain"
    auth = "none"
    reports_begin = True

    @property
    def reads_host(self) -> bool:
        """False."""
        return False

    def open(self, context: OpenContext) -> object:
        """Open nothing."""
        return object()


class Nothing(Inputs):
    """No inputs."""


class Said(Output):
    """That it is done."""

    done: bool


class Stage:
    """Actions of each effect, which do what a test says with their call."""

    def __init__(self) -> None:
        self.jackfield: Jackfield
        self.act: Act
        self.tries = 0
        self.connector = Connector(
            "apart", title="Apart", description="Acts.", version="1.0.0", connections=[Plain]
        )
        for effect in ("read", "idempotent", "write"):
            self._declare(effect)

    def _declare(self, effect: Any) -> None:
        @self.connector.action(effect, effect=effect)
        def run(_inputs: Nothing, _client: object) -> Said:
            """Act."""
            call = current_call()
            assert call is not None
            self.tries += 1
            self.act(call)
            return Said(done=True)

    def run(self, act: Act, effect: str = "write") -> Result:
        """Invoke the action of an effect."""
        self.act, self.tries = act, 0
        connection = {"type": "plain", "values": {}}
        return self.jackfield.invoke(
            {
                "connector": "apart",
                "action": effect,
                "connection": connection,
                "inputs": {},
                "timeoutSeconds": 5,
            }
        )


@pytest.fixture(name="stage", scope="module")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage()
    folder: Path = tmp_path_factory.mktemp("apart")
    with (
        installed(folder, stage.connector) as catalog,
        Jackfield(database_url="none", catalog=catalog) as jackfield,
    ):
        stage.jackfield = jackfield
        yield stage


def _refuse(_call: Call) -> None:
    raise Rejected("the action refuses", sent=Sent.REFUSED)


@pytest.mark.parametrize("end", [lambda _call: None, _refuse], ids=["returns", "refuses"])
def test_a_write_without_an_outcome_is_in_doubt(stage: Stage, end: Act) -> None:
    """Whatever the action says: nobody knows what the request of its thread has done."""

    def act(call: Call) -> None:
        call.begin_apart("store")
        end(call)

    result = stage.run(act)
    assert result.error is not None
    assert (result.status, stage.tries) == ("in_doubt", 1)


def test_the_error_names_what_has_no_outcome(stage: Stage) -> None:
    """The doubt of an action that returned names the requests, and the author learns what to do."""
    result = stage.run(lambda call: [call.begin_apart(name) for name in ("store", "send")])
    assert result.error is not None
    assert "the outcome of 'send' and 'store', sent in a thread of its own" in result.error.message


@pytest.mark.parametrize("end", ["answered", "refused"])
def test_an_outcome_leaves_no_doubt(stage: Stage, end: str) -> None:
    """A request that is known to have succeeded, or to have been refused, is nothing to doubt; nor
    is one that only reads.
    """

    def act(call: Call) -> None:
        getattr(call.begin_apart("store"), end)()
        call.begin_apart("look", safe=True)

    assert stage.run(act).status == "succeeded"


def test_what_succeeded_apart_is_a_step_that_is_done(stage: Stage) -> None:
    """A refusal after a success of a thread has partly taken effect; one after refusals of threads
    has not.
    """

    def done(call: Call) -> None:
        call.begin_apart("store").answered("r-1")
        _refuse(call)

    def undone(call: Call) -> None:
        call.begin_apart("store").refused()
        _refuse(call)

    result = stage.run(done)
    assert result.error is not None
    assert (result.status, "after 'store' had succeeded" in result.error.message) == (
        "in_doubt",
        True,
    )
    assert stage.run(undone).status == "failed"


@pytest.mark.parametrize("effect", ["read", "idempotent"])
def test_what_may_be_repeated_is_repeated(stage: Stage, effect: str) -> None:
    """An action that may run twice does, until its requests have outcomes."""

    def act(call: Call) -> None:
        request = call.begin_apart("store")
        if stage.tries > 2:
            request.answered()

    assert (stage.run(act, effect).status, stage.tries) == ("succeeded", 3)


def test_requests_apart_imply_nothing_of_the_actions_own(stage: Stage) -> None:
    """A request of a thread says neither that the action's own was answered, nor the other way
    round.
    """

    def act(call: Call) -> None:
        call.begin("mine")
        call.begin_apart("theirs").refused()
        call.refused()
        call.begin("mine, again")
        _refuse(call)

    assert stage.run(act).status == "failed"


def test_nothing_is_sent_after_the_action(stage: Stage) -> None:
    """A thread that goes on is refused, whichever way it announces a request; nothing was sent."""
    kept: list[Call] = []
    assert stage.run(kept.append).status == "succeeded"
    for begin in (kept[0].begin, kept[0].begin_apart):
        with pytest.raises(Cancelled, match="has ended") as raised:
            begin("late")
        assert raised.value.sent is Sent.NOTHING


def test_an_action_that_failed_sends_nothing_more(stage: Stage) -> None:
    """An attempt that raised has ended, too; its repeat is another call."""
    kept: list[Call] = []

    def act(call: Call) -> None:
        kept.append(call)
        _refuse(call)

    assert stage.run(act).status == "failed"
    with pytest.raises(Cancelled):
        kept[0].begin("late")


def test_a_request_apart_begins_as_any_other() -> None:
    """It asks for the deadline and for the caller, and waits for its slot once."""
    slots: list[int] = []
    call = Call(Deadline.after(60, SystemClock()), gate=lambda: slots.append(1))
    call.begin_apart("a")
    call.begin_apart("b")
    assert (slots, call.begun, call.requests, len(call.unproven)) == ([1], True, 2, 2)
    with pytest.raises(TimedOut):
        Call(Deadline.after(-1, SystemClock())).begin_apart("late")
    gone = Call(Deadline.after(60, SystemClock()))
    gone.cancelled.set()
    with pytest.raises(JackfieldError):
        gone.begin_apart("a")
    assert not gone.begun


def test_many_threads_begin_at_once() -> None:
    """Each request of many threads has its own outcome."""
    call = Call(Deadline.after(60, SystemClock()))

    def send(number: int) -> None:
        request = call.begin_apart(f"part {number}")
        if number % 2:
            request.answered()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(call.done), len(call.unproven)) == (32, 32)
