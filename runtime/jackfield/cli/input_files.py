"""Inputs from a JSON or YAML file, and options that override members of an invocation in a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jackfield.cli.files import STDIN, Files
from jackfield.errors import Detail, InvalidInvocation
from jackfield.invocation import decode


def read_inputs_file(path: str, files: Files) -> dict[str, Any]:
    """Read inputs from the file ``path`` (``-`` = stdin).

    :raises InvalidInvocation: if it cannot be read, is neither JSON nor YAML, or is not a single object of JSON values.
    """
    text = files.read_text(path, "/inputs")
    name = "stdin" if path == STDIN else f"the file '{path[:200]}'"
    if path.lower().endswith(".json") or text.lstrip().startswith(("{", "[")):
        try:
            found = decode(text)
        except InvalidInvocation as error:
            raise _refusal(error.message.replace("the invocation", name), error.hint) from None
    else:
        found = _from_yaml(text, name)
    if not isinstance(found, dict):
        raise _refusal(f"{name} must contain one object with a member for each input", 'Write {"subject": "Hello"} or "subject: Hello".')
    return found


def _from_yaml(text: str, name: str) -> Any:
    from jackfield.connections.documents import DocumentError, documents

    try:
        found = list(documents(text, "inputs.yaml"))
    except DocumentError as error:
        raise _refusal(f"{name}: {error}") from None
    if len(found) != 1:
        raise _refusal(f"{name} must contain one YAML document, not {len(found)}")
    _check_json(found[0], name)
    return found[0]


def _check_json(document: object, name: str) -> None:
    """Reject NaN and infinity, which YAML has and JSON does not. Documents are bounded, so visiting each value is cheap."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise _refusal(f"{name} contains {item}, which is not a JSON number", "Put it in quotes if it is meant as text.")


def _refusal(message: str, hint: str | None = None) -> InvalidInvocation:
    return InvalidInvocation(message, details=[Detail("/inputs", message)], hint=hint)


def changed(content: bytes, changes: Mapping[str, Any]) -> bytes | dict[str, Any]:
    """Override members of an invocation by those that options set.

    :raises InvalidInvocation: if it is not JSON.
    """
    if not changes:
        return content
    given = decode(content)
    return {**given, **changes} if isinstance(given, Mapping) else content
