"""Files that an isolated connector returns: streamed to this process piece by piece, stored here,
in bounded memory.
"""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isolated import install, isolating
from jackfield.kernel.clock import SystemClock
from jackfield_store.files import FileLimits, Files
from jackfield_store.runtime import Jackfield

SOURCE = '''
"""Files things."""

import socket
from collections.abc import Iterator

from jackfield.connector import Connector, Inputs, Output, OutputFile, Rejected

connector = Connector("filing", title="Filing", version="1.0.0")


class Wanted(Inputs):
    """What to return."""

    size: int = 0
    piece: int = 1
    fail: bool = False
    content_type: str = "text/plain"
    name: str = "a.txt"


class Filed(Output):
    """What was filed."""

    first: OutputFile
    others: list[OutputFile] = []


def chunks(wanted: Wanted) -> Iterator[bytes]:
    """Yield the content."""
    for place in range(0, wanted.size, wanted.piece):
        yield bytes([place // wanted.piece % 256]) * min(wanted.piece, wanted.size - place)
    if wanted.fail:
        raise Rejected("the other side hung up")


@connector.action("file", effect="read", needs_connection=False)
def file_it(wanted: Wanted) -> Filed:
    """Return a stream, and bytes."""
    return Filed(first=OutputFile(chunks(wanted), wanted.content_type, wanted.name), others=[OutputFile(b"bytes"), OutputFile(b"")])


@connector.action("fileLater", effect="read", needs_connection=False)
async def file_later(wanted: Wanted) -> Filed:
    """Do the same in an event loop."""
    return file_it(wanted)
'''


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jackfield]:
    """A runtime with a database, and the connector ``filing`` in a process of its own."""
    home = tmp_path_factory.mktemp("home")
    install(home, "filing", SOURCE)
    with isolating(
        home, environment={"JACKFIELD_DATABASE_URL": f"sqlite:///{home}/j.db"}
    ) as jackfield:
        yield jackfield


def ask(runtime: Jackfield, action: str = "file", **inputs: Any) -> dict[str, Any]:
    """Have something filed; the Result's JSON."""
    return dict(
        runtime.invoke({"connector": "filing", "action": action, "inputs": inputs}).to_json()
    )


def content(runtime: Jackfield, file: dict[str, Any]) -> tuple[str, int]:
    """The digest and the size of a stored file."""
    files = Files(runtime.storage, FileLimits(), SystemClock())
    stored = files.find("default", file["file"])
    assert stored is not None
    digest, size = hashlib.sha256(), 0
    with files.reader(stored) as reader:
        while piece := reader.read(1024 * 1024):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def expected(size: int, piece: int) -> tuple[str, int]:
    """The digest and the size of what the connector returns."""
    digest = hashlib.sha256()
    for place in range(0, size, piece):
        digest.update(bytes([place // piece % 256]) * min(piece, size - place))
    return digest.hexdigest(), size


@pytest.mark.parametrize("action", ["file", "fileLater"])
@pytest.mark.parametrize(
    ("size", "piece"), [(0, 1), (5, 2), (700_001, 300_000), (128 * 1024, 128 * 1024)]
)
def test_files_are_stored_as_they_were_returned(
    runtime: Jackfield, action: str, size: int, piece: int
) -> None:
    """Streams and bytes of any size arrive whole, with type and name, whatever the size of the
    chunks.
    """
    output = ask(runtime, action, size=size, piece=piece)["output"]
    assert content(runtime, output["first"]) == expected(size, piece)
    assert (output["first"]["contentType"], output["first"]["name"], output["first"]["size"]) == (
        "text/plain",
        "a.txt",
        size,
    )
    assert [content(runtime, file) for file in output["others"]] == [
        (hashlib.sha256(b"bytes").hexdigest(), 5),
        (hashlib.sha256(b"").hexdigest(), 0),
    ]


def test_a_large_file_takes_little_memory(runtime: Jackfield) -> None:
    """The child sends a piece only when the last one is stored, so that this process holds few at
    once.
    """
    tracemalloc.start()
    try:
        output = ask(runtime, size=20_000_000, piece=4_500_000)["output"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert output["first"]["size"] == 20_000_000
    assert peak < 8_000_000
    assert content(runtime, output["first"]) == expected(20_000_000, 4_500_000)


def test_a_stream_that_fails_leaves_nothing(runtime: Jackfield) -> None:
    """Its fault is the action's, and the part that was stored is gone."""
    with runtime.storage.database.read() as transaction:
        before = transaction.execute(
            "SELECT COUNT(*) AS found FROM files WHERE workspace = 'default'", {}
        )[0].found
    error = ask(runtime, size=400_000, piece=100_000, fail=True)["error"]
    assert error["message"] == "the other side hung up"
    with runtime.storage.database.read() as transaction:
        assert (
            transaction.execute(
                "SELECT COUNT(*) AS found FROM files WHERE workspace = 'default'", {}
            )[0].found
            == before
        )
    assert ask(runtime)["status"] == "succeeded"


def test_what_a_child_says_of_a_file_is_checked(runtime: Jackfield) -> None:
    """A content type that is none is replaced, and a name keeps no control characters."""
    first = ask(runtime, contentType="text/html\r\nSet-Cookie: x", name="a\x00b\n" + "c" * 500)[
        "output"
    ]["first"]
    assert first["contentType"] == "application/octet-stream"
    assert "\x00" not in first["name"]
    assert len(first["name"]) < 300


def test_without_storage_it_says_so(tmp_path: Path) -> None:
    """Files need a database."""
    install(tmp_path, "filing", SOURCE)
    with isolating(tmp_path) as jackfield:
        error = ask(jackfield, size=3)["error"]
    assert (error["code"], error["message"]) == (
        "invalid_output",
        "the action returned a file, and there is no file storage here",
    )
