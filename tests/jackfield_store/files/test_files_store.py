"""Stored files: what comes back, what does not, for how long, how many, and what faults do to
them.
"""

from __future__ import annotations

import io
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from clocks import FakeClock
from file_places import IN_A_FOLDER, Place, bucket
from forking import alone, fork
from http_stand import clean
from jackfield.invocation.file_refusals import FileDamaged, FileTooLarge, NoRoom
from jackfield.invocation.stored_file import StoredFile
from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.files import FileLimits, Files, buffered
from jackfield_store.files.blobs import blobs_from
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield

MEGA = 1024 * 1024
SIZES = [0, 1, MEGA - 1, MEGA, MEGA + 1, 4 * MEGA, 4 * MEGA + 1, 9 * MEGA + 7]


@contextmanager
def storing(
    place: Place, tmp_path: Path, limits: FileLimits | None = None, clock: Clock | None = None
) -> Iterator[Files]:
    """Files of a database of its own, in a place."""
    clock = clock or SystemClock()
    with Storage(None, clean(tmp_path / "home", **place.environment), clock) as storage:
        yield Files(storage, limits or FileLimits(), clock)


def noise(size: int) -> bytes:
    """Bytes that nothing compresses, the same ones each time."""
    return random.Random(size).randbytes(size)


def kept(files: Files, content: bytes, workspace: str = "default") -> StoredFile:
    """Store content in pieces of odd sizes."""
    stream = io.BytesIO(content)
    return files.store(workspace, iter(lambda: stream.read(700_001), b""), "application/pdf")


def content_of(files: Files, file: StoredFile) -> bytes:
    """Read a file as one who knows its row does."""
    with buffered(files.reader(file)) as stream:
        return stream.read()


def test_what_is_stored_comes_back(place: Place, tmp_path: Path) -> None:
    """Files around the sizes of chunks and segments come back whole and in ranges, and no content
    lies in the clear.
    """
    with storing(place, tmp_path) as files:
        for size in SIZES:
            content = noise(size)
            file = kept(files, content)
            found = files.find("default", file.id)
            assert found == file
            assert (found.size, content_of(files, found)) == (size, content)
            with buffered(files.reader(found)) as stream:
                for start, length in (
                    (size // 2, 100),
                    (0, 10),
                    (max(0, size - 5), 100),
                    (size, 1),
                    (size // 3, 2 * MEGA),
                ):
                    stream.seek(start)
                    assert stream.read(length) == content[start : start + length]
        marked = b"pl4nted" * 200_000
        kept(files, marked)
        assert all(b"pl4nted" not in place.read(name) for name in place.names())
        assert files.table.usage("default") == (len(SIZES) + 1, sum(SIZES) + len(marked))


def test_changed_content_is_refused(place: Place, tmp_path: Path) -> None:
    """Another file's bytes, chunks in another order, a chunk less, a changed bit and nothing at
    all: none of it is ever read as content.
    """
    with storing(place, tmp_path) as files:
        good, other = kept(files, noise(9 * MEGA)), kept(files, noise(9 * MEGA)[::-1])
        named = [name for name in place.names() if good.id in name]
        saved = {name: place.read(name) for name in named}
        strange = [place.read(name) for name in place.names() if other.id in name]
        width = MEGA + 16
        first = saved[named[0]]
        reordered = [
            first[width : 2 * width] + first[:width] + first[2 * width :],
            *list(saved.values())[1:],
        ]
        flipped = [bytes([first[0] ^ 1]) + first[1:], *list(saved.values())[1:]]
        shorter = [*list(saved.values())[:-1], list(saved.values())[-1][:-width] or b""]
        for attack in (strange, reordered, flipped, shorter):
            for name, content in zip(named, attack, strict=True):
                place.write(name, content)
            with pytest.raises(FileDamaged):
                content_of(files, good)
            for name, content in saved.items():
                place.write(name, content)
        assert content_of(files, good) == noise(9 * MEGA)
        place.remove(named[-1])
        with pytest.raises(FileDamaged):
            content_of(files, good)
        reader = files.reader(good)
        reader.seek(good.size - 1)
        with pytest.raises(FileDamaged):
            reader.read(1)


@IN_A_FOLDER
def test_a_file_is_of_its_workspace(place: Place, tmp_path: Path) -> None:
    """An id of another workspace is unknown, and so is every id that is no id; a row moved to
    another workspace is no file there.
    """
    with storing(place, tmp_path) as files:
        file = kept(files, b"ours")
        assert files.find("other", file.id) is None
        assert not files.delete("other", file.id)
        for wrong in (
            "",
            "..",
            "../default/" + file.id,
            file.id + "/000000",
            "file_" + "x" * 22,
            file.id.upper(),
            "file_%2e%2e",
        ):
            assert files.find("default", wrong) is None
        with files.storage.database.write() as transaction:
            transaction.change("UPDATE files SET workspace = 'other'")
        assert files.find("other", file.id) is None
        with pytest.raises(FileDamaged):
            content_of(files, replace(file, workspace="other"))


@IN_A_FOLDER
def test_names_of_workspaces_stay_in_their_place(place: Place, tmp_path: Path) -> None:
    """Workspaces of any name, which identity providers issue, do not meet and do not leave the
    place.
    """
    names = ["..", ".", "../..", "a/b", "a", "%2e%2e", "x" * 300, "ü", ".part"]
    with storing(place, tmp_path) as files:
        for name in names:
            assert content_of(files, kept(files, name.encode(), name)) == name.encode()
    assert len({name.split("/")[0] for name in place.names()}) == len(names)
    assert not [path for path in tmp_path.rglob("file_*") if "stored" not in path.parts]


@IN_A_FOLDER
def test_r5_a_process_whose_clock_is_off_deletes_no_file(place: Place, tmp_path: Path) -> None:
    """Files that have not expired by the clock on which the processes agree are there for all, and
    no other clock deletes them.
    """
    wrong = FakeClock()
    with storing(place, tmp_path) as files:
        stored = files.store("default", [b"content"], "text/plain")
        with (
            mock.patch.object(wrong, "time", return_value=time.time() + 40 * 86_400),
            storing(place, tmp_path, clock=wrong) as others,
        ):
            assert others.sweep() == 0
            assert others.find("default", stored.id) is not None
        assert files.find("default", stored.id) is not None


@IN_A_FOLDER
def test_expired_files_are_deleted_once(place: Place, tmp_path: Path) -> None:
    """A file expires, is unknown from then on, and one of several servers that sweep at once
    deletes it; its room is free again.
    """
    clock = FakeClock()
    with (
        storing(place, tmp_path, clock=clock) as files,
        storing(place, tmp_path, clock=clock) as others,
    ):
        old = [kept(files, noise(5 * MEGA)), *(kept(files, b"x") for _ in range(5))]
        clock.advance(23 * 3600)
        young = kept(files, b"young")
        clock.advance(2 * 3600)
        assert [files.find("default", file.id) for file in old] == [None] * 6
        with ThreadPoolExecutor(4) as pool:
            swept = list(pool.map(lambda store: store.sweep(), (files, others, files, others)))
        assert sum(swept) == 6
        assert files.sweep() == 0
        assert {name for name in place.names() if young.id not in name} == set()
        assert files.table.usage("default") == (1, 5)
        assert files.delete("default", young.id)
        assert (place.names(), files.table.usage("default")) == ([], (0, 0))


@IN_A_FOLDER
def test_quotas_hold_across_servers(place: Place, tmp_path: Path) -> None:
    """Number and bytes are exact however many servers store at once; what is refused leaves nothing
    behind.
    """
    limits = FileLimits(count=7, cap=11 * MEGA, size=5 * MEGA)
    with (
        storing(place, tmp_path, limits) as one,
        storing(place, tmp_path, limits) as two,
        ThreadPoolExecutor(8) as pool,
    ):

        def attempt(number: int, size: int) -> int:
            try:
                return kept((one, two)[number % 2], noise(size)).size
            except (NoRoom, FileTooLarge):
                return -1

        many = list(pool.map(lambda number: attempt(number, 10), range(20)))
        assert many.count(10) == 7
        assert one.table.usage("default") == (7, 70)
        for file in one.list("default")[0]:
            two.delete("default", file.id)
        large = list(pool.map(lambda number: attempt(number, 5 * MEGA - 10), range(6)))
        assert large.count(5 * MEGA - 10) == 2
        assert one.table.usage("default") == (2, 2 * (5 * MEGA - 10))
        assert attempt(0, 5 * MEGA + 1) == -1
        assert one.table.usage("default")[0] == 2
        assert len({name.split("/")[1] for name in place.names()}) == 2


_UPLOADING = """
import os, sys
from jackfield.kernel.clock import SystemClock
from jackfield_store.files import FileLimits, Files
from jackfield_store.resources.storage import Storage
clock = SystemClock()
files = Files(Storage(None, os.environ, clock), FileLimits(), clock)
def pieces():
    for number in range(1000):
        if number == 10:
            print("uploading", flush=True)
            sys.stdin.read()
        yield bytes(1024 * 1024)
files.store("default", pieces(), "text/plain")
"""


def test_an_upload_whose_process_is_killed_is_swept(place: Place, tmp_path: Path) -> None:
    """After kill -9 in the middle of an upload there is no file; its parts are deleted and its room
    is free once it counts as given up.
    """
    with storing(place, tmp_path) as files:
        kept(files, b"whole")
        process = subprocess.Popen(
            [sys.executable, "-c", _UPLOADING],
            env=clean(tmp_path / "home", **place.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        with process:
            assert process.stdout.readline() == b"uploading\n"
            process.send_signal(signal.SIGKILL)
        assert len(place.names()) > 1
        assert len(files.list("default")[0]) == 1
        assert files.sweep() == 0
        assert len(place.names()) > 1
        clock = FakeClock()
        clock.advance(files.clock.time() - clock.time() + 2 * 3600)
        with storing(place, tmp_path, clock=clock) as later:
            assert later.sweep() == 0
            assert (len(place.names()), later.table.usage("default")) == (1, (1, 5))


def test_storage_that_is_away_loses_nothing(tmp_path: Path, s3_port: int) -> None:
    """Without the store an upload and a download are refused as unavailable, which may be repeated;
    deletions are made up for later.
    """
    place, clock = bucket(s3_port, "away"), FakeClock()
    away = Place(
        {**place.environment, "JACKFIELD_FILES_URL": "s3://shelf/away?endpoint=http://127.0.0.1:1"}
    )
    with storing(place, tmp_path, clock=clock) as files:
        file = kept(files, noise(MEGA))
        with storing(away, tmp_path, clock=clock) as broken:
            for call in (
                lambda: kept(broken, b"x"),
                lambda: content_of(broken, file),
                lambda: broken.delete("default", file.id),
            ):
                with pytest.raises(
                    Unavailable, match="the file storage cannot be used: it does not respond"
                ) as refused:
                    call()
                assert refused.value.retryable
                assert "127.0.0.1" not in str(refused.value)
        assert files.table.usage("default") == (2, MEGA)
        clock.advance(2 * 3600)
        files.sweep()
        assert (place.names(), files.table.usage("default")) == ([], (0, 0))


def _used_before_a_fork(home: str, port: int) -> list[str]:
    with storing(bucket(port, "forked"), Path(home)) as files:
        kept(files, b"x")

        def used() -> str:
            try:
                files.blobs.delete("default/x")
            except Unavailable as refused:
                return refused.message
            return ""

        return [str(fork(used).answer())]


def test_a_fork_after_the_first_use_is_refused_and_not_stuck(tmp_path: Path, s3_port: int) -> None:
    """The client's threads live in the process that used it; a child of that process is told so
    instead of waiting for ever.
    """
    assert "before this process was forked" in alone(_used_before_a_fork, str(tmp_path), s3_port)[0]


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://B",
        "s3://shelf/../other",
        "s3://shelf/%2e%2e/other",
        "s3://key:hidden@shelf/x",
        "s3://shelf?endpoint=ftp://x",
        "s3://shelf?endpoint=https://key:hidden@host",
        "s3://shelf/x#y",
        "s3://shelf?x=1",
        "file://host/path",
        "file:relative",
        "file:///x?y",
        "gs://hidden",
        "/hidden",
    ],
)
def test_a_url_that_names_no_storage_is_refused(url: str, tmp_path: Path) -> None:
    """A storage that jackfield does not know, a path that climbs, a password in the URL: refused,
    and not quoted.
    """
    with pytest.raises(InvalidInvocation) as refused:
        blobs_from({"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_FILES_URL": url})
    assert "hidden" not in str(refused.value)


def test_no_setting_means_the_data_folder(tmp_path: Path) -> None:
    """Files lie in the data folder by default, where they always were; an instance does not touch
    them until they are used.
    """
    with Jackfield(environment=clean(tmp_path)) as jackfield:
        assert not (tmp_path / "files").exists()
        file = kept(jackfield.files, b"here")
    assert (tmp_path / "files" / "default" / file.id).stat().st_mode & 0o777 == 0o600
