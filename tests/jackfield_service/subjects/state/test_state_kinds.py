"""Each kind of thing that files state, as the declarations have it: drift in each member, and a
noun that is new.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jackfield_service
import jackfield_service.subjects
from jackfield_service.shell.resource.kinds import Kind, KindRow, kinds
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.state.command import state_of
from jackfield_store.commands.stored import open_storage
from mcp_rig import ToolServer, serving
from plugboard import make_echo, plugged
from shell import Shell

ROOT = Path(__file__).parents[4]
SECRET = "the-token-of-the-hall"
SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "x"},
}
HALL: dict[str, Any] = {
    "type": "echo/token",
    "values": {"token": {"$env": "HALL_TOKEN"}, "greeting": "Hi"},
}
CLIENT: dict[str, Any] = {
    "clientId": "c",
    "clientSecret": {"$env": "HALL_TOKEN"},
    "tokenUrl": "https://a.example/token",
}
QUOTA: dict[str, Any] = {"count": 50, "per": "day", "of": {"effect": "write"}}
OTHERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "connections": (
        "main",
        {**HALL, "quotas": [QUOTA]},
        {"type": "echo/other", "values": {**HALL["values"], "greeting": "Bye"}, "quotas": []},
    ),
    "tokens": (
        "app",
        {"scope": "invoke", "rules": {"allow": ["echo/*"]}, "quotas": [QUOTA], "expiresAt": "90d"},
        {"scope": "read", "rules": {"block": ["echo/*"]}, "quotas": []},
    ),
    "roles": (
        "viewer",
        {"groups": ["support"], "people": []},
        {"groups": ["all"], "people": [{"issuer": "https://i.example", "subject": "a"}]},
    ),
    "callbacks": (
        "https://93.184.215.14/hook",
        {
            "types": ["invocation.*"],
            "filter": {"connector": "echo"},
            "include": [],
            "thin": False,
            "signing": "hmac",
            "description": "us",
        },
        {
            "types": ["schedule.*"],
            "filter": None,
            "include": ["output"],
            "thin": True,
            "signing": "ed25519",
            "description": "theirs",
        },
    ),
    "schedules": (
        "nightly",
        {
            "invocation": SAY,
            "cron": "0 3 * * *",
            "timezone": "Europe/Berlin",
            "missed": "skip",
            "overlap": "skip",
        },
        {
            "invocation": {**SAY, "inputs": {"text": "y"}},
            "cron": "0 4 * * *",
            "timezone": "UTC",
            "missed": "latest",
            "overlap": "queue",
            "every": "1d",
            "anchor": "2030-01-01T00:00:00Z",
            "at": "2035-01-01T00:00:00Z",
        },
    ),
    "subscriptions": (
        "notes",
        {"trigger": "echo/notes", "connection": "hall", "every": 3600, "inputs": {}, "then": SAY},
        {
            "trigger": "echo/board",
            "connection": "other",
            "every": 7200,
            "then": {**SAY, "inputs": {"text": "z"}},
        },
    ),
    "oauthClients": (
        "acme",
        {"server": [], "values": CLIENT},
        {"server": ["b.example"], "values": {**CLIENT, "clientId": "d"}},
    ),
    "mcpServers": ("notes", {"trust": "none", "shared": False}, {"trust": "annotations"}),
    "sharedSettings": ("allowHosts", {"value": "a.example"}, {"value": "b.example"}),
}
"""A thing of each kind by its name, as a file states it, and other values of its members."""
ALONE: dict[str, dict[str, Any]] = {
    "every": {"cron": None, "timezone": None},
    "anchor": {"every": "1d", "cron": None, "timezone": None},
    "at": {"cron": None, "timezone": None},
}
"""Members of a schedule that stand for others."""
FIXED = {
    ("callbacks", "signing"),
    ("connections", "type"),
    ("mcpServers", "shared"),
    ("subscriptions", "inputs"),
}
"""Members whose change is refused, or is another thing."""


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    """A shell with a database in which the workspace ``acme`` has the connections that things refer
    to.
    """
    paths = make_echo(tmp_path / "plugs")
    shell = Shell(tmp_path, paths, monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path / 'all.db'}",
        HALL_TOKEN=SECRET,
    )
    shell.write(
        "before.json",
        json.dumps(
            {
                "label": "before",
                "workspaces": {"acme": {"connections": {"hall": HALL, "other": HALL}}},
            }
        ),
    )
    with plugged(*paths):
        assert shell.run("apply", "before.json").code == 0
        yield shell


def stated(place: Shell, workspace: str, kind: str, name: str, spec: Any, *words: str) -> Any:
    """Plan or apply a file that states one thing."""
    place.write("file.json", json.dumps({"workspaces": {workspace: {kind: {name: spec}}}}))
    answer = place.run(*words[:1], "file.json", *words[1:])
    assert answer.code == 0, answer.out
    return answer.json["rows"]


def by_hand(workspace: str, kind: Kind[Any], name: str, change: dict[str, Any] | None) -> None:
    """Change or remove a thing as its noun's own operations do; the values of a file do for a
    secret.
    """
    with open_storage() as storage:
        visit: Visit = state_of(storage).visit(workspace)
        things, secrets = kind.opens(visit), {"clientSecret": SECRET}
        (found,) = kind.all(things, name.__eq__)
        assert isinstance(found, KindRow)
        if change is None:
            kind.end(things, found)
        else:
            values = (
                {"values": {**change["values"], **secrets}}
                if kind.secrets and "values" in change
                else {}
            )
            kind.change(things, found, {**change, **values})


@pytest.mark.parametrize("kind", [pytest.param(one, id=name) for name, one in kinds().items()])
def test_drift_in_each_member_of_each_kind_is_named(place: Shell, kind: Kind[Any]) -> None:
    """What somebody changes or removes by hand is named with what it was and is, an apply mends it
    alone, and a second one does nothing.
    """
    name, spec, others = OTHERS[kind.name]
    workspace = "default" if kind.name == "sharedSettings" else "acme"
    options = ("--secrets-out", "secrets.json")
    with serving(ToolServer(ttl=0)) as server, serving(ToolServer(ttl=0)) as other:
        if kind.name == "mcpServers":
            spec, others = {**spec, "url": server.url}, {**others, "url": other.url}
        stated(place, workspace, kind.name, name, spec, "apply", *options)
        for member, value in others.items():
            if (kind.name, member) in FIXED:
                continue
            by_hand(workspace, kind, name, {member: value, **ALONE.get(member, {})})
            (row,) = stated(place, workspace, kind.name, name, spec, "plan")
            named = row["members"].keys()
            assert row["act"] == "change"
            assert named == {member, *ALONE.get(member, {})} & spec.keys(), (member, row)
            assert all(one["before"] != one["after"] for one in row["members"].values())
            stated(place, workspace, kind.name, name, spec, "apply", *options)
            assert stated(place, workspace, kind.name, name, spec, "apply") == [], member
        by_hand(workspace, kind, name, None)
        (gone,) = stated(place, workspace, kind.name, name, spec, "plan")
        assert gone["act"] == "make"
    fixed = {member for name, member in FIXED if name == kind.name} | {"expiresAt"}
    assert {*kind.schema["properties"]} - fixed <= {*others}, "each member has another value above"


@pytest.mark.parametrize("kind", [pytest.param(one, id=name) for name, one in kinds().items()])
def test_what_is_not_stated_of_a_thing_stays(place: Shell, kind: Kind[Any]) -> None:
    """A file that states one member of a thing changes that one."""
    name, spec, others = OTHERS[kind.name]
    workspace = "default" if kind.name == "sharedSettings" else "acme"
    with serving(ToolServer(ttl=0)) as server, serving(ToolServer(ttl=0)) as other:
        if kind.name == "mcpServers":
            spec, others = {**spec, "url": server.url, "trust": "annotations"}, {"url": other.url}
        for member, value in others.items():
            if member in ALONE or (kind.name, member) in FIXED:
                continue
            stated(
                place, workspace, kind.name, name, spec, "apply", "--secrets-out", "secrets.json"
            )
            before = place.run("export", workspace).json["workspaces"][workspace][kind.name][name]
            (row,) = stated(
                place,
                workspace,
                kind.name,
                name,
                {member: value},
                "apply",
                "--secrets-out",
                "secrets.json",
            )
            assert (row["act"], [*row["members"]]) == ("change", [member]), row
            after = place.run("export", workspace).json["workspaces"][workspace][kind.name][name]
            kept = {one: after[one] for one in spec if one not in (member, "expiresAt")}
            assert kept == {one: before[one] for one in kept}, member


@pytest.mark.parametrize("kind", [pytest.param(one, id=name) for name, one in kinds().items()])
def test_values_of_another_type_are_refused(place: Shell, kind: Kind[Any]) -> None:
    """Whatever stands for a member, or for a name, is judged: nothing of it is made, and no
    traceback is printed.
    """
    name, spec, _ = OTHERS[kind.name]
    workspace = "default" if kind.name == "sharedSettings" else "acme"
    spec = {**spec, **({"url": "https://mcp.example.com/"} if kind.name == "mcpServers" else {})}
    for member in kind.schema["properties"]:
        for value in (5, [5], "\u0000", {"a": 5}, True, 2**70):
            place.write(
                "file.json",
                json.dumps(
                    {"workspaces": {workspace: {kind.name: {name: {**spec, member: value}}}}}
                ),
            )
            answer = place.run("plan", "file.json")
            assert answer.code in (0, 2), (member, value, answer.err)
            assert [row["act"] for row in answer.json["rows"]] in ([], ["make"], ["refused"]), (
                member,
                value,
            )
    for odd in ("x" * 300, "\u0000", "", *(() if kind.name == "tokens" else ("../x",))):
        place.write("file.json", json.dumps({"workspaces": {workspace: {kind.name: {odd: spec}}}}))
        assert [row["act"] for row in place.run("plan", "file.json").json["rows"]] == ["refused"], (
            odd
        )


def test_what_only_a_person_can_do_is_named(place: Shell) -> None:
    """A connection that somebody has to approve is made, and named in each plan until then, which
    is no difference for ``--check``; a value that its type does not know is called so, and not a
    secret.
    """
    values = {
        "server": "https://api.example.com",
        "authorizationUrl": "https://a.example/authorize",
        "tokenUrl": "https://a.example/token",
        "clientId": "c",
        "clientSecret": {"$env": "HALL_TOKEN"},
    }
    shop = {"type": "http/oauth2AuthorizationCode", "values": values}
    rows = stated(place, "acme", "connections", "shop", shop, "apply")
    assert [(row["act"], row["name"]) for row in rows] == [("make", "shop"), ("person", "shop")]
    (row,) = stated(place, "acme", "connections", "shop", shop, "plan")
    assert (row["act"], "approve" in row["reason"]) == ("person", True)
    assert place.run("plan", "file.json", "--check").code == 0
    for member, value, said in (
        ("baseUrl", "https://x.example", "did you mean"),
        ("clientSecret", "raw-4711", "must be a reference"),
    ):
        wrong = {**shop, "values": {**values, member: value}}
        place.write(
            "file.json", json.dumps({"workspaces": {"acme": {"connections": {"shop": wrong}}}})
        )
        answer = place.run("plan", "file.json")
        assert [one["act"] for one in answer.json["rows"]] == ["refused", "person"]
        problem = answer.json["rows"][0]["problem"]
        assert (member in problem, "raw-4711" in answer.out + answer.err) == (True, False), (
            said,
            problem,
        )
        assert ("must be a reference" in problem) == (member == "clientSecret"), problem


def test_the_files_of_the_page_can_be_applied(place: Shell) -> None:
    """The examples of the page are made as they stand there, first alone and then under their
    overlay, and leave no drift.
    """
    blocks = re.findall(
        r"```yaml\n(.*?)```",
        (ROOT / "docs" / "tutorial" / "state.md").read_text("utf-8"),
        re.DOTALL,
    )
    base, production = (
        place.write(f"{number}.yaml", text.replace("acme:", "page:")).name
        for number, text in enumerate(blocks)
    )
    place.set(ACME_SECRET=SECRET)
    digest = place.run("plan", base).json["digest"]
    assert place.run("apply", base, "--plan", digest, "--secrets-out", "new.json").code == 0
    told = place.run("apply", base, production, "--prune", "--secrets-out", "new.json").json
    assert [(row["kind"], row["act"]) for row in told["rows"]] == [
        ("settings", "change"),
        ("callbacks", "end"),
    ]
    assert place.run("plan", base, production, "--prune", "--check").code == 0


NOTE = """
from jackfield_service.shell.http.query_parts import BY_KEY
from jackfield_service.shell.http.shape_parts import NAME, STRING
from jackfield_service.shell.resource.resource import Act, Field, Is, Resource


class Notes:
    def __init__(self, visit):
        self.database, self.workspace = visit.storage.database, visit.workspace

    def page(self, cursor, limit):
        with self.database.read() as transaction:
            rows = transaction.execute("SELECT name, text FROM notes WHERE workspace = :workspace", {"workspace": self.workspace})
            return [{"name": row.name, "text": row.text} for row in rows], None

    def show(self, name):
        return next(row for row in self.page(None, 0)[0] if row["name"] == name)

    def add(self, given):
        with self.database.write() as transaction:
            transaction.change("INSERT INTO notes VALUES (:workspace, :name, :text)", {"workspace": self.workspace, **given})
        return self.show(given["name"])

    def change(self, name, given):
        with self.database.write() as transaction:
            transaction.change("UPDATE notes SET text = :text WHERE name = :name", {"name": name, **given})
        return self.show(name)

    def remove(self, name):
        with self.database.write() as transaction:
            transaction.change("DELETE FROM notes WHERE name = :name", {"name": name})


RESOURCES = (Resource(
    "Note", "/v1/margin-notes", Notes,
    fields=(
        Field("name", NAME, Is.ALWAYS | Is.NEEDED, title="Name"), Field("text", STRING, Is.ALWAYS | Is.NEEDED | Is.CHANGED, title="Text"),
    ),
    acts=(
        Act("list", Notes.page, "List."), Act("show", Notes.show, "Show."), Act("create", Notes.add, "Add."),
        Act("change", Notes.change, "Change."), Act("remove", Notes.remove, "Remove."),
    ),
    cursor=BY_KEY,
),)
"""


def test_a_new_noun_is_there_by_itself(
    place: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subject's folder with a declaration is all that plan, apply, export and the schema of files
    need.
    """
    folder = tmp_path / "more" / "subjects" / "margin"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "subject.py").write_text(NOTE)
    monkeypatch.setattr(
        jackfield_service, "__path__", [*jackfield_service.__path__, str(tmp_path / "more")]
    )
    monkeypatch.setattr(
        jackfield_service.subjects,
        "__path__",
        [*jackfield_service.subjects.__path__, str(folder.parent)],
    )
    with open_storage() as storage, storage.database.write() as transaction:
        transaction.change("CREATE TABLE notes (workspace TEXT, name TEXT, text TEXT)", {})
    try:
        (row,) = stated(place, "acme", "marginNotes", "first", {"text": "a"}, "apply")
        assert (row["act"], row["after"]) == ("make", {"text": "a"})
        (row,) = stated(place, "acme", "marginNotes", "first", {"text": "b"}, "apply")
        assert row["members"] == {"text": {"before": "a", "after": "b"}}
        assert place.run("export", "acme").json["workspaces"]["acme"]["marginNotes"] == {
            "first": {"text": "b"}
        }
        assert kinds()["marginNotes"].schema["required"] == ["text"]
        place.write("none.json", json.dumps({"workspaces": {"acme": {}}}))
        ended = place.run("apply", "none.json", "--prune").json["rows"]
        assert [(one["kind"], one["act"]) for one in ended] == [("marginNotes", "end")]
    finally:
        for module in [
            one for one in sys.modules if one.startswith("jackfield_service.subjects.margin")
        ]:
            del sys.modules[module]
