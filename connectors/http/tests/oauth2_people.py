"""A connector whose users approve at a scripted authorization server that rotates refresh tokens,
and processes that use it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from inmemory import installed
from jackfield.connector import ConnectionType, Connector, Inputs, Output
from jackfield.testing import Answer, Request
from jackfield_http import HttpClient, OAuth2AuthorizationCode
from jackfield_market.testing.loopback_provider import Provider
from jackfield_store.connections import shared_leases
from jackfield_store.connections.grants import GrantTable
from jackfield_store.runtime import Jackfield

_SUPPORT = Path(__file__).parents[3] / "tests" / "support"
_PATIENCE = 120.0
LOST = (
    "a refresh was interrupted before its answer was stored, and the provider does not "
    "accept the previous refresh token again"
)
"""Why a grant has ended whose only valid refresh token was in an answer that nobody stored."""


class Nothing(Inputs):
    """Nothing."""


class Person(Output):
    """Who has approved."""

    sub: str


def make_connector(*types: type[ConnectionType]) -> Connector:
    """A connector with one action, which asks the provider whose token it has, over connections of
    these types: of the authorization code by default.
    """
    connector = Connector(
        "people",
        title="People",
        version="1.0.0",
        connections=[*(types or (OAuth2AuthorizationCode,))],
    )

    @connector.action("whoAmI", effect="read")
    def who_am_i(inputs: Nothing, api: HttpClient) -> Person:
        """Ask."""
        return Person(sub=api.get("/me").json("/sub"))

    return connector


@dataclass
class Authority:
    """Authorization server that rotates. A strict one ends the grant when a used refresh token
    comes again; another forgives once.

    ``reached`` is called when a refresh has been done and its answer is still to be sent.
    """

    forgives: bool = True
    asked: list[str] = field(default_factory=list)
    good: dict[str, int] = field(default_factory=dict)
    issued: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
    reached: Callable[[], object] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer one request."""
        if request.path != "/token":
            return Answer({"sub": "ada"})
        form = dict(parse_qsl(request.body.decode()))
        with self.lock:
            if form["grant_type"] == "refresh_token":
                token = form["refresh_token"]
                self.asked.append(token)
                if not self.good.get(token):
                    self.good.clear()
                    return Answer(
                        {
                            "error": "invalid_grant",
                            "error_description": "the refresh token was used before",
                        },
                        400,
                    )
                self.good[token] -= 1
            self.issued += 1
            self.good[f"refresh-{self.issued}"] = 2 if self.forgives else 1
            # too short to be used: the first call refreshes
            lasts = 3600 if form["grant_type"] == "refresh_token" else 30
            answer = Answer(
                {
                    "access_token": f"access-{self.issued}",
                    "refresh_token": f"refresh-{self.issued}",
                    "expires_in": lasts,
                    **self.extra,
                }
                | {"token_type": self.extra.get("token_type", "Bearer")}
            )
        if form["grant_type"] == "refresh_token":
            self.reached()
        return answer


@contextmanager
def people(folder: Path, database_url: str, catalog_in: str = "catalog") -> Iterator[Jackfield]:
    """A runtime with the connector. Each process has a catalog of its own."""
    with (
        installed(folder / catalog_in, make_connector()) as catalog,
        Jackfield(
            catalog=catalog, database_url=database_url, environment={"JACKFIELD_HOME": str(folder)}
        ) as found,
    ):
        yield found


def connect(runtime: Jackfield, server: Provider) -> None:
    """Store the connection ``ada``, and have it approved."""
    values = {
        "server": server.url,
        "authorizationUrl": f"{server.url}/auth",
        "tokenUrl": f"{server.url}/token",
        "clientId": "web",
    }
    runtime.connections.add("ada", "people/oauth2AuthorizationCode", values, test=False)
    approve(runtime)


def approve(runtime: Jackfield, name: str = "ada") -> None:
    """Have the connection approved, at first or again."""
    begun = runtime.connections.authorizing().begin(
        name, "https://jackfield.example/oauth2/callback"
    )
    state = dict(parse_qsl(urlsplit(begun["url"]).query))["state"]
    runtime.connections.authorizing().complete(begun["id"], {"state": state, "code": "a-code"})


def ask(runtime: Jackfield) -> dict[str, Any]:
    """Ask who has approved, over the connection."""
    found: dict[str, Any] = runtime.invoke(
        {"connector": "people", "action": "whoAmI", "connection": "ada", "inputs": {}}
    ).to_json()
    return found


def expire(runtime: Jackfield) -> None:
    """Let the access token expire, and the right to refresh it of a process that is dead."""
    with runtime.storage.database.write() as transaction:
        transaction.change("UPDATE leases SET expires_at = 1, renew_at = 1, held_until = 1", {})


class Asking:
    """Process that asks in many threads at once, when it is told to. ``dies_at`` names the step of
    a rotation at which it kills itself.
    """

    def __init__(
        self, folder: Path, database_url: str, number: int, threads: int = 1, dies_at: str = ""
    ) -> None:
        given = [str(folder), database_url, str(number), str(threads), dies_at]
        environment = {**os.environ, "PYTHONPATH": str(_SUPPORT), "JACKFIELD_HOME": str(folder)}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def hear(self) -> Any:
        """Wait for the next thing that it says."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline() or "null")

    def tell(self) -> None:
        """Tell it to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Wait for its end and return its status."""
        self.process.communicate(timeout=_PATIENCE)
        return self.process.returncode


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(step: str) -> None:
    """Replace a step of the rotation by the process's death, before it or after it."""
    when, _, name = step.partition(" ")
    whole = getattr(GrantTable, name)

    def dies(*given: Any) -> None:
        if when == "after":
            whole(*given)
        _die()

    setattr(GrantTable, name, dies)


def _say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def _main(folder: str, database_url: str, number: str, threads: str, dies_at: str) -> None:
    # a process that is slow beside others is not taken for a dead one
    shared_leases.HELD = _PATIENCE
    if dies_at:
        _dying(dies_at)
    with people(Path(folder), database_url, f"catalog-{number}") as runtime:
        found: list[str] = []
        crowd = [
            threading.Thread(target=lambda: found.append(ask(runtime)["status"]))
            for _ in range(int(threads))
        ]
        _say("ready")
        sys.stdin.readline()
        for thread in crowd:
            thread.start()
        _say("started")
        for thread in crowd:
            thread.join()
        _say(found)


if __name__ == "__main__":
    _main(*sys.argv[1:])
