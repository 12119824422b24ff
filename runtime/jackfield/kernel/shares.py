"""Shares of tenants in the loops and pools of a process, with the table of all of them.

A tenant is the key that a caller gives; servers give their workspaces. A provider that does not
answer keeps the places of its tenant, since Python cannot stop a thread. So a tenant holds at most
three times as many places as are free, and never the last quarter, once the process has served a
second tenant within a day.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.fork import ProcessLocal

_DAY = 86_400.0
"""Seconds for which a process remembers that it has served a second tenant."""
_SHARE = 3
"""Maximum number of places of a tenant for each free place: alone it holds three quarters."""


@dataclass(frozen=True, slots=True)
class SharedPool:
    """Loop or pool of a process.

    - ``size``: number of its places; None if a setting defines it.
    - ``turn``: maximum seconds for which its work waits for others; None for the call's deadline.
    - ``is_interruptible``: whether the place is free again at the end of the turn.
    """

    size: int | None
    turn: float | None
    is_interruptible: bool = False


POOLS = {
    "names": SharedPool(64, 5.0),
    "looks": SharedPool(16, 15.0),
    "polls": SharedPool(32, 30.0),
    "triggers": SharedPool(32, None),
    "queue": SharedPool(None, None),
    "schedules": SharedPool(64, None),
}
"""Loops and pools of a process by name."""


class Tenants:
    """Tenants that a process has served last."""

    def __init__(self) -> None:
        self._last, self._other = ("", -_DAY), ("", -_DAY)

    def note(self, tenant: str) -> None:
        """Note that a tenant is served; the process's own work has none."""
        if not tenant:
            return
        if tenant != self._last[0]:
            self._other = self._last
        self._last = tenant, monotonic()

    @property
    def are_several(self) -> bool:
        """True if the process has served a second tenant within a day."""
        name, at = self._other
        return bool(name) and monotonic() - at < _DAY


TENANTS = Tenants()
"""Tenants of this process."""


class Places:
    """Places of one loop or pool, by tenant. Its user holds a lock, or uses it in one thread."""

    def __init__(self, size: int, tenants: Tenants = TENANTS) -> None:
        self.size = size
        self._tenants = tenants
        self._held: Counter[str] = Counter()
        self.used = 0

    def room(self, tenant: str) -> int:
        """Return the number of places that a tenant may take now."""
        free, held = self.size - self.used, self._held[tenant]
        if not self._tenants.are_several:
            return free
        # a tenant without a place gets the last, too
        least = 0 if held else min(1, free)
        return max(least, (_SHARE * free - held) // (_SHARE + 1))

    def take(self, tenant: str) -> bool:
        """Take a place for a tenant; return False if it may take none."""
        self._tenants.note(tenant)
        if self.room(tenant) <= 0:
            return False
        self.hold(tenant)
        return True

    def hold(self, tenant: str) -> None:
        """Take a place that a tenant has been promised."""
        self._tenants.note(tenant)
        self._held[tenant] += 1
        self.used += 1

    def give(self, tenant: str) -> None:
        """Return a tenant's place."""
        self.used -= 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]

    @property
    def barred(self) -> list[str]:
        """Tenants that hold places and may take no more now."""
        return [tenant for tenant in list(self._held) if self.room(tenant) <= 0]


class SharedThreads(ProcessLocal):
    """Daemon threads for work that cannot be interrupted. Each thread holds the place of the tenant
    whose work it does; further work waits, and is begun in turn by tenant.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._places = Places(self._size)
        self._waiting: dict[str, deque[Callable[[], object]]] = {}

    def begin(self, tenant: str, work: Callable[[], object]) -> None:
        """Begin work that raises nothing, now or when a place is free; return without waiting."""
        with self._lock:
            self._waiting.setdefault(tenant, deque()).append(work)
            begun = self._taken()
        if begun is None:
            return
        thread = threading.Thread(target=self._run, args=begun, name=self._name, daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # no more threads, as at the end of Python
            self._run(*begun)

    def _run(self, tenant: str, work: Callable[[], object]) -> None:
        begun: tuple[str, Callable[[], object]] | None = (tenant, work)
        while begun is not None:
            holder, step = begun
            with self._given_back(holder):
                step()
            with self._lock:
                begun = self._taken()

    @contextmanager
    def _given_back(self, tenant: str) -> Iterator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._places.give(tenant)

    def _taken(self) -> tuple[str, Callable[[], object]] | None:
        """Take a place for the work that is next, in turn by tenant; return None if there is
        none.
        """
        for tenant in self._waiting:
            if self._places.take(tenant):
                works = self._waiting.pop(tenant)
                work = works.popleft()
                if works:
                    self._waiting[tenant] = works  # behind all others
                return tenant, work
        return None
