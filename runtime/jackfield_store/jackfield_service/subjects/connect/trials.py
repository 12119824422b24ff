"""Tests of the values that a person has entered in a connect session: one at a time; a failure is
reported to the side that can mend it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jackfield.connections.host_access import generated_fields
from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.connect.access import REMOTE, guarded
from jackfield_service.subjects.connect.faults import (
    Asked,
    Blocked,
    Failure,
    failed_step,
    is_platforms,
    side_of,
    steps_of,
)
from jackfield_service.subjects.connect.principals import another_key
from jackfield_service.subjects.connect.session import ConnectSession
from jackfield_service.subjects.connect.table import SessionMoved
from jackfield_service.subjects.connect.values import UnaskedValues, asked

if TYPE_CHECKING:
    from jackfield.connections.connection_types import ConnectionKind, Kinds
    from jackfield.kernel.clock import Clock
    from jackfield_service.subjects.connect.table import ConnectTable
    from jackfield_store.management.connections import ManagedConnections

SECONDS = 30.0
"""Deadline of a connection's test, in seconds."""
_LONGEST = 3 * SECONDS
"""Seconds after which a test is presumed to have ended with its process."""
_LOG = logging.getLogger("jackfield.connect")


class TestRunning(SessionMoved):
    """A test of the session runs already."""

    __test__ = False


class Trials:
    """Tests of one workspace's connect sessions."""

    def __init__(self, table: ConnectTable, kinds: Kinds, clock: Clock) -> None:
        self._table = table
        self._kinds = kinds
        self._clock = clock

    def is_busy(self, found: ConnectSession) -> bool:
        """Return whether a test of the session runs."""
        return found.busy_until > self._clock.time()

    def held(self, found: ConnectSession, **members: Any) -> ConnectSession:
        """Change members of a session, and reserve it for one test; return it.

        :raises TestRunning: if a test runs.
        """
        if self.is_busy(found):
            raise TestRunning(
                "a test of these values runs already", hint="Wait until it has ended."
            )
        return self._table.change(found, busy_until=self._clock.time() + _LONGEST, **members)

    @contextmanager
    def alone(
        self, found: ConnectSession, **members: Any
    ) -> Iterator[tuple[ConnectSession, dict[str, Any]]]:
        """Change members of a session, and reserve it for one test. Yield it, and a dictionary for
        the members that change at the end.

        :raises TestRunning: if another test runs.
        :raises SessionMoved: if another request has changed the session meanwhile.
        """
        held, after = self.held(found, **members), dict[str, Any]()
        try:
            yield held, after
        finally:
            self._table.change(held, busy_until=0.0, **after)

    def run(
        self,
        found: ConnectSession,
        kind: ConnectionKind,
        values: Mapping[str, Any],
        acting: ManagedConnections,
        accept: Callable[[Mapping[str, Any] | None], None],
    ) -> ConnectSession:
        """Test values, store the findings, and return the session. ``accept`` raises if it refuses
        an account.

        :raises TestRunning: if another test runs.
        :raises InvalidConnection: if a value is not valid, or the account is refused.
        """
        with self.alone(found, values=values, trial={}, status="testing") as (held, after):
            tried = acting.test_draft(
                kind.full_name,
                values,
                name=found.connection,
                provenance=REMOTE,
                timeout_seconds=SECONDS,
            )
            trial = guarded(tried, generated_fields(kind.schema))
            if trial["status"] != "failing":
                accept(trial.get("account"))
            after.update(trial=trial, blocked=self._blocked_by(held, kind, trial))
        tested = self._table.find(found.id)
        if tested.blocked and tested.blocked != found.blocked:
            _report(tested)
        elif (
            tested.passed
            and (other := another_key(tested.asked.principal, tested.trial)) is not None
        ):
            _LOG.warning("connect session %s: %s", found.id, other.message)
        return tested

    def _blocked_by(
        self, found: ConnectSession, kind: ConnectionKind, trial: Mapping[str, Any]
    ) -> dict[str, Any]:
        step = failed_step(steps_of(trial))
        if step is None:
            return {}
        other = another_key(found.asked.principal, trial)
        if other is not None:  # the person has followed a trust policy that cannot let the key in
            return self._known(found, Blocked.of_error(other, self._clock.time()))
        if side_of(Failure.of_step(step), _fields_of_session(found, kind)) != "platform":
            return {}
        return self._known(found, Blocked.of_step(step, self._clock.time()))

    def is_platforms(
        self, found: ConnectSession, error: JackfieldError, provider_code: str = ""
    ) -> bool:
        """Return whether the platform must mend an error of a session. ``provider_code`` is the
        provider's, if the error lacks it.
        """
        kind = self._kinds.known(found.type) if found.type else None
        if isinstance(error, UnaskedValues):
            return False
        fields = Asked() if kind is None else _fields_of_session(found, kind)
        return is_platforms(error, fields, provider_code)

    def noted(self, found: ConnectSession, error: JackfieldError) -> ConnectSession:
        """Note an error that the platform must mend, and return the session; return the session
        unchanged for other errors.
        """
        return self.note(found, error) if self.is_platforms(found, error) else found

    def note(self, found: ConnectSession, error: JackfieldError, **members: Any) -> ConnectSession:
        """Note an error at the platform's side, once, with further members of the session; return
        the session.
        """
        known = self._known(found, Blocked.of_error(error, self._clock.time()))
        if known == found.blocked and not members:
            return found
        with suppress(SessionMoved):
            noted = self._table.change(found, blocked=known, **members)
            if known != found.blocked:
                _report(noted)
            return noted
        return self._table.find(found.id)

    @staticmethod
    def _known(found: ConnectSession, made: Blocked) -> dict[str, Any]:
        before = Blocked.from_json(found.blocked)
        return dict(found.blocked) if made.is_like(before) else made.to_json()


def _fields_of_session(found: ConnectSession, kind: ConnectionKind) -> Asked:
    """Return the requested fields of a session; no fields if a connection is only approved
    again.
    """
    fills = found.task in ("add", "replace") or found.created
    return Asked.of(asked(found, kind)) if fills else Asked()


def _report(found: ConnectSession) -> None:
    """Log a failure by its reference, with its masked message."""
    blocked = found.blocked
    _LOG.warning(
        "connect session %s waits for the platform: %s (%s), reference %s",
        found.id,
        blocked["message"],
        blocked["code"],
        blocked["reference"],
    )
