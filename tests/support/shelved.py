"""Ready connectors of the shelf as installed packages, with the addresses of a fake, and what their
providers send to a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from jackfield.kernel.pointers import names
from jackfield_market.testing.successes import with_sign
from jackfield_openapi.shelf.projects import built
from jackfield_openapi.shelf.services import Service, read_shelf
from jackfield_store.runtime import Jackfield
from plugboard import declare, plugged

SHELF = Path(__file__).parents[2] / "shelf"


@cache
def manifest_of(key: str) -> Mapping[str, Any]:
    """Return the manifest of a service, as its project has it."""
    found: Mapping[str, Any] = json.loads(json.dumps(built(services()[key]).manifest))
    return found


@cache
def services() -> Mapping[str, Service]:
    """Return the services of the shelf by their keys, read once."""
    return {one.key: one for one in read_shelf(SHELF)}


def answered(key: str, row: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
    """Return the body of an answer to an action, with what shows the success of a change."""
    return with_sign(manifest_of(key), row, dict(body))


def shelve(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write a connector without code into ``folder`` as an installed package; give the folder."""
    name = f"jackfield_{manifest['key'].replace('-', '_')}"
    (folder / name).mkdir(parents=True)
    (folder / name / "connector.json").write_text(json.dumps(manifest), encoding="utf-8")
    declare(
        folder, name.replace("_", "-"), "jackfield.connectors", {manifest["key"]: f"{name}:http"}
    )
    return folder


@contextmanager
def running(folder: Path, key: str, url: str, *, stores: bool = False) -> Iterator[Jackfield]:
    """Run a runtime that knows a service of the shelf at ``url``, with the connection ``main`` of
    its first type; with ``stores``, it has a journal. A type whose tokens come from another address
    is taken only if there is no other.
    """
    manifest = json.loads(json.dumps(manifest_of(key)))
    for row in manifest["servers"]:
        row["url"] = url
        row.pop("variables", None)
    kinds = [one for one in manifest["connectionTypes"] if "authorizes" not in one]
    kind = next((one for one in kinds if "tokenUrl" not in json.dumps(one["http"])), kinds[0])
    given = {
        name: url if name == "server" else "acme-secret-1"
        for name in kind["schema"].get("required", ())
    }
    connection = {"connections": {"main": {"type": f"{key}/{kind['key']}", "values": given}}}
    database, home = (
        f"sqlite:///{folder}/j.db" if stores else "none",
        {"JACKFIELD_HOME": str(folder)},
    )
    shelved = shelve(folder / "shelved", manifest)
    with (
        plugged(shelved),
        Jackfield(connections=[connection], database_url=database, environment=home) as found,
    ):
        yield found


def put(holder: Any, place: str, value: Any) -> None:
    """Put a value at a JSON Pointer; a number is the first item of a list."""
    steps = names(place)
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        made: Any = value if after is None else [{}] if after == "0" else {}
        if isinstance(holder, list):
            if after is None:
                holder[0] = value
            holder = holder[0]
        else:
            holder = holder.setdefault(step, made)
