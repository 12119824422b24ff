"""Each test runs on a folder and on S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from file_places import Place, bucket, folder, s3_server


@pytest.fixture(scope="module")
def s3_port() -> Iterator[int]:
    """One S3 server per module: the next module may empty moto."""
    with s3_server() as port:
        yield port


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place of its own for each test."""
    if request.param == "folder":
        return folder(tmp_path / "stored")
    return bucket(request.getfixturevalue("s3_port"), f"tests/{tmp_path.name}")
