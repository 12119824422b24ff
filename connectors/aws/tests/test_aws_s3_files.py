"""Files of any size to S3 and from it: in parts, once, again after a fault or a restart, and
without anything left over.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from clocks import StillClock
from jackfield import Jackfield, Result
from jackfield.call.filling import Outputs
from jackfield.connector import JobFailed
from jackfield_aws.s3 import transfers
from jackfield_aws.s3.multipart import Upload, advance
from jackfield_aws.s3.parts import Cut, Part, combined_crc32, combined_etag, crc32_of
from moto_rig import EVERYTHING, offer
from s3_sink import CUT, DONE, Sink, made, s3_sink

MEGA = 1024 * 1024
PART = 5 * MEGA
SIZE = 4 * PART + 17
VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY",
    "region": "eu-west-1",
}


class Stand:
    """A sink, and a runtime with a database whose connection leads there."""

    def __init__(self, home: Path, sink: Sink, **values: Any) -> None:
        self.sink, self.home, self.clock = sink, home, StillClock()
        self.values = {**VALUES, "endpoint": sink.url, **values}
        self.jackfield = self.again()

    def again(self, database: str | None = None) -> Jackfield:
        """A runtime over the same database, as after a restart."""
        files = [{"connections": {"main": {"type": "aws/apiKeySecret", "values": self.values}}}]
        url = database or f"sqlite:///{self.home}/jackfield.db"
        return Jackfield(
            connections=files,
            database_url=url,
            environment=offer(self.home, {"default": EVERYTHING}),
            clock=self.clock,
        )

    def call(self, action: str, inputs: dict[str, Any], **members: Any) -> Result:
        """Invoke an action of ``aws.s3``."""
        return self.jackfield.invoke(
            {
                "connector": "aws.s3",
                "action": action,
                "connection": "main",
                "inputs": inputs,
                **members,
            }
        )

    def upload(self, content: bytes = b"", **members: Any) -> Result:
        """Upload content in parts of 5 MiB."""
        return self.call(
            "uploadFile",
            {"Bucket": "b", "Key": "k", "Body": content or made(0, SIZE), "partSize": PART},
            **members,
        )


@contextmanager
def standing(home: Path, **values: Any) -> Iterator[Stand]:
    """Serve a sink and open a runtime."""
    with s3_sink() as sink:
        stand = Stand(home, sink, **values)
        with stand.jackfield:
            yield stand


@pytest.fixture(name="stand")
def _stand(tmp_path: Path) -> Iterator[Stand]:
    with standing(tmp_path) as stand:
        yield stand


def tag_of(content: bytes, width: int = PART) -> str:
    """Entity tag of an object of parts."""
    pieces = [content[start : start + width] for start in range(0, len(content), width)]
    found = combined_etag(hashlib.md5(piece, usedforsecurity=False).hexdigest() for piece in pieces)
    assert found is not None
    return f'"{found}"'


def sums_of(content: bytes, width: int = PART) -> str:
    """Checksum of an object of parts."""
    return combined_crc32(
        crc32_of(content[start : start + width]) for start in range(0, len(content), width)
    )


def test_a_file_goes_up_in_parts_with_checksums(stand: Stand) -> None:
    """Entity tag, checksum and size are the file's; three parts at most are on their way; one
    object comes into being, and nothing else.
    """
    content = made(3, SIZE)
    found = stand.upload(content).unwrap()
    assert (found["ETag"], found["ChecksumCRC32"]) == (tag_of(content), sums_of(content))
    assert (found["Size"], found["Parts"], found["VersionId"]) == (SIZE, 5, "v1")
    assert stand.sink.count("part") == 5
    assert 1 <= stand.sink.most <= 3
    assert (len(stand.sink.versions), stand.sink.uploads) == (1, {})


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1])
def test_a_file_of_any_size_is_one_object(stand: Stand, size: int) -> None:
    """An empty file has one empty part, and one as large as a part has no second."""
    content = made(0, size)
    found = stand.call(
        "uploadFile", {"Bucket": "b", "Key": "k", "Body": content, "partSize": PART}
    ).unwrap()
    assert (found["Size"], found["Parts"]) == (size, len(Cut.of(size, PART)))
    assert stand.sink.objects["k"].size == size


def test_servers_that_know_no_checksums_get_an_md5_of_each_part(tmp_path: Path) -> None:
    """With ``s3Checksums: whenRequired`` no request has one of the newer checksums, and a damaged
    part would still be refused.
    """
    with standing(tmp_path, s3Checksums="whenRequired") as stand:
        found = stand.upload().unwrap()
        assert (found["ETag"], "ChecksumCRC32" in found) == (tag_of(made(0, SIZE)), False)
        assert stand.sink.count("part") == 5


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        ("part", [(503, "SlowDown"), (500, "InternalError")]),
        ("part", [CUT, CUT]),
        ("list", [(503, "SlowDown"), CUT]),
        ("complete", [(500, "InternalError"), (503, "SlowDown")]),
        ("create", [(503, "SlowDown")]),
    ],
)
def test_what_fails_for_a_while_is_sent_again_and_nothing_else(
    stand: Stand, kind: str, script: list[tuple[int, str]]
) -> None:
    """Throttles, faults of the server and lost answers of any request end in one whole object; what
    has arrived is not sent again.
    """
    stand.sink.answers[kind] = list(script)
    assert stand.upload().unwrap()["ETag"] == tag_of(made(0, SIZE))
    assert (len(stand.sink.versions), stand.sink.uploads) == (1, {})
    assert stand.sink.count("part") <= 5 + len(script)


def test_a_lost_answer_of_the_last_request_makes_no_second_version(stand: Stand) -> None:
    """The upload is gone, and the object with its content is there: that is the success. The same
    key replays it.
    """
    stand.sink.answers["complete"] = [CUT]
    found = stand.upload(idempotencyKey="once").unwrap()
    assert (found["ETag"], found["VersionId"]) == (tag_of(made(0, SIZE)), "v1")
    again = stand.upload(idempotencyKey="once")
    assert (again.unwrap(), again.meta.replayed) == (found, True)
    assert len(stand.sink.versions) == 1


def test_another_object_is_no_evidence(stand: Stand) -> None:
    """An upload that somebody else has aborted fails, although the key has an object of the same
    size.
    """
    stand.upload(made(1, SIZE)).unwrap()
    stand.sink.answers["part"] = [(404, "NoSuchUpload")]
    found = stand.upload(made(2, SIZE))
    assert found.error is not None
    assert (found.status, found.error.code) == ("failed", "rejected")
    assert "another one" in found.error.message


@pytest.mark.parametrize("kind", ["part", "complete"])
def test_a_refusal_ends_the_job_and_leaves_nothing(stand: Stand, kind: str) -> None:
    """What S3 refuses for good is told with its reason, and the upload is aborted; the key is free
    again.
    """
    stand.sink.answers[kind] = [(403, "AccessDenied")]
    found = stand.upload(idempotencyKey="k1")
    assert found.error is not None
    assert (found.status, found.error.code, found.error.provider and found.error.provider.code) == (
        "failed",
        "rejected",
        "AccessDenied",
    )
    assert (stand.sink.uploads, stand.sink.versions) == ({}, [])
    assert stand.upload(idempotencyKey="k1").unwrap()["ETag"] == tag_of(made(0, SIZE))


class _Shorter:
    """Sender of a file that has lost its end."""

    def __init__(self, s3: Any, upload: Upload) -> None:
        self._s3, self._upload = s3, upload

    def prepared(self, part: Part) -> Callable[[], Mapping[str, Any]]:
        """Prepare the first part, and no other."""
        if part.number > 1:
            raise JobFailed("the file has become shorter since the upload began")
        return lambda: {
            "ETag": self._s3.upload_part(
                **self._upload.place, PartNumber=1, Body=made(0, part.size)
            )["ETag"]
        }

    def is_there(self, _about: Mapping[str, Any]) -> None:
        """Return None."""


def test_a_file_that_cannot_be_read_ends_the_job_and_leaves_nothing() -> None:
    """Whatever ends the job while parts are prepared, the upload is aborted with those that have
    arrived.
    """
    with s3_sink() as sink:
        session = boto3.Session("key", "secret", region_name="eu-west-1")
        s3 = session.client("s3", endpoint_url=sink.url)
        upload = Upload(
            "b",
            "k",
            s3.create_multipart_upload(Bucket="b", Key="k")["UploadId"],
            Cut.of(SIZE, PART),
            checksums=False,
        )
        with pytest.raises(JobFailed, match="shorter"):
            advance(s3, upload, _Shorter(s3, upload), None)
        assert (sink.count("part"), sink.uploads, sink.objects) == (1, {}, {})


def test_an_upload_goes_on_after_a_restart(stand: Stand) -> None:
    """The call ends before the upload does. A runtime that is opened anew sends the rest, and no
    part that has arrived, of a file that is kept until then.
    """
    stand.sink.answers["part"] = [DONE, DONE, *[(503, "SlowDown")] * 500]
    begun = stand.upload(timeoutSeconds=10)
    assert begun.status == "running"
    stand.jackfield.close()
    stand.sink.answers["part"] = []
    with stand.again() as later:
        ended = later.wait(begun.meta.invocation_id, 60)
    assert ended.unwrap()["ETag"] == tag_of(made(0, SIZE))
    assert sorted(stand.sink.sent) == [1, 2, 3, 4, 5]
    assert (len(stand.sink.versions), stand.sink.uploads) == (1, {})


def test_a_cancelled_upload_leaves_nothing(stand: Stand) -> None:
    """Cancelling aborts the upload."""
    stand.sink.answers["part"] = [(503, "SlowDown")] * 200
    begun = stand.upload(timeoutSeconds=3)
    assert begun.status == "running"
    assert stand.jackfield.cancel(begun.meta.invocation_id)
    ended = stand.jackfield.wait(begun.meta.invocation_id, 120)
    assert (ended.status, ended.error and ended.error.code) == ("failed", "cancelled")
    assert (stand.sink.uploads, stand.sink.versions) == ({}, [])


def test_a_job_whose_time_is_over_leaves_nothing(stand: Stand) -> None:
    """When its ``jobTimeoutSeconds`` have passed, the upload is aborted."""
    stand.sink.answers["part"] = [(503, "SlowDown")] * 2000
    begun = stand.upload(timeoutSeconds=3, jobTimeoutSeconds=20)
    ended = (
        begun if begun.status != "running" else stand.jackfield.wait(begun.meta.invocation_id, 300)
    )
    assert (ended.status, ended.error and ended.error.code) == ("failed", "timeout")
    assert stand.sink.uploads == {}


def test_without_a_database_the_call_does_it_all_or_leaves_nothing(stand: Stand) -> None:
    """There is nowhere to keep a handle or a file: the call sends the whole file, and aborts what
    it cannot complete.
    """
    with stand.again("none") as alone:
        call = {"connector": "aws.s3", "action": "uploadFile", "connection": "main"}
        inputs = {"Bucket": "b", "Key": "k", "Body": made(0, SIZE), "partSize": PART}
        assert alone.invoke({**call, "inputs": inputs}).unwrap()["ETag"] == tag_of(made(0, SIZE))
        stand.sink.answers["part"] = [(403, "AccessDenied")]
        assert alone.invoke({**call, "inputs": inputs}).status == "failed"
    assert (stand.sink.uploads, len(stand.sink.versions)) == ({}, 1)


def test_over_an_inline_connection_the_call_polls_and_aborts_at_its_end(stand: Stand) -> None:
    """The handle cannot be kept, so a job that is not over by the deadline is aborted before."""
    inline = {"type": "apiKeySecret", "values": stand.values}
    call = {"connector": "aws.s3", "action": "uploadFile", "connection": inline}
    inputs = {"Bucket": "b", "Key": "k", "Body": made(0, SIZE), "partSize": PART}
    assert stand.jackfield.invoke({**call, "inputs": inputs}).unwrap()["ETag"] == tag_of(
        made(0, SIZE)
    )
    stand.sink.answers["part"] = [(503, "SlowDown")] * 2000
    assert (
        stand.jackfield.invoke({**call, "inputs": inputs, "timeoutSeconds": 8}).status == "failed"
    )
    assert stand.sink.uploads == {}


def test_an_object_comes_down_by_ranges_into_a_stored_file(stand: Stand) -> None:
    """The content is the object's, whichever range failed for a while; its checksum is compared."""
    key = stand.sink.made_object(20 * MEGA + 5)
    stand.sink.answers["get"] = [(503, "SlowDown"), CUT]
    found = stand.call("downloadFile", {"Bucket": "b", "Key": key})
    assert (found.unwrap()["Size"], found.unwrap()["ContentType"]) == (
        20 * MEGA + 5,
        "application/zip",
    )
    (file,) = found.files
    with file.open() as content:
        assert (
            hashlib.sha256(content.read()).digest()
            == hashlib.sha256(made(0, 20 * MEGA + 5)).digest()
        )
    assert stand.sink.count("get") == 6 + 2


@pytest.mark.parametrize("start", [0, 2040 * MEGA, 5 * 1024 * MEGA - 7])
def test_what_the_sink_makes_up_does_not_depend_on_the_cut(start: int) -> None:
    """The bytes of a made-up object follow from their places, above 4 GiB, too: ranges and
    checksums are of one content.
    """
    whole = made(start, 9 * MEGA)
    assert (
        b"".join(
            made(start + at, min(PART - 3, 9 * MEGA - at)) for at in range(0, 9 * MEGA, PART - 3)
        )
        == whole
    )
    assert whole[:MEGA] != whole[MEGA : 2 * MEGA]


def test_an_object_that_does_not_fit_its_checksum_is_no_success(stand: Stand) -> None:
    """What was damaged on the way is told, and no file is left."""
    key = stand.sink.made_object(9 * MEGA)
    stand.sink.objects[key].crc32 = "AAAAAA=="
    found = stand.call("downloadFile", {"Bucket": "b", "Key": key}, timeoutSeconds=5)
    assert found.error is not None
    assert (found.status, "checksum" in found.error.message) == ("failed", True)


def test_an_object_is_copied_in_parts(stand: Stand) -> None:
    """What is larger than one request may copy is copied by ranges, of the version that was found
    first, with its media type.
    """
    key = stand.sink.made_object(SIZE)
    found = stand.call(
        "copyFile", {"Bucket": "b", "Key": "copy", "CopySource": f"b/{key}", "partSize": PART}
    ).unwrap()
    assert (found["Size"], found["Parts"], found["ETag"]) == (SIZE, 5, tag_of(made(0, SIZE)))
    assert stand.sink.objects["copy"].kind == "application/zip"
    assert (len(stand.sink.versions), stand.sink.uploads) == (1, {})


def test_objects_above_5_gigabytes_are_cut_into_parts_that_s3_takes() -> None:
    """At most 10,000 parts, of 5 MiB to 5 GiB, that cover the whole; all but the last have one
    size.
    """
    for size in (0, 1, PART, 5 * 1024**3, 50_000 * MEGA + 1, 5 * 1024**4):
        cut = Cut.of(size, PART)
        parts = cut.parts
        assert len(parts) == len(cut) <= 10_000
        assert sum(part.size for part in parts) == size
        assert {part.size for part in parts[:-1]} <= {cut.width}
        assert PART <= cut.width <= 5 * 1024 * MEGA


def test_memory_holds_the_parts_that_are_on_their_way(stand: Stand, tmp_path: Path) -> None:
    """40 MiB go up, in parts of 5 MiB, and come down, and less than 32 MiB of that is ever in this
    process's memory.
    """
    stand.upload().unwrap()
    path = tmp_path / "large"
    path.write_bytes(made(0, 40 * MEGA))
    key = stand.sink.made_object(40 * MEGA)
    tracemalloc.start()
    try:
        stand.call(
            "uploadFile", {"Bucket": "b", "Key": "k", "Body": path, "partSize": PART}
        ).unwrap()
        up = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        stand.call("downloadFile", {"Bucket": "b", "Key": key}).unwrap()
        down = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(up, down) < 32 * MEGA, (up, down)
    assert os.path.getsize(path) == 40 * MEGA


@pytest.mark.parametrize("ranges", [1, 3, 4, 11])
def test_a_download_holds_three_ranges_whatever_the_size(
    stand: Stand, ranges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory for three ranges is taken once and given back; what is read and handed on has 64 KiB,
    which the C library's heaps keep.
    """
    taken: list[mmap.mmap] = []
    largest = [0]

    def taking(*given: Any, **named: Any) -> mmap.mmap:
        taken.append(mmap.mmap(*given, **named))
        return taken[-1]

    def keeping(
        self: Outputs, chunks: Iterable[bytes], content_type: str, name: str | None
    ) -> Mapping[str, Any]:
        return store(self, measured(chunks), content_type, name)

    def measured(chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            largest[0] = max(largest[0], len(chunk))
            yield chunk

    store = Outputs.store
    monkeypatch.setattr(transfers, "mmap", taking)
    monkeypatch.setattr(Outputs, "store", keeping)
    size = (ranges - 1) * transfers.RANGE + 17
    stand.sink.answers["get"] = [(503, "SlowDown")]
    found = stand.call("downloadFile", {"Bucket": "b", "Key": stand.sink.made_object(size)})
    (file,) = found.files
    assert hashlib.sha256(file.read()).digest() == hashlib.sha256(made(0, size)).digest()
    assert [len(room) for room in taken if not room.closed] == []
    assert (len(taken), largest[0]) == (3, min(size, 64 * 1024))
    assert stand.sink.count("get") == ranges + 1


@pytest.mark.parametrize("more", [-1, 1, 70_000])
def test_a_range_of_another_size_is_no_content(stand: Stand, more: int) -> None:
    """A server that sends fewer or more bytes than it was asked for is asked again, and none of
    them is kept.
    """
    size = transfers.RANGE + 70_009
    stand.sink.odd = [more]
    (file,) = stand.call("downloadFile", {"Bucket": "b", "Key": stand.sink.made_object(size)}).files
    assert hashlib.sha256(file.read()).digest() == hashlib.sha256(made(0, size)).digest()
    assert (stand.sink.count("get"), stand.sink.odd) == (3, [])
