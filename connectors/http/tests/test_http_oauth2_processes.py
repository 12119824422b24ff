"""Rotated refresh tokens, against a scripted authorization server: one refresh for many processes,
and processes that are killed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import Unavailable
from jackfield_market.testing.loopback_provider import Provider
from jackfield_store.database import Transaction, open_database
from jackfield_store.runtime import Jackfield
from oauth2_people import LOST, Asking, Authority, approve, ask, connect, expire, people
from postgres import database_url, postgres_database, postgres_server, postgres_url

pytest_plugins = ["warm"]
__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]

_PATIENCE = 120.0
_REVOKED = "the provider no longer accepts it"
_DEATHS = {
    "before-the-request-is-recorded": ("before begin", False, "refresh-1"),
    "before-the-request": ("after begin", False, "refresh-1"),
    "before-the-answer": ("", True, "refresh-1"),
    "before-the-commit": ("before rotate", True, "refresh-1"),
    "after-the-commit": ("after rotate", False, "refresh-2"),
}
"""Where a process dies: the step, whether it has lost a token then, and the token that the next one
sends.
"""


@pytest.fixture
def authority() -> Authority:
    """An authorization server that accepts a used refresh token once more."""
    return Authority()


@pytest.fixture
def server(authority: Authority) -> Iterator[Provider]:
    """It, on loopback."""
    with Provider(authority) as found:
        yield found


@pytest.mark.usefixtures("warm_python")
def test_two_processes_of_many_threads_refresh_once(
    tmp_path: Path, database_url: str, authority: Authority, server: Provider
) -> None:
    """Two dozen callers in two processes that find an expired token make one refresh, and all
    succeed.
    """
    open_database(database_url, migrate=True).close()
    with people(tmp_path, database_url) as runtime:
        connect(runtime, server)
        assert ask(runtime)["status"] == "succeeded"
        expire(runtime)
        started = threading.Event()
        authority.reached = lambda: started.wait(_PATIENCE)
        before = len(authority.asked)
        processes = [Asking(tmp_path, database_url, number, threads=12) for number in range(2)]
        assert [process.hear() for process in processes] == ["ready"] * 2
        for process in processes:
            process.tell()
        assert [process.hear() for process in processes] == ["started"] * 2
        started.set()
        assert [process.hear() for process in processes] == [["succeeded"] * 12] * 2
        assert [process.end() for process in processes] == [0, 0]
        assert len(authority.asked) - before == 1


@pytest.mark.parametrize(
    ("dies_at", "lost", "next_token", "forgives"),
    [
        # whether a used token is accepted once more matters only to a process that has lost the new
        # one
        pytest.param(
            *death,
            forgives,
            id=f"{name}-{grace}",
            marks=pytest.mark.campaign if forgives and not death[1] else (),
        )
        for name, death in _DEATHS.items()
        for forgives, grace in ((True, "with-grace"), (False, "strict"))
    ],
)
def test_a_killed_process_loses_no_token_that_could_be_kept(
    tmp_path: Path,
    authority: Authority,
    server: Provider,
    dies_at: str,
    lost: bool,
    next_token: str,
    forgives: bool,
    request: pytest.FixtureRequest,
) -> None:
    """The next process goes on with the stored token. Only if the provider had used that up and
    accepts it no more, a person must connect again: the connection then says so, and sends nothing
    further.
    """
    if dies_at:  # it kills itself: who is killed from outside has to be a process of its own
        request.getfixturevalue("warm_python")
    authority.forgives = forgives
    database_url = f"sqlite:///{tmp_path}/j.db"
    with people(tmp_path, database_url) as runtime:
        connect(runtime, server)
        process = Asking(tmp_path, database_url, 1, dies_at=dies_at)
        if not dies_at:
            authority.reached = process.process.kill
        assert process.hear() == "ready"
        process.tell()
        assert process.end() == -signal.SIGKILL
        authority.reached = lambda: None
        expire(runtime)
        first, second = ask(runtime), ask(runtime)
        assert authority.asked[1 if lost or dies_at == "after rotate" else 0 :] == [next_token]
        found = runtime.connections.show("ada")["authorization"]
        if not lost or forgives:
            assert (first["status"], second["status"], found["status"]) == (
                "succeeded",
                "succeeded",
                "granted",
            )
            return
        assert {first["error"]["code"], second["error"]["code"]} == {"invalid_connection"}
        assert "connect" in first["error"]["hint"]
        assert (found["status"], found["reason"]) == ("ended", LOST)
        approve(runtime)
        assert ask(runtime)["status"] == "succeeded"


def test_a_rotated_token_is_stored_although_the_access_token_is_of_no_use(
    tmp_path: Path, authority: Authority, server: Provider
) -> None:
    """An answer with an access token that cannot be used still replaces the refresh token."""
    with people(tmp_path, f"sqlite:///{tmp_path}/j.db") as runtime:
        connect(runtime, server)
        authority.extra = {"token_type": "mac"}
        assert ask(runtime)["error"]["code"] == "unavailable"
        authority.extra = {}
        assert ask(runtime)["status"] == "succeeded"
        assert authority.asked == ["refresh-1", "refresh-2"]


def test_a_revoked_grant_is_told_from_a_lost_answer(
    tmp_path: Path, authority: Authority, server: Provider
) -> None:
    """After refreshes that were answered, a refusal means that somebody has ended the grant."""
    with people(tmp_path, f"sqlite:///{tmp_path}/j.db") as runtime:
        connect(runtime, server)
        assert ask(runtime)["status"] == "succeeded"
        expire(runtime)
        _forget(runtime)
        authority.good.clear()
        assert ask(runtime)["error"]["code"] == "invalid_connection"
        assert runtime.connections.show("ada")["authorization"]["reason"] == _REVOKED


def test_rotated_tokens_wait_for_the_database(
    tmp_path: Path, authority: Authority, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is unavailable when the answer arrives gets the rotated token once it is
    back: it exists nowhere else.
    """
    with people(tmp_path, f"sqlite:///{tmp_path}/j.db") as runtime:
        connect(runtime, server)
        change = Transaction.change
        failures = iter([Unavailable("the database is restarting")] * 3)

        def broken(self: Transaction, statement: str, *given: object) -> int:
            error = next(failures, None) if "UPDATE grants SET sealed" in statement else None
            if error is not None:
                raise error
            return change(self, statement, *given)  # type: ignore[arg-type]

        monkeypatch.setattr(Transaction, "change", broken)
        assert ask(runtime)["status"] == "succeeded"
        expire(runtime)
        _forget(runtime)
        assert ask(runtime)["status"] == "succeeded"
        assert authority.asked == ["refresh-1", "refresh-2"]


def test_a_late_answer_replaces_no_newer_token(
    tmp_path: Path, authority: Authority, server: Provider
) -> None:
    """A process that was stopped during its refresh does not overwrite the tokens that another one
    has stored meanwhile.
    """
    with people(tmp_path, f"sqlite:///{tmp_path}/j.db") as runtime:
        connect(runtime, server)
        store: Any = runtime.connections.known.store
        table, identifier = store.approvals[0], str(store.show("ada").id)
        used = table.find(identifier, "ada")
        assert ask(runtime)["status"] == "succeeded"
        newer = table.find(identifier, "ada")
        table.rotate(
            identifier, used, type(used)({"refreshToken": "late"}, used.scopes, ("late",), used.id)
        )
        table.end(identifier, used, "late")
        assert table.find(identifier, "ada").value == newer.value


def test_a_caller_in_a_hurry_does_not_lose_the_answer(
    tmp_path: Path, authority: Authority, server: Provider
) -> None:
    """A refresh that was sent is waited for although the caller's deadline passes: its answer holds
    the only valid refresh token.
    """
    with people(tmp_path, f"sqlite:///{tmp_path}/j.db") as runtime:
        connect(runtime, server)
        gone = threading.Event()
        authority.reached = lambda: gone.wait(0.6)
        asked = {
            "connector": "people",
            "action": "whoAmI",
            "connection": "ada",
            "inputs": {},
            "timeoutSeconds": 0.5,
        }
        runtime.invoke(asked)
        authority.reached = lambda: None
        expire(runtime)
        _forget(runtime)
        assert ask(runtime)["status"] == "succeeded"
        assert authority.asked[-1] == f"refresh-{len(authority.asked)}"


def _forget(runtime: Jackfield) -> None:
    """Drop the access token that this process holds."""
    for cache in runtime.open_connections._stored._caches.values():
        cache._held.clear()
