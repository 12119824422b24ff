"""A workspace that is purged and made again by its name at once, by whichever process: nothing is
sealed with the key that is gone.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_service.subjects.tenants import Tenants
from jackfield_store.access import Tokens
from jackfield_store.database.faults import RowDamaged
from jackfield_store.files import FileLimits, Files
from jackfield_store.resources.storage import Storage
from jackfield_store.resources.verify import StoredContents
from jackfield_store.runtime import Jackfield

pytest_plugins = ["tests.jackfield_store.connections.store_fixture", "warm"]

_NAME = "acme"
_SAY = {"connector": "echo", "action": "say", "inputs": {}}
_numbers = itertools.count()


class Process:
    """One of several processes on a database, with all that it has cached."""

    def __init__(self, jackfield: Jackfield) -> None:
        self._jackfield = jackfield
        self.storage = jackfield.storage
        self.tenants = self.tenants_of(Actor("cli", "ada"))

    def tenants_of(self, actor: Actor) -> Tenants:
        """Return the workspaces as somebody sees them."""
        clock = SystemClock()
        return Tenants(self.storage, Files(self.storage, FileLimits(), clock), clock, "*", actor)

    def put(self) -> None:
        """Make the workspace, or change a setting of it."""
        self.tenants.put(_NAME, {"retentionDays": next(_numbers) % 30 + 1})

    def purge(self) -> None:
        """Delete it for good."""
        self.tenants.suspend(_NAME)
        self.tenants.purge(_NAME)

    def use(self) -> None:
        """Make a token, a connection and a call, each as a request does: the settings decide
        first.
        """
        storage, number = self.storage, next(_numbers)
        self.tenants.find(_NAME)
        made = Tokens(storage.database, storage.vault, _NAME, SystemClock()).create(
            "invoke", f"t{number}"
        )
        assert (
            Tokens.authenticate(storage.database, storage.vault, SystemClock(), made.text)
            is not None
        )
        self._jackfield.connections.add(
            f"c{number}", "echo/token", {"greeting": "hi", "token": "secret-4711"}, test=False
        )
        result = self._jackfield.invoke(
            {**_SAY, "connection": f"c{number}", "idempotencyKey": f"k{number}"}
        )
        assert result.status == "succeeded", result.error

    def number(self) -> None:
        """Number the events, as the loop of a server does: it opens nothing of the workspace
        first.
        """
        Numbering(self.storage.database, self.storage.vault).run(_NAME)


def damages(url: str) -> list[str]:
    """What somebody who has cached nothing cannot read."""
    with Storage(url, os.environ, SystemClock()) as storage:
        return list(StoredContents(storage.database, lambda: storage.vault).problems())


@pytest.fixture
def processes(open_runtime: Callable[..., Jackfield]) -> list[Process]:
    """Three processes that have the workspace open."""
    return [Process(open_runtime(_NAME)) for _ in range(3)]


@pytest.mark.parametrize("maker", [0, 1])
@pytest.mark.parametrize("purger", [0, 1])
def test_a_workspace_that_is_made_again_at_once_is_readable(
    purger: int, maker: int, processes: list[Process], database_url: str
) -> None:
    """Whoever purges it, and whoever makes it again: all use it, and a process that starts later
    reads all of it.
    """
    for process in processes:
        process.use()
    processes[purger].purge()
    assert damages(database_url) == []
    processes[maker].put()
    processes[maker].use()
    processes[2].number()
    assert damages(database_url) == []
    for process in processes[::-1]:
        process.use()
    assert damages(database_url) == []


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_purges_and_uses_leaves_what_nobody_can_read(
    seed: int, processes: list[Process], database_url: str
) -> None:
    """Steps at random."""
    chance, there = random.Random(seed), True
    for _ in range(25):
        process = chance.choice(processes)
        step = chance.choice(("use", "use", "number", "put", "purge") if there else ("put",))
        getattr(process, step)()
        there = step != "purge"
    processes[0].put()
    for process in processes:
        process.use()
    assert damages(database_url) == []


def test_the_operator_gets_rid_of_a_workspace_that_cannot_be_read(
    processes: list[Process], database_url: str
) -> None:
    """Nothing is allowed in it, so that it need not be suspended; a platform is refused, whose
    rules would go with it.
    """
    process = processes[0]
    process.use()
    with process.storage.database.write() as transaction:
        transaction.change(
            "UPDATE workspaces SET settings = :text WHERE name = :name",
            {"text": "{}", "name": _NAME},
        )
    with pytest.raises(RowDamaged, match="cannot be read"):
        process.tenants_of(Actor("platform", "p")).purge(_NAME)
    assert process.tenants.purge(_NAME)["status"] == "purged"
    processes[1].put()
    processes[2].use()
    assert damages(database_url) == []
