"""A call that begins after a change was answered runs on the new state, whichever process made the
change and wherever it was killed.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.jackfield_store.database.changing import Changer, changing

from jackfield.kernel.clock import SystemClock
from jackfield_service.shell.identity.identity import Identities
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.management.visible_connections import table_of
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield

pytest_plugins = ["tests.jackfield_store.connections.store_fixture", "warm"]


def said(jackfield: Jackfield, connection: str | None) -> str:
    """What a call over a connection, or over the only one that fits, says; else the code of its
    error.
    """
    named = {} if connection is None else {"connection": connection}
    result = jackfield.invoke({"connector": "echo", "action": "say", "inputs": {}, **named})
    return result.error.code if result.error is not None else str((result.output or {})["text"])


@dataclass(frozen=True)
class Seen:
    """What calls depend on: greetings by name, whether the rules forbid the call, and which tokens
    are valid.
    """

    greetings: dict[str, str]
    blocked: bool
    tokens: frozenset[str]

    def says(self, name: str | None) -> str:
        """What a call must say."""
        if self.blocked:
            return "not_allowed"
        if name is None:
            return (
                next(iter(self.greetings.values()))
                if len(self.greetings) == 1
                else "invalid_invocation"
            )
        return self.greetings.get(name, "unknown_connection")


def truth(url: str, texts: list[str]) -> Seen:
    """What is in the database, read by somebody who keeps nothing."""
    with Storage(url, os.environ, SystemClock()) as storage:
        table = table_of(storage.connections((), "default"))
        assert table is not None
        stored = [table.find(row.name) for row in table.list()]
        rules = (
            Workspaces(storage.database, storage.vault, SystemClock())
            .find("default")
            .settings.rules
        )
        valid = [
            text
            for text in texts
            if Tokens.authenticate(storage.database, storage.vault, SystemClock(), text) is not None
        ]
        return Seen(
            {item.name: item.values["greeting"] for item in stored if item is not None},
            bool(rules.block),
            frozenset(valid),
        )


class Scene:
    """A runtime that calls without pause, and the process that changes what its calls depend on."""

    def __init__(
        self, url: str, jackfield: Jackfield, changer: Changer, chance: random.Random
    ) -> None:
        self._url, self._jackfield, self._changer, self._chance = url, jackfield, changer, chance
        self._identities = Identities(jackfield.storage, SystemClock(), None)
        self._texts: list[str] = []
        self._turn = 0

    def call(self) -> tuple[dict[str | None, str], frozenset[str]]:
        """What calls say now, and which tokens are valid."""
        said_over = {name: said(self._jackfield, name) for name in ("hall", "door", None)}
        return said_over, frozenset(
            text for text in self._texts[-2:] if self._identities.find(text) is not None
        )

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Call in other threads all the time, so that something is always being read."""
        over, failed = threading.Event(), []

        def go_on() -> None:
            try:
                # calls without a pause would leave no time to the changes
                while not over.wait(0.005):
                    self.call()
            except BaseException as error:  # noqa: BLE001 (raised by who waits)
                failed.append(error)

        threads = [threading.Thread(target=go_on) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not failed, failed

    def change(self, kind: str, dies: str | None) -> None:
        """Make one change of a kind, and compare what a call that begins then finds with what is
        there.
        """
        now, self._turn = truth(self._url, self._texts[-2:]), self._turn + 1
        about: dict[str, Any] = {"name": "door", "greeting": f"turn {self._turn}"}
        if kind == "connection":
            about["kind"] = (
                self._chance.choice(["remove", "replace"]) if "door" in now.greetings else "add"
            )
        elif kind == "value":
            about |= {"kind": "replace", "name": "hall" if "hall" in now.greetings else "gate"}
        elif kind == "name":
            about |= {"kind": "rename", "name": "hall", "to": "gate"}
            about |= {} if "hall" in now.greetings else {"name": "gate", "to": "hall"}
        elif kind == "rules":
            about |= {
                "kind": "set",
                "settings": {"rules": {"block": [] if now.blocked else ["echo/say"]}},
            }
        else:
            about["kind"] = "revoke" if now.tokens else "create"
            about["name"] = next((self._identifier(text) for text in now.tokens), "")
        text = self._changer.change(about.pop("kind"), dies=dies, **about)
        if text:
            self._texts.append(text)
        says, tokens = self.call()
        there = truth(self._url, self._texts[-2:])
        assert says == {name: there.says(name) for name in says}, (kind, dies, self._turn)
        assert tokens == there.tokens, (kind, dies, self._turn)

    def _identifier(self, text: str) -> str:
        found = self._identities.find(text)
        assert found is not None
        return found.id


KINDS = ("connection", "value", "name", "rules", "token")


def changed_under_calls(
    url: str, open_runtime: Callable[..., Jackfield], turns: int, deaths: int
) -> None:
    """Change each kind ``turns`` times while calls go on; the writer of each ``deaths``-th change
    is killed before or after its commit.
    """
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    jackfield = open_runtime(connections=())
    with changing(url, os.environ) as changer:
        changer.change("add", name="hall", greeting="turn 0")
        scene = Scene(url, jackfield, changer, chance)
        with scene.calling():
            for turn in range(turns * len(KINDS)):
                dies = (
                    chance.choice(["committed", "uncommitted"])
                    if turn % deaths == deaths - 1
                    else None
                )
                scene.change(KINDS[turn % len(KINDS)], dies)


@pytest.mark.above_sql
@pytest.mark.usefixtures("warm_python")
def test_no_call_begins_on_the_old_state(
    database_url: str, open_runtime: Callable[..., Jackfield]
) -> None:
    """Connections, their values and names, rules and tokens, changed by another process under
    calls; some writers are killed.
    """
    changed_under_calls(database_url, open_runtime, 2, 3)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_no_call_begins_on_the_old_state_in_a_thousand_changes(
    database_url: str, open_runtime: Callable[..., Jackfield]
) -> None:
    """The same a thousand times for each kind."""
    changed_under_calls(database_url, open_runtime, 1000, 7)


def test_a_server_that_cannot_be_reached_fails_calls_as_results() -> None:
    """A call asks the database first whether anything has changed: where there is none, that is a
    Result, never an exception.
    """
    with Jackfield(
        database_url="postgresql://nobody@127.0.0.1:1/none?connect_timeout=5"
    ) as jackfield:
        invocation = {"connector": "echo", "action": "say", "inputs": {}}
        for result in (jackfield.invoke(invocation), asyncio.run(jackfield.ainvoke(invocation))):
            assert result.error is not None
            assert result.error.code == "unavailable"
