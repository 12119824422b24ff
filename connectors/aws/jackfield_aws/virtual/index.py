"""Index of all services and operations: keys, titles, summaries and effects, readable without
loading a model.

One file: a line with the heads of all services, then one compressed block per service, found by its
offset.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass

_FILE = "index.bin"
FORMAT = 1
"""Version of the file's format and of the rules that produce it."""
_EFFECTS = ("read", "idempotent", "write")


@dataclass(frozen=True, slots=True)
class Head:
    """Service in the index: its title, the number of its operations, and the place of its block."""

    title: str
    description: str
    count: int
    offset: int
    size: int


class Index:
    """Index read from a file. Heads are read at once, blocks on demand."""

    def __init__(self, path: str | None = None) -> None:
        self.path = path or os.path.join(os.path.dirname(__file__), _FILE)
        with open(self.path, "rb") as file:
            line = file.readline()
        head = json.loads(line)
        self._start = len(line)
        self.size = os.path.getsize(self.path)
        """Bytes of the file."""
        self.botocore: str = head["botocore"]
        """Version of botocore that the index was made from."""
        self.connection_types: list[dict[str, Any]] = head["connectionTypes"]
        """Connection types of all virtual connectors, as in a manifest."""
        self.services: Mapping[str, Head] = {
            name: Head(*row) for name, row in head["services"].items()
        }
        """Heads of all services by name."""

    def rows(self, service: str) -> Iterable[tuple[str, str, str]]:
        """Return the operations of a service: name, summary and effect."""
        head = self.services[service]
        with open(self.path, "rb") as file:
            file.seek(self._start + head.offset)
            block = json.loads(zlib.decompress(file.read(head.size)))
        return [(name, summary, _EFFECTS[effect]) for name, summary, effect in block]


def build(services_named: Iterable[str] | None = None) -> bytes:
    """Return the content of an index of the installed botocore, with all services or only some."""
    from jackfield.connector import Connector, describe
    from jackfield_aws.virtual import models
    from jackfield_aws.virtual.bound import CONNECTION_TYPES
    from jackfield_aws.virtual.effects import effect_of
    from jackfield_aws.virtual.texts import summary

    blocks: list[bytes] = []
    services: dict[str, list[Any]] = {}
    offset = 0
    for service in services_named or models.services():
        model = models.service_model(service)
        rows = [
            (name, summary(operation.documentation), _EFFECTS.index(effect_of(service, operation)))
            for name in sorted(models.operations(service))
            for operation in (model.operation_model(name),)
        ]
        block = zlib.compress(
            json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 9
        )
        title = model.metadata.get("serviceFullName") or service
        services[service] = [title, summary(model.documentation), len(rows), offset, len(block)]
        blocks.append(block)
        offset += len(block)
    head = {
        "format": FORMAT,
        "botocore": models.botocore_version(),
        "connectionTypes": describe(
            Connector("aws", title="AWS", version="0", connections=CONNECTION_TYPES)
        )["connectionTypes"],
        "services": services,
    }
    return b"".join(
        [json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode(), b"\n", *blocks]
    )
