"""Ways to call a connector that ``jackfield dev`` serves: a token with a ready ``curl``, and the
command line in another terminal.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from jackfield.cli.logs import announce
from jackfield_market.testing.project import Project

_PATIENCE = 60.0


class Access:
    """Token of one session, made when the project is first served and revoked at the end."""

    def __init__(self) -> None:
        self._identifier: str | None = None
        self._is_told = False

    def announce(self, project: Project, port: int, environment: Mapping[str, str]) -> None:
        """Print sample calls of the connector with a new token, once."""
        if self._is_told:
            return
        self._is_told = True
        made = _answer(
            [
                "tokens",
                "create",
                "--scope",
                "invoke",
                "--name",
                f"jackfield dev {project.key}",
                "--expires",
                "1d",
            ],
            environment,
        )
        self._identifier = made.get("id")
        sample = _sample(project)
        if self._identifier is not None:
            announce(f"jackfield: the token of this session: {made['token']}")
        if sample is None:
            announce(
                f"jackfield: '{project.key}' has no actions yet; the console shows what else it "
                "declares"
            )
            return
        if self._identifier is not None:
            text = shlex.quote(json.dumps(sample, ensure_ascii=False))
            announce(
                f"  curl -s http://127.0.0.1:{port}/v1/invocations -H 'Authorization: Bearer "
                f"{made['token']}'"
                f" -H 'Content-Type: application/json' -d {text}"
            )
        # the project; the rest is this environment's own
        path = os.pathsep.join(environment["PYTHONPATH"].split(os.pathsep)[:2])
        variables = {"JACKFIELD_HOME": environment["JACKFIELD_HOME"], "PYTHONPATH": path}
        exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
        words = [
            f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value)}"
            for name, value in sample["inputs"].items()
        ]
        kind = sample.get("connection", {}).get("type")
        add = (
            [["jackfield", "connections", "add", project.key, "--type", f"{project.key}/{kind}"]]
            if kind
            else []
        )
        lines = [*add, ["jackfield", "invoke", project.key, sample["action"], *words]]
        announce(
            "\n  ".join(
                (
                    "jackfield: in another terminal of this environment:",
                    f"export {exports}",
                    *map(shlex.join, lines),
                )
            )
        )

    def revoke(self, environment: Mapping[str, str]) -> None:
        """Revoke the token: the database may outlive the command."""
        if self._identifier is not None:
            _answer(["tokens", "revoke", self._identifier], environment)


def _sample(project: Project) -> dict[str, Any] | None:
    """Return a sample invocation: the first action with an example, over a connection of the first
    type. Return None if there are no actions.
    """
    manifest = json.loads((project.package / "connector.json").read_text(encoding="utf-8"))
    actions = sorted(manifest.get("actions", ()), key=lambda row: not row.get("examples"))
    if not actions:
        return None
    example: dict[str, Any] = next(iter(actions[0].get("examples", ())), {})
    inputs = example.get("invocation", {}).get("inputs", {})
    sample = {"connector": project.key, "action": actions[0]["key"], "inputs": inputs}
    types = manifest.get("connectionTypes")
    if not types:
        return sample
    values = {name: name.upper() for name in types[0]["schema"].get("required", ())}
    return {**sample, "connection": {"type": types[0]["key"], "values": values}}


def _answer(words: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run a command of jackfield and return its answer; an empty answer if the command fails, as
    without a database.
    """
    command = [sys.executable, "-m", "jackfield", *words, "--json"]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return found if isinstance(found, dict) else {}
