"""Answers to the changes of a connector without code: those of its examples with each status of
success, and those of gateways, caches and portals in place of the provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from jackfield.runtime import Jackfield
from jackfield.testing import Answer
from jackfield_market.testing.fake_proof import playable
from jackfield_market.testing.fake_runtime import connect, fake_runtime
from jackfield_market.testing.fake_service import FakeService
from jackfield_market.testing.loopback_provider import Request

Json = Mapping[str, Any]

_REJECTED = (
    b"<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. "
    b"Your support ID is: 1234567890</body></html>"
)
_JSON = {"Content-Type": "application/json"}
OTHERS: Mapping[str, Answer] = {
    "page of a firewall": Answer(None, 200, {"Content-Type": "text/html"}, content=_REJECTED),
    "page called JSON": Answer(None, 200, _JSON, content=b"<!-- \xff -->" + _REJECTED),
    "text of a proxy": Answer(
        None, 200, {"Content-Type": "text/plain"}, content=b"Access denied by policy"
    ),
    "message of a gateway": Answer({"message": "Request blocked", "support_id": "1"}),
    "problem of a gateway": Answer(
        {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "no"}
    ),
    "error of a framework": Answer(
        {"timestamp": "2026-11-30T00:00:00Z", "status": 404, "error": "Not Found", "path": "/x"}
    ),
    "charset of a portal": Answer(None, 200, _JSON, content=b'{"message": "g\xe9sperrt"}'),
}
"""What something else answers with status 200, in place of a provider."""


def _changes(manifest: Json) -> list[Json]:
    """Return the actions that change something by one request. Jobs have a handle."""
    return [
        row
        for row in manifest["actions"]
        if row["effect"] != "read" and row["http"].keys().isdisjoint(("before", "job"))
    ]


@contextmanager
def _standing(manifest: Json) -> Iterator[tuple[Jackfield, FakeService]]:
    kind = next(iter(playable(manifest)))
    with fake_runtime(manifest, kind) as (jackfield, fake):
        connect(jackfield, fake, "main", kind)
        yield jackfield, fake


def _called(jackfield: Jackfield, row: Json) -> Any:
    example = row["examples"][0]["invocation"]
    inputs, key = example["inputs"], example["connector"]
    call = {"connector": key, "action": row["key"], "connection": "main", "inputs": inputs}
    return jackfield.invoke(call, tries=1)


def _is_of_action(fake: FakeService, row: Json, request: Request) -> bool:
    """Return whether a request is an action's own, and none before it."""
    found = fake._find_action(request, request.path.partition("?")[0])
    asked = None if found is None else (found["http"]["method"], found["http"]["path"])
    return asked == (row["http"]["method"], row["http"]["path"])


def _with_status(answer: Answer, row: Json, status: int) -> Answer:
    """Return an answer with another status of success; without content, where it has none."""
    if status == 204 or (row["http"]["response"]["read"] == "none" and answer.body == {}):
        return Answer(None, status, content=b"")
    return replace(answer, status=status)


def doubts(manifest: Json) -> list[tuple[str, int, Any]]:
    """Call each change of a connector, with the answer of its example and each status of success;
    return what did not succeed. An answer of GraphQL has content.
    """
    found = []
    with _standing(manifest) as (jackfield, fake):
        for row in _changes(manifest):
            for status in (200, 201, 202, *([] if "graphql" in row["http"] else [204])):

                def play(
                    _number: int, request: Request, row: Json = row, status: int = status
                ) -> Answer:
                    answer = fake.answer(request)
                    is_its_own = answer.status == 200 and _is_of_action(fake, row, request)
                    return _with_status(answer, row, status) if is_its_own else answer

                fake.between = play
                result = _called(jackfield, row)
                if result.status != "succeeded":
                    found.append((row["key"], status, result.error))
    return found


def told_by_others(manifest: Json) -> set[str]:
    """Call each change of a connector with each answer of something else; return the actions that
    succeed by one.
    """
    found = set()
    with _standing(manifest) as (jackfield, fake):
        for row in _changes(manifest):
            for other in OTHERS.values():

                def play(
                    _number: int, request: Request, row: Json = row, other: Answer = other
                ) -> Answer:
                    answer = fake.answer(request)
                    return other if _is_of_action(fake, row, request) else answer

                fake.between = play
                if _called(jackfield, row).status == "succeeded":
                    found.add(f"{manifest['key']}/{row['key']}")
    return found
