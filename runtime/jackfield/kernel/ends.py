"""Ordinary ends of a process, for objects held by weak references: their postponed work is recorded
first.

``atexit`` covers scripts and servers. Children of multiprocessing, and of billiard, Celery's copy
of it, end by ``os._exit`` after the finalizers of these packages, which each child registers anew.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from weakref import WeakKeyDictionary

from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.failures import attempt

TYPE_CHECKING = False  # as in fork
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

_POOLS = ("multiprocessing.util", "billiard.util")
_OWNERS: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()
_REGISTERED: dict[str, int] = {}
"""ID of the process that has registered a finalizer with each package of ``_POOLS``."""


def at_end(owner: T, hook: Callable[[T], object]) -> None:
    """Call ``hook(owner)`` before an ordinary end of this process, as long as the owner lives. Call
    this function again in a forked child.
    """
    _OWNERS[owner] = hook
    process = os.getpid()
    for name in _POOLS:
        # one that is being imported lacks names
        finalize = getattr(sys.modules.get(name), "Finalize", None)
        if finalize is not None and _REGISTERED.get(name) != process:
            _REGISTERED[name] = process
            finalize(None, _end, exitpriority=0)


def is_ending() -> bool:
    """Return whether the main thread has run its program to the end, so that Python starts no more
    threads.

    The process lives on while ``threading`` calls functions that libraries have registered for this
    moment: ``concurrent.futures`` joins its threads this way.
    """
    return not threading.main_thread().is_alive() or getattr(threading, "_SHUTTING_DOWN", False)


def no_thread() -> Unavailable:
    """Return the error for a step that needs a new thread while Python shuts down."""
    return Unavailable(
        "Python ends, and starts no thread any more",
        hint="Call before the end, or use 'invoke'.",
        sent=Sent.NOTHING,
    )


def no_modules(sent: Sent | None = None) -> Unavailable:
    """Return the error for a call, such as from ``__del__``, after Python has dropped its modules
    and can import none.
    """
    return Unavailable(
        "Python ends", hint="Call before the end, or in a function of 'atexit'.", sent=sent
    )


def _end() -> None:
    for reference in _OWNERS.keyrefs():
        owner = reference()
        hook = None if owner is None else _OWNERS.get(owner)
        if hook is not None:
            # the end of a process fails for nothing that it can no longer mend
            attempt(hook, owner)


atexit.register(_end)
