"""The surfaces through which every vector is played. A new one is one function and one line in
``SURFACES``.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema_rs
import pytest
from tests.jackfield_service.surfaces.expecting import differences
from tests.jackfield_service.surfaces.http_surface import over_http, takes_http
from tests.jackfield_service.surfaces.mcp_surface import over_mcp, takes_mcp
from tests.jackfield_service.surfaces.queue_surface import takes_queue, through_queue

from corpus import Vector, vectors
from jackfield.cli.main import main
from jackfield_store.runtime import Jackfield
from stage import Place, staged

Json = dict[str, Any]

_PATIENCE = 60.0
_SCHEMAS = Path(__file__).parents[3] / "schemas"
EXITS: Mapping[str, int] = {
    **dict.fromkeys(
        ("invalid_invocation", "unknown_connector", "unknown_action", "unknown_connection"), 2
    ),
    **dict.fromkeys(("invalid_input", "invalid_connection", "idempotency_conflict"), 2),
    "in_doubt": 3,
}
"""The exit codes of contract §3; every other error is 1."""


@dataclass(frozen=True)
class Surface:
    """``run`` plays a vector at a place and gives the Result as JSON; ``takes`` says which vectors
    it can express; with ``real_time`` it waits as long as the vector's deadlines are.
    """

    run: Callable[[Vector, Place], Json]
    takes: Callable[[Vector], bool] = lambda _vector: True
    own_clock: bool = False
    real_time: bool = False


@dataclass(frozen=True)
class Play:
    """What came of one vector on one surface. ``waited`` is in seconds, None where the surface kept
    its own time.
    """

    result: Json
    calls: list[str]
    state: Json
    waited: float | None


def library(_vector: Vector, place: Place) -> Json:
    """``Jackfield.invoke``, connections given in code (several files only as files)."""
    connections = (
        [{"connections": dict(item)} for item in place.documents]
        if len(place.documents) == 1
        else place.files
    )
    with Jackfield(connections=connections, clock=place.clock) as jackfield:
        return jackfield.invoke(place.given).to_json()


def tasks(_vector: Vector, place: Place) -> Json:
    """``Jackfield.ainvoke``, connections from files."""

    async def run() -> Json:
        with Jackfield(connections=place.files, clock=place.clock) as jackfield:
            return (await jackfield.ainvoke(place.given)).to_json()

    return asyncio.run(run())


def stored(_vector: Vector, place: Place) -> Json:
    """``Jackfield.invoke`` with a journal in the home's own database."""
    url = f"sqlite:///{place.folder / 'jackfield.db'}"
    with (
        mock.patch.dict(os.environ, JACKFIELD_DATABASE_URL=url),
        Jackfield(connections=place.files, clock=place.clock) as jackfield,
    ):
        assert jackfield.journal is not None  # open before the invocation's time begins
        return jackfield.invoke(place.given).to_json()


def command(_vector: Vector, place: Place) -> Json:
    """``jackfield invoke --file`` in this process."""
    return _command(place, "invoke", "--file", _invocation_file(place))


def words(_vector: Vector, place: Place) -> Json:
    """``jackfield invoke CONNECTOR ACTION key:=JSON …`` in this process."""
    given = place.given
    assert isinstance(given, Mapping)
    inputs = [f"{name}:={json.dumps(value)}" for name, value in given.get("inputs", {}).items()]
    options = [f"--{option}={given[name]}" for name, option in _OPTIONS.items() if name in given]
    flags = ["--dry-run"] if given.get("dryRun") else []
    return _command(
        place, "invoke", given["connector"], given["action"], *options, *flags, "--", *inputs
    )


def process(_vector: Vector, place: Place) -> Json:
    """``python -m jackfield invoke --file`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", "invoke", "--file", _invocation_file(place)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(place.paths)},
        timeout=_PATIENCE,
        check=False,
    )
    return _answered(done.returncode, done.stdout.decode(), done.stderr.decode())


_OPTIONS = {
    "connection": "connection",
    "idempotencyKey": "idempotency-key",
    "timeoutSeconds": "timeout",
    "onDoubt": "on-doubt",
    "partial": "partial",
    "connectorVersion": "connector-version",
}


def _in_words(vector: Vector) -> bool:
    """Whether the command line has words for the invocation: a named connection, known members,
    inputs that are short enough.
    """
    given = vector.given
    if (
        not isinstance(given, Mapping)
        or vector.expect.get("error", {}).get("code") == "invalid_invocation"
    ):
        return False
    named = isinstance(given.get("connection", ""), str) and given.keys() <= {
        "connector",
        "action",
        "inputs",
        "dryRun",
        *_OPTIONS,
    }
    return named and all(
        "=" not in name and len(json.dumps(value)) < 100_000
        for name, value in given.get("inputs", {}).items()
    )


_JOURNALLED = frozenset({"doubt", "dry-run", "paging", "retries"})
"""The groups that the journal has a part in: it is written before the action and after it."""

SURFACES: Mapping[str, Surface] = {
    "library": Surface(library, real_time=True),
    "ainvoke": Surface(tasks),
    "library-journal": Surface(stored, takes=lambda vector: vector.group in _JOURNALLED),
    "cli": Surface(command),
    "cli-words": Surface(words, takes=_in_words),
    "http": Surface(over_http, takes=takes_http),
    "mcp": Surface(over_mcp, takes=takes_mcp),
    "queue": Surface(through_queue, takes=takes_queue),
    "cli-process": Surface(
        process, takes=lambda vector: vector.process, own_clock=True, real_time=True
    ),
}


_LONG = frozenset({"assume-role-throttled-always"})
"""34 attempts, each with a client of its own: another vector of its code is played on all
surfaces.
"""
_CHEAPEST = "ainvoke"
"""It takes half of the CPU time of the others, waits for no deadline, and can express every
vector.
"""


def played(name: str, vector: Vector) -> Play:
    """What the surface called ``name`` makes of the vector."""
    surface = SURFACES[name]
    with staged(vector, real_time=surface.real_time) as place:
        result = surface.run(vector, place)
        place.aws.release()
        state = place.aws.state()
        return Play(
            result, state["calls"], state, None if surface.own_clock else place.clock.waited
        )


def complaints(vector: Vector, play: Play) -> list[str]:
    """Everything in which a play is not what the vector, or contract §3 of every Result, says."""
    expect = vector.expect
    wanted = {
        name: value
        for name, value in expect.items()
        if name in ("status", "error", "output", "meta")
    }
    found = list(differences(wanted, play.result))
    found += differences(_SHAPE, play.result["meta"], "/meta")
    for member in ("output", "error"):
        if member not in expect and member in play.result:
            found.append(f"/{member}: expected nothing, found {play.result[member]}")
    if "calls" in expect and play.calls != expect["calls"]:
        found.append(f"calls: expected {expect['calls']}, found {play.calls}")
    if "sent" in expect:
        found += differences(
            expect["sent"], [_sent(message) for message in play.state["messages"]], "sent:"
        )
    for member in ("requests", "sessions", "received", "accepted"):
        if member in expect:
            found += differences(expect[member], play.state[member], f"{member}:")
    if "waited" in expect and play.waited is not None:
        found += differences(expect["waited"], play.waited, "waited:")
    return found


def disagreements(vector: Vector, names: Iterable[str]) -> list[str]:
    """Play a vector through the surfaces called ``names``; each difference from what the vector
    says, and from the other surfaces.
    """
    plays = {name: played(name, vector) for name in names}
    found = [
        f"{name}: {complaint}"
        for name, play in plays.items()
        for complaint in complaints(vector, play)
    ]
    first, *others = plays
    found += _faults("result", plays[first].result)
    if (
        isinstance(vector.given, Mapping)
        and vector.expect.get("error", {}).get("code") != "invalid_invocation"
    ):
        found += _faults("invocation", vector.given)
    for other in others:
        if comparable(plays[other].result) != comparable(plays[first].result):
            found.append(
                f"{first} and {other} differ: {comparable(plays[first].result)} and "
                f"{comparable(plays[other].result)}"
            )
        if "calls" in vector.expect and plays[other].calls != plays[first].calls:
            found.append(
                f"{first} and {other} differ in their calls: {plays[first].calls} and "
                f"{plays[other].calls}"
            )
    return [f"{vector}: {vector.says}", *found] if found else []


GROUPS_OF_CALLS = frozenset(
    {
        "assume-role",
        "connections",
        "cost",
        "deadline",
        "doubt",
        "dry-run",
        "errors",
        "invocation",
        "names",
        "paging",
        "retries",
        "validation",
    }
)
"""Groups of vectors about what every call has."""


def parameters(holds: Callable[[str], bool]) -> list[Any]:
    """All vectors of groups for which something holds, with the surfaces that play each: a
    parameter for each group.

    The first of each group about calls, and the first of each code, have all that can express it:
    what an action does is no matter of the surface. Each other one has one surface, which is the
    cheapest for three of four and goes by turns for the fourth, and all in `make campaign`. Wheels
    are tested with those for a process of their own.
    """
    seen: set[str | None] = set()
    parts: dict[tuple[str, str], list[tuple[Vector, tuple[str, ...]]]] = {}
    for number, vector in enumerate(vectors()):
        if not holds(vector.group):
            continue
        kinds = {
            vector.group if vector.group in GROUPS_OF_CALLS else None,
            vector.expect.get("error", {}).get("code"),
        }
        kinds = set() if vector.name in _LONG else kinds
        names = tuple(name for name, surface in SURFACES.items() if surface.takes(vector))
        if vector.process or kinds - seen:
            parts.setdefault(
                (vector.group, "processes" if vector.process else "surfaces"), []
            ).append((vector, names))
        else:
            parts.setdefault((vector.group, "surfaces"), []).append(
                (vector, (_CHEAPEST if number % 4 else names[number // 4 % len(names)],))
            )
            parts.setdefault((vector.group, "everywhere"), []).append((vector, names))
        seen |= kinds
    marks: dict[str, Any] = {
        "processes": (),
        "surfaces": pytest.mark.tree_only,
        "everywhere": pytest.mark.campaign,
    }
    return [
        pytest.param(played, marks=marks[kind], id=f"{group}-{kind}")
        for (group, kind), played in parts.items()
    ]


@cache
def _validator(name: str) -> Any:
    schema = json.loads((_SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _faults(name: str, value: object) -> list[str]:
    return [
        f"{name}.schema.json: {error.instance_path}: {error.message[:200]}"
        for error in _validator(name).iter_errors(value)
    ]


_SHAPE = {
    "invocationId": {
        "$matches": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    },
    "durationMs": {"$atLeast": 0},
    "attempts": {"$atLeast": 0},
    "replayed": False,
}
"""What the ``meta`` of every Result holds (contract §3)."""


def _sent(message: Mapping[str, Any]) -> Json:
    renamed = {
        "source": "from",
        "configurationSet": "configurationSetName",
        "feedbackAddress": "returnPath",
        "identityArn": "identityArn",
    }
    shown = {renamed.get(name, name): value for name, value in message.items()}
    lists = {
        name: [list(item) if isinstance(item, tuple) else item for item in value]
        for name, value in shown.items()
        if isinstance(value, tuple)
    }
    return {**shown, **lists}


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Id of an invocation or of a request."""


_ATTEMPTS = re.compile(r", \d+ attempts(?=\")")
"""Attempts until a deadline: as many as the machine has time for."""
_SLOW = re.compile(r"(?<=before the provider responded): [^\"]* did not answer in time")
"""What a deadline ended, as far as it is known: the wait for an answer's head, or for its body, or
that of a caller for a late action.
"""
_REACHED = re.compile(
    r"(?<= passed before )(anything was sent: [^\"]* could not be reached in time|the provider "
    r"responded)"
)
"""How far the last attempt had come when the deadline ended it: as far as the machine had time
for.
"""


def comparable(result: Json) -> Json:
    """Return a Result without what no two runs share (ids, durations, the text's number of
    attempts) and without its hint's own words.
    """
    meta = {
        name: value
        for name, value in result["meta"].items()
        if name not in ("invocationId", "durationMs", "requestId")
    }
    if result.get("error", {}).get("code") == "timeout":
        del meta["attempts"]  # as many as the machine has time for
    text = json.dumps({**result, "meta": {**meta, "answered": "requestId" in result["meta"]}})
    text = _SLOW.sub("", _ATTEMPTS.sub("", _ID.sub("<id>", text)))
    shown: Json = json.loads(
        _REACHED.sub("it ended", text) if result.get("error", {}).get("code") == "timeout" else text
    )
    for place, name in (
        (shown.get("output"), "MessageId"),
        (shown.get("error", {}).get("provider"), "requestId"),
    ):
        if place and name in place:
            place[name] = "<id>"
    if "hint" in shown.get("error", {}):
        shown["error"]["hint"] = "<hint>"
    return shown


def _invocation_file(place: Place) -> str:
    given = place.given
    text = given if isinstance(given, str) else json.dumps(given)
    (place.folder / "invocation.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    return "invocation.json"


def _command(place: Place, *argv: str) -> Json:
    out, err = io.StringIO(), io.StringIO()
    with _on_clock(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(argv)
    return _answered(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _on_clock(place: Place) -> Iterator[None]:
    with mock.patch("jackfield.runtime.SystemClock", return_value=place.clock):
        yield


def _answered(code: int, out: str, err: str) -> Json:
    """Stdout as a Result; and what holds of every answer of the command: one line, the contract's
    exit code, no traceback.
    """
    assert out.count("\n") == 1, out + err
    result: Json = json.loads(out)
    assert "Traceback" not in err, err
    assert code == (
        0 if result["status"] == "succeeded" else EXITS.get(result["error"]["code"], 1)
    ), (code, result)
    return result
