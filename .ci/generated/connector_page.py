"""``docs/reference/connectors/<key>.md``: all that a manifest says, for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generated.kinds import kind_of
from generated.markdown import NOTICE, block, demoted, table

__all__ = ["page"]

Json = Mapping[str, Any]

_EFFECTS = {
    "read": "`read`: it changes nothing, so it is repeated on any failure that may pass.",
    "idempotent": "`idempotent`: doing it twice is the same as once, so it is repeated on any failure that may pass.",
    "write": "`write`: it is repeated only where it certainly did not take effect; else the Result is `in_doubt`.",
}
_PROVIDER_CODES = (
    "unauthenticated",
    "forbidden",
    "not_found",
    "conflict",
    "rejected",
    "rate_limited",
    "quota_exceeded",
    "unavailable",
    "timeout",
)


def page(manifest: Json) -> str:
    """The page of a connector."""
    parts = [NOTICE, f"# {manifest['title']}", manifest["description"], _about(manifest)]
    if manifest["connectionTypes"]:
        parts += ["## Connections", *(part for kind in manifest["connectionTypes"] for part in _connection(manifest, kind))]
    parts += ["## Actions", *(part for action in manifest["actions"] for part in _action(manifest, action))]
    if manifest.get("optionSources"):
        rows = [(f"`{row['key']}`", row["title"], row["description"]) for row in manifest["optionSources"]]
        parts += [
            "## Option sources",
            f"`jackfield options {manifest['key']} KEY` lists the choices.",
            table(("Key", "Title", "What it lists"), rows),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(manifest: Json) -> str:
    url, licence = manifest.get("documentationUrl"), manifest.get("license")
    rows = [
        ("Key", f"`{manifest['key']}`"),
        ("Version", manifest["version"]),
        ("Licence", licence or ""),
        ("The provider's documentation", f"<{url}>" if url else ""),
    ]
    return table(("", ""), [row for row in rows if row[1]])


def _connection(manifest: Json, kind: Json) -> Iterator[str]:
    yield f"### {kind['title']}"
    yield kind["description"]
    yield f"Type: `{kind.get('family') or manifest['key']}/{kind['key']}`" + (
        f"; a connection of this type serves every connector of the family `{kind['family']}`." if kind.get("family") else "."
    )
    yield demoted(kind["setup"], 2)
    yield _fields(kind["schema"])
    yield _limits(kind)


def _limits(kind: Json) -> str:
    """What differs where an action is called over this type."""
    serves, waives = kind.get("serves"), kind.get("waives", ())
    only = f"Serves {_listed(serves['actions'])} only: {serves['reason']}" if serves else ""
    needless = f"Not required over it: the input {_listed(waives)}." if waives else ""
    return " ".join(filter(None, (_sentence(only), needless)))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _action(manifest: Json, action: Json) -> Iterator[str]:
    yield f"### {action['title']}"
    yield action["description"]
    yield f"Action: `{action['key']}`. Effect: {_EFFECTS[action['effect']]}"
    yield "#### Inputs"
    yield _fields(action["inputs"], connection=bool(manifest["connectionTypes"]), waived=_waived(manifest, action))
    yield _needs(action["inputs"])
    yield "#### Output"
    yield table(("Member", "Key", "Comments", "Always there"), _output_rows(action["output"]))
    yield _pages(action)
    yield from _permissions(action)
    yield "#### Errors"
    doubt = " and, since it is a `write`, `in_doubt`" if action["effect"] == "write" else ""
    provider = ", ".join(f"`{code}`" for code in _PROVIDER_CODES)
    yield f"Before anything is sent: `invalid_input`, `invalid_connection`. From the provider: {provider}{doubt}."
    yield "[Errors](../errors.md) says what each means and what to do."
    for example in action.get("examples", ()):
        yield f"#### Example: {example['title']}"
        yield block(example["invocation"])
        yield block(example["result"])


def _waived(manifest: Json, action: Json) -> dict[str, str]:
    """Inputs that are not required over some connection types, and these types."""
    kinds = [
        kind
        for kind in manifest["connectionTypes"]
        if action["key"] in kind.get("serves", {"actions": [action["key"]]})["actions"] and kind.get("waives")
    ]
    names = dict.fromkeys(name for kind in kinds for name in kind["waives"])
    return {name: _listed(kind["key"] for kind in kinds if name in kind["waives"]) for name in names}


def _fields(schema: Json, *, connection: bool = False, waived: Mapping[str, str] | None = None) -> str:
    freed = waived or {}
    needs = {key: f"yes, but not over {freed[key]}" if key in freed else "yes" for key in schema.get("required", ())}
    rows = [_field(key, field, needs.get(key, "no")) for key, field in schema["properties"].items()]
    if connection:
        rows.append(
            (
                "Connection",
                "`connection`",
                "How to sign in: a connection's name. A member of the invocation, beside `inputs`.",
                "the only one that fits",
                "no",
            )
        )
    return table(("Input", "Key", "Comments", "Default", "Required"), rows)


def _field(key: str, field: Json, required: str) -> tuple[str, ...]:
    marks = field.get("x-jackfield", {})
    comments = [_sentence(field.get("description", "")), kind_of(field)]
    if field.get("writeOnly"):
        comments.append("Secret.")
    if "options" in marks:
        comments.append(f"Choices: option source `{marks['options']}`.")
    default = f"`{json.dumps(field['default'], ensure_ascii=False).strip(chr(34))}`" if "default" in field else ""
    if "fromConnection" in marks:
        default = f"the connection's `{marks['fromConnection']}`"
    return (field.get("title", key), f"`{key}`", " ".join(filter(None, comments)), default, required)


def _sentence(text: str) -> str:
    return f"{text}." if text and text[-1] not in ".!?" else text


def _needs(schema: Json) -> str:
    """What is required of several inputs together."""
    rules = [*schema.get("allOf", ()), schema]
    sentences = []
    for rule in rules:
        keys = [branch["required"][0] for branch in rule.get("anyOf", ()) if list(branch) == ["required"] and len(branch["required"]) == 1]
        if keys:
            sentences.append("At least one of " + ", ".join(f"`{key}`" for key in keys) + " is required.")
    return " ".join(sentences)


def _output_rows(schema: Json) -> list[tuple[str, ...]]:
    required = set(schema.get("required", ()))
    return [
        (
            field.get("title", key),
            f"`{key}`",
            " ".join(filter(None, (_sentence(field.get("description", "")), kind_of(field)))),
            "yes" if key in required else "no",
        )
        for key, field in schema.get("properties", {}).items()
    ]


def _pages(action: Json) -> str:
    paging, limit = action.get("pagination"), action.get("rateLimit")
    sentences = []
    if paging:
        sentences.append(f"Paginated: `{paging['tokenOutput']}` of the output goes into `{paging['tokenInput']}` for the next page.")
        if "allInput" in paging:
            sentences.append(f"`{paging['allInput']}` fetches every page; `meta.complete` says whether that was possible in time.")
    if limit:
        sentences.append(f"The provider allows {limit['perSecond']:g} a second for one account; further pages keep to that.")
    return " ".join(sentences)


def _permissions(action: Json) -> Iterator[str]:
    for system, names in action.get("permissions", {}).items():
        yield "#### Permissions"
        if system == "aws:iam":
            yield "The least that the role or user must be allowed; no managed policy is needed:"
            statement = {"Effect": "Allow", "Action": list(names), "Resource": "*"}
            yield block({"Version": "2012-10-17", "Statement": [statement]})
        else:
            yield f"{system}: " + ", ".join(f"`{name}`" for name in names) + "."
