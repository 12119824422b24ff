"""A token with rules lists and searches by the index: what it sees is what the manifests would
show, and none of them is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.callers import Authorizer, Caller, Rules, SeenCatalog
from jackfield.callers.searching import found_actions, listed_connectors
from jackfield.catalog import Catalog, EntryPoint
from jackfield.catalog.index import ActionIndex
from jackfield.kernel.errors import UnknownConnector
from plugboard import make_connector, plugged

_KEYS = ("acme", "acme-mail", "other", "torn")
_TYPE = {"key": "token", "title": "Token", "auth": "bearer", "schema": {"type": "object"}}


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    effects = {"list": "read", "put": "idempotent", "send": "write"}
    rows = [
        {
            "key": f"{verb}Thing",
            "title": f"{verb.title()} Thing",
            "description": "It does.",
            "effect": effect,
        }
        for verb, effect in effects.items()
    ]
    about = {
        "manifestVersion": 1,
        "version": "1",
        "description": "One of some.",
        "connectionTypes": [_TYPE],
        "actions": rows,
    }
    for key in _KEYS:
        make_connector(
            tmp_path,
            key,
            "",
            {"manifestVersion": 1} if key == "torn" else {**about, "key": key, "title": key},
        )
    with plugged(tmp_path):
        points = [
            EntryPoint(key, f"jackfield_{key.replace('-', '_')}:connector", f"jackfield-{key}")
            for key in _KEYS
        ]
        yield Catalog(points)


def _names(
    workspace: Rules, token: Rules, connections: tuple[tuple[str, str], ...] = ()
) -> Authorizer:
    return Authorizer(workspace, token, "read", lambda: connections)


_RULES = [
    Rules(allow=("acme/*",)),
    Rules(allow=("acme*/*", "other/send*")),
    Rules(allow=("acme*/* & effect:read",)),
    Rules(allow=("none/*",)),
    Rules(allow=("*",), block=("effect:write",)),
    Rules(block=("*/sendThing", "other/*")),
    Rules(block=("*",)),
    Rules(allow=("not a pattern",)),
    Rules(allow=("*",), block=("not a pattern",)),
    Rules(allow=("not a pattern", "other/*"), block=("acme/*",)),
]


@pytest.mark.parametrize("other", [Rules(), Rules(allow=("acme*/*",)), Rules(block=("*/put*",))])
@pytest.mark.parametrize("rules", _RULES)
def test_rules_show_what_the_manifests_would_show(
    catalog: Catalog, rules: Rules, other: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, pages and results are the same by index and by manifest, whichever of the two sets is
    the workspace's.
    """
    index = ActionIndex(catalog)
    index.build()
    for authorizer in (_names(rules, other), _names(other, rules)):
        expected = {
            entry.key: (*entry.actions,) for entry in SeenCatalog(catalog, authorizer).entries()
        }
        with monkeypatch.context() as patched:
            patched.setattr(catalog, "find", lambda *_: pytest.fail("a manifest was read"))
            seen = SeenCatalog(catalog, authorizer)
            assert {
                entry.key: (*entry.actions,) for entry in listed_connectors(index, seen)
            } == expected
            assert [entry.key for entry in listed_connectors(index, seen, "acme-mail")] == [
                key for key in expected if key > "acme-mail"
            ]
            found, _ = found_actions(index, seen, "thing", None, None, 0, 50)
            assert {(row.connector, row.action) for row in found} == {
                (key, name) for key in expected for name in expected[key]
            }


def test_rules_about_connections_need_the_manifests(catalog: Catalog) -> None:
    """A rule that mentions a connection depends on its type, which only the manifest has; rows and
    results are limited all the same.
    """
    index = ActionIndex(catalog)
    authorizer = _names(
        Rules(), Rules(allow=("connection:mine & acme/list*",)), (("mine", "acme/token"),)
    )
    seen = SeenCatalog(catalog, authorizer)
    assert [
        (entry.key, *entry.actions)
        for entry in listed_connectors(index, seen)
        if entry.error is None
    ] == [("acme", "listThing")]
    found: list[Any] = found_actions(index, seen, "thing", None, None, 0, 50)[0]
    assert [(row.connector, row.action) for row in found] == [("acme", "listThing")]


@pytest.mark.parametrize(
    ("block", "action", "code"),
    [("acme/*", "listThing", "not_allowed"), ("other/*", "nothing", "unknown_action")],
)
def test_a_refused_call_examines_no_other_connector(
    catalog: Catalog, block: str, action: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of the others may be meant is not said, so it is not looked for: with 445 connectors
    that took 0.3 s a call.
    """
    seen: list[str] = []
    seen_names = Authorizer.seen_names

    def noted(self: Authorizer, connector: str, names: Any) -> list[str]:
        seen.append(connector)
        return seen_names(self, connector, names)

    monkeypatch.setattr(Authorizer, "seen_names", noted)
    with Jackfield(catalog=catalog, database_url="none") as jackfield:
        given = {"connector": "acme", "action": action, "inputs": {}}
        result = jackfield.invoke(
            given, caller=Caller("t", "invoke", Rules(block=(block,)), token="t")
        )
    assert result.error is not None
    assert result.error.code == code
    assert {*seen} <= {"acme"}


def test_a_suggestion_examines_a_few_names_and_shows_no_hidden_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest name that the rules show is suggested; however many connectors there are, at most
    ten are examined for it.
    """
    keys = [f"acme-{number}" for number in range(30)]
    rows = [{"key": "sendThing", "title": "Send", "description": "It does.", "effect": "write"}]
    for key in keys:
        about = {
            "manifestVersion": 1,
            "version": "1",
            "description": "One of many.",
            "connectionTypes": [],
            "actions": rows,
        }
        make_connector(tmp_path, key, "", {**about, "key": key, "title": key})
    examined: list[str] = []
    hides = Authorizer.hides

    def noted(self: Authorizer, connector: str, connection: str | None = None) -> bool:
        examined.append(connector)
        return hides(self, connector, connection)

    monkeypatch.setattr(Authorizer, "hides", noted)
    with plugged(tmp_path):
        catalog = Catalog(
            [
                EntryPoint(key, f"jackfield_{key.replace('-', '_')}:connector", f"jackfield-{key}")
                for key in keys
            ]
        )
        for rules, meant in (
            (Rules(), "acme-12"),
            (Rules(block=("acme-12/*",)), "acme-2"),
            (Rules(allow=("other/*",)), None),
        ):
            examined.clear()
            with pytest.raises(UnknownConnector) as refused:
                SeenCatalog(catalog, _names(rules, Rules())).find("acme-1x2")
            tail = f"; did you mean '{meant}'?" if meant is not None else ""
            assert refused.value.message == f"no connector 'acme-1x2' is installed{tail}"
            assert len({*examined}) <= 11
