"""People who name a service and what they want of it find its action, with the shelf, AWS and a
large document installed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield.callers.searching import found_actions
from jackfield.catalog import Catalog, of_workspace
from jackfield.catalog.discovery import entry_points
from jackfield.catalog.index import ActionIndex
from jackfield.manifest.parts import package_of
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.shelf.projects import built
from jackfield_openapi.shelf.services import read_shelf

SHELF = Path(__file__).parent.parent
SERVICES = read_shelf(SHELF)
TASKS = [
    (words, f"{service.key}.{action}")
    for service in SERVICES
    for words, action in service.about["tasks"].items()
]
LARGE = 10_000
"""Actions of the large document."""
SHOWN = 3
"""Results within which the action must be."""
_VERBS = {
    "list": "get",
    "create": "post",
    "get": "get",
    "update": "put",
    "delete": "delete",
    "search": "get",
    "send": "post",
    "add": "put",
}
_THINGS = (
    "issue",
    "contact",
    "file",
    "message",
    "email",
    "event",
    "task",
    "page",
    "record",
    "deal",
    "customer",
    "order",
    "ticket",
    "comment",
)
_PLACES = (
    "",
    "account",
    "archive",
    "billing",
    "board",
    "calendar",
    "channel",
    "draft",
    "folder",
    "group",
    "invoice",
    "label",
    "project",
    "team",
)


def large_document() -> dict[str, object]:
    """A document with as many operations as the largest of a provider, about the things that
    everyday tasks are about.
    """
    names = itertools.product(
        _VERBS, _THINGS, _PLACES, ("", "template", "policy", "version", "report", "share", "rule")
    )
    paths = {
        f"/{place or 'own'}/{thing}/{kind or 'all'}/{verb}": {
            _VERBS[verb]: {
                "operationId": "".join(
                    [verb, *(part.capitalize() for part in (place, thing, kind))]
                ),
                "summary": " ".join(filter(None, (verb.capitalize(), place, thing, kind))),
                "responses": {"200": {"description": "It."}},
            }
        }
        for verb, thing, place, kind in itertools.islice(names, LARGE)
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Contoso Suite",
            "version": "1",
            "description": "Everything of an office.",
        },
        "servers": [{"url": "https://contoso.example"}],
        "paths": paths,
    }


def _install(folder: Path, manifest: dict[str, object]) -> None:
    key = str(manifest["key"])
    package = package_of(key)
    (folder / package).mkdir()
    (folder / package / "connector.json").write_text(json.dumps(manifest))
    about = folder / f"{package}-1.dist-info"
    about.mkdir()
    (about / "entry_points.txt").write_text(
        f"[jackfield.connectors]\n{key} = {package}:connector\n"
    )


@pytest.fixture(name="index", scope="module")
def _index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ActionIndex, Catalog]]:
    """Index of all that is installed: the repository's connectors, AWS, the shelf and the large
    document.
    """
    folder, home = tmp_path_factory.mktemp("packages"), str(tmp_path_factory.mktemp("home"))
    for service in SERVICES:
        _install(folder, dict(built(service).manifest))
    _install(folder, dict(converted(large_document(), Choices("contoso", "1")).manifest))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        whole = Catalog.installed(entry_points(), {"JACKFIELD_HOME": home})
        yield ActionIndex(whole, for_operator=True), of_workspace(whole, "default")


def test_all_is_installed(index: tuple[ActionIndex, Catalog]) -> None:
    """The tasks compete with AWS and with the large document."""
    rows = index[0].find("")[0]
    keys = {row.connector for row in rows}
    assert {"aws.s3", "contoso", *(service.key for service in SERVICES)} <= keys
    assert sum(row.connector == "contoso" for row in rows) > LARGE * 0.98


def test_a_task_finds_its_action(index: tuple[ActionIndex, Catalog]) -> None:
    """At least 90 % of the tasks find their action first, and 97 % within the first three
    results.
    """
    places = {}
    for words, name in TASKS:
        rows, _ = found_actions(*index, words, None, None, 0, SHOWN)
        found = [f"{row.connector}.{row.action}" for row in rows]
        places[words] = (found.index(name) if name in found else SHOWN, found)
    late = {words: found for words, (place, found) in places.items() if place == SHOWN}
    second = {words: found for words, (place, found) in places.items() if place}
    assert len(late) <= 0.03 * len(TASKS), late
    assert len(second) <= 0.10 * len(TASKS), second
