"""OAuth clients that an operator, or a workspace, registers once, and connections refer to by name
(``oauthClient``).

A client seals the values that decide where its secret goes. A connection that refers to a client
must not set any of these values, even those that the client lacks: no endpoint, no proxy, no
certificate authority. Its calls reach the hosts of the client only. It may set other values, such
as the path of its test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jackfield.connections.audience import audience_of
from jackfield.connections.named_connection import Origin
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield.kernel.pointers import pointer
from jackfield.kernel.secrecy import SecretHolder
from jackfield.kernel.walk import extension
from jackfield.manifest.manifest import OAUTH_CLIENT
from jackfield.wire.guard import OnlyHosts

if TYPE_CHECKING:
    from jackfield.manifest.manifest import ConnectionTypeManifest

SECRETS = frozenset({"clientSecret", "proxyPassword", "privateKey"})
ENDPOINTS = ("authorizationUrl", "tokenUrl", "deviceUrl", "revocationUrl", "issuer", "server")
DESTINATIONS = frozenset({*ENDPOINTS, "proxy", "caCertificate"})
"""Values that decide where secrets are sent, or which server is trusted."""
VALUES = frozenset(
    {
        "clientId",
        "scopes",
        "clientAuthentication",
        "audience",
        "resource",
        "tokenParameters",
        "tokenPlace",
        "proxy",
        "proxyUsername",
        "caCertificate",
        "certificate",
        *ENDPOINTS,
        *SECRETS,
    }
)
"""Values that a client may have. A connection gets those that its type has."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class OAuthClient(SecretHolder):
    """Client of an authorization server. ``workspace`` is its owner: ``default`` for the server's.
    ``hosts`` are names, and patterns such as ``*.example.com``, that requests with the client may
    reach in addition to the hosts of its URLs.
    """

    name: str
    workspace: str
    version: int
    origin: Origin
    hosts: tuple[str, ...]
    values: Mapping[str, Any]

    def limit(self, within: OnlyHosts | None) -> OnlyHosts:
        """Return the hosts that the client's connections may reach, within the runtime's own
        hosts.
        """
        named = (
            urlsplit(self.values[name]).hostname or ""
            for name in (*ENDPOINTS, "proxy")
            if isinstance(self.values.get(name), str)
        )
        return OnlyHosts(
            tuple(dict.fromkeys((*self.hosts, *named))),
            f"connections with the OAuth client '{self.name}'",
            within,
        )

    def join(
        self, kind: ConnectionTypeManifest, own: Mapping[str, Any], name: str | None
    ) -> Mapping[str, Any]:
        """Return the values of a connection with those of the client.

        :raises InvalidConnection: if the connection's type has no client, or the connection sets a
            value reserved to the client.
        """
        fields = kind.schema.get("properties", {})
        if OAUTH_CLIENT not in fields:
            text = f"connections of the type '{kind.key}' have no OAuth client"
            raise InvalidConnection(
                text,
                details=[
                    Detail(
                        f"/{OAUTH_CLIENT}", "is not a value of this type", "additionalProperties"
                    )
                ],
            )
        given = {member: value for member, value in own.items() if member != OAUTH_CLIENT}
        if faults := list(self._faults(kind, given)):
            which = f"the connection '{name}'" if name else "the connection"
            raise InvalidConnection(
                f"{which} sets what its OAuth client '{self.name}' decides",
                details=faults,
                hint=(
                    f"Leave these values out, or leave '{OAUTH_CLIENT}' out and give all of "
                    "them yourself."
                ),
            )
        values = {
            member: value
            for member, value in self.values.items()
            if member in fields and member != "scopes"
        }
        if "scopes" in fields and "scopes" not in given and self.values.get("scopes"):
            scopes = self.values["scopes"]
            values["scopes"] = (
                " ".join(scopes) if fields["scopes"].get("type") == "string" else list(scopes)
            )
        return {**given, **values}

    def _faults(self, kind: ConnectionTypeManifest, given: Mapping[str, Any]) -> Iterator[Detail]:
        for member, value in given.items():
            if member == "scopes" and member not in self.values:
                continue
            if member == "scopes":
                more = sorted({*_words(value)} - {*self.values["scopes"]})
                if more:
                    yield Detail(
                        "/scopes",
                        f"'{more[0][:100]}' is not among the scopes of the OAuth client",
                        "enum",
                    )
            elif member == "server" and member not in self.values:
                yield from self._server_faults(value)
            elif member in VALUES or not _is_harmless(kind, member):
                yield Detail(pointer(member), f"is set by the OAuth client '{self.name}'", "not")

    def _server_faults(self, value: Any) -> Iterator[Detail]:
        try:
            self.limit(None).require(urlsplit(str(value)).hostname or "", "/server")
        except (InvalidConnection, ValueError):
            yield Detail("/server", f"is at no host of the OAuth client '{self.name}'", "enum")


def _is_harmless(kind: ConnectionTypeManifest, member: str) -> bool:
    """Return whether a value decides neither where requests go nor how the server's network is
    used, such as a path for tests.
    """
    marks = extension(kind.schema.get("properties", {}).get(member))
    audience = audience_of(kind.schema, member, authorizes=bool(kind.authorizes))
    return audience == "user" or (
        audience == "platform" and not marks.get("destination") and not marks.get("fixed")
    )


def _words(value: Any) -> Sequence[str]:
    return (
        value.split()
        if isinstance(value, str)
        else [str(one) for one in value]
        if isinstance(value, list | tuple)
        else [str(value)]
    )
