"""Code snippets of an invocation for curl, Python and the CLI, next to the form."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.kernel.hidden import visible
from jackfield_service.shell.pages.layout.components import json_text

_SHORT = 60
"""Maximum length in characters of a list or an object on one line of a Python snippet."""
_OPTIONS = {
    "idempotencyKey": "--idempotency-key",
    "timeoutSeconds": "--timeout",
    "onDoubt": "--on-doubt",
    "partial": "--partial",
    "connectorVersion": "--connector-version",
}


def as_curl(invocation: Mapping[str, Any], origin: str) -> str:
    """Write the curl request to this server; the token is in a variable."""
    # inside single quotes only a single quote needs escaping
    body = json_text(invocation).replace("'", "'\\''")
    return (
        f"curl --fail-with-body {shlex.quote(f'{origin}/v1/invocations')} \\\n"
        '  -H "Authorization: Bearer $JACKFIELD_TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )


def as_python(invocation: Mapping[str, Any]) -> str:
    """Write a Python program that runs the invocation in-process. Uploaded files become reads of
    local files with the same name.
    """
    local, files = _local(invocation)
    text = _literal(local, 0)
    imports = "from jackfield import Jackfield\n"
    if files:
        imports = f"from base64 import b64encode\nfrom pathlib import Path\n\n{imports}"
        for marker, name in files.items():
            text = text.replace(repr(marker), f"b64encode(Path({name!r}).read_bytes()).decode()")
    indented = text.replace("\n", "\n    ")
    return (
        f"{imports}\nwith Jackfield() as jackfield:\n    invocation = {indented}\n    result "
        "= jackfield.invoke(invocation)\n    print(result.unwrap())"
    )


def _literal(value: Any, depth: int) -> str:
    """Format a literal: short lists and objects on one line, others with one item per line."""
    flat = repr(value)
    if not isinstance(value, dict | list) or not value or (depth and len(flat) <= _SHORT):
        return flat
    inner, outer = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict):
        rows = [f"{inner}{name!r}: {_literal(item, depth + 1)},\n" for name, item in value.items()]
        return f"{{\n{''.join(rows)}{outer}}}"
    rows = [f"{inner}{_literal(item, depth + 1)},\n" for item in value]
    return f"[\n{''.join(rows)}{outer}]"


def as_command(invocation: Mapping[str, Any]) -> str:
    """Write the ``jackfield invoke`` command."""
    words = ["jackfield", "invoke", str(invocation["connector"]), str(invocation["action"])]
    if isinstance(invocation.get("connection"), str):
        words += ["--connection", invocation["connection"]]
    words += [
        f"{option}={invocation[name]}" for name, option in _OPTIONS.items() if name in invocation
    ]
    words += ["--dry-run"] if invocation.get("dryRun") else []
    for name, value in invocation.get("inputs", {}).items():
        words += _words(name, value)
    lines = [" ".join(words[:4])]
    rest = words[4:]
    while rest:
        taken = 2 if rest[0] == "--connection" else 1
        lines.append("  " + " ".join(shlex.quote(word) for word in rest[:taken]))
        rest = rest[taken:]
    return " \\\n".join(lines)


def _words(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str) and not value.startswith("@"):
        yield f"{name}={value}"
    elif names := _uploads(name, value):
        yield from (f"{name}=@{file}" for file in names)
    else:
        yield f"{name}:={visible(json.dumps(value, ensure_ascii=False))}"


def _local(invocation: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Replace uploads in the invocation by markers; return it with the file name of each marker."""
    files: dict[str, str] = {}

    def replaced(value: Any, name: str) -> Any:
        if _is_uploaded(value):
            marker = f"\0{len(files)}"
            files[marker] = name
            return {"data": marker}
        if isinstance(value, Mapping):
            named = str(value["key"]) if set(value) == {"key", "value"} else None
            return {key: replaced(item, named or key) for key, item in value.items()}
        return [replaced(item, name) for item in value] if isinstance(value, list) else value

    return {name: replaced(value, name) for name, value in invocation.items()}, files


def _uploads(name: str, value: Any) -> list[str]:
    """Return the names of the files if the value consists of uploads only, else an empty list."""
    if _is_uploaded(value):
        return [name]
    pairs = list(value.items()) if isinstance(value, Mapping) else []
    if isinstance(value, list) and all(
        isinstance(item, Mapping) and set(item) == {"key", "value"} for item in value
    ):
        pairs = [(item["key"], item["value"]) for item in value]
    return [str(key) for key, _ in pairs] if all(_is_uploaded(item) for _, item in pairs) else []


def _is_uploaded(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"file"}
