"""A first successful read without an account: a connector against a fake of its provider, in a
runtime that leaves nothing behind.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.fake_runtime import connect, fake_runtime, first_read, kind_of

NOTE = "The answers are the fake's, made from the connector's examples: no provider was called."

Json = Mapping[str, Any]


def calls(key: str, action: str, inputs: Json, connection: str) -> dict[str, str]:
    """Return a call as code for a shell, for Python and for HTTP."""
    body = {"connector": key, "action": action, "connection": connection, "inputs": dict(inputs)}
    words = " ".join(
        shlex.quote(f"{name}:={json.dumps(value, ensure_ascii=False)}")
        for name, value in inputs.items()
    )
    text = json.dumps(body, ensure_ascii=False)
    return {
        "shell": f"jackfield invoke {key} {action} --connection {connection} {words}".strip(),
        "python": f"Jackfield().invoke({body!r})",
        "http": (
            "curl -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' -d "
            f"{shlex.quote(text)} SERVER/v1/invocations"
        ),
    }


def tried(manifest: Manifest, kind: str | None = None, action: str | None = None) -> dict[str, Any]:
    """Call the first action that reads against a fake, and return the outcome.

    The outcome contains the connection's type with its test, the action with its inputs, its
    Result, the call as code, and the next steps.

    :raises InvalidInvocation: if no fake can be made of the connector, or it has no such type or
        action.
    """
    key, name, published = manifest.key, f"{manifest.key}-try", manifest.whole()
    chosen = kind_of(published, kind)
    called, inputs = first_read(Manifest.from_json(published), action)
    with fake_runtime(published, chosen) as (jackfield, fake):
        shown = connect(jackfield, fake, name, chosen)
        result = jackfield.invoke(
            {"connector": key, "action": called, "connection": name, "inputs": inputs}
        )
    added = f"jackfield connections add my-{key} --type {key}/{chosen}"
    return {
        "connector": key,
        "connection": {
            "type": f"{key}/{chosen}",
            "test": shown.get("status"),
            "account": shown.get("account"),
        },
        "action": called,
        "inputs": inputs,
        "result": result.to_json(),
        "calls": calls(key, called, inputs, f"my-{key}"),
        "next": [f"jackfield schema {key} --connection {chosen}", added],
        "note": NOTE,
    }
