"""The vectors of ``tests/vectors``: read, completed with their file's defaults, unfolded. The
format is told in README.md there.
"""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"
"""Where the vectors lie."""

_REPEAT, _SERIES, _NEST = (
    frozenset({"$repeat", "times"}),
    frozenset({"$series", "times"}),
    frozenset({"$nest", "levels"}),
)


@dataclass(frozen=True, eq=False)
class Vector:
    """One invocation, the endpoint that it meets, and what must come of it. Strings may hold
    ``${endpoint}`` still.

    ``given`` is the invocation: an object, or JSON text (perhaps none). ``documents`` are the
    connection files, ``files`` others to lie in the working folder.
    """

    name: str
    says: str
    given: Mapping[str, Any] | str
    endpoint: Mapping[str, Any]
    documents: tuple[Mapping[str, Any], ...]
    environment: Mapping[str, str]
    files: Mapping[str, str]
    expect: Mapping[str, Any]
    process: bool = False
    echo: bool = False
    group: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.name


def files() -> list[Path]:
    """The files of the corpus."""
    return sorted(path for path in FOLDER.glob("*.json") if not path.name.endswith(".schema.json"))


@functools.cache
def vectors() -> tuple[Vector, ...]:
    """The whole corpus, in the order of the files; read once."""
    return tuple(vector for path in files() for vector in _read(path))


def _read(path: Path) -> Iterator[Vector]:
    document = json.loads(path.read_text(encoding="utf-8"))
    defaults = document.get("defaults", {})
    for written in document["vectors"]:
        merged = {**defaults, **written}
        connections = unfolded(merged.get("connections", []))
        yield Vector(
            name=merged["name"],
            says=merged["says"],
            given=_given(defaults, written),
            endpoint=unfolded(merged.get("endpoint", {})),
            documents=tuple(connections) if isinstance(connections, list) else (connections,),
            environment={**defaults.get("environment", {}), **written.get("environment", {})},
            files=unfolded(merged.get("files", {})),
            expect=unfolded(merged["expect"]),
            process=merged.get("process", False),
            echo=merged.get("echo", False),
            group=path.stem,
        )


def _given(defaults: Mapping[str, Any], written: Mapping[str, Any]) -> Mapping[str, Any] | str:
    if "text" in written:
        return str(unfolded(written["text"]))
    given = copy.deepcopy(written.get("invocation", defaults.get("invocation", {})))
    changes = written.get("with", {})
    if "inputs" in changes and isinstance(changes["inputs"], dict):
        changes = {**changes, "inputs": {**given.get("inputs", {}), **changes["inputs"]}}
    given |= changes
    for pointer in written.get("without", ()):
        *parents, last = pointer.removeprefix("/").split("/")
        place = given
        for name in parents:
            place = place[name]
        del place[last]
    found: Mapping[str, Any] = unfolded(given)
    return found


def unfolded(value: Any) -> Any:
    """The value with ``$repeat``, ``$series`` and ``$nest`` written out."""
    if isinstance(value, list):
        return [unfolded(item) for item in value]
    if not isinstance(value, dict):
        return value
    names = value.keys()
    if names == _REPEAT:
        return value["$repeat"] * value["times"]
    if names == _SERIES:
        return [value["$series"].replace("#", f"{number:04}") for number in range(value["times"])]
    if names == _NEST:
        return _nested(unfolded(value["$nest"]), value["levels"])
    return {name: unfolded(item) for name, item in value.items()}


def _nested(inmost: Any, levels: int) -> Any:
    for _ in range(levels):
        inmost = [inmost]
    return inmost
