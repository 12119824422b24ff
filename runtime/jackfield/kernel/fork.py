"""``os.register_at_fork`` for objects, held by weak references: locks, threads and connections
belong to one process.

A forked child has copies of its parent's sockets and locks, and the threads that held those locks
do not exist there to release them. Each object that owns such a resource is a ``ProcessLocal``,
which is reset before the child runs any other code.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from operator import methodcaller
from weakref import WeakKeyDictionary

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")
_Hook = Callable[["Any"], object]

_KINDS: dict[type, Callable[[], object]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}


def new_locks(owner: object) -> None:
    """Replace the locks among an object's attributes with new, unlocked ones."""
    for name, value in list(vars(owner).items()):
        make = _KINDS.get(type(value))
        if make is not None:
            setattr(owner, name, make())


def at_fork(
    owner: T,
    *,
    child: Callable[[T], object] = new_locks,
    before: Callable[[T], object] | None = None,
    parent: Callable[[T], object] | None = None,
) -> None:
    """Call ``before(owner)`` and ``parent(owner)`` around each fork, and ``child(owner)`` in the
    child, for as long as the owner lives.
    """
    _OWNERS[owner] = (before, parent, child)


def living(kind: type[T]) -> list[T]:
    """Return this process's objects of a kind, among the objects that are reset in a fork."""
    return [owner for reference in _OWNERS.keyrefs() if isinstance(owner := reference(), kind)]


def _runs(outermost: Any, init: object) -> bool:
    while outermost is not None and outermost is not init:
        outermost = getattr(outermost, "__wrapped__", None)
    return outermost is init


_LEAVE = methodcaller("_leave_to_parent")


class ProcessLocal:
    """Base of objects with locks, threads or connections. Each object is reset in a forked child,
    from the end of its ``__init__`` on.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        make: Callable[..., None] | None = vars(cls).get("__init__")
        if make is None:
            return

        @wraps(make)
        def init(self: ProcessLocal, *given: Any, **named: Any) -> None:
            make(self, *given, **named)
            # else this is the base of a class whose own __init__ goes on
            if _runs(type(self).__init__, init):
                at_fork(self, child=_LEAVE)

        cls.__init__ = init  # type: ignore[assignment,method-assign]

    def _leave_to_parent(self) -> None:
        """Reset the object in a forked child, and leave the parent's resources unchanged."""
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Replace the objects that belong to one process; by default the locks."""
        new_locks(self)


def was_forked() -> bool:
    """Return whether this process was forked, before or after this module was imported, and has
    executed no program since.

    Children of RQ, Celery and multiprocessing end by ``os._exit``, which skips exit handlers.
    Return True where ``/proc`` cannot be read.
    """
    try:
        with open("/proc/self/stat", "rb") as file:
            return bool(int(file.read().rpartition(b")")[2].split()[_FLAGS]) & _FORKED)
    except (OSError, ValueError, IndexError):
        return True


@contextmanager
def without_fork() -> Iterator[None]:
    """Let no fork of this process begin within the block, and no other thread enter such a block. A
    C library's lock that is held at a fork stays locked in the child.
    """
    with _FORKING:
        yield


_FLAGS, _FORKED = 6, 0x40
"""Index of a process's flags in its ``stat``, after its name, and Linux's flag PF_FORKNOEXEC
(proc(5), sched.h).
"""
_OWNERS: WeakKeyDictionary[Any, tuple[_Hook | None, _Hook | None, _Hook]] = WeakKeyDictionary()
_FORKING = threading.RLock()
"""Lock held during a fork. Without it, two threads that fork at the same time could deadlock on the
locks of their ``before`` hooks.
"""


def _call(place: int) -> None:
    # an atomic copy, since other threads may register meanwhile
    for reference in _OWNERS.keyrefs():
        owner = reference()
        if owner is None:  # the hook of another owner has dropped it
            continue
        hook = _OWNERS.get(owner, (None, None, None))[place]
        if hook is not None:
            hook(owner)


_LOOK, _LOOKS = 0.001, 5_000
"""Seconds between two checks for running imports, and the maximum number of checks before a
fork.
"""


def _before() -> None:
    _FORKING.acquire()
    _call(0)
    looks = 0
    while _others_import() and looks < _LOOKS:
        time.sleep(_LOOK)
        looks += 1


def _others_import() -> bool:
    """Return whether another thread imports a module, as first calls do. Python's lock of that
    module would stay locked in the child, whose own import of the module would wait for ever.
    """
    references = [*getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {}).values()]
    owners = {getattr(reference(), "owner", None) for reference in references} - {
        None,
        threading.get_ident(),
    }
    # a parent's threads are none of this process
    return bool(owners) and any(thread.ident in owners for thread in threading.enumerate())


def _in_parent() -> None:
    try:
        _call(1)
    finally:
        _FORKING.release()


def _in_child() -> None:
    _FORKING.release()  # this thread took it, and is the only one in the child
    _call(2)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
