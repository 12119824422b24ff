"""What references point to elsewhere is kept for a short time, read once for all who wait, and read
again when it is refused.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_vault.vault_server import VaultServer

from clocks import FakeClock
from jackfield.connections.secret_references import (
    LIFE,
    LIMIT,
    YOUNG,
    SecretCache,
    Secrets,
    reference_paths,
    references,
)
from jackfield.kernel.errors import InvalidConnection
from plugboard import provided


class Safe:
    """A secret store that counts what is read from it."""

    def __init__(self) -> None:
        self.reads: list[Any] = []
        self.secret = "first"

    def read(self, reference: Any, _environment: Mapping[str, str]) -> str:
        """The secret."""
        self.reads.append(reference)
        if reference == "locked":
            raise ValueError("the safe is locked")
        return self.secret


def test_it_is_read_once(clock: FakeClock, safe: Safe, secrets: Secrets) -> None:
    """A secret is read once in five minutes, however many ask; then it is read again."""
    values = {"token": {"$safe": {"drawer": 1}}}
    for _ in range(5):
        assert secrets.resolve(values, ".") == {"token": "first"}
    safe.secret = "second"
    clock.advance(LIFE - 1)
    assert secrets.resolve(values, ".") == {"token": "first"}
    clock.advance(2)
    assert secrets.resolve(values, ".") == {"token": "second"}
    assert safe.reads == [{"drawer": 1}] * 2


def test_what_is_refused_is_read_again(clock: FakeClock, safe: Safe, secrets: Secrets) -> None:
    """After the provider refused it, a secret is read again, but not more often than each ten
    seconds; others stay.
    """
    values, other = {"token": {"$safe": 1}, "list": [{"$safe": 2}]}, {"token": {"$safe": 3}}
    secrets.resolve(values, ".")
    secrets.resolve(other, ".")
    secrets.forget(values)
    secrets.resolve(values, ".")
    assert safe.reads == [1, 2, 3]
    clock.advance(YOUNG)
    secrets.forget(values)
    secrets.resolve(values, ".")
    secrets.resolve(other, ".")
    assert safe.reads == [1, 2, 3, 1, 2]


def test_a_failure_is_not_kept(safe: Safe, secrets: Secrets) -> None:
    """What cannot be read is told with its place and tried again the next time."""
    for _ in range(2):
        with pytest.raises(InvalidConnection) as caught:
            secrets.resolve({"token": {"$safe": "locked"}}, ".")
        assert [(detail.path, detail.message) for detail in caught.value.details] == [
            ("/token", "the safe is locked")
        ]
    assert safe.reads == ["locked", "locked"]


def test_kinds_that_nobody_knows(secrets: Secrets) -> None:
    """A reference of a kind that no package declares is told as that."""
    with pytest.raises(InvalidConnection) as caught:
        secrets.resolve({"token": {"$unknown": "x"}, "other": {"$safe": "x"}}, ".")
    assert [(detail.path, detail.message) for detail in caught.value.details] == [
        ("/token", "nothing installed resolves the reference '$unknown'")
    ]


def test_the_environment_is_read_each_time() -> None:
    """Variables and files are not kept: they cost nothing."""
    environment = {"TOKEN": "a"}
    secrets = Secrets(environment)
    assert secrets.resolve({"token": {"$env": "TOKEN"}}, ".") == {"token": "a"}
    environment["TOKEN"] = "b"
    assert secrets.resolve({"token": {"$env": "TOKEN"}}, ".") == {"token": "b"}


def test_vault_is_kept_too(clock: FakeClock) -> None:
    """What Vault gives is kept as what other stores give."""
    with VaultServer() as vault:
        vault.secrets["secret/a"] = [{"b": "x"}]
        secrets = Secrets(vault.environment(), clock)
        for _ in range(3):
            assert secrets.resolve({"token": {"$vault": {"path": "a", "field": "b"}}}, ".") == {
                "token": "x"
            }
        assert len(vault.reads) == 1


def test_references_are_found_everywhere() -> None:
    """References are found in objects and arrays, with what they name."""
    values = {
        "a": {"$env": "A"},
        "b": {"c/d": [{"$file": "f"}, "x"]},
        "e": {"$two": 1, "members": 2},
    }
    assert list(references(values)) == [("/a", "$env", "A"), ("/b/c~1d/0", "$file", "f")]
    assert list(reference_paths(values)) == ["/a", "/b/c~1d/0"]


def test_the_limit(clock: FakeClock) -> None:
    """No more than 1,000 secrets are kept; the one that was not asked for the longest goes
    first.
    """
    kept = SecretCache(clock)
    for number in range(LIMIT):
        kept.find("$safe", number, lambda: "x")
    kept.find("$safe", 0, lambda: "y")
    kept.find("$safe", LIMIT, lambda: "x")
    assert len(kept) == LIMIT
    assert kept.find("$safe", 0, lambda: "z") == "x"
    assert kept.find("$safe", 1, lambda: "z") == "z"
    with pytest.raises(TypeError):
        pickle.dumps(kept)


def test_many_wait_for_one_reading(clock: FakeClock) -> None:
    """Threads that ask for a secret that is being read wait for it; others are not kept waiting."""
    kept, reading, go = SecretCache(clock), threading.Event(), threading.Event()
    counts: list[int] = []

    def slow() -> str:
        counts.append(1)
        reading.set()
        assert go.wait(30)
        return "x"

    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(kept.find("$safe", 1, slow))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert reading.wait(30)
    assert kept.find("$safe", 2, lambda: "y") == "y"
    go.set()
    for thread in threads:
        thread.join()
    assert (found, counts) == (["x"] * 8, [1])


@pytest.fixture
def safe() -> Safe:
    """The store."""
    return Safe()


@pytest.fixture
def secrets(tmp_path: Path, clock: FakeClock, safe: Safe) -> Iterator[Secrets]:
    """Secrets that the store resolves."""
    with provided(tmp_path, "jackfield.secret_stores", {"safe": safe.read}):
        yield Secrets({}, clock)
