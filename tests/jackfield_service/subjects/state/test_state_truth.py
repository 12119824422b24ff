"""Files say what is there, and what is there is what they say: secrets that are rotated or masked,
names that are not unique, workspaces that are left out, spellings, times that have passed.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jackfield.connections.documents import documents
from shell import Shell

pytest_plugins = ["shell_fixture"]

SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "room",
    "inputs": {"text": "x"},
}
HALL: dict[str, Any] = {
    "type": "echo/token",
    "values": {"token": {"$env": "HALL_TOKEN"}, "greeting": "Hi"},
}
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
    for further in ([], ["--purge"]):
        assert place.run("workspaces", "delete", "acme", *further).code == 0
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


def test_a_pattern_that_matches_nothing_is_told(place: Shell) -> None:
    """By the plan and when it is made, of a token and of a workspace's rules; the rest is made."""
    stated = {
        "default": {
            "settings": {"rules": {"block": ["strpe/*"]}},
            "tokens": {"ci": {"scope": "invoke", "rules": {"allow": ["echo/sya", "echo/say"]}}},
        }
    }
    for verb, options in (("plan", ()), ("apply", ("--secrets-out", "secrets.json"))):
        rows = state(place, verb, stated, *options)["rows"]
        assert {row["kind"]: [one["path"] for one in row["warnings"]] for row in rows} == {
            "settings": ["/rules/block/0"],
            "tokens": ["/rules/allow/0"],
        }
    assert state(place, "plan", stated)["rows"] == []


def written(place: Shell, text: str, code: int = 0) -> Any:
    """Plan a file in YAML, and return what is printed."""
    place.write("state.yaml", text)
    answer = place.run("plan", "state.yaml")
    assert answer.code == code, (answer.out, answer.err)
    return answer.json


VARIABLES = """
$schema: https://jackfield.dev/schemas/state/1
x-callback: &callback {types: [invocation.*]}
variables: {outer: {$var: inner}, inner: %s, types: [{$var: kind}], kind: invocation.*}
workspaces:
  default:
    callbacks:
      https://93.184.215.14/hook: {<<: *callback, description: {$var: outer}, types: {$var: types}}
"""


def test_a_variable_may_hold_another(place: Shell) -> None:
    """Variables within variables are filled in, a circle is refused, and a file may have places for
    anchors and the address of its schema.
    """
    (row,) = written(place, VARIABLES % "ours")["rows"]
    assert (row["act"], row["after"]["description"]) == ("make", "ours")
    assert row["after"]["types"] == ["invocation.*"]
    for inner, said in (("{$var: outer}", "outer → inner → outer"), ("{$var: none}", "no value")):
        refused = written(place, VARIABLES % inner, code=2)["error"]
        assert said in refused["details"][0]["message"]


PLAIN: dict[str, Any] = {
    "12:30": "12:30",
    "NO": "NO",
    "yes": "yes",
    "1_000": "1_000",
    "0b11": "0b11",
    "2026-01-01": "2026-01-01",
    "0o17": 15,
    "0x1F": 31,
    "1e3": 1000.0,
    "-7": -7,
    "true": True,
    "~": None,
    "'0123456'": "0123456",
}


@pytest.mark.parametrize("plain", PLAIN)
def test_plain_scalars_are_those_of_yaml_1_2(plain: str) -> None:
    """What YAML 1.1 made of ``NO`` or ``12:30`` is text (YAML 1.2.2, section 10.3.2)."""
    assert list(documents(f"value: {plain}", "state.yaml")) == [{"value": PLAIN[plain]}]


@pytest.mark.parametrize("plain", ["NO", "12:30", "1_000"])
def test_inputs_of_a_schedule_are_as_they_are_written(place: Shell, plain: str) -> None:
    """Inputs have no type that a reader of YAML could know."""
    text = f"""
workspaces:
  default:
    connections:
      room: {{type: echo/token, values: {{token: {{$env: HALL_TOKEN}}}}}}
    schedules:
      nightly:
        every: 1h
        invocation: {{connector: echo, action: say, connection: room, inputs: {{text: {plain}}}}}
"""
    rows = {row["name"]: row for row in written(place, text)["rows"]}
    assert rows["nightly"]["after"]["invocation"]["inputs"] == {"text": plain}


@pytest.mark.parametrize("text", ["0123456", "-007", "00"])
def test_a_number_that_would_lose_its_zeros_is_refused(place: Shell, text: str) -> None:
    """A phone number or an account's number is text, which quotes say."""
    refused = written(place, f"workspaces: {{default: {{settings: {{retentionDays: {text}}}}}}}", 2)
    assert "would lose its zeros" in refused["error"]["message"]


def test_a_file_comes_from_stdin(place: Shell) -> None:
    """A dash is standard input."""
    text = "workspaces: {default: {callbacks: {'https://93.184.215.14/hook': {}}}}"
    answer = place.run("plan", "-", stdin=text)
    assert (answer.code, acts(answer.json)) == (0, {"make": 1})


OPENAT = ("257", "56")
"""Number of the system call on x86-64 and on AArch64."""
TOKEN = {"default": {"tokens": {"ci": {"scope": "read"}}}}


@pytest.mark.parametrize("target", ["empty file", "link", "dangling link"])
def test_new_secrets_go_to_an_empty_file_and_to_the_target_of_a_link(
    place: Shell, target: str
) -> None:
    """``mktemp`` makes an empty file, and a mount has links."""
    folder = place.folder / "mounted"
    folder.mkdir()
    named, file = place.folder / "out.json", folder / "data.json"
    if target == "empty file":
        named.touch()
        file = named
    else:
        named.symlink_to(file)
    if target == "link":
        file.write_text("{}")
    place.write("state.json", json.dumps({"workspaces": TOKEN}))
    answer = place.run("apply", "state.json", "--secrets-out", str(named))
    assert answer.code == 0, answer.out
    assert json.loads(file.read_text())["default"]["tokens"]["ci"]["token"].startswith("jf_")
    assert (named.is_symlink(), file.stat().st_mode & 0o777) == (target != "empty file", 0o600)


def test_new_secrets_go_into_a_pipe(place: Shell) -> None:
    """A pipe gets a line for each workspace, and is opened before the transaction."""
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    place.write("state.json", json.dumps({"workspaces": {**TOKEN, "acme": TOKEN["default"]}}))
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        answer = place.run("apply", "state.json", "--secrets-out", str(pipe))
        assert answer.code == 0, answer.out
        found = [json.loads(line) for line in read.result(timeout=60).splitlines()]
    assert [[*one] for one in found] == [["default"], ["acme"]]
    assert found[1]["acme"]["tokens"]["ci"]["token"].startswith("jf_")


def test_nobody_waits_for_a_pipe_that_nobody_reads(place: Shell) -> None:
    """The command waits for a reader before the transaction: others write meanwhile."""
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    place.write("state.json", json.dumps({"workspaces": TOKEN}))
    waiting = place.start("apply", "state.json", "--secrets-out", str(pipe))
    try:
        while Path(f"/proc/{waiting.pid}/syscall").read_text().split()[0] not in OPENAT:
            assert waiting.poll() is None
        assert place.run("tokens", "create", "--scope", "read", "--name", "other").code == 0
        assert [row["name"] for row in place.run("tokens", "list").json] == ["other"]
    finally:
        waiting.kill()
        waiting.wait()


@pytest.mark.parametrize("content", ["[]", "not JSON", "7"])
def test_what_is_no_file_of_secrets_stays(place: Shell, content: str) -> None:
    """A target with something else is refused, and nothing is changed."""
    target = place.folder / "out.json"
    target.write_text(content)
    place.write("state.json", json.dumps({"workspaces": TOKEN}))
    answer = place.run("apply", "state.json", "--secrets-out", str(target))
    assert (answer.code, target.read_text()) == (2, content)
    assert place.run("tokens", "list").json == []
