"""``jackfield plan``, ``apply`` and ``export``: twelve workspaces from staging to production, as an
operator has them in files.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from database_proxy import DatabaseProxy
from jackfield.kernel.pointers import child
from shell import Shell

pytest_plugins = ["shell_fixture"]

ROOT = Path(__file__).parents[4]
NAMES = [f"acme-{number:02}" for number in range(12)]
QUOTA = {"count": 50, "per": "day", "of": {"effect": "write"}}
HOOK = "https://93.184.215.14/hook"
SECRETS = {"HALL_TOKEN": "the-token-of-the-hall", "CLIENT_SECRET": "the-secret-of-the-client"}
KINDS = (
    "settings",
    "connections",
    "callbacks",
    "schedules",
    "subscriptions",
    "tokens",
    "roles",
    "oauthClients",
)


def tenant() -> dict[str, Any]:
    """What each workspace has, one thing of each kind that needs no server."""
    say = {"connector": "echo", "action": "say", "inputs": {"text": "x"}}
    client = {
        "clientId": "c",
        "clientSecret": {"$env": "CLIENT_SECRET"},
        "tokenUrl": "https://a.example/token",
        "authorizationUrl": {"$var": "authorize"},
    }
    return {
        "settings": {
            "retentionDays": 10,
            "rules": {"block": ["echo/shout"]},
            "limits": {"queued": 50},
            "quotas": [QUOTA],
        },
        "connections": {
            "hall": {
                "type": "echo/token",
                "values": {"token": {"$env": "HALL_TOKEN"}, "greeting": "Hi"},
                "quotas": [QUOTA],
            },
        },
        "callbacks": {HOOK: {"types": ["invocation.*"], "description": "ours"}},
        "schedules": {
            "nightly": {
                "invocation": say,
                "cron": "0 3 * * *",
                "timezone": "Europe/Berlin",
                "missed": "latest",
            }
        },
        "subscriptions": {
            "notes": {
                "trigger": "echo/notes",
                "connection": "hall",
                "then": {**say, "connection": "hall"},
            }
        },
        "tokens": {"app": {"scope": "invoke", "rules": {"allow": ["echo/*"]}, "quotas": [QUOTA]}},
        "roles": {"viewer": {"groups": ["support"]}},
        "oauthClients": {"acme": {"values": client}},
    }


def files(shell: Shell, names: list[str] = NAMES) -> tuple[str, str]:
    """Write what is common, and what production has otherwise; return the names of both files."""
    base = {
        "label": "platform",
        "variables": {"authorize": "https://staging.example/a"},
        "workspaces": {one: tenant() for one in names},
    }
    production = {
        "variables": {"authorize": "https://production.example/a"},
        "workspaces": {
            one: {"settings": {"retentionDays": 90}, "schedules": {"nightly": {"timezone": None}}}
            for one in names
        },
    }
    shell.write("base.yaml", yaml.safe_dump(base))
    shell.write("production.json", json.dumps(production))
    return "base.yaml", "production.json"


@pytest.fixture
def place(shell: Shell, database_url: str) -> Shell:
    """A shell on a database, which has the variables to which files refer."""
    shell.set(
        JACKFIELD_DATABASE_URL=database_url, JACKFIELD_HOME=str(shell.folder / "home"), **SECRETS
    )
    assert shell.run("db", "upgrade").code == 0
    return shell


def ran(shell: Shell, *words: str) -> Any:
    """Return what a command that succeeds prints."""
    answer = shell.run(*words)
    assert answer.code == 0, answer.err
    return answer.json


def applied(shell: Shell, *words: str) -> Any:
    """Apply files."""
    return ran(shell, "apply", *words, "--secrets-out", "secrets.json")


def acts(told: Any) -> set[tuple[str, str]]:
    """What is done, by kind."""
    return {(row["kind"], row["act"]) for row in told["rows"]}


def test_twelve_workspaces_go_from_staging_to_production(place: Shell) -> None:
    """What is planned is made, a second apply changes nothing, an overlay changes what it names,
    and no file has a secret.
    """
    base, production = files(place)
    published = jsonschema.Draft202012Validator(
        json.loads((ROOT / "schemas" / "state.schema.json").read_text())
    )
    for path in (base, production):
        published.validate(yaml.safe_load((place.folder / path).read_text()))
    planned = ran(place, "plan", base)
    assert {(kind, "make") for kind in (*KINDS, "workspace") if kind != "settings"} == acts(planned)
    assert [row["name"] for row in place.run("workspaces", "list").json] == ["default"]
    made = applied(place, base, "--plan", planned["digest"])
    assert made["rows"] == planned["rows"]
    assert made["digest"] == planned["digest"]
    secrets = place.folder / "secrets.json"
    assert stat.S_IMODE(os.stat(secrets).st_mode) == 0o600
    kept = json.loads(secrets.read_text())
    assert [*kept] == NAMES
    assert all(one["tokens"]["app"]["token"].startswith("jf_") for one in kept.values())
    before = secrets.read_bytes()
    again = applied(place, base)
    assert (again["rows"], again["unchanged"]) == ([], 12 * len(KINDS))
    promoted = applied(place, base, production)
    assert acts(promoted) == {("settings", "change"), ("oauthClients", "change")}
    assert applied(place, base, production)["rows"] == []
    assert secrets.read_bytes() == before
    exported = json.dumps(ran(place, "export"))
    place.write("exported.json", exported)
    assert ran(place, "plan", "exported.json")["rows"] == []
    assert {act for _, act in acts(ran(place, "plan", "exported.json", "--adopt"))} == {"adopt"}
    new = [
        text
        for one in kept.values()
        for text in (one["tokens"]["app"]["token"], one["callbacks"][HOOK]["secret"])
    ]
    texts = [*SECRETS.values(), *new]
    for path in (base, production, "exported.json"):
        found = (place.folder / path).read_text()
        assert [text for text in texts if text in found] == []
    assert [text for text in texts if text in json.dumps([planned, made, promoted])] == []


def test_an_export_says_what_a_file_hides(place: Shell) -> None:
    """A stored connection behind a file's of the same name is left out, and named on stderr."""
    kind, values = "echo/token", {"token": "the-token-of-the-hall"}
    for name in ("shed", "porch"):
        assert (
            place.run(
                "connections",
                "add",
                name,
                "--type",
                kind,
                "--values",
                "-",
                "--no-test",
                stdin=json.dumps(values),
            ).code
            == 0
        )
    path = place.write(
        "shed.yaml", yaml.safe_dump({"connections": {"shed": {"type": kind, "values": values}}})
    )
    place.set(JACKFIELD_CONNECTIONS=str(path))
    found = place.run("export", "default")
    assert list(found.json["workspaces"]["default"]["connections"]) == ["porch"]
    assert "'shed' (shed.yaml) hides the stored one with that name, which is left out" in found.err


def test_drift_by_hand_is_named_in_each_kind(place: Shell) -> None:
    """What somebody changes or removes by hand is named, with what it was and is, and is made again
    by the next apply.
    """
    base, _ = files(place, ["acme"])
    applied(place, base)
    place.set(JACKFIELD_WORKSPACE="acme")
    (callback,) = place.run("callbacks", "list").json
    (token,) = place.run("tokens", "list").json
    place.write("hall.json", json.dumps({"token": "another-secret", "greeting": "Hi"}))
    place.write("client.json", json.dumps({"clientId": "d", "scopes": ["all"]}))
    for words in (
        ("workspaces", "set", "acme", "--retention-days", "3"),
        ("connections", "replace", "hall", "--values", "hall.json", "--no-test"),
        ("callbacks", "remove", callback["id"]),
        ("schedules", "remove", "nightly"),
        ("subscriptions", "update", "notes", "--every", "1h"),
        ("tokens", "revoke", token["id"]),
        ("roles", "grant", "viewer", "--group", "others"),
        ("oauth-clients", "update", "acme", "--values", "client.json"),
    ):
        assert place.run(*words).code == 0, words
    found = ran(place, "plan", base)
    assert acts(found) == {
        ("settings", "change"),
        ("connections", "change"),
        ("callbacks", "make"),
        ("schedules", "make"),
        ("tokens", "make"),
        ("roles", "change"),
        ("oauthClients", "change"),
    }
    members = {row["kind"]: row.get("members") for row in found["rows"]}
    assert members["settings"] == {"retentionDays": {"before": 3, "after": 10}}
    assert members["roles"] == {"groups": {"before": ["others", "support"], "after": ["support"]}}
    assert members["connections"]["values"]["before"]["token"] == "***"
    assert members["connections"]["values"]["after"]["token"] == {"$env": "HALL_TOKEN"}
    assert (
        members["oauthClients"]["values"]["before"]["clientId"],
        members["oauthClients"]["values"]["after"]["clientId"],
    ) == ("d", "c")
    assert place.run("plan", base, "--check").code == 1
    assert applied(place, base)["rows"] == found["rows"]
    assert applied(place, base)["rows"] == []
    assert place.run("plan", base, "--check").code == 0
    (said,) = place.run("audit", "list", "--event", "workspace.applied", "--limit", "1").json
    assert said["details"]["change"] == [
        "settings/acme",
        "oauthClients/acme",
        "connections/hall",
        "roles/viewer",
    ]


def test_what_was_made_by_hand_is_left_alone(place: Shell) -> None:
    """A thing made by hand is changed with --adopt only, and what files of the label state no more
    is ended with --prune only.
    """
    base, _ = files(place, ["acme"])
    applied(place, base)
    place.set(JACKFIELD_WORKSPACE="acme")
    place.write(
        "say.json",
        json.dumps({"connector": "echo", "action": "say", "inputs": {"text": "by hand"}}),
    )
    assert place.run("schedules", "add", "mine", "--every", "1d", "--file", "say.json").code == 0
    own = {
        "invocation": {"connector": "echo", "action": "say", "inputs": {"text": "theirs"}},
        "every": "2d",
    }
    place.write("more.yaml", yaml.safe_dump({"workspaces": {"acme": {"schedules": {"mine": own}}}}))
    place.write(
        "less.yaml", yaml.safe_dump({"workspaces": {"acme": {"connections": {"hall": None}}}})
    )
    told = applied(place, base, "more.yaml", "less.yaml")
    assert {(row["kind"], row["name"], row["act"]) for row in told["rows"]} == {
        ("schedules", "mine", "left"),
        ("connections", "hall", "left"),
    }
    ending = next(
        row
        for row in ran(place, "plan", base, "more.yaml", "less.yaml", "--prune")["rows"]
        if row["act"] == "end"
    )
    assert (ending["name"], ending["ends"]) == (
        "hall",
        ["schedule mine", "schedule nightly", "subscription notes", "start notes"],
    )
    place.write(
        "fewer.yaml",
        yaml.safe_dump(
            {"workspaces": {"acme": {"subscriptions": {"notes": None}, "tokens": {"app": None}}}}
        ),
    )
    done = applied(place, base, "more.yaml", "fewer.yaml", "--adopt", "--prune")
    assert {(row["kind"], row["name"], row["act"]) for row in done["rows"]} == {
        ("schedules", "mine", "change"),
        ("subscriptions", "notes", "end"),
        ("tokens", "app", "end"),
    }
    assert applied(place, base, "more.yaml", "fewer.yaml", "--prune")["rows"] == []
    assert [row["status"] for row in place.run("tokens", "list").json] == ["revoked"]


def test_an_apply_refuses_what_has_moved_and_what_is_not_valid(place: Shell) -> None:
    """Files or state that are not those of the plan are refused before anything is changed, and so
    is what the intake refuses.
    """
    base, production = files(place, ["acme", "bear"])
    digest = ran(place, "plan", base)["digest"]
    refused = place.run(
        "apply", base, production, "--plan", digest, "--secrets-out", "secrets.json"
    )
    assert (refused.code, refused.json["error"]["code"]) == (2, "invalid_invocation")
    assert place.run("workspaces", "create", "bear").code == 0
    assert place.run("apply", base, "--plan", digest, "--secrets-out", "secrets.json").code == 2
    without = place.run("apply", base)
    assert "--secrets-out" in without.json["error"]["hint"]
    secret = {
        "connections": {"hall": {"values": {"token": "a-secret-itself"}}},
        "schedules": {"nightly": {"cron": "never"}},
    }
    place.write(
        "bad.yaml",
        yaml.safe_dump(
            {
                "workspaces": {
                    "bear": {**secret, "callbacks": {"http://localhost/": {"colour": "red"}}}
                }
            }
        ),
    )
    bad = place.run("apply", base, "bad.yaml", "--secrets-out", "secrets.json")
    assert bad.code == 2
    assert {fault["path"] for fault in bad.json["error"]["details"]} >= {
        "/workspaces/bear/connections/hall",
        "/workspaces/bear/schedules/nightly",
        "/workspaces/bear/callbacks/http:~1~1localhost~1",
    }
    assert "a-secret-itself" not in bad.out
    assert [row["name"] for row in place.run("workspaces", "list").json] == ["bear", "default"]
    assert not (place.folder / "secrets.json").exists()
    for text, message in (
        ("workspaces: {acme: {schedule: {}}}", "did you mean 'schedules'"),
        ("workspace: {}", "did you mean 'workspaces'"),
        (
            "workspaces: {acme: {settings: {retentionDays: {$var: days}}}}",
            "the variable 'days' has no value",
        ),
        ("- 1", "must be an object"),
        ("workspaces: {acme: {tokens: {app: invoke}}}", "must be an object of objects by name"),
    ):
        place.write("wrong.yaml", text)
        answer = place.run("plan", "wrong.yaml")
        assert (answer.code, message in answer.out) == (2, True), answer.out


def test_a_refused_callback_is_named_without_its_password(place: Shell) -> None:
    """A callback's name is its URL: where it is refused, plan and apply show neither a password in
    it nor a token in its query.
    """
    hook = "https://ada:a-pass-word@hooks.example.com/in?token=a-to-ken&shop=1"
    shown = "https://***@hooks.example.com/in?token=***&shop=1"
    things: dict[str, Any] = {"callbacks": {hook: {"types": ["invocation.*"]}}}
    place.write("state.yaml", yaml.safe_dump({"workspaces": {"bear": things}}))
    planned = place.run("plan", "state.yaml")
    assert [row["name"] for row in planned.json["rows"] if row["act"] == "refused"] == [shown]
    applied = place.run("apply", "state.yaml", "--secrets-out", "secrets.json")
    (fault,) = applied.json["error"]["details"]
    assert fault["path"] == child("/workspaces/bear/callbacks", shown)
    things["callbacks"][hook] = {"types": [{"$var": "unknown"}]}
    place.write("state.yaml", yaml.safe_dump({"workspaces": {"bear": things}}))
    unfilled = place.run("plan", "state.yaml")
    assert "the variable 'unknown' has no value" in unfilled.out
    for answer in (planned, applied, unfilled):
        assert answer.code == 2
        assert not [word for word in ("a-pass-word", "a-to-ken") if word in answer.out + answer.err]


def test_new_secrets_are_written_into_no_file_of_others(place: Shell) -> None:
    """In a folder where others may write, a file or a link beside the target keeps its content, and
    nothing but the target is left.
    """
    folder = place.folder / "shared"
    folder.mkdir()
    (folder / "bait").write_text("theirs")
    (folder / "secrets.json.new").symlink_to("bait")
    (folder / "bear.json.new").write_text("theirs")
    for name, tokens in (("secrets.json", "one"), ("bear.json", "two")):
        place.write("more.yaml", f"workspaces: {{bear: {{tokens: {{{tokens}: {{scope: read}}}}}}}}")
        assert place.run("apply", "more.yaml", "--secrets-out", f"shared/{name}").code == 0
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert f'"{tokens}"' in (folder / name).read_text()
    assert {path.name: path.read_text() for path in folder.iterdir() if path.suffix != ".json"} == {
        "bait": "theirs",
        "secrets.json.new": "theirs",
        "bear.json.new": "theirs",
    }


def test_applies_at_once_make_each_thing_once(place: Shell) -> None:
    """Of three that apply the same files, each ends with all of it, or is told that state has moved
    or the database is locked; a token is made once, and its text is in the file of who made it.
    """
    base, _ = files(place, NAMES[:2])
    running = [
        place.start("apply", base, "--secrets-out", f"secrets-{number}.json") for number in range(3)
    ]
    assert {process.wait() for process in running} <= {0, 1, 2}
    assert applied(place, base)["rows"] == []
    kept = [json.loads(path.read_text()) for path in place.folder.glob("secrets-*.json")]
    for name in NAMES[:2]:
        made = [one[name]["tokens"]["app"]["token"] for one in kept if name in one]
        listed = place.run("tokens", "list", "--workspace", name).json
        assert (len(made), [row["status"] for row in listed]) == (1, ["active"])


def test_a_killed_apply_leaves_each_workspace_old_or_new(place: Shell) -> None:
    """A process that is killed within a workspace, or between two, has made all of a workspace or
    nothing; the next one does the rest.
    """
    base, _ = files(place)
    os.mkfifo(place.folder / "pipe")
    process = place.start("apply", base, "--secrets-out", "pipe")
    with open(place.folder / "pipe", "rb", buffering=0) as pipe:
        assert pipe.read(1)  # it is written within the transaction of the first workspace
        process.kill()
        process.wait()
    # it may have committed before the signal arrived
    first = {row["name"] for row in place.run("workspaces", "list").json} - {"default"}
    assert first <= {NAMES[0]}
    process = place.start("apply", base, "--secrets-out", "secrets.json")
    while process.poll() is None and len(place.run("workspaces", "list").json) < 5:
        pass
    process.kill()
    process.wait()
    there = {row["name"] for row in place.run("workspaces", "list").json}
    rows = ran(place, "plan", base)["rows"]
    assert {row["workspace"] for row in rows} == {*NAMES} - there
    assert {
        name: len([row for row in rows if row["workspace"] == name]) for name in {*NAMES} - there
    } == dict.fromkeys({*NAMES} - there, 8)
    applied(place, base)
    assert ran(place, "plan", base)["rows"] == []
    secrets = json.loads((place.folder / "secrets.json").read_text())
    assert [*secrets] == [name for name in NAMES if name not in first]


_THIRD = f"workspace:{NAMES[2]}".encode()
_DONE = b"workspace.applied" + struct.pack("!i", len(_THIRD)) + _THIRD
"""Parameters of the last statement in the third workspace's transaction."""


@pytest.mark.parametrize(
    ("lost", "made"),
    [(_DONE, 2), (b"COMMIT\0", 3)],
    ids=["before the commit", "the answer to the commit"],
)
def test_a_lost_database_leaves_each_workspace_old_or_new(
    shell: Shell, postgres_url: str, lost: bytes, made: int
) -> None:
    """The command says that it cannot reach it, and the next one does the rest."""
    shell.set(
        JACKFIELD_DATABASE_URL=postgres_url, JACKFIELD_HOME=str(shell.folder / "home"), **SECRETS
    )
    assert shell.run("db", "upgrade").code == 0
    base, _ = files(shell)
    with DatabaseProxy(int(postgres_url.rpartition(":")[2].partition("/")[0]), lost) as proxy:
        shell.set(JACKFIELD_DATABASE_URL=proxy.url(postgres_url))
        proxy.swallow(1, having=_DONE)
        answer = shell.run("apply", base, "--secrets-out", "secrets.json")
        assert (answer.code, answer.json["error"]["code"], proxy.swallowed) == (1, "unavailable", 1)
    shell.set(JACKFIELD_DATABASE_URL=postgres_url)
    left = NAMES[made:]
    assert [row["name"] for row in shell.run("workspaces", "list").json] == [
        *NAMES[:made],
        "default",
    ]
    assert [row["workspace"] for row in ran(shell, "plan", base)["rows"]] == [
        name for name in left for _ in range(8)
    ]
    applied(shell, base)
    assert ran(shell, "plan", base)["rows"] == []
    assert [*json.loads((shell.folder / "secrets.json").read_text())] == NAMES
