"""Ordinary ends of a process, for objects held by weak references: what they have put off is recorded before.

``atexit`` covers scripts and servers. Children of multiprocessing and of billiard, Celery's copy of it, end by ``os._exit`` after the
finalizers of these packages, which each child registers anew.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from weakref import WeakKeyDictionary

from jackfield.failures import attempt

TYPE_CHECKING = False  # as in fork
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

_POOLS = ("multiprocessing.util", "billiard.util")
_OWNERS: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()
_REGISTERED: dict[str, int] = {}
"""Process that has registered a finalizer with each package of ``_POOLS``."""


def at_end(owner: T, hook: Callable[[T], object]) -> None:
    """Call ``hook(owner)`` before an ordinary end of this process, for as long as the owner lives. Call it again in a forked child."""
    _OWNERS[owner] = hook
    process = os.getpid()
    for name in _POOLS:
        package = sys.modules.get(name)
        if package is not None and _REGISTERED.get(name) != process:
            _REGISTERED[name] = process
            package.Finalize(None, _end, exitpriority=0)


def is_ending() -> bool:
    """Return whether the main thread has ended, so that Python starts no thread any more."""
    return not threading.main_thread().is_alive()


def _end() -> None:
    for reference in _OWNERS.keyrefs():
        owner = reference()
        hook = None if owner is None else _OWNERS.get(owner)
        if hook is not None:
            attempt(hook, owner)  # the end of a process fails for nothing that it can no longer mend


atexit.register(_end)
