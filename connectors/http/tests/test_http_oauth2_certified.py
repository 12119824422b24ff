"""Rotated refresh tokens at a certified server, which ends a grant whose used token comes again:
one refresh, and killed processes.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield
from oauth2_people import LOST, Asking, ask, expire, people
from oidc_provider import REDIRECT_URI, AuthorizationServer, authorization_server
from postgres import database_url, postgres_database, postgres_server, postgres_url

pytest_plugins = ["warm"]
__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]


@pytest.fixture(scope="module")
def provider() -> Iterator[AuthorizationServer]:
    """One authorization server for all tests."""
    with authorization_server() as found:
        yield found


def approve(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """Ada approves in a browser."""
    begun = runtime.connections.authorizing().begin("ada", REDIRECT_URI)
    runtime.connections.authorizing().complete(
        begun["id"], provider.browser().approve(begun["url"])
    )


def connect(runtime: Jackfield, provider: AuthorizationServer) -> None:
    """Store the connection ``ada``, and have it approved."""
    runtime.connections.add("ada", "people/oauth2AuthorizationCode", provider.values(), test=False)
    approve(runtime, provider)


@pytest.mark.campaign  # the scripted server's test of the same name runs with fewer threads
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_two_processes_of_many_threads_refresh_once(
    tmp_path: Path, database_url: str, provider: AuthorizationServer
) -> None:
    """A hundred callers in two processes that find an expired token make one refresh; with a second
    one the server would end the grant.
    """
    open_database(database_url, migrate=True).close()
    with people(tmp_path, database_url) as runtime:
        connect(runtime, provider)
        assert ask(runtime)["status"] == "succeeded"
        expire(runtime)
        before = provider.count("/token")
        processes = [Asking(tmp_path, database_url, number, threads=50) for number in range(2)]
        assert [process.hear() for process in processes] == ["ready"] * 2
        for process in processes:
            process.tell()
        assert [process.hear() for process in processes] == ["started"] * 2
        assert [process.hear() for process in processes] == [["succeeded"] * 50] * 2
        assert [process.end() for process in processes] == [0, 0]
        assert provider.count("/token") - before == 1


_DEATHS = {
    "before-the-request-is-recorded": ("before begin", False),
    "before-the-request": ("after begin", False),
    "before-the-commit": ("before rotate", True),
    "after-the-commit": ("after rotate", False),
}


@pytest.mark.usefixtures("warm_python")  # it kills itself
@pytest.mark.parametrize(
    ("database_url", "dies_at", "lost"),
    [
        # the statements are the same on both: one death at each place, alternately
        pytest.param(
            store,
            *death,
            id=f"{store}-{name}",
            marks=() if number % 2 == place else pytest.mark.campaign,
        )
        for place, store in enumerate(("sqlite", "postgresql"))
        for number, (name, death) in enumerate(_DEATHS.items())
    ],
    indirect=["database_url"],
)
def test_a_killed_process_loses_no_token_that_could_be_kept(
    tmp_path: Path, database_url: str, provider: AuthorizationServer, dies_at: str, lost: bool
) -> None:
    """Only the death between the server's answer and its commit costs the approval: that answer
    held the only token which this server accepts. The connection says so, sends nothing more, and
    works after it is connected again.
    """
    open_database(database_url, migrate=True).close()
    with people(tmp_path, database_url) as runtime:
        connect(runtime, provider)
        process = Asking(tmp_path, database_url, 1, dies_at=dies_at)
        assert process.hear() == "ready"
        process.tell()
        assert process.end() == -signal.SIGKILL
        expire(runtime)
        first, state = ask(runtime), runtime.connections.show("ada")["authorization"]
        if not lost:
            assert (first["status"], state["status"]) == ("succeeded", "granted")
            return
        assert (first["error"]["code"], state["status"], state["reason"]) == (
            "invalid_connection",
            "ended",
            LOST,
        )
        assert "connect" in first["error"]["hint"]
        before = provider.count("/token")
        assert ask(runtime)["error"]["code"] == "invalid_connection"
        assert provider.count("/token") == before
        approve(runtime, provider)
        assert ask(runtime)["output"] == {"sub": "ada"}
