"""Files say what is there, and what is there is what they say: secrets that are rotated or masked,
names that are not unique, workspaces that are left out, spellings, times that have passed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]

SAY: dict[str, Any] = {"connector": "echo", "action": "say", "connection": "room", "inputs": {"text": "x"}}
HALL: dict[str, Any] = {"type": "echo/token", "values": {"token": {"$env": "HALL_TOKEN"}, "greeting": "Hi"}}
CLIENT: dict[str, Any] = {
    "server": ["a.example", "b.example"],
    "values": {
        "clientId": "c",
        "clientSecret": {"$env": "CLIENT_SECRET"},
        "tokenUrl": "https://a.example/token",
        "scopes": ["read", "write"],
    },
}


@pytest.fixture(name="place")
def _place(shell: Shell, database_url: str) -> Shell:
    home = str(shell.folder / "home")
    shell.set(JACKFIELD_DATABASE_URL=database_url, JACKFIELD_HOME=home)
    shell.set(HALL_TOKEN="the-token", CLIENT_SECRET="one")
    assert shell.run("db", "upgrade").code == 0
    return shell


def state(place: Shell, verb: str, workspaces: Any, *options: str, code: int = 0) -> Any:
    """Plan or apply the state of workspaces, and return what the command prints."""
    place.write("state.json", json.dumps({"workspaces": workspaces}))
    target = ["--secrets-out", "secrets.json"] if verb == "apply" else []
    answer = place.run(verb, "state.json", *target, *options)
    assert answer.code == code, (answer.out, answer.err)
    return answer.json


def acts(found: Any) -> dict[str, int]:
    """How many rows each act has."""
    return dict(Counter(row["act"] for row in found["rows"]))


def version(place: Shell) -> int:
    """The version of the OAuth client."""
    found: int = place.run("oauth-clients", "show", "crm").json["version"]
    return found


@pytest.mark.parametrize("further", [{}, {"tokenUrl": "https://b.example/token"}])
def test_a_rotated_secret_is_stored_and_told(place: Shell, further: dict[str, str]) -> None:
    """A secret to which a file refers is read when it is applied: new content is a change, alone or
    beside another, and shown masked; the same content is none.
    """
    files = {"default": {"oauthClients": {"crm": CLIENT}}}
    assert acts(state(place, "apply", files)) == {"make": 1}
    assert (state(place, "apply", files)["rows"], version(place)) == ([], 1)
    place.set(CLIENT_SECRET="another-secret")
    files["default"]["oauthClients"]["crm"] = {**CLIENT, "values": {**CLIENT["values"], **further}}
    planned = state(place, "plan", files, "--check", code=1)
    (row,) = planned["rows"]
    assert (row["act"], row["members"]["values"]["after"]["clientSecret"]) == ("change", "***")
    assert "another-secret" not in json.dumps(planned)
    assert acts(state(place, "apply", files)) == {"change": 1}
    assert version(place) == 2
    assert state(place, "plan", files, "--check")["rows"] == []


def test_a_change_over_http_without_a_difference_writes_nothing(place: Shell) -> None:
    """The version of an OAuth client counts its changes."""
    state(place, "apply", {"default": {"oauthClients": {"crm": CLIENT}}})
    place.write("same.json", json.dumps({"clientSecret": "one"}))
    assert place.run("oauth-clients", "update", "crm", "--values", "same.json").code == 0
    assert version(place) == 1


@pytest.mark.parametrize("stored", [None, {"clientId": "c", "tokenUrl": "https://a.example/token"}])
def test_a_mask_is_no_secret(place: Shell, stored: Any) -> None:
    """The mask of an export means the stored secret; where none is stored, it is refused."""
    if stored is not None:
        plain = {"server": CLIENT["server"], "values": stored}
        state(place, "apply", {"default": {"oauthClients": {"crm": plain}}})
    masked = {**CLIENT, "values": {**CLIENT["values"], "clientSecret": "***"}}
    found = state(place, "plan", {"default": {"oauthClients": {"crm": masked}}}, code=2)
    assert acts(found) == {"refused": 1}
    assert "none is stored here" in found["rows"][0]["problem"]
    state(place, "apply", {"default": {"oauthClients": {"crm": CLIENT}}})
    assert state(place, "plan", {"default": {"oauthClients": {"crm": masked}}})["rows"] == []


@pytest.mark.parametrize("kind", ["tokens", "callbacks"])
def test_what_has_a_name_twice_is_told_and_ended_together(place: Shell, kind: str) -> None:
    """A name that two things have is a row, a line beside an export, and one end."""
    hook = "https://93.184.215.14/hook"
    name, spec, make, of = {
        "tokens": ("ci", {"scope": "manage"}, ["--name", "ci", "--scope", "manage"], "tokens"),
        "callbacks": (hook, {"types": ["invocation.*"]}, [hook], "callbacks"),
    }[kind]
    verb = "create" if kind == "tokens" else "add"
    files = {"default": {kind: {name: spec}}}
    state(place, "apply", files)
    for _ in range(2):
        assert place.run(of, verb, *make).code == 0
    planned = state(place, "plan", files, "--check", code=1)
    assert acts(planned) == {"left": 1}
    assert "2 others of this name" in planned["rows"][0]["reason"]
    assert "2 others of this name" in place.run("export").err
    ended = state(place, "apply", {"default": {}}, "--prune")
    assert (acts(ended), "2 others" in ended["rows"][0]["reason"]) == ({"end": 1}, True)
    listed = place.run(of, "list").json
    assert [row for row in listed if row.get("status", "active") == "active"] == []


def test_a_workspace_that_is_left_out_is_not_forgotten(place: Shell) -> None:
    """What files of the label have made in it is told, and ended with ``--prune``; the workspace
    stays, and so does what other files have made.
    """
    token = {"tokens": {"ci": {"scope": "manage"}}}
    state(place, "apply", {"acme": token, "beta": token})
    place.write(
        "other.json",
        json.dumps(
            {"label": "other", "workspaces": {"acme": {"tokens": {"o": {"scope": "read"}}}}}
        ),
    )
    assert place.run("apply", "other.json", "--secrets-out", "o.json").code == 0
    left = state(place, "plan", {"beta": token}, "--check", code=1)
    assert [(row["workspace"], row["name"], row["act"]) for row in left["rows"]] == [
        ("acme", "ci", "left")
    ]
    assert acts(state(place, "apply", {"beta": token}, "--prune")) == {"end": 1}
    tokens = place.run("tokens", "list", "--workspace", "acme").json
    assert {row["name"]: row["status"] for row in tokens} == {"ci": "revoked", "o": "active"}
    assert state(place, "plan", {"beta": token}, "--check", "--prune")["rows"] == []


SPELLINGS: dict[str, tuple[str, str, Any, Any]] = {
    "patterns of a token": (
        "tokens",
        "ci",
        {"scope": "invoke", "rules": {"allow": ["echo/say", "echo/shout"]}},
        {"scope": "invoke", "rules": {"allow": ["echo/shout", "echo/say"], "block": []}},
    ),
    "types of a callback": (
        "callbacks",
        "https://93.184.215.14/hook",
        {"types": ["invocation.*", "schedule.*"]},
        {"types": ["schedule.*", "invocation.*"]},
    ),
    "scopes and hosts of an OAuth client": (
        "oauthClients",
        "crm",
        CLIENT,
        {
            "server": ["b.example", "a.example"],
            "values": {**CLIENT["values"], "scopes": ["write", "read"]},
        },
    ),
    "a day of a schedule": (
        "schedules",
        "weekly",
        {"invocation": SAY, "cron": "0 0 * * SUN"},
        {"invocation": SAY, "cron": "0 0 * * 0"},
    ),
    "an interval": (
        "schedules",
        "often",
        {"invocation": SAY, "every": "PT90M"},
        {"invocation": SAY, "every": "5400s"},
    ),
    "groups of a role": ("roles", "viewer", {"groups": ["a", "b"]}, {"groups": ["b", "a"]}),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_is_no_difference(place: Shell, spelling: str) -> None:
    """The order of a set, and the forms of a time, mean the same: nothing changes, and no token is
    made anew.
    """
    kind, name, one, other = SPELLINGS[spelling]
    hall = {"connections": {"room": HALL}}
    state(place, "apply", {"default": {**hall, kind: {name: one}}})
    assert state(place, "plan", {"default": {**hall, kind: {name: other}}}, "--check")["rows"] == []


def test_the_order_of_patterns_in_settings_is_no_difference(place: Shell) -> None:
    """Rules of a workspace are sets, too."""
    state(place, "apply", {"acme": {"settings": {"rules": {"block": ["echo/a", "echo/b"]}}}})
    files = {"acme": {"settings": {"rules": {"block": ["echo/b", "echo/a"]}}}}
    assert state(place, "plan", files, "--check")["rows"] == []


@pytest.mark.parametrize("written", ["Z", "+00:00", ""])
def test_what_has_passed_is_a_row(place: Shell, written: str) -> None:
    """A token that has expired and a schedule that has done its work refuse no file: the rest is
    applied.
    """
    ago = datetime.fromtimestamp(time.time() - 86_400, UTC).replace(microsecond=0, tzinfo=None)
    files = {
        "default": {
            "connections": {"room": HALL},
            "tokens": {"old": {"scope": "read", "expiresAt": f"{ago.isoformat()}{written}"}},
            "schedules": {"once": {"invocation": SAY, "at": f"{ago.isoformat()}{written}"}},
        }
    }
    assert acts(state(place, "apply", files)) == {"make": 1, "passed": 2}
    planned = state(place, "plan", files, "--check")
    assert {row["reason"] for row in planned["rows"]} == {
        "its 'expiresAt' has passed",
        "its 'at' has passed",
    }
    soon = f"{(ago + timedelta(days=9)).isoformat()}{written}"
    files["default"]["tokens"]["old"]["expiresAt"] = soon
    assert acts(state(place, "apply", files)) == {"make": 1, "passed": 1}


@pytest.mark.parametrize("held", [True, False])
def test_nobody_can_hold_a_role(place: Shell, held: bool) -> None:
    """A role without holders can be stated, with holders before or without."""
    some = {"default": {"roles": {"viewer": {"groups": ["support"]}}}}
    none: dict[str, Any] = {"default": {"roles": {"viewer": {"groups": [], "people": []}}}}
    if held:
        state(place, "apply", some)
    assert acts(state(place, "apply", none)) == ({"change": 1} if held else {})
    assert state(place, "plan", none, "--check")["rows"] == []
    assert "roles" not in place.run("export").json["workspaces"]["default"]
