"""Parent's side of a child's open connections: their numbers, and the leases that the child may
drop.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import OrderedDict, deque
from typing import Any

from jackfield.connector.context import Minted
from jackfield.kernel.fork import ProcessLocal
from jackfield_isolation.shares import LeaseShare

_HELD = 64
_MOST_DROPPED = 1000


class Session:
    """Version of a connection. Its number is the key of the child's cache and belongs to one
    connection only.
    """

    def __init__(self, number: int, leases: Any) -> None:
        self.number = number
        self._leases = weakref.ref(leases)
        self.share = LeaseShare(self._is_held)
        """Part of this process's memory that the leases of its child may take."""
        self._held: OrderedDict[int, Minted] = OrderedDict()
        self._keys: dict[str, int] = {}
        self._tokens = itertools.count(1)

    def hold(self, key: str, minted: Minted) -> int:
        """Store a lease that the child uses under ``key``, and return the token by which the child
        names it.
        """
        token = next((known for known, held in list(self._held.items()) if held is minted), None)
        if token is None:
            self.share.take(key, minted)  # another process's child may have issued it
            token = next(self._tokens)
            self._held[token] = minted
            if len(self._held) > _HELD:
                self._held.popitem(last=False)
        if len(self._keys) < _HELD or key in self._keys:
            self._keys[key] = token
        return token

    def clear(self) -> None:
        """Drop the leases: the child was stopped for them, and its successor starts with none."""
        leases = self._leases()
        if leases is not None:
            leases.drop_all()

    def _is_held(self, key: str) -> bool:
        leases = self._leases()
        return leases is not None and leases.has(key)

    def fresh(self) -> dict[str, int]:
        """Return the tokens of the leases that a child may use again without asking, by key."""
        leases = self._leases()
        if leases is None or not self._keys:
            return {}
        return {
            key: token
            for key, token in list(self._keys.items())
            if (held := leases.fresh(key)) is not None and held is self._held.get(token)
        }

    def held(self, token: object) -> Minted | None:
        """Return the lease of a token; None if it is unknown."""
        return self._held.get(token) if isinstance(token, int) else None

    def clean(self, text: str) -> str:
        """Redact the secrets of the connection and of its leases."""
        redactor = getattr(self._leases(), "redactor", None)
        cleaned: str = text if redactor is None else redactor.clean(text)
        return cleaned


class Sessions(ProcessLocal):
    """Sessions of the connections that are open in this process."""

    def __init__(self) -> None:
        self._found: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count(1)
        # a connection may be dropped, by the garbage collector, while this thread holds it
        self._lock = threading.RLock()
        self._listeners: weakref.WeakSet[Dropped] = weakref.WeakSet()

    def find(self, leases: Any) -> Session:
        """Return the session of a connection, whose identity is its cache of leases."""
        found = self._found.get(leases)
        if found is None:
            with self._lock:
                found = self._found.get(leases)
                if found is None:
                    found = self._found[leases] = Session(next(self._numbers), leases)
                    weakref.finalize(leases, self._drop, found.number).atexit = False
        return found

    def _drop(self, number: int) -> None:
        with self._lock:
            for listener in self._listeners:
                listener.add(number)

    def dropped(self) -> Dropped:
        """Return a list to which the numbers of unused connections will be added."""
        found = Dropped()
        with self._lock:
            self._listeners.add(found)
        return found

    def clean(self, text: str) -> str:
        """Redact the secrets of all open connections."""
        with self._lock:
            sessions = list(self._found.values())
        for session in sessions:
            text = session.clean(text)
        return text


class Dropped:
    """Numbers of connections that a child may forget."""

    def __init__(self) -> None:
        self._numbers: deque[int] = deque(maxlen=_MOST_DROPPED)

    def add(self, number: int) -> None:
        """Add a number; drop the oldest numbers beyond a limit, since the child's own cache drops
        them.
        """
        self._numbers.append(number)

    def take(self) -> list[int]:
        """Return all numbers, and remove them from the list."""
        taken = []
        while self._numbers:
            taken.append(self._numbers.popleft())
        return taken
