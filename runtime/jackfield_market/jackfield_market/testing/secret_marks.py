"""Rule about secrets: a string named like a credential must be marked as a secret, wherever it
enters or leaves the connector.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.secret_names import basis, may_hold
from jackfield.kernel.walk import extension, is_secret, nodes

if TYPE_CHECKING:
    from jackfield.manifest.manifest import ActionManifest
    from jackfield_market.testing.subject import Subject

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_SECRET = frozenset(
    {
        "apikey",
        "credential",
        "credentials",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "pin",
        "privatekey",
        "pwd",
        "secret",
        "token",
    }
)
_NO_SECRET = frozenset({"arn", "endpoint", "id", "name", "type", "uri", "url"})
"""Last words of names that mention a secret but contain none, such as accessKeyId or tokenUrl."""


def secrets_marked(subject: Subject) -> Iterator[str]:
    """Yield a fault for each unmarked string named like a secret.

    Names in connections and triggers are compared with a wide list; actions are searched at any
    depth.
    """
    named = {kind.key: kind.schema for kind in subject.manifest.connection_types.values()}
    named |= {trigger.key: trigger.inputs for trigger in subject.manifest.triggers.values()}
    for key, schema in named.items():
        for name, field in schema.get("properties", {}).items():
            marked = field.get("writeOnly") is True and field.get("format") == "password"
            if (
                field.get("type") == "string"
                and not marked
                and not _is_declared_public((field,))
                and _looks_secret(name)
            ):
                yield f"'{name}' of '{key}' is named like a secret but not marked as one"
    if "model" in subject.manifest.raw:  # the service's own description marks what is secret
        return
    for action in subject.manifest.actions.values():
        yield from _of_action(action)


def _of_action(action: ActionManifest) -> Iterator[str]:
    paging = action.pagination
    tokens = () if paging is None else paging.tokens
    pages = {name for name, _ in tokens} | {re.split(r"[/.]", path)[-1] for _, path in tokens}
    places = (
        ("inputs", action.inputs),
        *(() if action.hands_out else (("output", action.output),)),
    )
    for noun, schema in places:
        for name in sorted({*_unmarked(schema, pages)}):
            yield (
                f"'{name}' in the {noun} of '{action.key}' is named like a secret but not "
                "marked as one"
            )


def _unmarked(root: Mapping[str, Any], pages: Collection[str]) -> Iterator[str]:
    """Yield the names of unmarked members, at any depth, that contain a credential by their names
    or descriptions.
    """
    waiting, seen = [*nodes(root, root)], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        members = node.get("properties", {})
        for name, member in members.items():
            applying = nodes(root, member)
            if any(map(is_secret, applying)):
                continue
            waiting += applying
            if (
                name not in pages
                and not _is_declared_public(applying)
                and _is_credential(root, name, applying, members)
            ):
                yield name
        for word in ("items", "additionalProperties", "unevaluatedProperties"):
            waiting += nodes(root, node.get(word))
        for word in ("prefixItems", "patternProperties"):
            below = node.get(word, ())
            waiting += nodes(root, *(below.values() if isinstance(below, Mapping) else below))


def _is_credential(
    root: Mapping[str, Any],
    name: str,
    applying: Collection[Mapping[str, Any]],
    beside: Mapping[str, Any],
) -> bool:
    items = [node["items"] for node in applying if isinstance(node.get("items"), Mapping)]
    judged = nodes(root, *items) if items else applying
    if (
        not judged
        or any(map(is_secret, judged))
        or not all(map(may_hold, judged))
        or not any("type" in node for node in judged)
    ):
        return False
    about = next(
        (node["description"] for node in applying if isinstance(node.get("description"), str)), ""
    )
    return basis(name, about, several=bool(items), siblings=beside) is not None


def _is_declared_public(applying: Collection[Mapping[str, Any]]) -> bool:
    return any(extension(node).get("secret") is False for node in applying)


def _looks_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _NO_SECRET:
        return False
    return bool(_SECRET.intersection(words)) or (words[-1] == "key" and words[-2:-1] != ["public"])
