"""Parts that every generator of connectors writes: the package's name, a default icon, the Result
of an example. Texts are truncated to a length that people and language models read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.kernel.errors import InvalidInput

LONGEST_TITLE = 200
"""Maximum characters of a title in a manifest that is published or installed."""
LONGEST_TEXT = 8_000
"""Maximum characters of a description, guide or hint: each appears in forms and in prompts of
language models.
"""
PROOFS = ("written", "checked", "recorded")
"""Proof of a manifest's statements about its provider: written from knowledge, checked against a
document of the provider, or recorded at the provider.
"""
_LIMITS = {
    "title": LONGEST_TITLE,
    **dict.fromkeys(
        ("description", "setup", "hint", "reason", "expects", "purpose", "cure"), LONGEST_TEXT
    ),
}
_DATA = frozenset({"default", "const", "enum", "examples", "invocation", "result", "preview"})
"""Members with values of a caller or provider, which are not texts about the connector."""


def package_of(key: str) -> str:
    """Return the name of the package of a connector with this key.

    :raises InvalidInput: if an installed library has this name: its modules would be hidden. A
        package that binds actions is a library, even if it has a connector.
    """
    from importlib import metadata

    try:
        found = metadata.distribution(f"jackfield-{key}")
    except metadata.PackageNotFoundError:
        found = None
    groups = found.entry_points.groups if found is not None else {"jackfield.connectors"}
    if "jackfield.connectors" not in groups or "jackfield.bindings" in groups:
        raise InvalidInput(
            f"a connector with the key '{key[:80]}' would replace the installed library "
            f"jackfield-{key[:80]}",
            hint=f"Choose another key, such as {key[:80]}-api.",
        )
    return f"jackfield_{key.replace('-', '_')}"


def lettermark(title: str, colour: str = "334155") -> str:
    """Return an icon with the first letter of a title, white on ``colour`` (hexadecimal)."""
    letter = next((one for one in title.upper() if one.isascii() and one.isalnum()), "A")
    text = (
        "<text x='12' y='17' font-family='sans-serif' font-size='14' text-anchor='middle' "
        "fill='white'>"
    )
    return (
        "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
        f"<rect width='24' height='24' rx='5' fill='%23{colour}'/>{text}{letter}</text></svg>"
    )


def example(
    connector: str,
    version: str,
    action: str,
    title: str,
    inputs: Mapping[str, Any],
    output: Mapping[str, Any],
    *,
    took: float = 12.5,
) -> dict[str, Any]:
    """Return an example of an action that succeeds within ``took`` milliseconds."""
    about = {"connector": connector, "connectorVersion": version, "action": action}
    meta = {
        "invocationId": "0197a2f0-0000-7000-8000-000000000000",
        **about,
        "attempts": 1,
        "durationMs": took,
        "replayed": False,
    }
    return {
        "title": title,
        "invocation": {
            "connector": connector,
            "action": action,
            "connection": f"my-{connector}",
            "inputs": dict(inputs),
        },
        "result": {"status": "succeeded", "output": dict(output), "meta": meta},
    }


def too_long(manifest: Mapping[str, Any]) -> str | None:
    """Return a description of the first text of a manifest that is too long; None if no text is too
    long.
    """
    found = next(_long(manifest, ""), None)
    if found is None:
        return None
    owner, name, at = found
    return (
        f"'{at[:200]}' has {len(owner[name]):,} characters; at most {_LIMITS[name]:,} are allowed"
    )


def cut_texts(manifest: dict[str, Any]) -> list[str]:
    """Truncate the texts of a manifest that are too long; return their JSON Pointers."""
    cut = []
    for owner, name, at in [*_long(manifest, "")]:
        owner[name] = f"{owner[name][: _LIMITS[name] - 1].rstrip()}…"
        cut.append(at)
    return cut


def _long(node: Any, at: str) -> Iterator[tuple[Any, str, str]]:
    """Yield the owner, name and place of each text that is too long."""
    from jackfield.kernel.pointers import child

    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from _long(item, f"{at}/{number}")
    elif isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, str) and len(value) > _LIMITS.get(name, len(value)):
                yield node, name, child(at, name)
            elif name not in _DATA or at.endswith(("/properties", "/$defs")):
                yield from _long(value, child(at, name))
