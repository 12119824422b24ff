"""Inputs of 1 MiB against hostile schemas, while another client asks ``/healthz``: ``python -m benchmarks.hostile_inputs``.

Starts ``jackfield serve`` with one connector whose schemas cost as much as is allowed, sends dry runs of n, 2n and 4n bytes, and prints for each
how long the call took and how long the slowest probe beside it; the largest is also sent by four callers at once. Fails if a call takes longer
than ``MOST`` seconds, or a probe longer than ``MOST_PROBE``. Read the load average beside the numbers. Arguments
choose the inputs whose names contain them.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

MOST = 1.0
"""Seconds that the largest body may take, on a machine that does nothing else."""
MOST_PROBE = 0.1
"""Seconds that ``/healthz`` may take meanwhile, on such a machine."""
_CALLERS = 4
_SMALL_ANSWER = 20_000
"""Items of an answer of about 1 MiB. Larger ones may keep a probe waiting for ``MOST``."""
_SIZES = (1 << 18, 1 << 19, (1 << 20) - 1024)
_NODE = {
    "oneOf": [
        {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}, "children": {"$ref": "#/$defs/nodes"}}},
        {"type": "object", "required": ["children"], "properties": {"children": {"$ref": "#/$defs/nodes"}}},
    ]
}
_DEFS = {"node": _NODE, "nodes": {"type": "array", "items": {"$ref": "#/$defs/node"}}}
_PASSWORD = {"type": "string", "pattern": "(?=.*[A-Z])(?=.*[0-9]).{8,}", "maxLength": 1000}


def _filled(size: int, item: Any) -> list[Any]:
    return [item] * (size // (len(json.dumps(item)) + 2))


def _deep(size: int, leaf: Any) -> list[Any]:
    value: Any = leaf
    for _ in range(45):
        value = {"kind": "x", "children": [value]}
    return _filled(size, value)


SHAPES: Mapping[str, tuple[Mapping[str, Any], Callable[[int], Any]]] = {
    "valid rows": ({"items": {"type": "object", "required": ["id"]}}, lambda size: _filled(size, {"id": 1, "name": "ada"})),
    "wrong rows": ({"items": {"type": "object", "required": ["id"]}}, lambda size: _filled(size, {"name": "ada"})),
    "wrong numbers": ({"items": {"type": "integer"}}, lambda size: _filled(size, "x")),
    "60 branches that fit": ({"items": {"oneOf": [{"minimum": low} for low in range(60)]}}, lambda size: _filled(size, 0)),
    "900 branches": ({"items": {"anyOf": [{"type": "integer", "minimum": low} for low in range(900)]}}, lambda size: _filled(size, -1)),
    "recursive choice": ({"items": {"$ref": "#/$defs/node"}}, lambda size: _deep(size, {"kind": "x"})),
    "recursive choice, wrong": ({"items": {"$ref": "#/$defs/node"}}, lambda size: _deep(size, {"kind": 5})),
    "passwords": ({"items": _PASSWORD}, lambda size: _filled(size, "a" * 1000)),
    "short passwords": ({"items": _PASSWORD}, lambda size: _filled(size, "a" * 20)),
    "one long password": (_PASSWORD, lambda size: "a" * size),
    "linear pattern": ({"pattern": "^(a+)+$"}, lambda size: "a" * size + "b"),
    "large pattern": ({"pattern": "[ab]*a[ab]{900}c"}, lambda size: "ab" * (size // 2)),
    "enum of objects": ({"items": {"enum": [{"k": one} for one in range(1200)]}}, lambda size: _filled(size, {"k": -1})),
    "addresses": ({"format": "mailbox-list"}, lambda size: "a@x.io," * (size // 7)),
    "wrong addresses": ({"format": "mailbox-list"}, lambda size: '"a,<(' * (size // 5)),
    "names": ({"propertyNames": {"pattern": "^a"}}, lambda size: {f"b{number}": 1 for number in range(size // 12)}),
    "multiples of a fraction": ({"items": {"multipleOf": 0.01}}, lambda size: _filled(size, 1e300)),
    "bounds": ({"items": {"allOf": [{"minimum": low / 2} for low in range(5)]}}, lambda size: _filled(size, 1e300)),
    "long numbers": ({"items": {"type": "integer", "minimum": 1}}, lambda size: _filled(size, 10**307)),
    "longer numbers": ({"items": {"type": "integer", "minimum": 1}}, lambda size: _filled(size, 10**4000)),
    "constants": (
        {"items": {"allOf": [{"const": {f"k{one}": 1 for one in range(50)}}] * 30}},
        lambda size: _filled(size, {f"k{one}": 1 for one in range(50)}),
    ),
    "international addresses": ({"items": {"allOf": [{"format": "idn-email"}] * 40}}, lambda size: _filled(size, "ada@example.com")),
    "the same items": ({"uniqueItems": True}, lambda size: [{"n": number} for number in range(size // 13)]),
}


_ANSWERS = '''
from jackfield.connector import Connector, Field, Inputs, Output

connector = Connector("answers", title="Answers", version="1.0.0", connections=[])

class Asked(Inputs):
    """How many items."""

    count: int

class Item(Output):
    """An item."""

    name: str
    key: str = Field(secret=True)

class Found(Output):
    """Items."""

    items: list[Item]

@connector.action("list", effect="read", needs_connection=False)
def list_items(asked: Asked) -> Found:
    """List items."""
    return Found(items=[Item(name=f"item {number} %41&amp;", key=f"key-{number:08}") for number in range(asked.count)])
'''
_COUNTS = (4_000, 20_000, 100_000, 400_000)


def _manifest() -> dict[str, Any]:
    actions = [
        {
            "key": f"shape{number}",
            "title": name,
            "description": name,
            "effect": "read",
            "inputs": {"type": "object", "additionalProperties": False, "properties": {"v": schema}, "$defs": _DEFS},
            "output": {"type": "object"},
        }
        for number, (name, (schema, _)) in enumerate(SHAPES.items())
    ]
    about = {"manifestVersion": 1, "key": "hostile", "title": "Hostile", "description": "Hostile schemas.", "version": "1.0.0"}
    return {**about, "connectionTypes": [], "actions": actions}


class _Probe(threading.Thread):
    """Asks ``/healthz`` again and again; ``slowest`` is the longest answer since the last ``begin``."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.slowest = 0.0

    def run(self) -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            started = time.monotonic()
            try:
                connection.request("GET", "/healthz")
                connection.getresponse().read()
            except OSError:  # the server ends
                return
            connection.close()
            self.slowest = max(self.slowest, time.monotonic() - started)
            time.sleep(0.005)


def _serve(folder: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from plugboard import make_connector

    make_connector(folder / "site", "hostile", "connector = None\n", _manifest())
    make_connector(folder / "site", "answers", _ANSWERS)
    command = [sys.executable, "-m", "jackfield"]
    environment = {**os.environ, "JACKFIELD_HOME": str(folder / "home"), "PYTHONPATH": str(folder / "site")}
    made = subprocess.run([*command, "tokens", "create", "--scope", "invoke"], env=environment, check=True, capture_output=True)
    server = subprocess.Popen(
        [*command, "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while True:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return server, json.loads(made.stdout)["token"]
        if server.poll() is not None:
            raise SystemExit("the server has ended")
        time.sleep(0.05)


def _call(port: int, token: str, action: str, value: Any) -> tuple[float, int, str]:
    return _sent(port, token, {"connector": "hostile", "action": action, "inputs": {"v": value}, "dryRun": True})


def _sent(port: int, token: str, invocation: Mapping[str, Any]) -> tuple[float, int, str]:
    body = json.dumps(invocation).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.monotonic()
    connection.request("POST", "/v1/invocations", body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    found = json.loads(answer.read())
    spent = time.monotonic() - started
    error = found.get("error") or {}
    return spent, answer.status, str((error.get("details") or [{}])[0].get("message", error.get("message", "")))[:60]


def _main(*wanted: str) -> int:
    slow = 0
    with tempfile.TemporaryDirectory() as made, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
        free.close()
        server, token = _serve(Path(made), port)
        probe = _Probe(port)
        probe.start()
        try:
            print(f"{'input':26} {'kB':>5} {'status':>6} {'call s':>7} {'probe s':>7}  first error")
            for number, (name, (_, make)) in enumerate(SHAPES.items()):
                if wanted and not any(part in name for part in wanted):
                    continue
                _call(port, token, f"shape{number}", None)
                for size in _SIZES:
                    value, probe.slowest = make(size), 0.0
                    spent, status, said = _call(port, token, f"shape{number}", value)
                    slow += spent > MOST or probe.slowest > MOST_PROBE
                    print(f"{name:26} {size >> 10:5} {status:6} {spent:7.3f} {probe.slowest:7.3f}  {said}", flush=True)
                probe.slowest = 0.0
                call = partial(_call, port, token, f"shape{number}", value)
                with ThreadPoolExecutor(_CALLERS) as callers:
                    spent = max(answer.result()[0] for answer in [callers.submit(call) for _ in range(_CALLERS)])
                slow += probe.slowest > MOST_PROBE
                print(f"{name:26} {_CALLERS:3} x 1 MiB {spent:9.3f} {probe.slowest:7.3f}  load {os.getloadavg()[0]:.1f}", flush=True)
            for count in _COUNTS if not wanted or "answers" in wanted else ():
                probe.slowest = 0.0
                spent, status, said = _sent(port, token, {"connector": "answers", "action": "list", "inputs": {"count": count}})
                slow += probe.slowest > (MOST_PROBE if count <= _SMALL_ANSWER else MOST)
                print(f"answers of {count:7} items {status:14} {spent:7.3f} {probe.slowest:7.3f}  {said}", flush=True)
        finally:
            server.terminate()
            server.wait(30)
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
