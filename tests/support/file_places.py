"""Places in which files are stored, for tests: a folder, and a bucket of moto's S3 server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from jackfield_store.files.s3 import S3Blobs
from moto_server import moto_server

IN_A_FOLDER = pytest.mark.parametrize(
    "place", ["folder", pytest.param("s3", marks=pytest.mark.campaign)], indirect=True
)
"""For a test above the bytes, for which their place makes no difference: on S3 in campaigns."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret-4711",
    "AWS_REGION": "eu-west-1",
}


@dataclass(frozen=True)
class Place:
    """Stored bytes by name: ``workspace/id``, in S3 ``workspace/id/number``."""

    environment: Mapping[str, str]
    folder: Path | None = None
    port: int = 0
    prefix: str = ""

    def names(self) -> list[str]:
        """All names."""
        if self.folder is not None:
            return sorted(
                str(path.relative_to(self.folder))
                for path in self.folder.rglob("*")
                if path.is_file()
            )
        import obstore

        found = [item["path"] for page in obstore.list(self._store()) for item in page]
        return sorted(found)

    def read(self, name: str) -> bytes:
        """The bytes under a name."""
        if self.folder is not None:
            return (self.folder / name).read_bytes()
        import obstore

        return bytes(obstore.get(self._store(), name).bytes())

    def write(self, name: str, content: bytes) -> None:
        """Other bytes under a name."""
        if self.folder is not None:
            (self.folder / name).write_bytes(content)
            return
        import obstore

        obstore.put(self._store(), name, content)

    def remove(self, name: str) -> None:
        """Nothing under a name any more."""
        if self.folder is not None:
            (self.folder / name).unlink()
            return
        import obstore

        obstore.delete(self._store(), name)

    def _store(self) -> Any:
        return S3Blobs.of(self.environment["JACKFIELD_FILES_URL"], self.environment)._open_store()


@contextmanager
def s3_server() -> Iterator[int]:
    """Run an S3 server with the bucket ``shelf``; yield its port."""
    with moto_server() as url:
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="eu-west-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(
            Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield int(url.rpartition(":")[2])


def bucket(port: int, prefix: str) -> Place:
    """A prefix of the bucket."""
    endpoint = quote(f"http://127.0.0.1:{port}", safe="")
    return Place(
        {**KEYS, "JACKFIELD_FILES_URL": f"s3://shelf/{prefix}?endpoint={endpoint}"},
        port=port,
        prefix=prefix,
    )


def folder(path: Path) -> Place:
    """A folder."""
    return Place({"JACKFIELD_FILES_URL": f"file://{path}"}, path)
