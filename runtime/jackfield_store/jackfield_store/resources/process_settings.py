"""Shared settings of a database in one process: its own variables and options take precedence over
stored values.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import ref

from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield.kernel.exports import late_hints
from jackfield.wire.guard import allowed_hosts
from jackfield_store.database.setting_rows import (
    ALLOW_HOSTS,
    POLICY,
    SHARED,
    Difference,
    Stored,
    checked_policy,
    differences,
    is_judged,
    other_processes,
    stored_settings,
)

if TYPE_CHECKING:
    from jackfield_store.database import Database
    from jackfield_store.keys.vault import Vault

_LOG = logging.getLogger("jackfield.settings")


class SettingsStorage(Protocol):
    """Database and vault of this process; both may be used only if ``enabled``."""

    @property
    def enabled(self) -> bool:
        """True if there is a database."""

    @property
    def database(self) -> Database:
        """Database, opened on first use."""

    @property
    def vault(self) -> Vault:
        """Vault on the database."""

    def epoch(self) -> int:
        """Return a reading of the database's epoch."""


class ProcessSettings:
    """Settings of this process. Thread-safe.

    ``own`` are values of variables and options, which take precedence over stored values. Without a
    database there are no stored values.
    """

    def __init__(self, storage: SettingsStorage, environment: Mapping[str, str]) -> None:
        self._owner = ref(storage)  # whose part it is, and which it must not keep alive
        given = {name: environment.get(one.variable, "") for name, one in SHARED.items()}
        given[ALLOW_HOSTS] = " ".join(allowed_hosts((), environment))
        with suppress(InvalidInvocation):  # what asks the policy service refuses it, and says why
            given[POLICY] = checked_policy(given[POLICY])
        self.own: dict[str, str] = {name: value for name, value in given.items() if value}
        self._stored: Mapping[str, Stored] = {}
        self._reading: int | None = None
        self._has_said = False
        self._lease: tuple[str, float] | None = None
        self._damaged: list[str] = []
        self._judged: tuple[int, bool] | None = None
        self.note_policy: Callable[[SettingsStorage, str], None] | None = None
        """Stores, for all processes, that the policy of this one judges."""

    def take(self, name: str, value: str) -> None:
        """Set the value of a command's option, if it is not empty."""
        if value:
            self.own[name] = value

    def known(self, name: str) -> str:
        """Return a setting as it was last read, without a query; empty if it is not set."""
        own = self.own.get(name)
        if own is not None:
            return own
        found = self._stored.get(name)
        return "" if found is None else found.value

    def value(self, name: str) -> str:
        """Return a setting's present value; empty if it is not set. The setting is read again once
        the epoch has moved. If the database does not answer, the last value still applies.
        """
        storage = self._owner()
        if name not in self.own and storage is not None and storage.enabled:
            try:
                if storage.epoch() != self._reading:
                    self.read()
            except JackfieldError as error:
                _LOG.debug("the shared settings cannot be read: %s", error.message)
        return self.known(name)

    def lacks_policy(self) -> bool:
        """Return whether the database requires a policy for its calls, and this process has none:
        it may begin no call.

        :raises JackfieldError: if the database does not answer.
        """
        storage = self._owner()
        if POLICY in self.own or storage is None or not storage.enabled:
            return False
        reading, known = storage.epoch(), self._judged
        if known is None or known[0] != reading:
            with storage.database.read(flush=False) as transaction:
                known = self._judged = reading, is_judged(transaction)
        return known[1]

    def rests(self) -> bool:
        """Return whether this process lacks a policy, by a reading that is at most one renewal of
        the lease old. It then claims nothing.

        :raises JackfieldError: if the database does not answer.
        """
        known = self._judged
        return self.lacks_policy() if known is None else known[1] and POLICY not in self.own

    def warning(self) -> str | None:
        """Return a warning for probes if settings of this process and others differ. None if they
        agree, or the database or its key is unusable, which other checks report.
        """
        try:
            return self._warning() or None
        except JackfieldError:
            return None

    def renewed(self, here: str, lease: float) -> None:
        """Read the stored settings, with each renewal of the lease of this process, the instance
        ``here``. The first time, log the differences to other processes. Those are alive if they
        renewed their leases in the last ``lease`` seconds.

        :raises JackfieldError: if the database does not answer.
        """
        self._lease = here, lease
        if self._has_said:
            self.read()
            self._note_policy()
            return
        text, self._has_said = self._warning(), True
        self._note_policy()
        if text:
            _LOG.warning(
                "%s; store one value with 'jackfield settings set', or give all processes the same",
                text,
            )

    def _warning(self) -> str:
        found = [one.warning for one in self._differences()]
        if self.rests():
            found.append(
                "this process has no policy, so it begins no call: set JACKFIELD_POLICY_URL and "
                "JACKFIELD_POLICY_SECRET"
            )
        return "; ".join(found)

    def _note_policy(self) -> None:
        """Store that a policy judges the calls, unless that is stored; also if it was removed while
        this process still has one.
        """
        storage, own = self._owner(), self.own.get(POLICY)
        if (
            own is not None
            and storage is not None
            and self.note_policy is not None
            and not (self._judged or (0, False))[1]
        ):
            self.note_policy(storage, own)

    def _differences(self) -> list[Difference]:
        self.read()
        storage = self._owner()
        if self._lease is None or storage is None:
            return []
        database, (here, lease) = storage.database, self._lease
        with database.read(flush=False) as transaction:
            others = other_processes(transaction, database.dialect.now, lease)
        return differences(self._stored, self.own, others, here)

    def read(self) -> None:
        """Read the stored settings.

        :raises JackfieldError: if the database does not answer.
        """
        storage = self._owner()
        if storage is None:
            return
        reading = storage.epoch()
        with storage.database.read(flush=False) as transaction:
            stored, damaged = stored_settings(transaction, storage.vault)
        if damaged and damaged != self._damaged:
            _LOG.warning(
                "the stored setting %s was changed in the database, and does not hold: set it "
                "again",
                ", ".join(damaged),
            )
        self._stored, self._damaged, self._reading = stored, damaged, reading
        self._judged = reading, POLICY in stored or POLICY in damaged


late_hints(__name__)
