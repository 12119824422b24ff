"""Bodies of requests and responses as files: stored files are streamed to S3, and large objects
come back as stored files.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from big_objects import measure, objects
from jackfield import Jackfield
from jackfield_aws.virtual.calls import INLINE_BODY
from jackfield_aws.virtual.operations import describe
from moto_rig import EVERYTHING, Rig, offer

MEGA = 1024 * 1024


@pytest.fixture(name="rig", scope="module")
def _rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("objects")
    with (
        objects(folder / "kept") as url,
        Jackfield(environment=offer(folder / "home", {"default": EVERYTHING})) as jackfield,
    ):
        yield Rig(jackfield, url)


def test_no_object_is_whole_in_memory(tmp_path: Path) -> None:
    """32 MiB come from S3 as a stored file, and go to S3 again, and no more than half of that is
    ever in this process's memory.
    """
    with (
        objects(tmp_path / "kept") as url,
        Jackfield(environment=offer(tmp_path / "home", {"default": EVERYTHING})) as jackfield,
    ):
        rig = Rig(jackfield, url)
        rig.output("s3/putObject", Bucket="b", Key="k", Body="x")
        (kept,) = (path for path in (tmp_path / "kept").iterdir() if not path.suffix)

        def there_and_back(size: int) -> None:
            os.truncate(kept, size)
            found = rig.output("s3/getObject", Bucket="b", Key="k")["Body"]
            rig.output("s3/putObject", Bucket="b", Key="again", Body={"file": found["file"]})

        there_and_back(2 * MEGA)  # which loads the model
        tracemalloc.start()
        try:
            there_and_back(32 * MEGA)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (
        sorted(path.stat().st_size for path in (tmp_path / "kept").iterdir() if not path.suffix)
        == [32 * MEGA] * 2
    )
    assert peak < 16 * MEGA


# it takes a server of its own; the test above looks at Python's memory in this process
@pytest.mark.campaign
def test_the_size_of_an_object_does_not_count_against_memory(tmp_path: Path) -> None:
    """64 MiB go to S3 and back through a server; after 16 MiB it takes hardly more memory."""
    found = measure(tmp_path, 64 * MEGA)
    assert found.peak < 200_000_000
    assert found.peak - found.before < 40 * MEGA


def test_a_large_object_is_a_stored_file_and_a_small_one_is_not(rig: Rig) -> None:
    """Up to 1 MiB is in the output; one byte more becomes a file of the workspace, which can be put
    into S3 again.
    """
    for size, is_stored in ((INLINE_BODY, False), (INLINE_BODY + 1, True)):
        rig.output("s3/putObject", Bucket="b", Key="k", Body="x" * size, ContentType="text/plain")
        found = rig.output("s3/getObject", Bucket="b", Key="k")["Body"]
        assert found["contentType"] == "text/plain"
        assert ("file" in found, "data" in found) == (is_stored, not is_stored)
    assert found["size"] == INLINE_BODY + 1
    rig.output("s3/putObject", Bucket="b", Key="again", Body={"file": found["file"]})
    assert rig.output("s3/getObject", Bucket="b", Key="again")["Body"]["size"] == INLINE_BODY + 1


def test_without_storage_a_large_object_is_in_the_output(tmp_path: Path) -> None:
    """A runtime without a database returns the object itself, as long as an answer may hold it."""
    with (
        objects(tmp_path / "kept") as url,
        Jackfield(
            database_url="none", environment=offer(tmp_path / "home", {"default": EVERYTHING})
        ) as jackfield,
    ):
        rig = Rig(jackfield, url)
        rig.output("s3/putObject", Bucket="b", Key="k", Body="x" * (INLINE_BODY + 1))
        assert len(rig.output("s3/getObject", Bucket="b", Key="k")["Body"]["data"]) > INLINE_BODY


def test_an_unknown_file_is_refused_before_anything_is_sent(rig: Rig) -> None:
    """The refusal points at the reference."""
    found = rig.result(
        "s3/putObject", Bucket="b", Key="k", Body={"file": "01890a5d-ac96-774b-bcce-b302099a8057"}
    )
    assert found.error is not None
    assert (found.error.code, found.error.details[0].path) == ("invalid_input", "/Body/file")


@pytest.mark.parametrize(
    ("service", "name", "member"),
    [
        ("s3", "PutObject", "Body"),
        ("s3", "UploadPart", "Body"),
        ("glacier", "UploadArchive", "body"),
    ],
)
def test_bodies_are_declared_as_streams(service: str, name: str, member: str) -> None:
    """The schema says where a stored file is streamed; small bytes within a request stay values."""
    properties: dict[str, Any] = describe(service, name, texts=False).inputs["properties"]
    assert properties[member]["x-jackfield"] == {"file": "stream"}
    item = describe("dynamodb", "PutItem", texts=False).inputs["$defs"]["AttributeValue"]["then"][
        "properties"
    ]["B"]
    assert "x-jackfield" not in item
