"""Catalog source of the virtual connectors ``aws.<service>``: their manifests, and their code on
demand.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from jackfield.kernel.errors import UnknownConnector, did_you_mean
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.hints import NextStep
from jackfield.manifest.manifest import ConnectionTypeManifest, Manifest
from jackfield_aws.s3.names import ROWS
from jackfield_aws.version import VERSION
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.index import Index
from jackfield_aws.virtual.known_as import service_called
from jackfield_aws.virtual.manifests import OFFERED, manifest_of, types_for
from jackfield_aws.virtual.names import PREFIX, action_key
from jackfield_aws.virtual.ordering import RULES
from jackfield_aws.virtual.usual import EVERYDAY, KEYWORDS

if TYPE_CHECKING:
    from jackfield_aws.virtual.bound import VirtualConnector


class AwsSource(ProcessLocal):
    """Catalog source of all services in an index, as virtual connectors."""

    def __init__(self, index: Index | None = None) -> None:
        self._index = index or Index()
        self._manifests: dict[tuple[str, frozenset[str]], Manifest] = {}
        self._connectors: dict[str, VirtualConnector] = {}
        self._connection_types = self._types_for("")
        self._lock = threading.Lock()

    def keys(self) -> Sequence[str]:
        """Return the keys of all connectors, sorted."""
        return [PREFIX + service for service in self._index.services]

    def manifest(self, key: str, *, credentials: Collection[str] | None = None) -> Manifest:
        """Return the manifest of a connector; ``credentials`` limits its actions that hand out
        credentials, which are all included by default. Schemas are made when they are read.

        :raises UnknownConnector: if the service does not exist.
        """
        handed = HANDS_OUT.get(key.removeprefix(PREFIX), frozenset[str]())
        without = (
            frozenset()
            if credentials is None
            else frozenset(name for name in handed if action_key(name) not in credentials)
        )
        found = self._manifests.get((key, without))
        if found is None:
            found = self._manifests[key, without] = self._build_manifest(key, without)
        return found

    def hands_out(self, key: str) -> frozenset[str]:
        """Return the keys of a service's actions that hand out credentials."""
        return frozenset(map(action_key, HANDS_OUT.get(key.removeprefix(PREFIX), ())))

    def stamp(self) -> str:
        """Return a stamp of the source's content: versions of package and index, and a checksum of
        search words and credential words.
        """
        handed = sorted((service, sorted(names)) for service, names in HANDS_OUT.items())
        words = zlib.crc32(repr((EVERYDAY, sorted(KEYWORDS.items()), handed, RULES, ROWS)).encode())
        return f"{VERSION} {self._index.botocore} {self._index.size} {words}"

    def load(self, key: str) -> VirtualConnector:
        """Return the code of a connector."""
        with self._lock:
            found = self._connectors.get(key)
            if found is None:
                from jackfield_aws.virtual.bound import VirtualConnector

                found = self._connectors[key] = VirtualConnector(self.manifest(key))
        return found

    def _build_manifest(self, key: str, without: frozenset[str]) -> Manifest:
        service = key.removeprefix(PREFIX)
        head = self._index.services.get(service)
        if head is None or not key.startswith(PREFIX):
            meant = service_called(service[:80], self._index.services)
            suggestion = (
                did_you_mean(key, self.keys())
                if meant is None
                else f"; did you mean '{PREFIX}{meant}'?"
            )
            raise UnknownConnector(
                f"AWS has no service '{service[:80]}'{suggestion}", hint=NextStep("connectors")
            )
        kinds = self._types_for(service) if service in OFFERED else self._connection_types
        return manifest_of(self._index, service, kinds, without)

    def _types_for(self, service: str) -> Mapping[str, ConnectionTypeManifest]:
        kinds = (
            ConnectionTypeManifest.from_json(item, "aws")
            for item in types_for(service, self._index.connection_types)
        )
        return {kind.key: kind for kind in kinds}


def source() -> AwsSource:
    """Return the source: ``aws.source`` of the entry points ``jackfield.bindings``."""
    return AwsSource()
