"""Files as callers of the library have them: paths, bytes, open files; and outputs to open, read
and save.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from courier import SOURCE
from file_places import folder
from http_stand import clean
from jackfield import Result
from jackfield.invocation import Enqueued
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged

CONTENT = bytes(range(256)) * 12_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    """A library with the courier, and a database."""
    make_connector(tmp_path / "couriers", "courier", SOURCE)
    environment = clean(tmp_path / "home", **folder(tmp_path / "stored").environment)
    with plugged(tmp_path / "couriers"), Jackfield(environment=environment) as made:
        yield made


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of 3 MB with a name that tells its type."""
    path = tmp_path / "report.pdf"
    path.write_bytes(CONTENT)
    return path


def carried(
    jackfield: Jackfield, document: object, action: str = "carry", **members: Any
) -> Result:
    """Let the courier carry a document."""
    return jackfield.invoke(
        {"connector": "courier", "action": action, "inputs": {"document": document}, **members}
    )


def piped(content: bytes) -> io.BufferedReader:
    """A pipe that holds some content: it can be read once, and nobody can tell how long it is."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end:
        end.write(content)
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("action", ["carry", "weigh"])
@pytest.mark.parametrize(
    "how",
    [
        Path,
        Path.read_bytes,
        lambda path: bytearray(path.read_bytes()),
        lambda path: path.open("rb"),
    ],
)
def test_n8_an_input_takes_a_path_bytes_or_an_open_file(
    jackfield: Jackfield, big: Path, action: str, how: Callable[[Path], Any]
) -> None:
    """What is passed arrives, as a stream and by value, with no base64 made by hand."""
    given = how(big)
    output = carried(jackfield, given, action).unwrap()
    assert (output["sha256"], output["size"]) == (DIGEST, len(CONTENT))
    if isinstance(given, io.IOBase):
        assert not given.closed
        given.close()


def test_an_open_file_is_read_from_its_position_and_a_pipe_once(
    jackfield: Jackfield, big: Path
) -> None:
    """An action that reads its input twice gets the same content twice, from a pipe, too."""
    with big.open("rb") as file:
        file.seek(256)
        assert (
            carried(jackfield, file).unwrap()["sha256"] == hashlib.sha256(CONTENT[256:]).hexdigest()
        )
    with piped(b"once") as pipe:
        result = carried(jackfield, pipe)
    assert (result.unwrap()["size"], result.files[0].read()) == (4, b"once")


def test_no_database_is_needed(tmp_path: Path, big: Path) -> None:
    """A file is read where it lies, so the input needs no file storage."""
    make_connector(tmp_path / "couriers", "courier", SOURCE)
    with (
        plugged(tmp_path / "couriers"),
        Jackfield(database_url="none", environment=clean(tmp_path / "home")) as jackfield,
    ):
        assert carried(jackfield, big, "weigh").unwrap()["sha256"] == DIGEST


async def _carried_async(jackfield: Jackfield, document: object) -> Result:
    return await jackfield.ainvoke(
        {"connector": "courier", "action": "carryLater", "inputs": {"document": document}}
    )


def test_asyncio_and_the_queue_take_the_same(jackfield: Jackfield, big: Path) -> None:
    """``ainvoke`` reads a path; what is queued becomes a stored file, for the worker has no path of
    the caller's.
    """
    import asyncio

    result = asyncio.run(_carried_async(jackfield, big))
    assert (result.unwrap()["sha256"], result.files[0].content_type) == (DIGEST, "application/pdf")
    invocation = {"connector": "courier", "action": "carry", "inputs": {"document": big}}
    (queued,) = jackfield.enqueue_many([invocation])
    big.unlink()
    assert isinstance(queued, Enqueued)
    assert {file.name for file in jackfield.files.list("default")[0]} == {
        "report.pdf",
        "copy of it.bin",
    }
    missing = jackfield.enqueue_many([invocation])[0]
    assert isinstance(missing, Result)
    assert missing.error is not None
    assert missing.error.details[0].path == "/document"


def test_a_key_compares_the_content(jackfield: Jackfield, big: Path) -> None:
    """The same content under the same key is the same request, wherever it lies; other content is
    another request.
    """
    first = carried(jackfield, big, idempotencyKey="k")
    same = big.with_name("other.pdf")
    same.write_bytes(CONTENT)
    again = carried(jackfield, same, idempotencyKey="k")
    assert (first.meta.replayed, again.meta.replayed, again.output) == (False, True, first.output)
    assert again.files[0].read() == CONTENT
    same.write_bytes(b"other")
    conflict = carried(jackfield, same, idempotencyKey="k").error
    assert conflict is not None
    assert conflict.code == "idempotency_conflict"


@pytest.mark.parametrize("key", [{}, {"idempotencyKey": "k"}])
def test_what_cannot_be_read_is_named(
    jackfield: Jackfield, tmp_path: Path, key: dict[str, str]
) -> None:
    """A missing file, a folder and a file that is open as text are inputs that are not valid;
    nothing is sent.
    """
    for given, told in (
        (tmp_path / "gone.pdf", "'gone.pdf' cannot be read: No such file"),
        (tmp_path, "Is a directory"),
    ):
        error = carried(jackfield, given, **key).error
        assert error is not None
        assert (error.code, error.details[0].path, told in error.details[0].message) == (
            "invalid_input",
            "/document",
            True,
        )
    (tmp_path / "text").write_text("text", encoding="utf-8")
    with (tmp_path / "text").open(encoding="utf-8") as text:
        error = carried(jackfield, text, **key).error
    assert error is not None
    assert "open it as 'rb'" in error.details[0].message


def test_n8_bytes_where_no_file_is_taken_are_refused_without_advice_that_stores_base64(
    jackfield: Jackfield, big: Path
) -> None:
    """The message names the form of a file, and never tells to pass base64 as text."""
    inputs = {"document": b"a", "fault": b"late"}
    error = jackfield.invoke({"connector": "courier", "action": "carry", "inputs": inputs}).error
    assert error is not None
    (fault,) = error.details
    assert (fault.path, '{"data": base64}' in fault.message, "base64 text" in fault.message) == (
        "/fault",
        True,
        False,
    )
    error = jackfield.invoke(
        {"connector": "courier", "action": "carry", "inputs": {"document": b"a", "fault": big}}
    ).error
    assert error is not None
    assert "a path is not" in error.details[0].message


FOLDERS = '''
"""Takes files by name."""

from jackfield.connector import Connector, Field, File, Inputs, Output

connector = Connector("folders", title="Folders", version="1.0.0", description="Takes files by name.")


class Named(Inputs):
    """One file."""

    key: str = Field(title="Name")
    value: File = Field(title="File")


class Contents(Inputs):
    """What to put into it."""

    attachments: dict[str, File] | list[Named] | None = Field(None, title="Attachments")
    documents: list[File] = Field([], title="Documents")


class Listed(Output):
    """What is in it."""

    names: list[str] = Field(title="Names")


@connector.action("list", effect="read", needs_connection=False, title="List")
def listed(contents: Contents) -> Listed:
    """List the names."""
    given = contents.attachments or []
    names = list(given) if isinstance(given, dict) else [one.key for one in given]
    return Listed(names=names + ["" for _ in contents.documents])
'''


def test_files_given_by_name_take_their_own_names(big: Path, tmp_path: Path) -> None:
    """`attachments=Path(…)`, a list of paths, and pairs: each file is attached under the name that
    it has. Bytes have none: they are refused with the way to write them.
    """
    make_connector(tmp_path / "folders", "folders", FOLDERS)
    with (
        plugged(tmp_path / "folders"),
        Jackfield(database_url="none", environment=clean(tmp_path / "home")) as jackfield,
    ):

        def listed(**inputs: object) -> Result:
            return jackfield.invoke({"connector": "folders", "action": "list", "inputs": inputs})

        name = "report.pdf"
        for given, names in (
            (big, [name]),
            ([big, big], [name, name]),
            ([{"key": "other", "value": big}], ["other"]),
            ({"a": big}, ["a"]),
        ):
            assert listed(attachments=given).unwrap()["names"] == names
        assert (
            listed(documents=big).unwrap()["names"],
            listed(documents=[big, b"x"]).unwrap()["names"],
        ) == ([""], ["", ""])
        for nameless in (b"content", [b"content"]):
            error = listed(attachments=nameless).error
            assert error is not None
            assert "{'report.pdf': content}" in error.details[0].message


def test_a_file_that_shrinks_is_not_sent_short(jackfield: Jackfield, big: Path) -> None:
    """A file that becomes shorter while it is read fails the call; one that grows is sent as it
    was.
    """
    from jackfield.invocation.file_refusals import FileDamaged
    from jackfield.invocation.given_files import GivenFile

    file = GivenFile(big)
    assert file.size == len(CONTENT)
    with big.open("ab") as more:
        more.write(b"more")
    with file.open() as content:
        assert content.read() == CONTENT
    os.truncate(big, 10)
    with file.open() as content, pytest.raises(FileDamaged):
        content.read()


def test_output_files_can_be_opened_read_and_saved(
    jackfield: Jackfield, big: Path, tmp_path: Path
) -> None:
    """``Result.files`` has them in order; an existing file is replaced once all of it is there."""
    result = carried(jackfield, big)
    (file,) = result.files
    assert (file.path, file.name, file.size, file.content_type) == (
        "/copies/0",
        "copy of it.bin",
        len(CONTENT),
        "application/pdf",
    )
    with file.open() as content:
        content.seek(-3, os.SEEK_END)
        assert content.read() == CONTENT[-3:]
    target = tmp_path / "out.pdf"
    target.write_bytes(b"old")
    file.save(target)
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    with pytest.raises(IsADirectoryError):
        file.save(tmp_path)
    assert not list(tmp_path.glob(".jackfield-*"))


def current_umask() -> int:
    """The mode bits that new files of this process lack."""
    found = os.umask(0)
    os.umask(found)
    return found


def test_a_result_from_elsewhere_has_its_small_files_only(jackfield: Jackfield, big: Path) -> None:
    """A Result that was pickled or came as JSON has what it holds; of a stored file it says where
    it is.
    """
    result = carried(jackfield, big)
    for copy in (
        pickle.loads(pickle.dumps(result)),
        Result.from_json(json.loads(json.dumps(result.to_json()))),
    ):
        assert copy.output == result.output
        with pytest.raises(Exception, match="no access to the stored file"):
            copy.files[0].read()
    jackfield.files.delete("default", result.unwrap()["copies"][0]["file"])
    with pytest.raises(Exception, match="or it has expired"):
        result.files[0].read()
    output = {
        "body": {"data": "aGk=", "contentType": "a/b"},
        "other": {"data": "?", "contentType": "x"},
    }
    assert [file.read() for file in Result("succeeded", result.meta, output).files] == [b"hi"]
