"""What the tests of compatibility share: an AWS, and a folder of the samples."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_aws import FakeAws

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """An AWS in which every sender is verified; the environment's endpoint is its own."""
    with FakeAws() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        yield fake


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    path = tmp_path / "files"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def samples(folder: Path) -> Path:
    """The folder with all samples in it."""
    shutil.copytree(SAMPLES, folder, dirs_exist_ok=True)
    return folder
