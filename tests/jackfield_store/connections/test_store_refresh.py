"""A secret that the provider refuses is read anew from where it is kept; leases and clients follow
it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_vault.vault_server import VaultServer

from clocks import FakeClock
from jackfield import Jackfield
from jackfield.connections.secret_references import YOUNG
from plugboard import make_echo, plugged

pytestmark = pytest.mark.above_sql

REFERENCE = {"$vault": {"path": "hall", "field": "token"}}


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    """A Vault with the hall's token."""
    with VaultServer() as server:
        server.secrets["secret/hall"] = [{"token": "old"}]
        yield server


@pytest.fixture
def jackfield(vault: VaultServer, clock: FakeClock, tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime whose connection refers to Vault."""
    connections = {"hall": {"type": "echo/token", "values": {"token": REFERENCE}}}
    with (
        plugged(*make_echo(tmp_path / "plugs")),
        Jackfield(
            connections=[connections],
            database_url="none",
            clock=clock,
            environment=vault.environment(),
        ) as made,
    ):
        yield made


def say(jackfield: Jackfield, **inputs: Any) -> Any:
    """Say something over the connection."""
    return jackfield.invoke(
        {
            "connector": "echo",
            "action": "say",
            "connection": "hall",
            "inputs": {"text": "Hi", **inputs},
        }
    )


def test_a_refused_secret_is_read_anew(
    jackfield: Jackfield, vault: VaultServer, clock: FakeClock
) -> None:
    """After ``unauthenticated`` the next invocation reads the secret again; other failures change
    nothing.
    """
    assert say(jackfield).status == "succeeded"
    vault.secrets["secret/hall"].append({"token": "rotated"})
    clock.advance(YOUNG)
    assert say(jackfield, fault={"kind": "rejected"}).error.code == "rejected"
    assert say(jackfield).status == "succeeded"
    assert len(vault.reads) == 1
    assert say(jackfield, fault={"kind": "unauthenticated"}).error.code == "unauthenticated"
    assert say(jackfield).status == "succeeded"
    assert len(vault.reads) == 2


def test_a_wrong_key_does_not_hammer(jackfield: Jackfield, vault: VaultServer) -> None:
    """However often the provider refuses, the secret is read at most each ten seconds."""
    for _ in range(5):
        assert say(jackfield, fault={"kind": "unauthenticated"}).error.code == "unauthenticated"
    assert len(vault.reads) == 1


def test_a_test_reads_anew(jackfield: Jackfield, vault: VaultServer, clock: FakeClock) -> None:
    """A connection test asks with what is kept there now, not with what was."""
    assert jackfield.connections.test("hall")["status"] == "ok"
    vault.secrets["secret/hall"].append({"token": "bad"})
    clock.advance(YOUNG)
    assert jackfield.connections.test("hall")["status"] == "failing"


def test_vault_is_down(jackfield: Jackfield, vault: VaultServer) -> None:
    """A secret store that gives no answer now is ``unavailable``, asked again within the deadline,
    and named with the secret's place.
    """
    vault.status = 503
    error = say(jackfield).error
    assert (error.code, [(detail.path, detail.message) for detail in error.details]) == (
        "unavailable",
        [("/token", "Vault is sealed or in maintenance")],
    )
