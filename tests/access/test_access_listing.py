"""A token with rules lists and searches by the index: what it sees is what the manifests would show, and none of them is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.access import Authorizer, Rules, SeenCatalog
from jackfield.catalog import Catalog, EntryPoint
from jackfield.catalog.index import ActionIndex
from jackfield.surfaces.shared.searching import found_actions, listed_connectors
from plugboard import make_connector, plugged

_KEYS = ("acme", "acme-mail", "other", "torn")
_TYPE = {"key": "token", "title": "Token", "auth": "bearer", "schema": {"type": "object"}}


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    effects = {"list": "read", "put": "idempotent", "send": "write"}
    rows = [
        {"key": f"{verb}Thing", "title": f"{verb.title()} Thing", "description": "It does.", "effect": effect}
        for verb, effect in effects.items()
    ]
    about = {"manifestVersion": 1, "version": "1", "description": "One of some.", "connectionTypes": [_TYPE], "actions": rows}
    for key in _KEYS:
        make_connector(tmp_path, key, "", {"manifestVersion": 1} if key == "torn" else {**about, "key": key, "title": key})
    with plugged(tmp_path):
        points = [EntryPoint(key, f"jackfield_{key.replace('-', '_')}:connector", f"jackfield-{key}") for key in _KEYS]
        yield Catalog(points)


def _names(workspace: Rules, token: Rules, connections: tuple[tuple[str, str], ...] = ()) -> Authorizer:
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
def test_rules_show_what_the_manifests_would_show(catalog: Catalog, rules: Rules, other: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, pages and results are the same by index and by manifest, whichever of the two sets is the workspace's."""
    index = ActionIndex(catalog)
    index.build()
    for authorizer in (_names(rules, other), _names(other, rules)):
        expected = {entry.key: (*entry.actions,) for entry in SeenCatalog(catalog, authorizer).entries()}
        with monkeypatch.context() as patched:
            patched.setattr(catalog, "find", lambda *_: pytest.fail("a manifest was read"))
            seen = SeenCatalog(catalog, authorizer)
            assert {entry.key: (*entry.actions,) for entry in listed_connectors(index, seen)} == expected
            assert [entry.key for entry in listed_connectors(index, seen, "acme-mail")] == [key for key in expected if key > "acme-mail"]
            found, _ = found_actions(index, seen, "thing", None, None, 0, 50)
            assert {(row.connector, row.action) for row in found} == {(key, name) for key in expected for name in expected[key]}


def test_rules_about_connections_need_the_manifests(catalog: Catalog) -> None:
    """A rule that mentions a connection depends on its type, which only the manifest has; rows and results are limited all the same."""
    index = ActionIndex(catalog)
    authorizer = _names(Rules(), Rules(allow=("connection:mine & acme/list*",)), (("mine", "acme/token"),))
    seen = SeenCatalog(catalog, authorizer)
    assert [(entry.key, *entry.actions) for entry in listed_connectors(index, seen) if entry.error is None] == [("acme", "listThing")]
    found: list[Any] = found_actions(index, seen, "thing", None, None, 0, 50)[0]
    assert [(row.connector, row.action) for row in found] == [("acme", "listThing")]
