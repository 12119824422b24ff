"""The time by which all processes of a database judge keys, purges, ``notBefore``, ``notAfter``,
redelivery and dead processes.

On PostgreSQL it is the server's clock. SQLite has no clock, so its processes agree on a time in a
row: the highest time that any of them has read, plus the monotonic time since. A reading that
differs by more than a minute is stored only once a second process reads the same, or the same
process reads it again a lease later without contradiction. So a single wrong clock has no effect.
After a boot this takes a lease, since no process knows how long the machine was off.

Processes of one machine read one clock, so they agree on a wrong time as well. However far they set
the time ahead, nothing is freed, ended or purged until the monotonic clock has advanced that far,
or the machine has been started anew.

Between two readings the time advances by this process's monotonic clock: a call costs no query.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from jackfield.kernel.clock import Clock, SystemClock, iso, within
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import JackfieldError
from jackfield_store.database.engine import Database
from jackfield_store.database.part import Part
from jackfield_store.database.transaction import Transaction

TOLERATED = 60.0
"""Maximum seconds between a process's clock and the database's; beyond it the process frees, ends
and purges nothing.
"""
_LEASE = 6.0
"""Seconds between two readings of one process that agree on another time."""
_JUMP = 1.0
"""Seconds by which the clock moves against the monotonic one before the database is read again: the
clock was set, or the machine slept.
"""
_STORED_EVERY, _STEP = 60.0, 0.5
"""Seconds by which the stored time ages, or a reading exceeds it, before it is stored again."""
_WAIT = 1.0
"""Seconds to wait for a locked database."""
_LOOKS = 3
"""Maximum number of readings until one is not disturbed by a stop of the process; then the last one
counts.
"""
_SELECT = (
    "SELECT seconds, monotonic, boot, proposed, proposed_by, proposed_at, proposed_boot, "
    "leap FROM clock WHERE name = 'shared'"
)
_STORE = """
INSERT INTO clock (name, seconds, monotonic, boot, proposed, proposed_by, proposed_at, proposed_boot, leap)
VALUES ('shared', :seconds, :monotonic, :boot, :proposed, :proposed_by, :proposed_at, :proposed_boot, :leap)
ON CONFLICT (name) DO UPDATE SET seconds = excluded.seconds, monotonic = excluded.monotonic, boot = excluded.boot,
    proposed = excluded.proposed, proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at,
    proposed_boot = excluded.proposed_boot, leap = excluded.leap
"""
_LOG = logging.getLogger("jackfield.database")


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Reading of one process's clocks: seconds since 1970, the monotonic clock with its boot, and
    the process.
    """

    seconds: float
    monotonic: float
    boot: str
    by: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """Time that the processes of a SQLite database agree on, as of ``monotonic`` of ``boot``, and a
    time that one process proposes.

    By agreement it can jump ahead or back, if the processes had agreed on a wrong time. ``leap`` is
    the time by which it has been set ahead in this boot, beyond the monotonic clock.
    """

    seconds: float
    monotonic: float
    boot: str
    proposed: float | None = None
    proposed_by: str | None = None
    proposed_at: float = 0.0
    proposed_boot: str = ""
    leap: float = 0.0

    def at(self, reading: ClockReading) -> float:
        """Return the agreed time at a reading."""
        return self.seconds + _since(reading, self.monotonic, self.boot)

    def after(self, reading: ClockReading) -> Agreed:
        """Return the agreed time after a process has read its clock; the same object if there is
        nothing to store.
        """
        expected = self.at(reading)
        ahead = reading.seconds - expected
        if abs(ahead) <= TOLERATED:
            aged = reading.boot != self.boot or reading.monotonic - self.monotonic > _STORED_EVERY
            known = not aged and ahead < _STEP and self.proposed is None
            return self if known else self._set(max(expected, reading.seconds), reading)
        since = _since(reading, self.proposed_at, self.proposed_boot)
        if self.proposed is not None and abs(reading.seconds - self.proposed - since) <= TOLERATED:
            agree = self.proposed_by != reading.by or since >= _LEASE
            return self._set(reading.seconds, reading) if agree else self
        return replace(
            self,
            proposed=reading.seconds,
            proposed_by=reading.by,
            proposed_at=reading.monotonic,
            proposed_boot=reading.boot,
        )

    def _set(self, seconds: float, reading: ClockReading) -> Agreed:
        leap = (
            max(0.0, self.leap + seconds - self.at(reading)) if reading.boot == self.boot else 0.0
        )
        return Agreed(seconds, reading.monotonic, reading.boot, leap=leap)


def _since(reading: ClockReading, monotonic: float, boot: str) -> float:
    """Return the seconds from a monotonic time of a boot to a reading; 0 if the machine was started
    anew in between.
    """
    return max(0.0, reading.monotonic - monotonic) if reading.boot == boot else 0.0


@dataclass(frozen=True, slots=True)
class _Look:
    """Outcome of reading the database's time: ``seconds`` since 1970 at the monotonic time ``at``,
    and the lead ``skew`` of this process's clock over its monotonic one then.

    On SQLite the time is not ``certain`` after a boot, until the processes agree again. ``leap``
    seconds of it were not measured by a monotonic clock.
    """

    seconds: float
    at: float
    skew: float
    known: bool
    certain: bool = True
    leap: float = 0.0

    @property
    def ahead(self) -> float:
        """Seconds by which this process's clock was ahead of the database's."""
        return self.skew + self.at - self.seconds


class SharedClock(Part):
    """The database's time in one process. ``clock`` is the process's own. Thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database)
        self._time, self._monotonic = (
            (time.time, _since_boot)
            if type(clock) is SystemClock
            else (clock.time, clock.monotonic)
        )
        self._last: _Look | None = None
        self._off = False

    @classmethod
    def of(cls, database: Database, clock: Clock) -> SharedClock:
        """Return the shared clock of a process with the clock ``clock``."""
        clocks = database.attached(_Clocks, _Clocks)
        # all instances of SystemClock are equal
        key = 0 if type(clock) is SystemClock else id(clock)
        found = clocks.found.get(key)
        return clocks.found.setdefault(key, cls(database, clock)) if found is None else found

    def now(self) -> float:
        """Return seconds since 1970 by the database's clock, which decides whether something is
        due, late or expired.
        """
        return self._moment()[0]

    def _moment(self) -> tuple[float, float]:
        """Return the database's time and this process's own."""
        last, own, monotonic = self._last, self._time(), self._monotonic()
        if last is None or abs(own - monotonic - last.skew) > _JUMP:
            last = self.look()
        return last.seconds + max(0.0, monotonic - last.at), own

    def moments(self) -> Mapping[str, float]:
        """Return the parameters of statements that select work to start: ``now``, and ``late`` to
        compare ``notAfter`` with.

        After a boot ``late`` may be this process's own time: work whose time passed while the
        machine was off must not start.
        """
        now, own = self._moment()
        certain = self._last is None or self._last.certain
        return {"now": now, "late": now if certain else max(now, own)}

    def stamp(self) -> float:
        """Return the time to record for a present event: the later of the database's and this
        process's own.

        So a retention counted from it is never too short, whichever of the two clocks is wrong.
        """
        last, own, monotonic = self._last, self._time(), self._monotonic()
        if last is None or abs(own - monotonic - last.skew) > _JUMP:
            last = self.look()
        return max(last.seconds + max(0.0, monotonic - last.at), own)

    def sure(self) -> float | None:
        """Return the time by which to free, end or purge; None if this process's clock and the
        database's differ by more than a minute.

        It is the database's time, less the time by which its processes have set it ahead in this
        boot.
        """
        if self._last is None or not self._last.known:
            self.look()
        (now, own), last = self._moment(), self._last
        agrees = last is not None and last.known and abs(own - now) <= TOLERATED
        return now - last.leap if last is not None and agrees else None

    @property
    def warning(self) -> str | None:
        """Sentence for operators if this process's clock was wrong at the last reading; None if it
        was right, or the time is not known.
        """
        last = self._last
        if last is None or not (last.known and last.certain) or abs(last.ahead) <= TOLERATED:
            return None
        where = "ahead of" if last.ahead > 0 else "behind"
        return (
            f"the clock of this process is {_span(abs(last.ahead))} {where} the database's "
            f"({iso(last.seconds)}): until they agree, it "
            "frees no idempotency keys, ends no late invocations and deletes nothing; synchronize "
            "the clocks (NTP)"
        )

    def look(self) -> _Look:
        """Read the database's time. While the database is unavailable, its last known time
        advances.

        A reading during which the process was stopped is repeated: otherwise the database's clock
        would seem to be behind by that time.
        """
        for _ in range(_LOOKS):
            began = self._monotonic()
            found = self._looked()
            if self._monotonic() - began <= _WAIT + _JUMP:
                break
        self._last = found
        self._report()
        return found

    def _looked(self) -> _Look:
        try:
            with within(_WAIT):
                return self._agreed() if self._database.dialect.name == "sqlite" else self._server()
        except JackfieldError:
            own, monotonic, last = self._time(), self._monotonic(), self._last
            seconds = own if last is None else last.seconds + max(0.0, monotonic - last.at)
            return _Look(seconds, monotonic, own - monotonic, last is not None and last.known)

    def _server(self) -> _Look:
        (seconds,) = self._database.look_up(
            f"SELECT {self._database.dialect.now} AS seconds", {}
        ) or (self._time(),)
        own, monotonic = self._time(), self._monotonic()
        return _Look(seconds, monotonic, own - monotonic, known=True)

    def _agreed(self) -> _Look:
        reading = ClockReading(
            self._time(), self._monotonic(), _boot(), f"{socket.gethostname()}/{os.getpid()}"
        )
        found = _agreed_from(self._database.look_up(_SELECT, {}), reading)
        # a transaction of this thread has the only lock to write
        if found.after(reading) is not found and not self._database.writing:
            found = self._database.adjust(lambda transaction: _store_reading(transaction, reading))
        skew = reading.seconds - reading.monotonic
        return _Look(
            found.at(reading),
            reading.monotonic,
            skew,
            known=True,
            certain=found.boot == reading.boot,
            leap=found.leap,
        )

    def _report(self) -> None:
        warning = self.warning
        if warning is not None and not self._off:
            _LOG.error("%s", warning)
        elif warning is None and self._off:
            _LOG.warning("the clock of this process agrees with the database's again")
        self._off = warning is not None


class _Clocks:
    """Shared clocks of one process on one database, by the process's own clock."""

    def __init__(self) -> None:
        self.found: dict[int, SharedClock] = {}

    def close(self) -> None:
        """Do nothing: clocks hold no resource."""


def _agreed_from(row: Any, reading: ClockReading) -> Agreed:
    """Return the agreed time; without a stored time, the first reading, which is not stored yet."""
    if row is None:
        return Agreed(reading.seconds, reading.monotonic, "")
    return Agreed(*row)


def _store_reading(transaction: Transaction, reading: ClockReading) -> Agreed:
    agreed = _agreed_from(transaction.find(_SELECT), reading).after(reading)
    values = {
        "seconds": agreed.seconds,
        "monotonic": agreed.monotonic,
        "boot": agreed.boot,
        "proposed": agreed.proposed,
        "proposed_by": agreed.proposed_by,
        "proposed_at": agreed.proposed_at,
        "proposed_boot": agreed.proposed_boot,
        "leap": agreed.leap,
    }
    transaction.change(_STORE, values)
    return agreed


def _span(seconds: float) -> str:
    for name, size in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} seconds"


_since_boot = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic
)
"""Monotonic clock that advances while the machine is suspended, unlike Linux's default monotonic
clock.
"""


@cache
def _boot() -> str:
    """Return the origin of the monotonic clock: the boot and the time namespace."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}/{os.readlink('/proc/self/ns/time')}"
    except OSError:
        return "unknown"
