"""Permissions of a connect session: the scopes that a person approves at a provider, and the
permissions that an entered key needs.

The page shows both before a person enters a value, as far as the session and the manifests declare
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield_service.subjects.connect.session import ConnectSession

_NONE = "none"
"""Permission in the manifest of an action that needs none."""
_OPENID = "openIdConnect"


@dataclass(frozen=True, slots=True)
class Approval:
    """Approval at a provider: the scopes, and the host of the provider's page; empty if they are
    not known.
    """

    scopes: tuple[str, ...] = ()
    host: str = ""

    @classmethod
    def of(cls, kind: ConnectionKind, values: Mapping[str, Any]) -> Approval:
        """Return the approval for a connection with these values, which contain no secrets."""
        asked = values.get("scopes") or ()
        scopes = asked.split() if isinstance(asked, str) else [str(one) for one in asked]
        first = (
            []
            if _OPENID not in (kind.about.auth, kind.about.key) or "openid" in scopes
            else ["openid"]
        )
        fixed = (
            row["authorizationUrl"]
            for row in _bound(kind).get("credentials", ())
            if "authorizationUrl" in row
        )
        page = values.get("authorizationUrl") or next(fixed, "")
        return cls((*first, *scopes), urlsplit(str(page)).hostname or "")


@dataclass(frozen=True, slots=True)
class Needed:
    """Permissions that an entered key needs at the provider: for the platform's calls, and further
    ones for the connection's test.
    """

    calls: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


def needed(found: ConnectSession, kind: ConnectionKind) -> Needed:
    """Return the permissions of a session's actions; empty if the session names actions by a
    pattern.
    """
    named = [*found.asked.actions, *(str(call["action"]) for call in found.asked.calls)]
    manifest = _manifest(found.type, kind)
    actions = [manifest.actions.get(name.removeprefix(f"{manifest.key}/")) for name in named]
    calls = (
        []
        if None in actions
        else list(
            dict.fromkeys(one for action in actions if action is not None for one in _of(action))
        )
    )
    tested = [one for action in _probes(manifest, kind) for one in _of(action) if one not in calls]
    return Needed(tuple(calls), tuple(dict.fromkeys(tested)))


def _of(action: ActionManifest) -> Iterator[str]:
    return (one for listed in action.permissions.values() for one in listed if one != _NONE)


def _manifest(name: str, kind: ConnectionKind) -> Manifest:
    return next(
        (one for one in kind.manifests if one.key == name.partition("/")[0]), kind.manifests[0]
    )


def _probes(manifest: Manifest, kind: ConnectionKind) -> Iterator[ActionManifest]:
    """Yield the actions that send the request of the connection's test."""
    probe = _bound(kind).get("probe")
    for action in manifest.actions.values() if probe else ():
        bound = action.content.row.get("http") or {}
        if bound.get("method") == "GET" and bound.get("path") == probe:
            yield action


def _bound(kind: ConnectionKind) -> Mapping[str, Any]:
    types = kind.manifests[0].raw.get("connectionTypes", ())
    return next((row.get("http") or {} for row in types if row.get("key") == kind.about.key), {})
