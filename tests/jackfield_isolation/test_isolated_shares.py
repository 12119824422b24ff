"""A hostile child gets its share of jackfield and no more: what it asks its parent to keep, compute
or write is bounded (finding 2).
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from isolated import CONNECTORS, install, isolating
from jackfield import Result
from jackfield_store.runtime import Jackfield

SOURCE = (CONNECTORS / "lying.py").read_text(encoding="utf-8")
MEMORY, CPU = 10 * 1024 * 1024, 1.0
"""Bytes and seconds that one attack may cost this process."""

PRELUDE = """
import json, os, time
from threading import Event
from jackfield.connector import Minted
from jackfield_isolation.wire import ANSWER, HEAD, LINE, OTHER
stay = Event().wait
talk = call.talk
wire, number = talk._wire, talk._number
run = str(time.time_ns())
def lease(key, value="x", expires=None, secrets=()):
    return context.lease(run + str(key), lambda: Minted(value, expires, tuple(secrets)))
def raw(body, kind=OTHER, about=number):
    with wire._sending:
        wire._end.sendall(HEAD.pack(len(body), kind, about) + body)
def end(value):
    raw(json.dumps({"end": value}).encode(), ANSWER)
    stay(20)
"""
STOPPED: dict[str, tuple[str, str]] = {
    "many leases": ("[lease(n) for n in range(1500)]", "leases of one connection"),
    "a large lease": (
        "lease(1, 'x' * 65_000, secrets=['y' * 9000])\nlease(2, 'x' * 70_000)",
        "a lease of",
    ),
    "a lease of many parts": ("lease(1, [[]] * 5000)", "a lease of"),
    "large leases": ("[lease(n, 'x' * 60_000) for n in range(60)]", "leases of more than"),
    "many secrets of a lease": (
        "lease(1, 'x', None, ['w%d' % n for n in range(16_000)])",
        "secrets",
    ),
    "many secrets of leases": (
        "[lease(n, 'x', None, ['w%d-%d' % (n, m) for m in range(8)]) for n in range(60)]",
        "secrets",
    ),
    "long secrets": (
        "[lease(n, 'x', None, [str(n) + 'y' * 16_000]) for n in range(60)]",
        "secrets",
    ),
    "a lease's name": ("lease('k' * 100_000)", "a lease's name"),
    "leases that are dropped again": (
        "[context.drop(run, lease(0, n)) for n in range(2000)]",
        "frames",
    ),
    "leases that expire at once": (
        "[lease(n % 60, n, time.time() - 1) for n in range(2000)]",
        "frames",
    ),
    "steps": ("[call.begin('b%d' % n) for n in range(50_000)]", "frames 'begin'"),
    "answers of steps": (
        "[talk.say({'answered': 'x' * 200_000}) for n in range(50_000)]",
        "about one call",
    ),
    "what steps return": (
        "[talk.say({'returned': ['x' * 3000]}) for n in range(50_000)]",
        "frames 'returned'",
    ),
    "warnings": (
        (
            "[talk.say({'warning': {'message': 'm' * 200_000, 'path': '/p' * 30_000}}) for n in "
            "range(50_000)]"
        ),
        "frames 'warning'",
    ),
    "unknown questions": ("talk.say({'nothing': 1})\nstay(20)", "not a question"),
    "grants": ("talk.ask({'grant': 'find'})", "not a question"),
    "files without end": (
        "[talk.say({'file': 'text/html', 'name': 'n'}) for n in range(50_000)]\nstay(20)",
        "not a question",
    ),
    "pieces of no file": (
        "[talk.say({'piece': 'eHh4'}) for n in range(50_000)]\nstay(20)",
        "not a question",
    ),
    "dials": (
        """
from contextlib import suppress
for n in range(50_000):
    with suppress(OSError):
        talk.dial("h%d.invalid" % n, 80, 1)
""",
        "dial",
    ),
    "a large question": ("talk.say({'key': 'x' * 1_000_000})\nstay(20)", "are allowed"),
    "questions at once": (
        """
raw(json.dumps({"dial": "203.0.113.1", "port": 80, "seconds": 9}).encode())
[raw(json.dumps({"returned": "x" * 200_000}).encode()) for n in range(1000)]
stay(20)
""",
        "about one call",
    ),
    "many texts": (
        'raw(b\'{"end":{"out":[\' + b\'"a",\' * 7_000_000 + b\'"a"]}}\', ANSWER)\nstay(20)',
        "values",
    ),
    "many numbers": (
        "raw(b'{\"end\":{\"out\":[' + b'1.5,' * 7_000_000 + b'1]}}', ANSWER)\nstay(20)",
        "values",
    ),
    "many members": (
        (
            "raw(b'{\"end\":{' + b','.join(b'\"%d\":1' % n for n in range(1_000_000)) + b'}}', "
            "ANSWER)\nstay(20)"
        ),
        "values",
    ),
    "many arrays": (
        "raw(b'{\"end\":[' + b'[],' * 9_000_000 + b'[]]}', ANSWER)\nstay(20)",
        "values",
    ),
    "deep arrays": (
        "raw(b'{\"end\":' + b'[' * 300_000 + b']' * 300_000 + b'}', ANSWER)\nstay(20)",
        "not JSON",
    ),
    "an enormous frame": (
        "os.write(wire._end.fileno(), HEAD.pack(0xFFFFFFFF, ANSWER, number) + b'x')\nstay(20)",
        "are allowed",
    ),
    "lines": (
        '[raw(b\'{"log": "x"}\', LINE, 0) for n in range(50_000)]\nstay(20)',
        "without a question",
    ),
    "late frames": (
        "[raw(b'{}', OTHER, 0) for n in range(50_000)]\nstay(20)",
        "without a question",
    ),
}
"""Attacks after which the child is stopped, each with a pattern of the reason."""
ENDURED: dict[str, str] = {
    "half a frame": (
        "os.write(wire._end.fileno(), HEAD.pack(10_000_000, ANSWER, number) + b'x')\nos._exit(0)"
    ),
    "output": "for n in range(20_000): os.write(1, b'x' * 500 + b'\\n')",
    "secrets that are everyday words": (
        "lease(0, 'x', None, ['succeeded', 'output', 'http', 'a', 'e', '1'])\nout = 'succeeded'"
    ),
    "a long error": "raise ValueError('x' * 20_000_000)",
    "an error with many details": "raw(json.dumps({'failed': {'code': 'rejected', 'message': 'm' "
    "* 99_999, 'details': "
    "[{'path': '/p' * 500, 'message': 'd' * 500}] * 15_000}}).encode(), ANSWER)\nstay(2)",
    "an error with a long name": (
        "raw(json.dumps({'fault': {'type': 'T' * 20_000_000, 'text': ''}}).encode(), "
        "ANSWER)\nstay(2)"
    ),
    "a long request ID": (
        "raw(json.dumps({'requestId': 'r' * 20_000_000, 'end': {'out': ''}}).encode(), "
        "ANSWER)\nstay(2)"
    ),
    "steps that return much": (
        "for n in range(3000):\n    call.begin('pay %d' % n); call.returned('y' * "
        "4000)\nraise RuntimeError('after')"
    ),
    "warnings that are too many": "for n in range(90): talk.say({'warning': {'message': 'm' * 100_000, 'path': ''}})",
    "descriptors": """
import socket
plain = socket.socket(fileno=os.dup(wire._end.fileno()))
try:
    while True: socket.send_fds(plain, [HEAD.pack(12, OTHER, number) + b'{"key":true}'], [0] * 200)
except OSError: out = "refused"
""",
    "threads": """
import _thread
try:
    while True: _thread.start_new_thread(stay, ())
except (RuntimeError, MemoryError): out = "refused"
""",
    "forks": """
fork = os.fork
for n in range(2000):
    try: fork(); os._exit(1)
    except PermissionError: out = "refused"
""",
}
"""Attacks that end without more than an error, or without one."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the connector ``lying``."""
    found = tmp_path_factory.mktemp("home")
    install(found, "lying", SOURCE)
    return found


@pytest.fixture(scope="module")
def runtime(home: Path) -> Iterator[Jackfield]:
    """A runtime with a database, whose children are started again without delay."""
    connections = {"mine": {"type": "lying/server", "values": {"url": "http://203.0.113.1/"}}}
    environment = {"JACKFIELD_DATABASE_URL": f"sqlite:///{home / 'jackfield.db'}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jackfield_isolation.supervisor._LONGEST_DELAY", 0.0)
        with isolating(home, connections, environment=environment) as jackfield:
            assert attack(jackfield, "").status == "succeeded"
            yield jackfield


def attack(runtime: Jackfield, code: str) -> Result:
    """Let the child run ``code``."""
    inputs = {"code": f"{PRELUDE}{code}" if code else ""}
    return runtime.invoke(
        {
            "connector": "lying",
            "action": "connected",
            "connection": "mine",
            "timeoutSeconds": 60,
            "inputs": inputs,
        }
    )


def _stopped(runtime: Jackfield, kind: str) -> None:
    code, reason = STOPPED[kind]
    result = attack(runtime, code)
    assert result.error is not None, kind
    assert "the process of the connector 'lying' sent " in result.error.message, (
        kind,
        result.error.message,
    )
    assert re.search(f"{reason}|at once", result.error.message), (kind, result.error.message)
    assert attack(runtime, "").status == "succeeded", kind


@pytest.mark.parametrize("kind", ["many leases", "many secrets of leases", "many texts"])
def test_a_child_that_wants_too_much(runtime: Jackfield, kind: str) -> None:
    """It is stopped, with the reason, before this process keeps what it sent; another child
    answers.
    """
    _stopped(runtime, kind)


def test_leases_of_an_honest_child(runtime: Jackfield) -> None:
    """As many leases as are allowed are kept, and expired ones make room."""
    code = """
soon = time.time() + 5
[lease(n, "x" * 1000, soon) for n in range(40)]
while time.time() < soon: stay(0.1)
[lease(n, "x" * 1000) for n in range(41, 64)]
out = [lease(n).value for n in range(41, 64)][-1][:3]
"""
    assert attack(runtime, code).unwrap()["out"] == "xxx"


def test_rows_of_shared_leases_are_bounded(runtime: Jackfield, home: Path) -> None:
    """A connection has at most 500 rows however many processes issue leases for it; expired ones go
    with the next new one.
    """
    attack(runtime, "[lease(n, n, time.time() + 600) for n in range(5)]")
    with sqlite3.connect(home / "jackfield.db") as database:
        row = database.execute(
            "SELECT workspace, connection_key FROM leases ORDER BY renew_at DESC LIMIT 1"
        ).fetchone()
        for number in range(1500):
            values = (
                *row,
                f"old-{number}",
                b"sealed",
                time.time() + (60 if number % 2 else -60),
                time.time() + 30,
            )
            sql = (
                "INSERT INTO leases (workspace, connection_key, lease_key, sealed, "
                "expires_at, renew_at) VALUES (?, ?, ?, ?, ?, ?)"
            )
            database.execute(sql, values)
    database.close()
    assert attack(runtime, "lease('new', 'n', time.time() + 600)").status == "succeeded"
    with closing(sqlite3.connect(home / "jackfield.db")) as database:
        assert database.execute(
            "SELECT COUNT(*) FROM leases WHERE lease_key LIKE '%new'"
        ).fetchone() == (1,)
        assert database.execute("SELECT COUNT(*) FROM leases").fetchone()[0] <= 500
        assert database.execute(
            "SELECT COUNT(*) FROM leases WHERE expires_at < ?", (time.time() - 30,)
        ).fetchone() == (0,)
    database.close()


def test_steps_that_an_error_lists(runtime: Jackfield) -> None:
    """An error lists at most a hundred steps that had succeeded; the last entry stands for the
    further ones.
    """
    result = attack(
        runtime, "for n in range(150): call.begin('pay %d' % n)\nraise RuntimeError('after')"
    )
    assert result.status == "in_doubt"
    assert result.error is not None
    assert len(result.error.details) <= 101
    assert "'pay 148, the last of 50 further steps' had succeeded" in " ".join(
        detail.message for detail in result.error.details
    )


def _resident() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return (
        int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        * resource.getpagesize()
    )


def _cpu() -> float:
    used = os.times()
    return used.user + used.system


@pytest.mark.campaign
def test_forty_attacks_cost_their_parent_little(runtime: Jackfield) -> None:
    """All attacks together add at most 10 MiB to this process's memory, and none costs it a second
    of CPU time.
    """
    _stopped(runtime, "many leases")  # loads what the first attack loads
    before, spent = _resident(), {}
    for kind in (*STOPPED, *ENDURED):
        cpu = _cpu()
        if kind in STOPPED:
            _stopped(runtime, kind)
        else:
            attack(runtime, ENDURED[kind])
            assert attack(runtime, "").status == "succeeded", kind
        spent[kind] = _cpu() - cpu
        sys.stdout.write(
            f"{kind:36} {spent[kind]:6.2f} s {(_resident() - before) / 2**20:8.1f} MiB\n"
        )
    assert {kind: seconds for kind, seconds in spent.items() if seconds > CPU} == {}
    deadline = time.monotonic() + 30
    while _resident() - before > MEMORY:  # the threads of dead children end
        assert time.monotonic() < deadline, _resident() - before
        threading.Event().wait(0.1)
