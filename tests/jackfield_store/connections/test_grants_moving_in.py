"""Grants that exist elsewhere: taken without a new approval, refreshed once, sent to their own
server only, and exported encrypted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

import pyrage
import pytest

from jackfield import Jackfield
from jackfield.callers.actor import Actor
from jackfield.connections.provenance import Provenance
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidConnection
from jackfield.testing import Answer, Request
from jackfield_market.testing.loopback_provider import Provider
from jackfield_store.management.moving_in import Choices
from jackfield_store.management.oauth_clients import oauth_clients
from jackfield_store.runtime import stored
from postgres import database_url, postgres_database, postgres_server, postgres_url

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
CLIENT_SECRET = "client-secret-4711-of-the-operator"


@dataclass
class Issuer:
    """Authorization server that knows ``number`` refresh tokens, each good once, and an API that
    knows the access tokens.
    """

    number: int = 0
    refreshed: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer one request."""
        if request.path != "/token":
            bearer = next(
                (
                    value
                    for name, value in request.headers.items()
                    if name.lower() == "authorization"
                ),
                "",
            )
            with self.lock:
                self.asked.append(bearer)
            return (
                Answer({"who": bearer.removeprefix("Bearer access-")})
                if bearer.startswith("Bearer access-")
                else Answer({}, 401)
            )
        token = dict(parse_qsl(request.body.decode()))["refresh_token"]
        with self.lock:
            self.refreshed[token] += 1
            if (
                self.refreshed[token] > 1
                or not token.startswith("refresh-secret-")
                or not token[15:].isdigit()
            ):
                return Answer({"error": "invalid_grant"}, 400)
        return Answer(
            {
                "access_token": f"access-{token[15:]}",
                "refresh_token": f"rotated-secret-{token[15:]}",
                "expires_in": 3600,
            }
        )


def nango(number: int, **more: Any) -> dict[str, Any]:
    """Return a connection as Nango's API shows it with its credentials."""
    return {
        "id": number,
        "created_at": "2026-01-31T12:00:00.000Z",
        "updated_at": "2026-01-31T12:00:00.000Z",
        "provider": "crm-oauth",
        "provider_config_key": "crm",
        "connection_id": f"user-{number}",
        "metadata": {"plan": "pro"},
        "errors": [],
        "connection_config": {"subdomain": "acme"},
        "last_fetched_at": "2026-01-31T12:00:00.000Z",
        "end_user": {
            "id": f"u-{number}",
            "display_name": None,
            "email": None,
            "tags": {},
            "organization": None,
        },
        "credentials": {
            "type": "OAUTH2",
            "access_token": f"stale-secret-{number}",
            "refresh_token": f"refresh-secret-{number}",
            "expires_at": "2026-01-31T13:00:00.000Z",
            "raw": {"scope": "contacts.read contacts.write", "token_type": "bearer"},
        },
        **more,
    }


@dataclass
class Mover:
    """Home of an operator who moves in, with the OAuth client ``crm`` of the issuer."""

    home: Path
    issuer_url: str
    database_url: str

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        values = {
            "clientId": "app",
            "clientSecret": CLIENT_SECRET,
            "server": self.issuer_url,
            "tokenUrl": f"{self.issuer_url}/token",
            "authorizationUrl": f"{self.issuer_url}/authorize",
        }
        with self.runtime() as runtime:
            storage = stored(runtime).storage
            oauth_clients(storage, "default", SystemClock(), Actor("library"), "operator").add(
                "crm", ["127.0.0.1"], values
            )

    def runtime(self) -> Jackfield:
        """Return a runtime on the operator's database."""
        return Jackfield(
            database_url=self.database_url, environment={"JACKFIELD_HOME": str(self.home)}
        )

    def take(self, text: str, form: str) -> list[dict[str, Any]]:
        """Import an export for the client in this process."""
        choices = Choices({"crm": "http/oauth2AuthorizationCode"}, {"crm": "crm"}, source=form)
        with self.runtime() as runtime:
            return list(stored(runtime).connections.moving_in().take(text, choices))

    def write(self, name: str, what: Any) -> Path:
        """Write a file of the operator."""
        path = self.home / name
        path.write_text(what if isinstance(what, str) else json.dumps(what))
        return path

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start the command in a process of its own."""
        environment = {
            **os.environ,
            "JACKFIELD_HOME": str(self.home),
            "JACKFIELD_DATABASE_URL": self.database_url,
        }
        command = [sys.executable, "-m", "jackfield", *words]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str) -> tuple[int, Any, str]:
        """Run the command; return its exit code, its answer and what it says on stderr."""
        return self.end(self.begin(*words))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> tuple[int, Any, str]:
        """Wait for a command."""
        out, err = process.communicate(timeout=300)
        return process.returncode, json.loads(out) if out.strip() else None, err

    def imported(
        self, path: Path, form: str = "nango", *more: str
    ) -> tuple[int, list[dict[str, Any]], str]:
        """Import an export for the client."""
        return self.run(*self.words(path, form, *more))

    def words(self, path: Path, form: str = "nango", *more: str) -> tuple[str, ...]:
        """Return the command that imports an export for the client."""
        chosen = ("--map", "crm=http/oauth2AuthorizationCode", "--client", "crm=crm")
        return ("connections", "import", str(path), "--from", form, *chosen, *more)


def results(rows: list[dict[str, Any]]) -> Mapping[str, int]:
    """Return how many rows have each result."""
    return Counter(row["result"] for row in rows)


__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]

_KIND = "http/oauth2AuthorizationCode"


@pytest.fixture
def issuer() -> Issuer:
    """The server that issued the tokens."""
    return Issuer()


@pytest.fixture
def mover(tmp_path: Path, issuer: Issuer) -> Iterator[Mover]:
    """An operator with an empty database."""
    with Provider(issuer) as server:
        yield Mover(tmp_path / "home", server.url, f"sqlite:///{tmp_path / 'jackfield.db'}")


def _ask(mover: Mover, *names: str) -> list[dict[str, Any]]:
    """Call the provider over connections, many at once."""
    with mover.runtime() as runtime, ThreadPoolExecutor(8) as pool:
        calls = [
            {
                "connector": "http",
                "action": "request",
                "connection": name,
                "inputs": {"url": "/who"},
            }
            for name in names
        ]
        return [result.to_json() for result in pool.map(runtime.invoke, calls)]


def move_many(mover: Mover, issuer: Issuer, count: int) -> dict[str, Any]:
    """Import ``count`` grants by two processes at once, then use each twice; return what was
    seen.
    """
    path = mover.write("nango.json", [nango(number) for number in range(count)])
    both = [mover.begin(*mover.words(path)) for _ in range(2)]
    answers = [mover.end(process) for process in both]
    rows = [row for _, found, _ in answers for row in found]
    before = sum(issuer.refreshed.values())
    names = [f"user-{number}" for number in range(count)]
    used = _ask(mover, *names, *names)
    texts = [
        json.dumps(rows),
        json.dumps(used),
        *(err for _, _, err in answers),
        json.dumps(mover.run("invocations", "list", "--limit", "200")[1]),
    ]
    return {
        "codes": [code for code, _, _ in answers],
        "results": results(rows),
        "before": before,
        "used": used,
        "refreshed": issuer.refreshed,
        "leaks": [text for text in texts if "-secret-" in text],
    }


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.campaign)])
def test_two_processes_import_the_same_export(mover: Mover, issuer: Issuer, count: int) -> None:
    """Each grant becomes one connection, is refreshed once at its first use, and no secret is shown
    anywhere.
    """
    found = move_many(mover, issuer, count)
    assert (found["codes"], found["results"], found["before"]) == (
        [0, 0],
        {"added": count, "kept": count},
        0,
    )
    assert [result["output"]["body"]["who"] for result in found["used"]] == [
        str(number) for number in range(count)
    ] * 2
    assert found["refreshed"] == {f"refresh-secret-{number}": 1 for number in range(count)}
    assert found["leaks"] == []


def test_a_later_import_keeps_what_was_refreshed_here(mover: Mover, issuer: Issuer) -> None:
    """The export's refresh token is used up by then; ``--replace-grants`` replaces it all the same,
    unless it is the same grant.
    """
    path = mover.write("nango.json", [nango(1), nango(2)])
    mover.imported(path)
    _ask(mover, "user-1")
    newer = mover.write(
        "newer.json",
        [
            nango(
                number, credentials={"type": "OAUTH2", "refresh_token": f"refresh-secret-1{number}"}
            )
            for number in (1, 2)
        ],
    )
    assert [row["result"] for row in mover.imported(newer)[1]] == ["kept", "replaced"]
    assert [row["result"] for row in mover.imported(newer, "nango", "--replace-grants")[1]] == [
        "replaced",
        "kept",
    ]
    assert [result["output"]["body"]["who"] for result in _ask(mover, "user-1", "user-2")] == [
        "11",
        "12",
    ]


def test_a_revoked_grant_ends_with_a_cure(mover: Mover, issuer: Issuer) -> None:
    """The first use finds out; from then on the connection says that a person must connect it. An
    expired token without a refresh token is imported as ended.
    """
    issuer.refreshed["refresh-secret-7"] = 1
    old = {"type": "OAUTH2", "access_token": "stale-secret", "expires_at": "2020-01-31T12:00:00Z"}
    path = mover.write("nango.json", [nango(7), nango(8, credentials=old)])
    _, rows, _ = mover.imported(path)
    assert [(row["result"], row["status"]) for row in rows] == [
        ("added", "untested"),
        ("added", "expired"),
    ]
    for result in _ask(mover, "user-7", "user-8"):
        assert result["error"]["code"] == "invalid_connection"
        assert "has ended" in result["error"]["message"]
        assert "connect" in result["error"]["hint"]
    assert mover.run("connections", "show", "user-7")[1]["authorization"]["status"] == "ended"


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("nango", nango(1, connection_config={"tokenUrl": "{evil}/token"})),
        ("nango", nango(1, connection_config={"server": "{evil}", "proxy": "{evil}"})),
        ("nango", nango(1, token_url="{evil}/token", oauth_client_id_override="x")),
        (
            "jsonl",
            {
                "name": "user-1",
                "type": _KIND,
                "values": {"tokenUrl": "{evil}/token"},
                "grant": {"refreshToken": "r-secret-1"},
            },
        ),
        (
            "jsonl",
            {
                "name": "user-1",
                "type": _KIND,
                "values": {"oauthClient": "crm", "server": "{evil}"},
                "grant": {"refreshToken": "r-secret-1"},
            },
        ),
        (
            "jsonl",
            {
                "name": "user-1",
                "type": _KIND,
                "values": {"oauthClient": "crm", "tokenUrl": "{evil}"},
                "grant": {"refreshToken": "r-secret-1"},
            },
        ),
        (
            "jsonl",
            {
                "name": "user-1",
                "type": _KIND,
                "values": {"clientId": {"$env": "HOME"}},
                "grant": {"refreshToken": "r-secret-1"},
            },
        ),
        (
            "jsonl",
            {
                "name": "user-1",
                "type": _KIND,
                "values": {},
                "grant": {"refreshToken": "r-secret-1", "tokenUrl": "{evil}"},
            },
        ),
        (
            "csv",
            "name,type,refreshToken,values.tokenUrl\nuser-1,http/oauth2AuthorizationCode,r-secret-1,{evil}/token\n",
        ),
        (
            "csv",
            "name,type,refreshToken,tokenUrl\nuser-1,http/oauth2AuthorizationCode,r-secret-1,{evil}/token\n",
        ),
    ],
)
def test_an_export_names_no_destination(mover: Mover, form: str, row: Any) -> None:
    """Its row is refused, or what it names is ignored; nothing is ever sent there, and no message
    has a token.
    """
    with Provider([Answer({})]) as evil:
        text = (row if isinstance(row, str) else json.dumps(row)).replace(
            "{evil}", evil.url.replace("127.0.0.1", "localhost")
        )
        rows = mover.take(text, form)
        _ask(mover, "user-1")
        assert evil.requests == []
    assert "-secret-" not in json.dumps(rows)
    assert [row["result"] for row in rows] == [
        "added" if "oauth_client_id_override" in text else "refused"
    ]


def test_a_planted_connection_gets_no_grant(mover: Mover) -> None:
    """One that somebody made over HTTP before, with a token host of his own, does not take the
    operator's import.
    """
    with Provider([Answer({})]) as evil:
        values = {
            "clientId": "x",
            "tokenUrl": f"{evil.url}/token",
            "authorizationUrl": f"{evil.url}/a",
            "server": evil.url,
        }
        with mover.runtime() as runtime:
            stored(runtime).connections.add(
                "user-1", _KIND, values, test=False, force=True, provenance=Provenance("remote")
            )
        assert [row["result"] for row in mover.take(json.dumps(nango(1)), "nango")] == ["refused"]
        assert evil.requests == []


def test_names_meet_no_other_owner(mover: Mover) -> None:
    """Two ids that become one name are refused, in one export and across exports."""
    first, other = nango(1, connection_id="a b"), nango(2, connection_id="a+b")
    assert [row["result"] for row in mover.take(json.dumps([first, other]), "nango")] == [
        "added",
        "refused",
    ]
    _, rows, _ = mover.imported(mover.write("other.json", [other]), "nango", "--replace-grants")
    assert (rows[0]["result"], "another" in rows[0]["error"]["message"]) == ("refused", True)
    _, rows, _ = mover.imported(
        mover.write("other.json", [other]), "nango", "--names", "{provider}.{user}"
    )
    assert (rows[0]["name"], rows[0]["result"]) == ("crm.u-2", "added")


def test_other_formats(mover: Mover) -> None:
    """Apideck's import bodies, tables, and the form of the HTTP API are read, too; a bad row is
    named by its line.
    """
    own = {"values": {"oauthClient": "crm"}, "type": _KIND}
    apideck = {
        "service_id": "crm",
        "consumer_id": "ada",
        "credentials": {"refresh_token": "refresh-secret-1"},
        "settings": {"realm": "1"},
    }
    lines = [
        {"name": "line", **own, "grant": {"refreshToken": "refresh-secret-2", "scopes": "a b"}},
        {"name": "bad", **own, "grant": {}},
    ]
    table = f"name,type,oauthClient,refreshToken,user,metadata.plan\nrow,{_KIND},crm,refresh-secret-3,u-3,pro\nshort,{_KIND}\n"
    rows = mover.take(json.dumps({"data": [apideck]}), "apideck")
    assert [(row["name"], row["result"]) for row in rows] == [("crm-ada", "added")]
    rows = mover.take("\n".join(map(json.dumps, lines)) + "\n{broken\n", "jsonl")
    assert [(row["place"], row["result"]) for row in rows] == [
        ("line 1", "added"),
        ("line 2", "refused"),
        ("line 3", "refused"),
    ]
    code, rows, said = mover.imported(mover.write("rows.csv", table), "csv")
    assert (code, [row["result"] for row in rows]) == (2, ["added", "refused"])
    assert "line 3: line 3 has 2 cells; the header has 6" in said
    shown = mover.run("connections", "show", "row")[1]["authorization"]
    assert (shown["status"], shown["user"], shown["metadata"]) == (
        "granted",
        "u-3",
        {"plan": "pro"},
    )
    assert [
        result["output"]["body"]["who"] for result in _ask(mover, "crm-ada", "line", "row")
    ] == ["1", "2", "3"]


def test_out_again(mover: Mover, issuer: Issuer) -> None:
    """Grants leave for an age recipient only, in a new file; the audit log names them; another home
    takes them.
    """
    mover.imported(mover.write("nango.json", [nango(1), nango(2)]))
    _ask(mover, "user-1")
    key, path = pyrage.x25519.Identity.generate(), mover.home / "out.age"
    code, answer, said = mover.run(
        "connections", "export-grants", "--recipient", str(key.to_public()), "--out", str(path)
    )
    assert (code, answer["grants"], answer["connections"], path.stat().st_mode & 0o777) == (
        0,
        2,
        ["user-1", "user-2"],
        0o600,
    )
    assert "-secret-" not in json.dumps(answer) + said
    assert b"-secret-" not in path.read_bytes()
    lines = pyrage.decrypt(path.read_bytes(), [key]).decode()
    assert [json.loads(line)["grant"]["refreshToken"] for line in lines.splitlines()] == [
        "rotated-secret-1",
        "refresh-secret-2",
    ]
    assert CLIENT_SECRET not in lines
    events = mover.run("audit", "list")[1]
    assert [
        entry["details"]["names"]
        for entry in events
        if entry["event"] == "connection.grants_exported"
    ] == [["user-1", "user-2"]]
    other = Mover(
        mover.home.parent / "other", mover.issuer_url, f"sqlite:///{mover.home.parent / 'other.db'}"
    )
    assert results(other.imported(other.write("in.jsonl", lines), "jsonl")[1]) == {"added": 2}
    assert [result["output"]["body"]["who"] for result in _ask(other, "user-2")] == ["2"]
    for words in (
        ("--recipient", "age1nope", "--out", "x"),
        ("--recipient", str(key), "--out", "x"),
        ("--recipient", str(key.to_public()), "--out", str(path)),
    ):
        code, answer, said = mover.run("connections", "export-grants", *words)
        assert code == 2
        assert str(key) not in json.dumps(answer) + said


def test_a_type_without_a_person_takes_no_grant(mover: Mover) -> None:
    """A bearer token is no grant."""
    with mover.runtime() as runtime:
        moving = stored(runtime).connections.moving_in()
        with pytest.raises(InvalidConnection, match="no grant"):
            moving.add(
                "a",
                "http/bearer",
                {"server": "https://api.example.com"},
                {"refreshToken": "r"},
                Provenance(),
            )
        for grant in (
            {},
            {"refreshToken": "a b"},
            {"refreshToken": 1},
            {"accessToken": "a\n"},
            "r",
            {"refreshToken": "r", "expiresAt": "soon"},
        ):
            with pytest.raises(InvalidConnection) as caught:
                moving.add("a", _KIND, {"oauthClient": "crm"}, grant, Provenance())
            assert all(detail.path.startswith("/grant") for detail in caught.value.details)
