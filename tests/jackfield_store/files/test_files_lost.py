"""Files that a queued call was storing when its process was lost: whoever takes the call over
removes what is there of them.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clocks import FakeClock
from courier import SOURCE
from file_places import IN_A_FOLDER, Place
from http_stand import clean
from jackfield.kernel.errors import Unavailable
from jackfield_store.files import FileLimits, Files
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged

MEGA = 1024 * 1024
_STORING = """
import os
import sys
from jackfield.kernel.clock import SystemClock
from jackfield_store.files import FileLimits, Files
from jackfield_store.resources.storage import Storage
clock = SystemClock()
files = Files(Storage(None, os.environ, clock), FileLimits(), clock)
def pieces():
    for number in range(1000):
        if number == 10:
            print("storing", flush=True)
            sys.stdin.read()
        yield bytes(1024 * 1024)
files.store("default", pieces(), "text/plain", returned=True, invocation=sys.argv[1])
"""


@contextmanager
def running(place: Place, tmp_path: Path) -> Iterator[Jackfield]:
    """A library with the courier and a database, whose files are in a place."""
    make_connector(tmp_path / "couriers", "courier", SOURCE)
    with (
        plugged(tmp_path / "couriers"),
        Jackfield(environment=clean(tmp_path / "home", **place.environment)) as jackfield,
    ):
        yield jackfield


def killed_while_storing(place: Place, tmp_path: Path, invocation: str) -> None:
    """Kill a process that has stored 8 MiB of what an invocation returns."""
    environment = clean(tmp_path / "home", **place.environment)
    process = subprocess.Popen(
        [sys.executable, "-c", _STORING, invocation],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"storing\n"
        process.kill()


def test_who_takes_a_call_over_removes_what_was_being_stored(place: Place, tmp_path: Path) -> None:
    """After kill -9 in the middle of an output file the second delivery stores it alone: neither
    disk nor quota holds both.
    """
    with running(place, tmp_path) as jackfield:
        files = jackfield.files
        document = files.store("default", [b"content"], "application/pdf")
        jackfield.enqueue(
            {
                "connector": "courier",
                "action": "carry",
                "inputs": {"document": {"file": document.id}},
            }
        )
        queue = Queue(jackfield.storage.database)
        (first,) = queue.claim(1)
        killed_while_storing(place, tmp_path, first.id)
        assert files.table.usage("default")[0] == 2
        queue.give_back(first)
        (again,) = queue.claim(1)
        output = asyncio.run(jackfield.arun(again)).unwrap()
        copy = output["copies"][0]["file"]
        assert {name.split("/")[1] for name in place.names()} == {document.id, copy}
        assert files.table.usage("default") == (2, 2 * len(b"content"))


@IN_A_FOLDER
def test_a_process_that_was_only_slow_finishes_no_file(place: Place, tmp_path: Path) -> None:
    """It has lost the invocation: what it stores meanwhile is removed, and its next segment is
    refused. Other calls' files stay.
    """
    with running(place, tmp_path) as jackfield:
        slow, files = Files(jackfield.storage, FileLimits(), jackfield.files.clock), jackfield.files
        lost = slow.incoming("default", "text/plain", returned=True, invocation="one")
        lost.write(bytes(5 * MEGA))
        other = slow.incoming("default", "text/plain", returned=True, invocation="two")
        own = files.incoming("default", "text/plain", returned=True, invocation="one")
        own.write(b"own")
        files.discard_lost("default", "one")
        with pytest.raises(Unavailable):
            lost.write(bytes(9 * MEGA))
        lost.abort()
        other.finish()
        kept = own.finish()
        assert files.find("default", kept.id) is not None
        assert files.table.usage("default") == (2, 3)


@IN_A_FOLDER
def test_what_nobody_takes_over_is_swept_although_its_call_is_open(
    place: Place, tmp_path: Path
) -> None:
    """An invocation that waits or runs holds the files that it was given, and not what is
    unfinished of those that it returns.
    """
    with running(place, tmp_path) as jackfield:
        document = jackfield.files.store("default", [b"content"], "application/pdf")
        jackfield.enqueue(
            {
                "connector": "courier",
                "action": "carry",
                "inputs": {"document": {"file": document.id}},
            }
        )
        (claimed,) = Queue(jackfield.storage.database).claim(1)
        killed_while_storing(place, tmp_path, claimed.id)
        clock = FakeClock()
        clock.advance(jackfield.files.clock.time() - clock.time() + 2 * 3600)
        later = Files(jackfield.storage, FileLimits(), clock)
        later.sweep()
        assert later.table.usage("default") == (1, len(b"content"))
