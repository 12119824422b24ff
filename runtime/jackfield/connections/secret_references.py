"""Secret references: ``{"$env": "NAME"}``, ``{"$file": "path"}``, and references to secret stores.
The secrets never replace them in storage.

``{"$acme": reference}`` asks the secret store ``acme``: the function ``read(reference,
environment)`` that an installed package declares under that name in the entry points
``jackfield.secret_stores``. It returns the secret. It raises ``ValueError`` if the reference is
wrong or the store has no such secret, and ``Unavailable`` if the store gives no answer now. Neither
message may contain a secret. A name with a dot is the type of a secret store of another system:
only documents of that system have references to it.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jackfield.catalog.loading import declared, package_of
from jackfield.connections.host_access import ReferenceRules, allowed_by
from jackfield.kernel.clock import Clock, SystemClock, patience
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    JackfieldError,
    Sent,
    TimedOut,
    Unavailable,
)
from jackfield.kernel.failures import BrokenPart, Raised, attempt, contained, exhausted
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.pointers import child
from jackfield.kernel.secrecy import SecretHolder

SecretStore = Callable[[object, Mapping[str, str]], str]
"""Function that reads the secret of a reference, with the variables of the environment."""

_STORES = "jackfield.secret_stores"
_NO_TEXT = "what resolves '{}' returned {} where the text of the secret is expected"
_MAX_FILE = 64 * 1024
_TRIES = 3
"""Maximum attempts to resolve a path: a mounted secret may be replaced while it is opened
(Kubernetes swaps a link).
"""
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_STEP = (
    getattr(os, "O_PATH", os.O_RDONLY)
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


def read_reference(target: object, folder: str, rules: ReferenceRules | None = None) -> str:
    """Read the text of a file without its final line end. ``rules`` are the rules for a connection
    of a remote caller.

    :raises ValueError: if the file cannot be read, is not regular, is too large or not text, or
        ``rules`` do not allow it.
    """
    if not isinstance(target, str) or not target or "\0" in target:
        raise ValueError("'$file' takes the path of a file")
    path = os.path.join(folder, os.path.expanduser(target))
    try:
        content = _content(path, target, rules)
        text = content.decode("utf-8")
    except OSError as error:
        raise ValueError(f"the file '{target[:200]}' cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"the file '{target[:200]}' is not UTF-8 text") from None
    except UnicodeEncodeError:
        raise ValueError(
            f"no file can have the path {target[:200]!a}: it has a lone surrogate"
        ) from None
    if len(content) > _MAX_FILE:
        raise ValueError(f"the file '{target[:200]}' is larger than {_MAX_FILE:,} bytes")
    return text.removesuffix("\n").removesuffix("\r")


def _content(path: str, target: str, rules: ReferenceRules | None) -> bytes:
    descriptor = (
        _open_file(path, target) if rules is None else _opened_by_rules(path, target, rules)
    )
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        _require_regular(found, target)
        fault = rules.opened_fault(found) if rules is not None else None
        if fault is not None:
            raise ValueError(fault)
        return file.read(_MAX_FILE + 1)


def _open_file(path: str, target: str) -> int:
    _require_regular(os.stat(path), target)  # opening a device can have effects
    return os.open(path, _FLAGS)


def _opened_by_rules(path: str, target: str, rules: ReferenceRules) -> int:
    """Open the resolved path if the rules allow it, without following links that are created
    meanwhile.
    """
    fault: str | None = None
    for left in reversed(range(_TRIES)):
        try:
            resolved = os.path.realpath(path)
            fault = rules.path_fault(resolved)
            if fault is None:
                return _opened_without_links(resolved, target)
        except OSError:
            if not left:
                raise
    raise ValueError(fault)


def _opened_without_links(resolved: str, target: str) -> int:
    """Open an absolute path folder by folder, and refuse a link at any position."""
    if os.open not in os.supports_dir_fd:
        return _open_file(resolved, target)
    *folders, name = [part for part in resolved.split(os.sep) if part] or ["."]
    place = os.open(os.sep, _STEP)
    try:
        for folder in folders:
            below = os.open(folder, _STEP, dir_fd=place)
            os.close(place)
            place = below
        _require_regular(os.stat(name, dir_fd=place, follow_symlinks=False), target)
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=place)
    finally:
        os.close(place)


def _require_regular(found: os.stat_result, target: str) -> None:
    """Refuse files that are not regular: a FIFO or a device could block its reader forever."""
    if stat.S_ISDIR(found.st_mode):
        raise ValueError(f"the file '{target[:200]}' cannot be read: Is a directory")
    if stat.S_ISLNK(found.st_mode):
        raise OSError(0, "it was replaced by a link while it was opened")
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"the file '{target[:200]}' is not a regular file")


LIMIT = 1000
"""Maximum number of cached secrets; the least recently used are evicted first."""
_LONGEST_READ = 60.0
"""Maximum seconds to wait for another call that reads the same secret."""
LIFE = 300.0
"""Seconds after which a secret is read again."""
YOUNG = 10.0
"""Minimum seconds between two reads of a secret, so that a wrong key does not flood its store with
requests.
"""


@dataclass(slots=True, repr=False)
class _Slot(SecretHolder):
    """Cache entry of one secret. ``lock`` is held during a read, so that concurrent callers do not
    read the secret too.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    value: str | None = None
    read_at: float = 0.0


class SecretCache(ProcessLocal, SecretHolder):
    """Cache of secrets by reference. Thread-safe."""

    def __init__(self, clock: Clock, limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Drop all secrets: in a forked child, a read by another thread would never end."""
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._slots)

    def find(self, kind: str, target: object, read: Callable[[], str]) -> str:
        """Return the secret that ``target`` of ``kind`` names, from the cache or from ``read``.
        Errors are not cached.
        """
        slot = self._slot(_key(kind, target))
        if not slot.lock.acquire(timeout=patience(_LONGEST_READ)):
            raise Unavailable("another call is still reading the secret", sent=Sent.NOTHING)
        try:
            value = slot.value if self._is_fresh(slot) else None
            if value is None:
                slot.value, read_at = None, self._clock.monotonic()
                value = slot.value = read()
                slot.read_at = read_at
            return value
        finally:
            slot.lock.release()

    def holds(self, kind: str, target: object) -> bool:
        """Return whether the secret is cached and need not be read again."""
        slot = self._slots.get(_key(kind, target))
        return slot is not None and self._is_fresh(slot)

    def _is_fresh(self, slot: _Slot) -> bool:
        return slot.value is not None and self._clock.monotonic() - slot.read_at < LIFE

    def forget(self, kind: str, target: object) -> None:
        """Drop the secret from the cache unless it was read a moment ago."""
        with self._lock:
            key = _key(kind, target)
            slot = self._slots.get(key)
            if slot is not None and self._clock.monotonic() - slot.read_at >= YOUNG:
                del self._slots[key]

    def _slot(self, key: str) -> _Slot:
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = _Slot()
                if len(self._slots) > self._limit:
                    self._slots.popitem(last=False)
            else:
                self._slots.move_to_end(key)
            return slot


def _key(kind: str, target: object) -> str:
    return json.dumps([kind, target], sort_keys=True, default=str)


def _is_reference(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value))).startswith("$")


def reference_paths(values: object, path: str = "") -> Iterator[str]:
    """Return the JSON Pointers of all references in ``values``."""
    return (found for found, _, _ in references(values, path))


def references(values: object, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield all references in ``values``: their place, their kind (``$env``) and their target."""
    for name, value in _members(values):
        if type(value) in _SCALARS:  # as most values are
            continue
        here = child(path, name)
        if _is_reference(value):
            ((kind, target),) = value.items()
            yield here, kind, target
        else:
            yield from references(value, here)


_SCALARS = frozenset({str, bool, int, float, type(None)})


def _members(values: object) -> Iterable[tuple[Any, Any]]:
    if isinstance(values, (dict, Mapping)):  # dict first: isinstance with an abstract class is slow
        return values.items()
    return enumerate(values) if isinstance(values, list | tuple) else ()


_CURES = {
    "$env": "Set the environment variable for the jackfield process.",
    "$file": "Make the file readable by the jackfield process.",
}
"""Advice on references that this machine resolves, by kind."""
_AT_HAND = tuple(_CURES)
_Origin = tuple[str, "ReferenceRules | None", list[Detail]]
"""Start folder of relative paths, the rules for opened files, and the references whose stores give
no answer.
"""


class Secrets:
    """Resolver of secret references: environment, files and secret stores.

    The environment and files are read each time; other secrets are cached for five minutes, up to
    1,000 references.
    """

    def __init__(self, environment: Mapping[str, str], clock: Clock | None = None) -> None:
        self._environment = environment
        self._cache = SecretCache(clock or SystemClock())

    def answers_locally(self, values: Mapping[str, Any]) -> bool:
        """Return whether ``resolve`` asks no other machine, because all references are to the
        environment, files or cached secrets.
        """
        return all(
            kind in _AT_HAND or self._cache.holds(kind, target)
            for _, kind, target in references(values)
        )

    def forget(self, values: Mapping[str, Any]) -> None:
        """Drop the cached secrets that ``values`` refer to, because the provider refused them."""
        for _, kind, target in references(values):
            self._cache.forget(kind, target)

    def resolve(
        self, values: Mapping[str, Any], folder: str, rules: ReferenceRules | None = None
    ) -> Mapping[str, Any]:
        """Replace each reference in ``values`` by its secret; return ``values`` itself if there is
        none. ``rules`` check each file that is opened for a connection of a remote caller.

        :raises InvalidConnection: with a detail for each reference that cannot be read.
        :raises Unavailable: if a secret store gives no answer now, and all references are valid.
        """
        faults: list[Detail] = []
        outages: list[Detail] = []
        resolved: Mapping[str, Any] = self._resolved(values, (folder, rules, outages), "", faults)
        if faults:
            count = "1 secret reference" if len(faults) == 1 else f"{len(faults)} secret references"
            raise InvalidConnection(
                f"{count} in the connection cannot be resolved",
                details=faults,
                hint=_hint(values, faults),
            )
        if outages:
            text = f"a secret store gives no answer now: {outages[0].message}"
            raise Unavailable(
                text,
                details=outages,
                hint="Find out why the secret store does not answer.",
                sent=Sent.NOTHING,
            )
        return resolved

    def _resolved(self, values: Any, origin: _Origin, path: str, faults: list[Detail]) -> Any:
        read = [
            self._resolve_value(value, origin, child(path, name), faults)
            for name, value in _members(values)
        ]
        members = list(values.values()) if isinstance(values, Mapping) else values
        if all(new is old for new, old in zip(read, members, strict=True)):
            return values
        return dict(zip(values, read, strict=True)) if isinstance(values, Mapping) else read

    def _resolve_value(self, value: Any, origin: _Origin, path: str, faults: list[Detail]) -> Any:
        if not _is_reference(value):
            return (
                self._resolved(value, origin, path, faults)
                if isinstance(value, Mapping | list | tuple)
                else value
            )
        ((kind, target),) = value.items()
        try:
            return self._read_secret(kind, target, origin)
        except ValueError as fault:
            faults.append(Detail(path, str(fault)))
        except (Unavailable, TimedOut) as outage:
            origin[2].append(Detail(path, outage.message))
        return value

    def _read_secret(self, kind: str, target: object, origin: _Origin) -> str:
        if kind == "$env":
            return self._from_environment(target)
        if kind == "$file":
            return read_reference(target, origin[0], origin[1])
        return self._cache.find(kind, target, lambda: self._read_elsewhere(kind, target))

    def _read_elsewhere(self, kind: str, target: object) -> str:
        # Kinds with a dot are types of Dapr's secret stores, whose components may name an endpoint:
        # not for values of connections.
        store = secret_store(kind[1:]) if "." not in kind else None
        if store is None:
            raise ValueError(
                f"nothing installed resolves the reference '{kind[:40]}'{_brought_by(kind[1:])}"
            )
        return ask_store(kind, store, target, self._environment)

    def _from_environment(self, target: object) -> str:
        if not isinstance(target, str) or not target:
            raise ValueError("'$env' takes the name of an environment variable")
        if "\0" in target or not _is_encodable(target):
            raise ValueError(
                f"no environment variable can have the name {target[:80]!a}: it has a NUL or a "
                "lone surrogate"
            )
        found = self._environment.get(target)
        if found is None:
            raise ValueError(f"the environment variable '{target[:80]}' is not set")
        return found


def _hint(values: Mapping[str, Any], faults: list[Detail]) -> str:
    """Return advice on the faulty references, which depends on where their secrets are."""
    paths = {fault.path for fault in faults}
    kinds = {kind for path, kind, _ in references(values) if path in paths}
    local = [text for kind, text in _CURES.items() if kind in kinds]
    elsewhere = (
        ["Correct the reference, or create the secret in its store."]
        if kinds - _CURES.keys()
        else []
    )
    return " ".join([*local, *elsewhere])


def ask_store(kind: str, store: SecretStore, target: object, environment: Mapping[str, str]) -> str:
    """Return the secret of a reference. An exception that a store raises by mistake may quote a
    secret that cannot be masked, since it was not returned. So its message is neither logged nor
    returned.

    :raises JackfieldError: if the store raises it.
    :raises ValueError: if the store raises it, or returns no string, such as None for a missing
        secret.
    :raises RuntimeError: for any other exception of the store.
    """
    found: object = attempt(contained, store, target, environment)
    if isinstance(found, str):
        return found
    error = (
        found.error
        if isinstance(found, Raised)
        else ValueError(_NO_TEXT.format(kind[:40], type(found).__name__))
    )
    if isinstance(error, (JackfieldError, ValueError)) or exhausted(error) is not None:
        raise error
    raise RuntimeError(f"what resolves '{kind[:40]}' raised {type(error).__name__}").with_traceback(
        error.__traceback__
    )


def _brought_by(name: str) -> str:
    """Return the end of a sentence that names jackfield's package with a secret store, for users
    who have not installed it.
    """
    if "." in name:  # a type of Dapr's
        return ""
    try:
        package, command = package_of(_STORES, name)
    except KeyError:
        return ""
    return f"; the package {package} does: {command}"


def secret_store(name: str) -> SecretStore | None:
    """Import the secret store that an installed package declares under a name; return None if none
    does.

    :raises ValueError: if the store cannot be imported, or two packages declare it.
    """
    try:
        found: SecretStore | None = declared(_STORES, name)
    except BrokenPart as error:
        raise ValueError(str(error)) from None
    return found


def _is_encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def refuse_references(values: Mapping[str, Any], folder: str, rules: ReferenceRules) -> None:
    """Refuse secret references in ``values`` that ``rules`` do not allow.

    :raises InvalidConnection: with a detail for each refused reference.
    """
    faults = [
        (path, rules.fault(kind, target, folder)) for path, kind, target in references(values)
    ]
    details = [Detail(path, fault) for path, fault in faults if fault is not None]
    if details:
        which = (
            "secret references"
            if len(details) == len(faults)
            else f"{len(details)} of its secret references"
        )
        raise InvalidConnection(
            f"the connection is not allowed to use {which}",
            details=details,
            hint=allowed_by("allowReferences"),
        )
