"""Steps over a connection that are not invocations: the choices of a form, and the work on a
subscription.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.call.errors_map import recognised
from jackfield.connector.context import Call, entered
from jackfield.kernel.clock import Deadline
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError, Unavailable
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield.redaction.logs import reason

if TYPE_CHECKING:
    from jackfield.call.pipe import Pipe
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector.grants import Grant
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.manifest.manifest import Manifest

T = TypeVar("T")
_NO_PERMISSIONS: Mapping[str, tuple[str, ...]] = {}


class UnstoredGrant:
    """Grant that is not stored, or not any more. No other process knows it, so its tokens are
    rotated in memory.
    """

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

    def find(self) -> Grant:
        """Return the grant with its present tokens."""
        return self.grant

    def begin(self, used: Grant) -> None:
        """Record nothing: the grant ends with this process."""

    def replace(self, used: Grant, rotated: Grant) -> None:
        """Replace the tokens in memory."""
        self.grant = rotated if self.grant == used else self.grant

    def end(self, used: Grant, reason: str) -> None:
        """Record nothing: the grant is not stored."""

    def want(self, scopes: Sequence[str]) -> None:
        """Do nothing."""

    def wanted(self) -> tuple[str, ...]:
        """Return the scopes of the grant."""
        return self.grant.scopes


def call_of(
    stages: Pipe, seconds: float, permissions: Mapping[str, tuple[str, ...]] = _NO_PERMISSIONS
) -> Call:
    """Return a call with a deadline in ``seconds``; ``permissions`` are those of the trigger at
    work.
    """
    return Call(
        Deadline.after(seconds, stages.dependencies.clock),
        threading.Event(),
        workspace=stages.workspace,
        permissions=permissions,
    )


def over_connection(
    stages: Pipe,
    manifest: Manifest,
    connector: LoadedConnector,
    stored: NamedConnection,
    call: Call,
    step: Callable[[Any], T],
    what: str,
    grant: Grant | None = None,
) -> T:
    """Run a step with the open client of a connection. ``what`` begins the message of an unknown
    failure, such as "the choices could not be fetched". ``grant`` is the stored grant of a removed
    connection.

    :raises JackfieldError: if the provider refuses or fails.
    """
    target = stages.plans.targets.find(stored, manifest)
    opening = stages.plans.opener.find(target, manifest, connector)
    if call.permissions:
        opening = replace(opening, permissions=call.permissions)
    if grant is not None:
        opening = replace(opening, grants=UnstoredGrant(grant))
    with entered(call):
        client = attempt_foreign(opening.client, call)
        found = client if isinstance(client, Raised) else attempt_foreign(lambda: step(client))
    if not isinstance(found, Raised):
        return found
    if isinstance(found.error, JackfieldError):
        raise found.error
    known = recognised(connector, found.error, None if isinstance(client, Raised) else client)
    raise known or Unavailable(
        f"{what}: {reason(found.error, opening.cache.redactor, {})}"
    ) from None
