"""Examination of this machine: which layers of isolation its kernel provides, proven by a process
that tries to break each layer.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from jackfield.catalog.discovery import EntryPoint
from jackfield.connector.context import Call, entered
from jackfield.connector.manifests import describe
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.manifest.manifest import Manifest
from jackfield_isolation.children import Children
from jackfield_isolation.program import Policy
from jackfield_isolation.sandbox.limits import LAYERS
from jackfield_isolation.sandbox.probe import ATTEMPTS, connector

_SECONDS = 30.0
PURPOSES: Mapping[str, str] = {
    "environment": "an empty environment, no open file of jackfield's, and no folder of its own",
    "resources": "limits on memory, CPU time, threads and open files; no file grows",
    "parent": "the kernel ends the process when jackfield ends",
    "privileges": "no capabilities, none to gain, and not traceable by other processes",
    "files": "reads its own environment and Python's libraries only (Landlock)",
    "processes": "starts no process or program, and touches no other one (seccomp)",
    "network": "opens no connection: jackfield connects for it, to allowed hosts (seccomp)",
}
"""Protection that each layer gives, by the layer's name."""


def examine(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row per layer: name, purpose and whether it holds.

    For a layer that does not hold, the row has the reason or the attempts that succeeded.

    :raises Unavailable: if the examining process cannot be started.
    """
    point = EntryPoint("probe", "jackfield_isolation.sandbox.probe:connector", "jackfield")
    manifest = Manifest.from_json(json.loads(json.dumps(describe(connector))))
    call = Call(Deadline.after(_SECONDS, SystemClock()), workspace="examination")
    with (
        closing(Children(environment)) as children,
        _targets(Policy.from_environment(environment)) as targets,
        entered(call),
    ):
        found = children.load(manifest, point)
        action = found.actions["probe"]
        allowed = action.function(action.inputs.model_validate(targets)).model_dump()["allowed"]
        layers = {"environment": True, **found.layers}
    return [_row(name, layers.get(name, "not known"), allowed) for name in ("environment", *LAYERS)]


@contextmanager
def _targets(policy: Policy) -> Iterator[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="jackfield-") as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("secret")
        os.chmod(secret, 0o600)
        memory = 2 * policy.memory if policy.memory else 0
        yield {
            "secret": secret,
            "folder": folder,
            "parent": os.getpid(),
            "port": server.getsockname()[1],
            "memory": memory,
        }


def _row(name: str, state: bool | str, allowed: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"layer": name, "holds": state is True, "provides": PURPOSES[name]}
    broken = [text for key, (layer, text) in ATTEMPTS.items() if layer == name and key in allowed]
    if state is not True:
        row["reason"] = state
    if broken:
        row |= {"holds": False, "allowed": broken}
    return row
