"""The connection to a real or test endpoint over which recordings are made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from jackfield.catalog import Catalog
from jackfield.composition import composed
from jackfield.connections.connection_lookup import Connections, sources_from
from jackfield.connections.secret_references import Secrets
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.driving import URL


@dataclass(frozen=True, repr=False)
class RecordingAccount(SecretHolder):
    """Values of the connection ``name``, with secrets resolved."""

    name: str
    given: Mapping[str, Any]

    @classmethod
    def named(
        cls,
        name: str,
        catalog: Catalog,
        manifest: Manifest,
        environment: Mapping[str, str] = os.environ,
    ) -> RecordingAccount:
        """Find a connection in the files of ``JACKFIELD_CONNECTIONS`` or in the database, and
        resolve ``$env`` and other references.

        Without a name, the only connection that fits the connector is chosen.

        :raises UnknownConnection: if no connection has the name.
        :raises InvalidInvocation: if no name is given, and several or none fit.
        :raises InvalidConnection: if a reference cannot be read.
        """
        clock = SystemClock()
        store = composed("default", None, environment, clock, lambda: None, None)
        with closing(store.storage):
            connections = Connections(
                sources_from(environment),
                store.connection_table,
                catalog=catalog,
                environment=environment,
            )
            found = connections.find(
                name or _only([fitting for fitting, _ in connections.fitting(manifest)])
            )
            return cls(found.name, Secrets(environment, clock).resolve(found.values, found.folder))

    def endpoint(self, names: Mapping[str, str]) -> str:
        """Return the real server's address, from one of the values ``names``.

        :raises InvalidInvocation: if no value contains it.
        """
        for name, pattern in names.items():
            value = self.given.get(name)
            if isinstance(value, str) and value:
                before, _, after = pattern.partition(URL)
                return value.removeprefix(before).removesuffix(after)
        wanted = ", ".join(f"'{name}'" for name in names) or "for the server's address"
        raise InvalidInvocation(
            f"the connection '{self.name}' has no value {wanted}, so requests over it cannot be "
            "recorded",
            hint=(
                "Set it to the server's address; recordings pass through a proxy on loopback "
                "that takes its place."
            ),
        )

    def values(self, names: Mapping[str, str], url: str) -> dict[str, Any]:
        """Return the values with ``url`` in place of the server's address."""
        return {
            **self.given,
            **{
                name: pattern.replace(URL, url)
                for name, pattern in names.items()
                if self.given.get(name)
            },
        }


def _only(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    text = (
        "--record needs the name of a connection: "
        f"{'several fit, ' + ', '.join(names[:5]) if names else 'none fits the connector'}"
    )
    raise InvalidInvocation(
        text,
        hint=(
            "Write --record NAME, with a connection of a file in JACKFIELD_CONNECTIONS or a "
            "stored one."
        ),
    )
