"""An AWS, the samples of connection files, and a sidecar that serves a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import SidecarClient, component, sidecar
from tests.jackfield_formats.conftest import aws, folder, samples

from fake_aws import FakeAws

__all__ = ["aws", "folder", "samples"]


@pytest.fixture
def dapr(folder: Path, aws: FakeAws) -> Iterator[SidecarClient]:
    """A sidecar with the usual component."""
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder) as running:
        yield running
