"""``Jackfield.connections``: add, look at, change, test; on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.jackfield_store.connections.managed import ROLE, paths, say

from jackfield.catalog import Catalog
from jackfield.kernel.errors import InvalidConnection, InvalidInvocation, UnknownConnection
from jackfield_store.connections.connection_table import NameTaken, VersionConflict
from jackfield_store.database import open_database
from jackfield_store.runtime import Jackfield

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]
pytestmark = pytest.mark.above_sql

# Adding


def test_what_is_added_can_be_used(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]
) -> None:
    """A connection is tested, kept and shown masked; every process can use it at once."""
    shown = managed_jackfield.connections.add(
        "hall", "token", {"token": "s3cret", "greeting": "Hi"}
    )
    assert shown["status"] == "ok"
    assert shown["account"] == {"id": "echo-1", "label": "The echo in the hall"}
    assert [step["passed"] for step in shown["lastTest"]["steps"]] == [True]
    assert (shown["name"], shown["type"], shown["version"], shown["source"]) == (
        "hall",
        "echo/token",
        1,
        "store",
    )
    assert shown["values"] == {"token": "***", "greeting": "Hi"}
    assert open_runtime().connections.show("hall") == shown
    result = say(open_runtime(), "hall")
    assert result.status == "succeeded"
    assert "s3cret" not in json.dumps(result.to_json())


def test_a_failing_test_refuses(managed_jackfield: Jackfield) -> None:
    """A connection whose test fails is not kept, and the error says what failed and what to do;
    ``force`` keeps it.
    """
    with pytest.raises(
        InvalidConnection,
        match="was not saved because its test failed: The echo does not know the token",
    ) as caught:
        managed_jackfield.connections.add("hall", "echo/token", {"token": "bad"})
    assert "Make up another one." in str(caught.value.hint)
    assert managed_jackfield.connections.list(type="echo/token").items[0]["name"] == "filed"
    shown = managed_jackfield.connections.add("hall", "echo/token", {"token": "bad"}, force=True)
    assert (shown["status"], shown["lastTest"]["steps"][0]["passed"]) == ("failing", False)
    untested = managed_jackfield.connections.add("room", "echo/token", {"token": "bad"}, test=False)
    assert (untested["status"], "lastTest" in untested) == ("untested", False)


@pytest.mark.parametrize(
    ("name", "type_", "values", "expected"),
    [
        ("h h", "echo/token", {"token": "t"}, ["/name"]),
        ("filed", "echo/token", {"token": "t"}, ["/name"]),
        ("hall", "echo/tokn", {"token": "t"}, ["/type"]),
        ("hall", "echo/token", {}, ["/token"]),
        ("hall", "echo/token", {"tokn": "t", "greeting": 5}, ["/greeting", "/token", "/tokn"]),
        ("hall", "echo/token", {"token": "***"}, ["/token"]),
        ("hall", "echo/token", ["token"], [""]),
        ("hall", "echo/token", {"token": {"$env": "NOT_SET"}}, ["/token"]),
    ],
)
def test_what_is_not_valid(
    managed_jackfield: Jackfield, name: str, type_: str, values: Any, expected: list[str]
) -> None:
    """Every fault is told at once, each with its place; nothing is kept."""
    with pytest.raises(InvalidConnection) as caught:
        managed_jackfield.connections.add(name, type_, values, force=True)
    assert sorted(paths(caught.value)) == expected
    assert [item["name"] for item in managed_jackfield.connections.list().items] == ["filed"]


def test_a_name_is_taken_once(managed_jackfield: Jackfield) -> None:
    """A second connection of a name is refused before anything is tried."""
    managed_jackfield.connections.add("hall", "echo/token", {"token": "t"})
    with pytest.raises(NameTaken) as caught:
        managed_jackfield.connections.add("hall", "echo/token", {"token": "bad"})
    assert paths(caught.value) == ["/name"]


def test_values_are_kept_as_they_are_read(managed_jackfield: Jackfield) -> None:
    """Strings are trimmed and blank ones left out as the schema says; its defaults are not written
    down.
    """
    values = {**ROLE, "accessKeyId": " AKIAIOSFODNN7EXAMPLE ", "region": "EU-West-1", "sender": " "}
    shown = managed_jackfield.connections.add("role", "aws-ses/awsAssumeRole", values, test=False)
    assert shown["type"] == "aws/awsAssumeRole"
    assert shown["values"]["accessKeyId"] == "****MPLE"
    assert shown["values"]["region"] == "eu-west-1"
    assert set(shown["values"]) == {
        "roleARN",
        "accessKeyId",
        "secretAccessKey",
        "region",
        "externalId",
    }


def test_without_a_database(open_runtime: Callable[..., Jackfield]) -> None:
    """Where there is no database, files work, and keeping is refused with what to do."""
    jackfield = open_runtime(database_url="none")
    assert [item["name"] for item in jackfield.connections.list().items] == ["filed"]
    assert jackfield.connections.test("filed")["status"] == "ok"
    for refused in (
        lambda: jackfield.connections.add("hall", "echo/token", {"token": "t"}),
        lambda: jackfield.connections.remove("filed"),
    ):
        with pytest.raises(InvalidInvocation, match="no database"):
            refused()
    with pytest.raises(UnknownConnection):
        jackfield.connections.show("hall")


# Looking


def test_files_hide_stored_ones(open_runtime: Callable[..., Jackfield]) -> None:
    """A file's connection hides a stored one of its name, with a warning; changes reach the stored
    one.
    """
    open_runtime(connections=[]).connections.add("filed", "echo/token", {"token": "stored"})
    jackfield = open_runtime()
    assert jackfield.connections.show("filed")["source"] == "given in code"
    assert list(jackfield.connections.warnings) == [
        "the connection 'filed' (given in code) hides the stored one with that name"
    ]
    assert [item["source"] for item in jackfield.connections.list().items] == ["given in code"]
    jackfield.connections.remove("filed")
    assert list(jackfield.connections.warnings) == []
    with pytest.raises(InvalidConnection, match="is given in code, not stored"):
        jackfield.connections.remove("filed")


def test_pages_of_both(open_runtime: Callable[..., Jackfield]) -> None:
    """Pages go through files and database by name, whatever their size, and hide what is hidden."""
    stored = open_runtime(connections=[])
    for name in ("a", "c", "e", "g", "i"):
        stored.connections.add(name, "echo/token", {"token": "t"}, test=False)
    entry = {"type": "echo/token", "values": {"token": "t"}}
    connections = open_runtime(
        connections=[dict.fromkeys(["b", "c", "d", "e", "z"], entry)]
    ).connections
    for limit in range(1, 10):
        names: list[str] = []
        cursor = None
        while True:
            page = connections.list(cursor, limit)
            assert len(page.items) <= limit
            names += [item["name"] for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert names == ["a", "b", "c", "d", "e", "g", "i", "z"]
    assert {item["name"]: item["source"] for item in connections.list(text="D").items} == {
        "d": "given in code"
    }
    assert [item["name"] for item in connections.list(text="G").items] == ["g"]
    assert connections.list(type="echo/token", text="z").to_json()["nextCursor"] is None
    assert connections.list(type="aws/apiKeySecret").items == ()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({"limit": 0}, "/limit"), ({"limit": 1001}, "/limit"), ({"cursor": "a b"}, "/cursor")],
)
def test_pages_have_limits(
    managed_jackfield: Jackfield, arguments: dict[str, Any], expected: str
) -> None:
    """A limit or cursor that is none is refused."""
    with pytest.raises(InvalidInvocation) as caught:
        managed_jackfield.connections.list(**arguments)
    assert paths(caught.value) == [expected]


def test_an_uninstalled_type_shows_nothing(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]
) -> None:
    """Where nobody knows what is secret, nothing is shown."""
    managed_jackfield.connections.add("hall", "echo/token", {"token": "t", "greeting": "Hi"})
    bare = open_runtime(catalog=Catalog(()))
    assert bare.connections.show("hall")["values"] == {"token": "***", "greeting": "***"}


def test_names_that_are_near(managed_jackfield: Jackfield) -> None:
    """A name that is not there is answered with the one that was meant, be it a file's or a stored
    one.
    """
    managed_jackfield.connections.add("hallway", "echo/token", {"token": "t"})
    for name, meant in (("hallwy", "hallway"), ("fild", "filed")):
        with pytest.raises(UnknownConnection, match=f"did you mean '{meant}'"):
            managed_jackfield.connections.show(name)
        assert say(managed_jackfield, name).error.code == "unknown_connection"


def test_the_only_one_that_fits(open_runtime: Callable[..., Jackfield]) -> None:
    """An invocation without a connection takes the only stored one that fits; of several, it names
    them.
    """
    jackfield = open_runtime(connections=[])
    assert "no connection of the workspace fits" in say(jackfield, None).error.details[0].message
    jackfield.connections.add("hall", "echo/token", {"token": "t"})
    jackfield.connections.add("role", "aws/awsAssumeRole", ROLE, test=False)
    assert say(jackfield, None).status == "succeeded"
    jackfield.connections.add("room", "echo/token", {"token": "t"})
    error = say(jackfield, None).error
    assert (error.code, error.hint) == (
        "invalid_invocation",
        "Set 'connection' to one of hall, room.",
    )


def test_workspaces_are_apart(open_runtime: Callable[..., Jackfield]) -> None:
    """A workspace neither sees nor uses what another one has."""
    open_runtime("acme").connections.add("hall", "echo/token", {"token": "t"})
    other = open_runtime("other")
    assert say(other, "hall").error.code == "unknown_connection"
    assert [item["name"] for item in other.connections.list().items] == ["filed"]
    assert say(open_runtime("acme"), "hall").status == "succeeded"


# Changing


def test_replacing_keeps_what_was_not_seen(managed_jackfield: Jackfield) -> None:
    """Secrets that are left out or masked stay; everything else is as given, and the version goes
    up.
    """
    managed_jackfield.connections.add("hall", "echo/token", {"token": "s3cret", "greeting": "Hi"})
    shown = managed_jackfield.connections.replace("hall", {"greeting": "Bye"}, 1)
    assert (shown["version"], shown["values"], shown["status"]) == (
        2,
        {"greeting": "Bye", "token": "***"},
        "ok",
    )
    assert managed_jackfield.connections.replace("hall", {"token": "***"}, 2)["values"] == {
        "token": "***"
    }
    assert managed_jackfield.connections.find("hall").values == {"token": "s3cret"}
    with pytest.raises(InvalidConnection, match="was not saved"):
        managed_jackfield.connections.replace("hall", {"token": "bad"})
    assert managed_jackfield.connections.replace("hall", {"token": "new"})["version"] == 4
    with pytest.raises(InvalidConnection) as caught:
        managed_jackfield.connections.replace("hall", {"token": None})
    assert paths(caught.value) == ["/token"]


def test_a_change_is_used_at_once(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]
) -> None:
    """What one process changes, another uses with its next invocation."""
    managed_jackfield.connections.add("hall", "echo/token", {"token": "t", "greeting": "first"})
    other = open_runtime()
    assert other.connections.find("hall").values["greeting"] == "first"
    managed_jackfield.connections.replace("hall", {"greeting": "second"})
    assert other.connections.find("hall").values == {"greeting": "second", "token": "t"}


def test_versions_conflict(managed_jackfield: Jackfield) -> None:
    """A change of another version than the one that was seen is refused before anything is
    tried.
    """
    managed_jackfield.connections.add("hall", "echo/token", {"token": "t"})
    with pytest.raises(VersionConflict) as caught:
        managed_jackfield.connections.replace("hall", {"token": "bad"}, 7)
    assert paths(caught.value) == ["/version"]


def test_rename_and_remove(managed_jackfield: Jackfield) -> None:
    """A connection can be renamed and removed; a file's cannot, nor can its name be taken."""
    managed_jackfield.connections.add("hall", "echo/token", {"token": "t"})
    assert managed_jackfield.connections.rename("hall", "room")["name"] == "room"
    with pytest.raises(InvalidConnection) as caught:
        managed_jackfield.connections.rename("room", "filed")
    assert paths(caught.value) == ["/name"]
    changes: list[Callable[[], object]] = [
        lambda: managed_jackfield.connections.rename("filed", "x"),
        lambda: managed_jackfield.connections.replace("filed", {}),
    ]
    for change in changes:
        with pytest.raises(InvalidConnection, match="is given in code, not stored"):
            change()
    managed_jackfield.connections.remove("room")
    with pytest.raises(UnknownConnection):
        managed_jackfield.connections.rename("room", "hall")
    assert say(managed_jackfield, "room").error.code == "unknown_connection"


# Testing


def test_the_outcome_is_kept(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]
) -> None:
    """A test's outcome is shown from then on, for everybody."""
    managed_jackfield.connections.add("hall", "echo/token", {"token": "t"}, test=False)
    tested = open_runtime().connections.test("hall")
    assert tested["status"] == "ok"
    assert managed_jackfield.connections.show("hall") == tested
    assert managed_jackfield.test("hall")["account"]["id"] == "echo-1"


def test_drafts(managed_jackfield: Jackfield) -> None:
    """Values can be tried before they are kept, and touch nothing that is."""
    assert managed_jackfield.connections.test_draft("echo/token", {"token": "t"})["status"] == "ok"
    assert (
        managed_jackfield.connections.test_draft("echo/token", {"token": "bad"})["status"]
        == "failing"
    )
    with pytest.raises(InvalidConnection):
        managed_jackfield.connections.test_draft("echo/token", {"token": ""})
    managed_jackfield.connections.check("echo/token", {"token": "bad"})
    assert len(managed_jackfield.connections.list().items) == 1


def test_m10_tests_of_file_connections_are_remembered(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield], database_url: str
) -> None:
    """M10: a test of a connection from a file is shown by every process, in the list too, until its
    values change.
    """
    assert managed_jackfield.connections.show("filed")["status"] == "untested"
    tested = managed_jackfield.connections.test("filed")
    other = open_runtime().connections
    assert tested["status"] == "ok"
    assert other.show("filed") == tested == other.list().items[0]
    assert other.show("filed")["account"] == {"id": "echo-1", "label": "The echo in the hall"}
    edited = {"filed": {"type": "echo/token", "values": {"token": "bad"}}}
    changed = open_runtime(connections=[edited]).connections
    assert changed.show("filed")["status"] == "untested"
    assert changed.test("filed")["status"] == "failing"
    assert changed.list().items[0]["status"] == "failing"
    with open_database(database_url) as database, database.read() as transaction:
        (row,) = transaction.execute("SELECT * FROM file_connection_tests")
    assert "from-file" not in str(vars(row) if hasattr(row, "__dict__") else row)


def test_m10_a_connection_that_was_used_is_not_untested(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]
) -> None:
    """M10: an action that succeeded over an untested connection says that it works; a dry run does
    not, and other values begin anew.
    """
    managed_jackfield.connections.add("kept", "echo/token", {"token": "t"}, test=False)
    call = {"connector": "echo", "action": "say", "inputs": {"text": "Hi"}}

    def status() -> str:
        # what was put off goes with this commit
        managed_jackfield.storage.database.record(lambda _transaction: None)
        found: str = open_runtime().connections.show("kept")["status"]
        return found

    assert (
        managed_jackfield.invoke({**call, "connection": "kept", "dryRun": True}).status
        == "succeeded"
    )
    assert status() == "untested"
    assert managed_jackfield.invoke({**call, "connection": "kept"}).status == "succeeded"
    assert status() == "ok"
    assert "lastTest" not in managed_jackfield.connections.show("kept")
    managed_jackfield.connections.replace("kept", {"token": "u"}, test=False)
    assert status() == "untested"


def test_m9_a_file_connection_that_was_used_is_not_untested(
    managed_jackfield: Jackfield, open_runtime: Callable[..., Jackfield]
) -> None:
    """M9: after a successful call, a connection of a file is "ok" in every process, until its
    values change; a failed test stays failed.
    """
    call = {"connector": "echo", "action": "say", "connection": "filed", "inputs": {"text": "Hi"}}

    def status(**files: Any) -> str:
        # what was put off goes with this commit
        managed_jackfield.storage.database.record(lambda _transaction: None)
        found: str = open_runtime(**files).connections.list().items[0]["status"]
        return found

    assert managed_jackfield.invoke({**call, "dryRun": True}).status == "succeeded"
    assert status() == "untested"
    assert managed_jackfield.invoke(call).status == "succeeded"
    assert status() == "ok"
    bad = {"filed": {"type": "echo/token", "values": {"token": "bad"}}}
    assert status(connections=[bad]) == "untested"
    assert open_runtime(connections=[bad]).connections.test("filed")["status"] == "failing"
    assert status(connections=[bad]) == "failing"
