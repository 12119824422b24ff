"""Each noun that is declared, by each kind of its acts: over HTTP, on the command line and on its
page. A noun without a row here fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.jackfield_service.shell.pages.console_client import Answer, Place, placed, token
from tests.jackfield_service.shell.pages.damaged_rows import Rows

from jackfield.callers import Rules
from jackfield_service.shell.finding import surfaces
from jackfield_service.shell.http.resources import operations
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.resource.resource import Act, Is, Resource
from shell import Shell

SAY = {"connector": "echo", "action": "say", "inputs": {"text": "x"}}


@dataclass(frozen=True)
class Noun:
    """Where a noun's rows come from, its command, its page, and what creates and changes one.

    ``key`` is a member of the row, ``callers`` the number of rows that the test's callers are, and
    ``page`` the status of the page for a token with rules, which may see itself.
    """

    table: str
    command: str
    new: Mapping[str, Any] | None = None
    change: Mapping[str, Any] | None = None
    key: str = "name"
    removed: int = 204
    callers: int = 0
    page: int = 403


NOUNS: Mapping[str, Noun] = {
    "Callback": Noun(
        "callbacks",
        "callbacks",
        {"url": "https://93.184.215.14/new"},
        {"description": "changed"},
        "id",
    ),
    "Delivery": Noun("deliveries", "deliveries", key="id"),
    "McpServer": Noun("mcp_servers", "mcp-servers", removed=200),
    "OAuthClient": Noun(
        "oauth_clients",
        "oauth-clients",
        {"name": "new", "values": {"clientId": "c", "clientSecret": "a-secret"}},
        {"values": {"clientId": "other"}},
        removed=200,
    ),
    "Schedule": Noun(
        "schedules", "schedules", {"name": "new", "invocation": SAY, "every": "1d"}, {"every": "2d"}
    ),
    "Subscription": Noun(
        "subscriptions",
        "subscriptions",
        {"name": "new", "trigger": "echo/notes", "connection": "hall"},
        {"then": SAY},
    ),
    "Suppression": Noun("outcomes", "suppressions", key="recipient"),
    "Token": Noun("tokens", "tokens", {"scope": "read"}, key="id", callers=1, page=200),
}
RESOURCES: Mapping[str, Resource[Any]] = {
    one.one: one for module in surfaces("subject") for one in module.RESOURCES
}
BODIES: Mapping[str, Any] = {
    "recover": {"since": "1d"},
    "overlay": {"actions": {"x": {"effect": "read"}}},
}
"""Bodies of acts that need one."""
UNCREATED = {"McpServer": "it asks a server, as in test_http_mcp_servers.py"}


@dataclass
class World:
    """A workspace with three rows of a noun, and its callers."""

    place: Place
    resource: Resource[Any]
    noun: Noun

    @cached_property
    def keys(self) -> list[str]:
        """Keys of the rows."""
        Rows(self.place).make(self.noun.table, 3)
        return [row[self.noun.key] for row in self.all()]

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request of who may manage all."""
        return self.send(method, path, body, self.manager)

    @cached_property
    def manager(self) -> str:
        """Token of who may manage all."""
        return token(self.place, "manage")

    def send(self, method: str, path: str, body: Any, secret: str) -> Answer:
        """Send a request with a token."""
        data = b"" if body is None else json.dumps(body).encode()
        return self.place.client().send(
            method,
            path,
            data,
            {"authorization": f"Bearer {secret}", "content-type": "application/json"},
        )

    def all(self, limit: int = 200, **query: str) -> list[dict[str, Any]]:
        """Read the list to its end."""
        rows, more = list[dict[str, Any]](), dict[str, str]()
        while True:
            found = json.loads(
                self.call(
                    "GET", f"{self.resource.path}?{urlencode({**query, **more, 'limit': limit})}"
                ).text
            )
            rows += found["items"]
            if found["nextCursor"] is None:
                return rows
            more = {"cursor": found["nextCursor"]}

    def act(self, name: str) -> tuple[Act, Operation]:
        """Return an act with its operation."""
        pairs = zip(self.resource.acts, operations(self.resource), strict=True)
        return next((act, operation) for act, operation in pairs if act.name == name)

    def at(self, operation: Operation, key: str) -> str:
        """Return the path of an operation on one of them."""
        return operation.path.replace(f"{{{self.resource.key}}}", key)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """A shell without connections of its own."""
    return Shell(tmp_path, [str(tmp_path)], monkeypatch, capsys)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, shell: Shell) -> Iterator[World]:
    """A server with a console over the database that the shell has, too."""
    where = {
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path / 'all.db'}",
    }
    shell.set(**where)
    with placed(tmp_path, environment=where, queue_workers=0) as place:
        yield World(place, RESOURCES[request.param], NOUNS[request.param])


def having(act: str) -> pytest.MarkDecorator:
    """Run a test with each noun that has an act of this name."""
    named = [
        name for name, one in sorted(RESOURCES.items()) if act in {each.name for each in one.acts}
    ]
    return pytest.mark.parametrize("world", named, indirect=True)


def members(resource: Resource[Any], *parts: Is) -> set[str]:
    """Return the members that have one of these parts."""
    return {one.name for one in resource.fields for part in parts if one.part & part}


@having("list")
def test_a_list_has_the_same_rows_on_all_surfaces(world: World, shell: Shell) -> None:
    """Over HTTP, also page by page, and by the command; each row has what all have and nothing that
    is secret. The page has a head for each listed member, and the key of each row.
    """
    keys, resource = world.keys, world.resource
    rows = world.all()
    assert len(keys) == 3 + world.noun.callers
    for row in rows:
        assert members(resource, Is.ALWAYS) - members(resource, Is.DETAIL, Is.ONCE) <= row.keys()
        assert not row.keys() & members(resource, Is.ONCE, Is.UNSEEN, Is.DETAIL)
    assert [row[world.noun.key] for row in world.all(limit=1)] == keys
    printed = [*shell.run(world.noun.command, "list").lines]
    assert [
        row[world.noun.key] for row in (printed[0] if isinstance(printed[0], list) else printed)
    ] == keys
    page = world.place.signed_in().get(f"/{world.noun.command}")
    heads = [one.title for one in resource.fields if one.name in resource.listed]
    assert (page.status, len(heads), [head for head in heads if f">{head}<" not in page.text]) == (
        200,
        len(resource.listed),
        [],
    )
    assert [key for key in keys if key not in page.text] == []


@having("list")
def test_filters_choose_by_a_member(world: World) -> None:
    """Each value of the rows chooses those that have it; a parameter that is no filter is
    refused.
    """
    assert world.keys
    whole = world.all()
    for name in world.resource.filters:
        for value in {row[name] for row in whole if name in row}:
            assert world.all(limit=1, **{name: value}) == [
                row for row in whole if row.get(name) == value
            ]
    assert world.call("GET", f"{world.resource.path}?colour=red").status == 400


@having("show")
def test_one_is_shown_equally_on_all_surfaces(world: World, shell: Shell) -> None:
    """Over HTTP as by the command; the page has each member with a title. One that is not there is
    404, exit code 2 and a page that says so.
    """
    key, (_, operation) = world.keys[0], world.act("show")
    shown = world.call("GET", world.at(operation, key))
    assert (shown.status, members(world.resource, Is.ALWAYS) <= json.loads(shown.text).keys()) == (
        200,
        True,
    )
    printed = shell.run(world.noun.command, "show", key)
    assert json.loads(printed.out).keys() == json.loads(shown.text).keys()
    browser = world.place.signed_in()
    page, row = browser.get(f"/{world.noun.command}/{key}"), json.loads(shown.text)
    beside = {world.resource.argument[0], "status"}  # they stand in the title of the page
    titles = [
        one.title
        for one in world.resource.fields
        if one.title and row.get(one.name) and one.name not in beside
    ]
    assert str(row.get("status", "")) in page.words
    assert (page.status, [title for title in titles if f"<dt>{title}</dt>" not in page.text]) == (
        200,
        [],
    )
    assert world.call("GET", world.at(operation, "nowhere")).status == 404
    assert shell.run(world.noun.command, "show", "nowhere").code == 2
    assert browser.get(f"/{world.noun.command}/nowhere").status == 404


@having("create")
def test_one_is_created(world: World) -> None:
    """It is where ``Location`` says, or in the list if a single one cannot be shown; a body without
    a needed member, or with another one, is refused, and nothing is created.
    """
    _, operation = world.act("create")
    assert world.noun.new is not None or world.resource.one in UNCREATED
    needed = members(world.resource, Is.NEEDED)
    before = len(world.keys)
    for body in ({}, {**(world.noun.new or {}), "colour": "red"}):
        assert world.call("POST", operation.path, body).status == 400
    assert len(world.all()) == before
    if world.noun.new is None:
        return
    assert needed <= world.noun.new.keys()
    made = world.call("POST", operation.path, world.noun.new)
    assert made.status == 201, made.text
    once = members(world.resource, Is.ONCE)
    assert (made.headers["cache-control"], bool(json.loads(made.text).keys() & once)) == (
        "no-store",
        bool(once),
    )
    if "location" in made.headers:
        again = world.call("GET", made.headers["location"])
        assert again.status == 200
        row = json.loads(again.text)
    else:
        key = json.loads(made.text)[world.noun.key]
        (row,) = [row for row in world.all() if row[world.noun.key] == key]
    assert not row.keys() & members(world.resource, Is.ONCE, Is.UNSEEN)


@having("change")
def test_one_is_changed(world: World) -> None:
    """The members given, of those that can be changed; others stay, and any other member is
    refused.
    """
    _, operation = world.act("change")
    assert world.keys
    assert world.noun.new is not None
    made = world.call("POST", operation.path.rpartition("/")[0], world.noun.new)
    key = json.loads(made.text)[world.noun.key]
    before = json.loads(world.call("GET", world.at(operation, key)).text)
    assert world.noun.change is not None
    assert world.noun.change.keys() <= members(world.resource, Is.CHANGED)
    changed = world.call("PATCH", world.at(operation, key), world.noun.change)
    assert changed.status == 200, changed.text
    after = json.loads(world.call("GET", world.at(operation, key)).text)
    different = {
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    }
    assert different - {"updatedAt", "changedAt", "version", "nextAt", "anchor"} == {
        *world.noun.change
    }
    fixed = min(members(world.resource, Is.ALWAYS) - members(world.resource, Is.CHANGED))
    assert world.call("PATCH", world.at(operation, key), {fixed: "x"}).status == 400
    assert world.call("PATCH", world.at(operation, "nowhere"), world.noun.change).status == 404


@having("remove")
def test_one_is_removed_once(world: World, shell: Shell) -> None:
    """Over HTTP and by the command: it is in no list then, others are, and a second time there is
    nothing to remove.
    """
    (first, second, third), (_, operation) = world.keys, world.act("remove")
    assert world.call("DELETE", world.at(operation, first)).status == world.noun.removed
    assert world.call("DELETE", world.at(operation, first)).status == 404
    assert shell.run(world.noun.command, "remove", second).code == 0
    assert shell.run(world.noun.command, "remove", second).code == 2
    assert [row[world.noun.key] for row in world.all()] == [third]


@having("list")
def test_what_is_not_there_is_404(world: World) -> None:
    """By each act on one of them, told as a problem document."""
    found = {}
    for act, operation in zip(world.resource.acts, operations(world.resource), strict=True):
        if "{" in operation.path:
            body = BODIES.get(act.name, {} if operation.body else None)
            answer = world.call(operation.method, world.at(operation, "nowhere"), body)
            found[act.name] = answer.status, answer.headers["content-type"]
    assert found == dict.fromkeys(found, (404, "application/problem+json"))


@having("list")
def test_a_token_with_rules_has_no_part_in_it(world: World) -> None:
    """Where the noun says so, each act and the page refuse such a token with the same words; else
    it may ask for the list.
    """
    rules = Rules(allow=("echo/say",))
    secret, refusal = token(world.place, "manage", rules=rules), world.resource.unruled
    told = set()
    for act, operation in zip(world.resource.acts, operations(world.resource), strict=True):
        body = BODIES.get(act.name, {}) if operation.body else None
        told.add(
            json.loads(
                world.send(operation.method, world.at(operation, "nowhere"), body, secret).text
                or "{}"
            ).get("detail")
        )
        if not refusal:
            break
    page = world.place.signed_in(secret).get(f"/{world.noun.command}")
    assert (told, page.status) == (({refusal}, world.noun.page) if refusal else ({None}, 200))
