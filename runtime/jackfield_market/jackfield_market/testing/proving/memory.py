"""Default answers of the simulated provider: the sent object with an id, and reads of objects that
took effect.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from jackfield_market.testing.loopback_provider import Answer, Request
from jackfield_market.testing.proving.writes import address, body_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Learned:
    """Paths learned from a first run: objects are created below ``makes`` and at ``puts``.
    ``there`` are objects that it read before any write to them.
    """

    makes: frozenset[str] = frozenset()
    puts: frozenset[str] = frozenset()
    there: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    """Paths without content before a write creates it."""

    def after(self, requests: Iterable[Request]) -> Learned:
        """Return the paths learned from a run in which every request was answered."""
        makes, puts, there = set[str](), set[str](), set[str]()
        for request in requests:
            path = place_of(request)
            if request.method == "POST" and address(request)[1] != "/":
                makes.add(path)
            elif request.method == "PUT":
                puts.add(path)
            elif not request.changes and path not in puts and _above(path) not in makes:
                there.add(path)
        return Learned(
            frozenset(makes), frozenset(puts), frozenset(there) - self.absent, self.absent
        )

    def lacks(self, path: str, known: set[str]) -> bool:
        """Return whether a read of an uncreated path finds nothing. ``known`` are paths below which
        objects have been created.
        """
        if path in self.absent or _above(path) in known:
            return True
        return path not in self.there and (path in self.puts or _above(path) in self.makes)


@dataclass
class Memory:
    """Small provider. POST creates an object, which can then be read by path and id; PUT replaces,
    PATCH changes, DELETE removes it.

    An object is read by its id, by the id in the answer, or by any other value in it, below the
    path to which it was sent.

    ``told`` are given answers by "POST /orders", with ``status``, ``headers`` and ``body``;
    ``status`` is the status of all other successes. Lists are in the member ``listed`` of an
    object, or bare.
    """

    told: Mapping[str, Json] = field(default_factory=dict)
    status: int = 200
    listed: str | None = None
    learned: Learned = field(default_factory=Learned)
    known: set[str] = field(default_factory=set)
    """Paths below which writes create objects."""
    things: dict[str, Json] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    """Number of changes of each object, used as its ``ETag``."""

    def answer(self, request: Request) -> Answer:
        """Carry out a request, and return its answer."""
        host, path, query = address(request)
        place = place_of(request)
        self.versions[place] += request.changes
        made = (
            self._read(host + path, query)
            if not request.changes
            else self._change(request.method, place, body_of(request))
        )
        found = told(self.told, request.method, path)
        if found is not None:
            if request.method == "POST":
                self._name(place, made, found.get("body"))
            return plain(found, made)
        if made is None:
            return Answer({"message": "there is no such thing"}, 404)
        return Answer(
            made,
            self.status if request.method == "POST" else 200,
            {"ETag": f'"{self.versions[place]}"'},
        )

    def _change(self, method: str, path: str, body: Any) -> Json:
        members: Json = body if isinstance(body, dict) else {}
        if method == "DELETE":
            return self.things.pop(path, None) or {"id": path.rpartition("/")[2], "deleted": True}
        if method in ("PUT", "PATCH"):
            before = self.things.get(path, {}) if method == "PATCH" else {}
            self.things[path] = {"id": path.rpartition("/")[2], **before, **members}
            return self.things[path]
        self.known.add(path)
        thing = {"id": f"made-{len(self.things) + 1}", **members}
        self.things[f"{path}/{thing['id']}"] = thing
        return thing

    def _name(self, place: str, made: Any, body: Any) -> None:
        """Make an object readable by the id in the given answer, instead of its own."""
        if isinstance(body, dict) and isinstance(body.get("id"), str | int):
            self.things.pop(f"{place}/{made['id']}", None)
            self.things[f"{place}/{body['id']}"] = made

    def _read(self, path: str, query: str) -> Any:
        path = path.rstrip("/")
        if path in self.things:
            return self.things[path]
        if path not in self.known:
            return self._alike(path) if self.learned.lacks(path, self.known) else {}
        asked = dict(parse_qsl(query))
        below = [thing for place, thing in self.things.items() if place.rpartition("/")[0] == path]
        found = [
            thing
            for thing in below
            if all(str(thing[name]) == value for name, value in asked.items() if name in thing)
        ]
        return found if self.listed is None else {self.listed: found}

    def _alike(self, path: str) -> Json | None:
        """Return the object that has the last part of a path as one of its values; None if no
        object has it.
        """
        name = unquote(path.rpartition("/")[2])
        below = (thing for place, thing in self.things.items() if _above(place) == _above(path))
        return next((thing for thing in below if name in _values(thing)), None)


def place_of(request: Request) -> str:
    """Return host and path of a request."""
    host, path, _ = address(request)
    return (host + path).rstrip("/")


def _above(path: str) -> str:
    return path.rpartition("/")[0]


def _values(value: Any) -> Iterator[str]:
    """Yield the scalar values in JSON as strings."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _values(member)
    elif value is not None:
        yield str(value)


def told(rows: Mapping[str, Json], method: str, path: str) -> Json | None:
    """Return the row of a request, or None; a part of a path in braces matches any one segment."""
    parts = path.split("/")
    for name, row in rows.items():
        verb, _, pattern = name.partition(" ")
        wanted = pattern.split("/")
        if (
            verb == method
            and len(wanted) == len(parts)
            and all(a == b or a.startswith("{") for a, b in zip(wanted, parts, strict=True))
        ):
            return row
    return None


def plain(row: Json, made: Any) -> Answer:
    """Return the answer of a row; without a body, the answer is the created object."""
    body = row.get("body", made)
    content = body.encode() if isinstance(body, str) else None
    return Answer(
        json.loads(json.dumps(body)) if content is None else {},
        int(row.get("status", 200)),
        dict(row.get("headers", {})),
        content,
    )
