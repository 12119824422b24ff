"""Fixtures for tests that open connections; a module whose AWS knows users or roles has an ``aws``
of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_opening import Opener
from fake_aws import FakeAws
from jackfield_aws.direct import wires
from raw_server import make_certificate


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[FakeAws]:
    with FakeAws() as aws:
        yield aws


@pytest.fixture(name="opener")
def _opener(aws: FakeAws) -> Iterator[Opener]:
    aws.reset(sessions=True)
    with Opener({"AWS_ENDPOINT_URL": aws.url}) as opener:
        yield opener
        aws.release()  # a deadline ended the try, and the fake still holds its answer


@pytest.fixture(autouse=True)
def _own_connections() -> None:
    """Let no test use a connection that an earlier one has left open: the wires serve the whole
    process.
    """
    wires._wire.cache_clear()


@pytest.fixture(name="direct", params=[True, False], ids=["direct", "client"])
def _direct(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Once over our own wire, and once through botocore's client."""
    if not request.param:
        monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
    return bool(request.param)


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that nobody else has signed."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
