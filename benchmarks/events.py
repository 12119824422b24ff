"""What events cost: one more for a journalled call, a delivery to a callback, and schedules that
wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

from benchmarks.child import Figures
from benchmarks.measure import Answer, Line, Scene, compared, per_second, shown
from benchmarks.scenes import database, databases
from jackfield_store.runtime import Jackfield

_EVENTS = 300
"""Events of one round."""
_ROUNDS = 7
_BLOCK = 50
"""Calls of one turn with events, or without."""
_TURNS = 200
_SCHEDULES = 10_000
_LOOK = 1.0
"""Seconds between two looks of a scheduler."""


def lines() -> Iterator[Line]:
    """An event of a journalled call, deliveries, and idle schedules."""
    for action in ("say", "post"):
        found = compared(
            Scene(told_or_not, (action,), _added, count=1), rounds=_TURNS, is_cost=False
        )
        kind = (
            "a journalled call"
            if action == "say"
            else "a journalled write, which waits for its commits"
        )
        yield found.line_of_value(
            f"an event added to {kind} (SQLite), CPU", at_most=15e-6 if action == "say" else None
        )
    for kind in databases():
        for callbacks in (1, 30):
            ours, bare = (
                Scene(scene, arguments, _per_core, count=1)
                for scene, arguments in ((delivered, (kind, callbacks)), (posted, ()))
            )
            found = compared(ours, bare, rounds=_ROUNDS, show=per_second, is_cost=False)
            many = f"{callbacks} callback{'s' if callbacks > 1 else ''}"
            yield found.line(
                f"deliveries a second and core ({kind}, {many}) against bare httpx2 that posts "
                "signed bodies",
                at_least=0.5,
            )
    for kind in databases():
        found = compared(Scene(idle_schedules, (kind,)), is_cost=False)
        share = found.mine / _LOOK
        what = f"a scheduler with {_SCHEDULES:,} idle schedules ({kind}), share of a core"
        yield Line(
            what,
            f"{share:.3%} (a look each second takes {shown(found.mine)})",
            "≤ 1%",
            share <= 0.01,
        )


def _per_core(answer: Answer) -> float:
    return answer.count * _EVENTS / answer.cpu


def _added(answer: Answer) -> float:
    return float(answer.said["added"])


@contextmanager
def told_or_not(action: str) -> Iterator[Callable[[], Figures]]:
    """Run a no-op with a journal, in turns with an event at its end and without; a call returns
    what the event adds, in seconds of CPU.

    Both run in one process: two that do the same differ by more than an event takes.
    """
    from plugboard import make_echo, plugged

    call = {
        "connector": "echo",
        "action": action,
        "connection": "hall",
        "inputs": {"text": "hello"},
    }
    connection = {"hall": {"type": "echo/token", "values": {"token": "t"}}}
    with database("SQLite") as (url, home), plugged(*make_echo(home / "plugs")):
        with Jackfield(
            connections=[connection], database_url=url, environment={"JACKFIELD_HOME": str(home)}
        ) as jackfield:

            def block(notify: bool) -> float:
                began = time.process_time()
                for _ in range(_BLOCK):
                    jackfield.invoke({**call, "context": {"notify": notify}}).unwrap()
                with jackfield.storage.database.read():  # what was deferred is committed first
                    return (time.process_time() - began) / _BLOCK

            def turn() -> Figures:
                told, silent = block(True), block(False)
                silent_again, told_again = block(False), block(True)
                return Figures(added=(told + told_again - silent - silent_again) / 2)

            yield turn


@contextmanager
def delivered(kind: str, callbacks: int) -> Iterator[Callable[[], object]]:
    """Record events, and deliver them to a number of callbacks, in all ``_EVENTS`` times."""
    from events_campaign import receivers
    from jackfield.callers.actor import Actor
    from jackfield.kernel.clock import SystemClock
    from jackfield_service.subjects.callbacks.callbacks import Callbacks
    from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
    from jackfield_service.subjects.callbacks.sending import Sender
    from jackfield_store.database.outbox import record
    from jackfield_store.resources.storage import Storage

    with ExitStack() as stack:
        url, home = stack.enter_context(database(kind))
        origin = stack.enter_context(receivers())
        storage = stack.enter_context(Storage(url, {"JACKFIELD_HOME": str(home)}, SystemClock()))
        storage.opened(migrate=True).close()
        made = Callbacks(
            storage.database,
            storage.vault,
            "default",
            SystemClock(),
            Actor("library"),
            origin="operator",
        )
        for number in range(callbacks):
            made.create({"url": f"{origin}/ok/{number}", "types": ["quota.low"]})
        dispatcher = Dispatcher(
            lambda: storage.database, lambda: storage.vault, SystemClock(), Sender()
        )
        dispatcher.start()
        stack.callback(dispatcher.stop)
        wait, taken = stack.enter_context(_client(origin)), count(_EVENTS, _EVENTS)

        def call() -> None:
            with storage.database.write() as transaction:
                for _ in range(_EVENTS // callbacks):
                    record(
                        transaction, "default", "quota.low", "s", time.time(), {"at": time.time()}
                    )
            wait(f"/until/{next(taken)}")

        yield call


@contextmanager
def posted() -> Iterator[Callable[[], object]]:
    """Post signed bodies through bare httpx2, one after the other over one connection."""
    from events_campaign import receivers
    from jackfield.wire.signing import new_secret, signatures

    secret = new_secret("hmac")
    with receivers() as origin, _client(origin) as post:

        def call() -> None:
            for number in range(_EVENTS):
                now, name = time.time(), f"01a20507-ced2-70bc-947d-{number:012d}"
                data = {"eventId": name, "sequence": number, "subject": "s", "payload": {"at": now}}
                body = json.dumps(
                    {"type": "quota.low", "timestamp": "2031-01-31T12:00:00.125Z", "data": data}
                ).encode()
                signed = signatures([secret], name, int(now), body)
                post(
                    "/ok/0",
                    body,
                    {
                        "webhook-id": name,
                        "webhook-timestamp": str(int(now)),
                        "webhook-signature": signed,
                    },
                )

        yield call


@contextmanager
def _client(origin: str) -> Iterator[Callable[..., object]]:
    import httpx2

    with httpx2.Client(base_url=origin, timeout=60.0) as client:
        yield lambda path, body=b"", fields=None: client.post(path, content=body, headers=fields)


@contextmanager
def idle_schedules(kind: str) -> Iterator[Callable[[], object]]:
    """Look for what is due among many schedules, none of which is."""
    from jackfield.kernel.clock import SystemClock
    from jackfield_service.subjects.schedules import DueSchedules

    with (
        database(kind) as (url, home),
        Jackfield(database_url=url, environment={"JACKFIELD_HOME": str(home)}) as jackfield,
    ):
        opened = jackfield.storage.database
        place = {"at": time.time() + 86_400.0}
        names = (
            "workspace, id, name, connector, action, timing, missed, overlap, status, "
            "version, claim, next_at, wake_at, sealed, created_at"
        )
        values = (
            "'default', :id, :id, 'echo', 'say', '{}', 'latest', 'skip', 'active', 1, 1, "
            ":at, :at, :sealed, 1"
        )
        rows = [{**place, "id": f"s{number}", "sealed": b"-"} for number in range(_SCHEDULES)]
        with opened.write() as transaction:
            transaction.change_many(
                f"INSERT INTO schedules ({names}, changed_at) VALUES ({values}, 1)", rows
            )
        yield DueSchedules(opened, SystemClock()).wait
