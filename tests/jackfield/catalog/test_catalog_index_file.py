"""The search index of thousands of actions is kept in a file, which stands for the manifests that
it was made from and for no others.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog import Catalog, EntryPoint, index_program, search
from jackfield.catalog import index as index_module
from jackfield.catalog.index import ActionIndex
from jackfield.manifest.manifest import Manifest

pytestmark = pytest.mark.tree_only

_ACTIONS = 2_400


def _raw(key: str, verbs: str, count: int, **more: Any) -> dict[str, Any]:
    rows = [
        {
            "key": f"{verb}Thing{number}",
            "title": f"{verb.title()} thing {number}",
            "description": f"Is {verb} {number}.",
            "effect": "read",
        }
        for verb in verbs.split()
        for number in range(count)
    ]
    return {
        "manifestVersion": 1,
        "key": key,
        "title": key,
        "version": "1",
        "description": "Of *things*.",
        "actions": rows,
        **more,
    }


Install = Callable[..., None]


@pytest.fixture(name="site")
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    _put(tmp_path / "site", "large", _raw("large", "get list", _ACTIONS // 2))
    _put(tmp_path / "site", "small", _raw("small", "paint", 3))
    return tmp_path / "site"


def _put(site: Path, key: str, raw: dict[str, Any]) -> None:
    (site / f"jackfield_{key}").mkdir(parents=True, exist_ok=True)
    (site / f"jackfield_{key}" / "connector.json").write_text(json.dumps(raw))


def _index(home: Path) -> ActionIndex:
    points = tuple(
        EntryPoint(key, f"jackfield_{key}:http", f"jackfield-{key}") for key in ("large", "small")
    )
    return ActionIndex(
        Catalog.installed({"jackfield.connectors": points}, {"JACKFIELD_HOME": str(home)})
    )


def _file(home: Path) -> Path:
    (found,) = (home / "cache").glob("*.index")
    return found


def _not_made(_catalog: Catalog) -> Any:
    pytest.fail("the index was made again")


_QUERIES = (
    "get thing",
    "paint",
    "thing 77",
    "listing of the things",
    "paintthing1",
    "peint",
    "a thing to paint 2",
    "is",
    "",
)


def test_the_next_process_reads_the_file_instead_of_all_manifests(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file gives the results, rows and pages that the manifests give, and is private to the
    user.
    """
    first = _index(tmp_path)
    made = {words: first.find(words, limit=40) for words in _QUERIES}
    monkeypatch.setattr(index_module, "_table", _not_made)
    second = _index(tmp_path)
    assert {words: second.find(words, limit=40) for words in _QUERIES} == made
    assert second.entries() == first.entries()
    assert [len(entry.actions) for entry in second.entries()] == [_ACTIONS, 3]
    assert _file(tmp_path).stat().st_mode & 0o077 == 0


def test_the_file_ranks_as_the_search_over_manifests_does(site: Path, tmp_path: Path) -> None:
    """Whatever form the index has, the order is the same."""
    manifests = [
        Manifest.from_json(json.loads((site / f"jackfield_{key}" / "connector.json").read_text()))
        for key in ("small", "large")
    ]
    index = _index(tmp_path)
    for words in _QUERIES:
        assert index.find(words, limit=50)[0] == search(manifests, words)[:50]


def test_a_tag_narrows_a_search(site: Path, tmp_path: Path) -> None:
    """Only actions of the group are found, with and without words, in the index as made and as read
    from its file.
    """
    raw = _raw("small", "paint varnish", 3)
    _put(
        site,
        "small",
        {
            **raw,
            "actions": [
                {**row, "group": "Wet" if row["key"][0] == "p" else "Dry"} for row in raw["actions"]
            ],
        },
    )
    for index in (_index(tmp_path), _index(tmp_path)):
        assert [row.action for row in index.find("", tag="Wet")[0]] == [
            "paintThing0",
            "paintThing1",
            "paintThing2",
        ]
        assert [row.action for row in index.find("thing 1", tag="Dry")[0]] == ["varnishThing1"]
        assert index.find("", tag="Damp") == index.find("", tag="") == ([], False)


def test_a_package_that_hides_another_is_noticed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noted places of packages count only for what could not have changed: here one comes first
    that is new to the path.
    """
    assert _index(tmp_path).find("paint")[0]
    assert _index(tmp_path).kept()
    _put(tmp_path / "other", "small", _raw("small", "varnish", 4))
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    index = _index(tmp_path)
    assert not index.kept()
    assert (len(index.find("varnish")[0]), index.find("paint")[0]) == (4, [])


def test_a_package_that_moves_is_found(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that leaves a folder of the path, and comes back in another, is looked for again."""
    (tmp_path / "other").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    assert _index(tmp_path).find("paint")[0]
    (site / "jackfield_small").rename(tmp_path / "other" / "jackfield_small")
    importlib.invalidate_caches()
    index = _index(tmp_path)
    assert len(index.find("paint")[0]) == 3
    (tmp_path / "cache").joinpath(_file(tmp_path).name + ".places").write_text('{"paths": 5}')
    assert _index(tmp_path).kept()


def test_processes_that_start_together_make_the_file_once(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program that makes the file holds its lock, and leaves a file alone that another one has
    written while it waited.
    """
    index = _index(tmp_path)
    monkeypatch.setattr(Catalog, "installed", lambda: index.catalog)
    index_program.main()
    assert index.kept()
    monkeypatch.setattr(index_module, "_table", _not_made)
    index_program.main()


def test_a_manifest_that_changes_while_it_is_read_is_read_again(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says what it was made from, so that a change in the meantime is never hidden by
    it.
    """
    made = index_module._table

    def changed(catalog: Catalog, *, for_operator: bool) -> Any:
        table = made(catalog, for_operator=for_operator)
        _put(site, "small", _raw("small", "varnish", 4))
        return table

    with monkeypatch.context() as patched:
        patched.setattr(index_module, "_table", changed)
        _index(tmp_path).build()
    assert len(_index(tmp_path).find("varnish")[0]) == 4


def test_another_manifest_makes_another_index(site: Path, tmp_path: Path) -> None:
    """A connector that changes is found by its new words and not by its old ones."""
    assert _index(tmp_path).find("paint")[0]
    _put(site, "small", _raw("small", "varnish", 4))
    index = _index(tmp_path)
    assert len(index.find("varnish")[0]) == 4
    assert not index.find("paint")[0]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "foreign"])
def test_a_damaged_file_is_made_again(site: Path, tmp_path: Path, damage: str) -> None:
    """A file that was cut, changed or replaced gives no result: the index is made again, and the
    file is whole afterwards.
    """
    _index(tmp_path).build()
    whole = _file(tmp_path).read_bytes()
    damaged = {
        "cut": whole[:-1000],
        "changed": whole[:-500] + b"x" + whole[-499:],
        "empty": b"",
        "foreign": b"x" * 5000,
    }[damage]
    _file(tmp_path).write_bytes(damaged)
    assert [row.action for row in _index(tmp_path).find("paint")[0]] == [
        "paintThing0",
        "paintThing1",
        "paintThing2",
    ]
    assert _file(tmp_path).read_bytes() == whole


def test_without_a_place_for_the_file_the_index_stays_in_memory(site: Path, tmp_path: Path) -> None:
    """A data folder that cannot be written is no reason to find nothing."""
    (tmp_path / "cache").write_text("no folder")
    assert len(_index(tmp_path).find("paint")[0]) == 3


def test_few_actions_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that takes milliseconds to make is not written."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for key in ("large", "small"):
        _put(tmp_path / "site", key, _raw(key, "paint", 3))
    assert len(_index(tmp_path).find("paint")[0]) == 6
    assert not os.path.exists(tmp_path / "cache")


def test_of_many_generated_connectors_none_precedes_what_is_used_most() -> None:
    """A generated connector comes before what a source merely offers, unless there are more than a
    hundred of them.
    """
    offered = Manifest.from_json(_raw("used", "paint", 1))
    offered = offered.part(virtual=True, rank=30)
    for count, first in ((5, "g0"), (101, "used")):
        generated = [
            Manifest.from_json(_raw(f"g{number}", "paint", 1, servers=[{"url": "https://x.test"}]))
            for number in range(count)
        ]
        assert search([offered, *generated], "paint thing")[0].connector == first


def test_the_index_knows_the_connectors_of_a_connection_type(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the index is made, a connection type is looked up in the manifests of its connectors
    only, with the same outcome.
    """
    kind = {"key": "token", "title": "Token", "auth": "bearer", "schema": {"type": "object"}}
    _put(site, "small", _raw("small", "paint", 3, connectionTypes=[{**kind, "family": "paints"}]))
    index, plain = _index(tmp_path), _index(tmp_path)
    catalog = index.catalog
    index.build()
    names = ("small/token", "paints/token", "token", "large/token", "token/x")
    expected = {
        name: [manifest.key for manifest in plain.catalog.with_type(name)] for name in names
    }
    assert expected == {
        "small/token": ["small"],
        "paints/token": ["small"],
        "token": ["small"],
        "large/token": [],
        "token/x": [],
    }
    monkeypatch.setattr(catalog, "manifests", lambda: pytest.fail("all manifests were read"))
    assert {
        name: [manifest.key for manifest in catalog.with_type(name)] for name in names
    } == expected
