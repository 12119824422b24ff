"""A first successful read without an account: a connector against a fake of its provider, in a runtime that leaves nothing behind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.fake_runtime import connect, fake_runtime, first_read
from jackfield_market.testing.fake_service import ACCOUNTS, CLIENT

NOTE = "The answers are the fake's, made from the connector's examples: no provider was called."
_SIMPLE = frozenset({"apiKey", "basic", "bearer"})
_GRANTED = ACCOUNTS | {CLIENT}

Json = Mapping[str, Any]


def kind_of(manifest: Json, wanted: str | None = None) -> str:
    """Return the key of the connection type to try.

    This is the one wanted, else one whose values are simple, else one that a person approves, else one that has no sign-in.

    :raises InvalidInvocation: if the connector has code of its own, or no such type.
    """
    key, rows = manifest["key"], [row for row in manifest["connectionTypes"] if "http" in row]
    if not rows:
        hint = f"Add a connection to the provider: 'jackfield connections add my-{key} --type {key}/TYPE'."
        raise InvalidInvocation(f"'{key}' is not an HTTP connector without code, and only these can be tried against a fake", hint=hint)
    if wanted is not None and wanted not in [row["key"] for row in rows]:
        hint = f"It has {', '.join(row['key'] for row in rows)}."
        raise InvalidInvocation(f"'{key}' has no connection type '{wanted}' that can be tried", hint=hint)
    asked = [row for row in rows if wanted in (None, row["key"])]
    for kinds in (_SIMPLE, _SIMPLE | _GRANTED):
        for row in asked:
            used = _kinds(row)
            if used and used <= kinds:
                return str(row["key"])
    if (open_to_all := next((row for row in asked if not _kinds(row)), None)) is not None:
        return str(open_to_all["key"])
    unknown = sorted({kind for row in asked for kind in _kinds(row)} - _SIMPLE - _GRANTED)
    hint = f"Try another type with --type, or add a connection to the provider: 'jackfield connections add my-{key} --type {key}/TYPE'."
    raise InvalidInvocation(f"the fake of '{key}' cannot sign in by {', '.join(unknown)}", hint=hint)


def _kinds(row: Json) -> set[str]:
    return {str(part["kind"]) for part in row["http"]["credentials"]}


def calls(key: str, action: str, inputs: Json, connection: str) -> dict[str, str]:
    """Return a call as it is written in a shell, in Python and over HTTP."""
    body = {"connector": key, "action": action, "connection": connection, "inputs": dict(inputs)}
    words = " ".join(shlex.quote(f"{name}:={json.dumps(value, ensure_ascii=False)}") for name, value in inputs.items())
    text = json.dumps(body, ensure_ascii=False)
    return {
        "shell": f"jackfield invoke {key} {action} --connection {connection} {words}".strip(),
        "python": f"Jackfield().invoke({body!r})",
        "http": f"curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' -d {shlex.quote(text)} SERVER/v1/invocations",
    }


def tried(manifest: Manifest, kind: str | None = None, action: str | None = None) -> dict[str, Any]:
    """Call the first action that reads, at a fake, and return the outcome.

    It has the connection's type with its test, the action with its inputs, its Result, the call as code, and what comes next.

    :raises InvalidInvocation: if no fake can be made of the connector, or it has no such type or action.
    """
    key, name, published = manifest.key, f"{manifest.key}-try", manifest.whole()
    chosen = kind_of(published, kind)
    called, inputs = first_read(Manifest.from_json(published), action)
    with fake_runtime(published, chosen) as (jackfield, fake):
        shown = connect(jackfield, fake, name, chosen)
        result = jackfield.invoke({"connector": key, "action": called, "connection": name, "inputs": inputs})
    added = f"jackfield connections add my-{key} --type {key}/{chosen}"
    return {
        "connector": key,
        "connection": {"type": f"{key}/{chosen}", "test": shown.get("status"), "account": shown.get("account")},
        "action": called,
        "inputs": inputs,
        "result": result.to_json(),
        "calls": calls(key, called, inputs, f"my-{key}"),
        "next": [f"jackfield schema {key} --connection {chosen}", added],
        "note": NOTE,
    }
