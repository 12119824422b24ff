"""Grants that another system holds, in its own export's shape, the authorization server that issued them, and a way to import them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl

from jackfield import Jackfield
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Request
from jackfield_store.management.moving_in import Choices
from jackfield_store.management.oauth_clients import oauth_clients
from jackfield_store.runtime import stored

CLIENT_SECRET = "client-secret-4711-of-the-operator"


@dataclass
class Issuer:
    """Authorization server that knows ``number`` refresh tokens, each good once, and an API that knows the access tokens."""

    number: int = 0
    refreshed: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer one request."""
        if request.path != "/token":
            bearer = next((value for name, value in request.headers.items() if name.lower() == "authorization"), "")
            with self.lock:
                self.asked.append(bearer)
            return Answer({"who": bearer.removeprefix("Bearer access-")}) if bearer.startswith("Bearer access-") else Answer({}, 401)
        token = dict(parse_qsl(request.body.decode()))["refresh_token"]
        with self.lock:
            self.refreshed[token] += 1
            if self.refreshed[token] > 1 or not token.startswith("refresh-secret-") or not token[15:].isdigit():
                return Answer({"error": "invalid_grant"}, 400)
        return Answer({"access_token": f"access-{token[15:]}", "refresh_token": f"rotated-secret-{token[15:]}", "expires_in": 3600})


def nango(number: int, **more: Any) -> dict[str, Any]:
    """Return a connection as Nango's API shows it with its credentials."""
    return {
        "id": number, "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "provider": "crm-oauth",
        "provider_config_key": "crm", "connection_id": f"user-{number}", "metadata": {"plan": "pro"}, "errors": [],
        "connection_config": {"subdomain": "acme"}, "last_fetched_at": "2026-01-31T12:00:00.000Z",
        "end_user": {"id": f"u-{number}", "display_name": None, "email": None, "tags": {}, "organization": None},
        "credentials": {
            "type": "OAUTH2", "access_token": f"stale-secret-{number}", "refresh_token": f"refresh-secret-{number}",
            "expires_at": "2026-01-31T13:00:00.000Z", "raw": {"scope": "contacts.read contacts.write", "token_type": "bearer"},
        },
        **more,
    }  # fmt: skip


@dataclass
class Mover:
    """Home of an operator who moves in, with the OAuth client ``crm`` of the issuer."""

    home: Path
    issuer_url: str
    database_url: str

    def __post_init__(self) -> None:
        self.home.mkdir(exist_ok=True)
        values = {
            "clientId": "app", "clientSecret": CLIENT_SECRET, "server": self.issuer_url, "tokenUrl": f"{self.issuer_url}/token",
            "authorizationUrl": f"{self.issuer_url}/authorize",
        }  # fmt: skip
        with self.runtime() as runtime:
            storage = stored(runtime).storage
            oauth_clients(storage, "default", SystemClock(), Actor("library"), "operator").add("crm", ["127.0.0.1"], values)

    def runtime(self) -> Jackfield:
        """Return a runtime on the operator's database."""
        return Jackfield(database_url=self.database_url, environment={"JACKFIELD_HOME": str(self.home)})

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
        environment = {**os.environ, "JACKFIELD_HOME": str(self.home), "JACKFIELD_DATABASE_URL": self.database_url}
        command = [sys.executable, "-m", "jackfield", *words]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words: str) -> tuple[int, Any, str]:
        """Run the command; return its exit code, its answer and what it says on stderr."""
        return self.end(self.begin(*words))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> tuple[int, Any, str]:
        """Wait for a command."""
        out, err = process.communicate(timeout=300)
        return process.returncode, json.loads(out) if out.strip() else None, err

    def imported(self, path: Path, form: str = "nango", *more: str) -> tuple[int, list[dict[str, Any]], str]:
        """Import an export for the client."""
        return self.run(*self.words(path, form, *more))

    def words(self, path: Path, form: str = "nango", *more: str) -> tuple[str, ...]:
        """Return the command that imports an export for the client."""
        chosen = ("--map", "crm=http/oauth2AuthorizationCode", "--client", "crm=crm")
        return ("connections", "import", str(path), "--from", form, *chosen, *more)


def results(rows: list[dict[str, Any]]) -> Mapping[str, int]:
    """Return how many rows have each result."""
    return Counter(row["result"] for row in rows)
