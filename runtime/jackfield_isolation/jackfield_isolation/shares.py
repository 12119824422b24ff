"""Limits of this process's resources that a child may use: frames per call, and leases per
connection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from jackfield.connector.context import Minted
from jackfield_isolation.wire import Garbage

LARGEST_VALUE = 64 * 1024
"""Maximum weight, in bytes, of a value stored for a child: a lease, a grant, or the state of an
authorization in progress.
"""
MOST_SECRETS = 8
"""Maximum number of secrets in one lease or grant."""
MOST_LEASES = 64
LARGEST_LEASES = 1024 * 1024
MOST_LEASED_SECRETS = 128
"""Maximum number of secrets in the leases of one connection: each text of an answer is searched for
each secret.
"""
_LONGEST_KEY = 1000
_LONGEST_SECRET = 16 * 1024
_PER_SECRET = 512
"""Number of characters of a secret that cost a search as much as another secret."""
_PER_PART = 64
"""Bytes counted for each part of a value in addition to its text."""
_MOST_FRAMES = 100_000
_LARGEST_FRAMES = 64 * 1024 * 1024
"""Maximum total size of one call's frames, in bytes, without pieces of files and the answer."""
_OF_PIECE = frozenset({"id", "piece"})
_MOST: Mapping[str, int] = {
    "begin": 5000,
    "answered": 5000,
    "returned": 5000,
    "refusal": 5000,
    "warning": 100,
    "lease": 1000,
    "minted": MOST_LEASES,
    "unminted": MOST_LEASES,
    "drop": 100,
    "grant": 100,
    "dial": 1000,
    "key": 100,
    "entered": 100,
    "file": 1000,
    "event": 10_000,
}
"""Maximum number of frames of one call, by the member that gives their kind."""


def weight(value: object) -> int:
    """Return an estimate of a JSON value's size in memory, in bytes."""
    text = json.dumps(value, ensure_ascii=False)
    return len(text) + _PER_PART * sum(map(text.count, ",[{"))


def bounded(value: Any, what: str, limit: int = LARGEST_VALUE) -> Any:
    """Return ``value`` unchanged, if it is small enough.

    :raises Garbage: if it weighs more than ``limit`` bytes.
    """
    if (found := weight(value)) > limit:
        raise Garbage(f"{what} of {found:,} bytes, where {limit:,} are allowed")
    return value


class CallShare:
    """Limits of one call: the frames that its child may still send about it."""

    def __init__(self) -> None:
        self._frames = self._bytes = 0
        self._seen: Counter[str] = Counter()

    def take(self, frame: Mapping[str, Any], size: int) -> None:
        """Count a frame of ``size`` bytes.

        :raises Garbage: if the frame exceeds a limit.
        """
        self._frames += 1
        if self._frames > _MOST_FRAMES:
            raise Garbage(f"more than {_MOST_FRAMES:,} frames about one call")
        if not frame.keys() <= _OF_PIECE:  # whoever stores files limits their sizes
            self._bytes += size
        if self._bytes > _LARGEST_FRAMES:
            raise Garbage(f"questions of more than {_LARGEST_FRAMES:,} bytes about one call")
        for name in frame:
            limit = _MOST.get(name)
            if limit is not None:
                self._seen[name] += 1
                if self._seen[name] > limit:
                    raise Garbage(f"more than {limit:,} frames '{name}' about one call")


class LeaseShare:
    """Limits on the number and size of the leases that are held for one connection's child process.
    ``is_held`` returns whether a lease is still held.
    """

    def __init__(self, is_held: Callable[[str], bool]) -> None:
        self._is_held = is_held
        self._weights: dict[str, tuple[int, int]] = {}

    def ask(self, key: str) -> None:
        """Reserve a place for the lease ``key``.

        :raises Garbage: if the key is too long, or there are too many leases.
        """
        if len(key) > _LONGEST_KEY:
            raise Garbage(f"a lease's name of {len(key):,} characters")
        self._weights = {
            known: found for known, found in list(self._weights.items()) if self._is_held(known)
        }
        if key not in self._weights and len(self._weights) >= MOST_LEASES:
            raise Garbage(f"more than {MOST_LEASES} leases of one connection")

    def take(self, key: str, minted: Minted) -> None:
        """Count the lease under ``key`` from now on.

        :raises Garbage: if the lease, or all leases together, are too large.
        """
        secrets = checked_secrets(minted.secrets)
        found = weight(bounded(minted.value, "a lease")) + sum(map(len, secrets))
        others = {known: one for known, one in list(self._weights.items()) if known != key}
        if found + sum(one[0] for one in others.values()) > LARGEST_LEASES:
            raise Garbage(f"leases of more than {LARGEST_LEASES:,} bytes for one connection")
        cost = sum(1 + len(one) // _PER_SECRET for one in secrets)
        if cost + sum(one[1] for one in others.values()) > MOST_LEASED_SECRETS:
            raise Garbage(f"leases with more than {MOST_LEASED_SECRETS} secrets for one connection")
        self._weights[key] = (found, cost)


def checked_secrets(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the secrets of a lease or grant unchanged.

    :raises Garbage: if there are too many secrets, or one is too long.
    """
    if len(secrets) > MOST_SECRETS or any(len(one) > _LONGEST_SECRET for one in secrets):
        raise Garbage(
            f"a credential with more than {MOST_SECRETS} secrets, or one of more than "
            f"{_LONGEST_SECRET:,} characters"
        )
    return secrets
