"""``docs/reference/connectors/``: the pages of each connector, from its manifest: an overview, its
actions by subject, its connections.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generated.kinds import kind_of
from generated.markdown import NOTICE, block, demoted
from jackfield_service.shell.pages.layout.snippets import as_command

Json = Mapping[str, Any]

_EFFECTS = """\
The effect of an action decides what jackfield repeats:

- `read` changes nothing: every transient failure is retried.
- `idempotent` has no further effect when it is repeated: every transient failure is retried.
- `write` is retried only if it certainly did not take effect; otherwise the Result is `in_doubt`.

[Concepts](../../concepts.md) has the reasons."""
_LONG = 200
"""Characters from which on a repeated policy is left out."""
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


def pages(manifest: Json, subjects: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Make the pages of a connector, each with its name.

    ``subjects`` maps keys of actions to their module. A connector with several modules gets a page
    for each, which the module names.
    """
    modules: dict[str, list[Json]] = {}
    for action in manifest["actions"]:
        modules.setdefault(subjects[action["key"]].rpartition(".")[2], []).append(action)
    split = len(modules) > 1
    yield manifest["key"], _joined(_main(manifest, modules, split=split))
    for name, actions in modules.items() if split else ():
        yield _page(manifest, name), _joined(_group(manifest, name, actions))
    yield from _setups(manifest)


def summary(manifest: Json) -> Iterator[tuple[str, str]]:
    """Make the pages of a connector that is generated from its provider's document: an overview,
    its actions, and its connections.
    """
    groups: dict[str, list[Json]] = {}
    for action in manifest["actions"]:
        groups.setdefault(action["group"], []).append(action)
    yield manifest["key"], _joined(_listing(manifest, groups))
    yield f"{manifest['key']}-actions", _joined(_sheet(manifest, groups))
    yield from _setups(manifest)


def _listing(manifest: Json, groups: Mapping[str, Iterable[Json]]) -> Iterator[str]:
    key = manifest["key"]
    yield from (NOTICE, f"# {manifest['title']}", manifest["description"], _about(manifest))
    guide = f"[Connections for {manifest['title']}]({key}-connections.md)"
    yield (
        f"`jackfield schema {key} ACTION` prints what an action takes. {guide} has the setup guide."
    )
    yield (
        "Effects decide what jackfield repeats: see [concepts](../../concepts.md). Lists "
        "with `fetchAll` return all pages."
    )
    yield "## Actions"
    for name, actions in groups.items():
        yield f"### {_capital(name)}"
        yield "\n".join(
            f"- [{row['title']}]({key}-actions.md#{_slug(row['title'])}), `{row['key']}`"
            for row in actions
        )
    yield from _sources(manifest)
    yield from _triggers(manifest)


def _triggers(manifest: Json) -> Iterator[str]:
    if manifest.get("triggers"):
        yield "## Triggers"
        yield "See [Watch for what happens at providers](../../tutorial/triggers.md)."
        yield "\n".join(
            f"- `{row['key']}` ({row['kind']}): {_sentence(row['description'])}"
            for row in manifest["triggers"]
        )


def _sheet(manifest: Json, groups: Mapping[str, Iterable[Json]]) -> Iterator[str]:
    yield from (NOTICE, f"# Actions of {manifest['title']}")
    yield (
        f"[{manifest['title']}]({manifest['key']}.md) lists them by group, with its triggers "
        "and sources of choices."
    )
    for name, actions in groups.items():
        yield f"## {_capital(name)}"
        for row in actions:
            yield from _brief(row)


def _capital(name: str) -> str:
    return f"{name[:1].upper()}{name[1:]}"


def _brief(action: Json) -> Iterator[str]:
    """Describe an action in a few lines: its inputs by name, and a call."""
    yield f"### {action['title']}"
    needed = action["inputs"].get("required", ())
    others = [
        name
        for name, about in action["inputs"]["properties"].items()
        if name not in needed and about.get("deprecated") is not True
    ]
    inputs = [
        f"requires {_listed(needed)}" if needed else "",
        f"takes {_listed(others)}" if others else "",
    ]
    yield (
        f"`{action['key']}` ({action['effect']}) "
        + (" and ".join(filter(None, inputs)) or "takes nothing")
        + "."
    )
    for example in action.get("examples", ())[:1]:
        yield block(as_command(example["invocation"]), "text")


def _page(manifest: Json, name: str) -> str:
    return f"{manifest['key']}-actions-{name.replace('_', '-')}"


def _subject(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _group(manifest: Json, name: str, actions: Iterable[Json]) -> Iterator[str]:
    yield from (NOTICE, f"# {manifest['title']}: {_subject(name).lower()}")
    yield (
        f"Actions of [{manifest['title']}]({manifest['key']}.md), which also links their "
        "connections."
    )
    for action in actions:
        yield from _action(manifest, action, level=2)


def _index(manifest: Json, groups: Mapping[str, Iterable[Json]]) -> Iterator[str]:
    """List the actions of each page, with links."""
    for name, actions in groups.items():
        yield f"### {_subject(name)}"
        page = _page(manifest, name)
        yield "\n".join(
            (
                f"- [{row['title']}]({page}.md#{_slug(row['title'])}), `{row['key']}`: "
                f"{_first(row['description'])}"
            )
            for row in actions
        )


def _first(text: str) -> str:
    """Return the first sentence of a description."""
    return re.split(r"(?<=[.])\s", " ".join(text.split()), maxsplit=1)[0]


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _main(manifest: Json, groups: Mapping[str, Iterable[Json]], *, split: bool) -> Iterator[str]:
    yield from (
        NOTICE,
        f"# {manifest['title']}",
        manifest["description"],
        _about(manifest),
        "## Actions",
    )
    if split:
        yield from _index(manifest, groups)
    else:
        for action in manifest["actions"]:
            yield from _action(manifest, action, level=3)
    yield from _outcomes()
    if manifest["connectionTypes"]:
        yield "## Connections"
        yield (
            f"[Connections for {manifest['title']}]({manifest['key']}-connections.md) has "
            "the setup guide and the values of each type."
        )
        yield "\n".join(_linked(manifest, kind) for kind in manifest["connectionTypes"])
    yield from _sources(manifest)


def _outcomes() -> Iterator[str]:
    """Say once for all actions what their effects mean and how they fail."""
    yield "## Effects and errors"
    yield _EFFECTS
    provider = ", ".join(f"`{code}`" for code in _PROVIDER_CODES)
    yield (
        "Before anything is sent, an action fails with `invalid_input` or "
        f"`invalid_connection`. From the provider come {provider}."
    )
    yield "[Errors](../errors.md) explains each code and what to do."


def _sources(manifest: Json) -> Iterator[str]:
    if manifest.get("optionSources"):
        yield "## Option sources"
        yield f"`jackfield options {manifest['key']} KEY` lists the choices."
        yield "\n".join(
            f"- `{row['key']}`: {_sentence(row['description'])}"
            for row in manifest["optionSources"]
        )


def _linked(manifest: Json, kind: Json) -> str:
    place = f"{manifest['key']}-connections.md#{_slug(kind['title'])}"
    return f"- [{kind['title']}]({place}), `{_type(manifest, kind)}`: {kind['description']}"


def _setups(manifest: Json) -> Iterator[tuple[str, str]]:
    if manifest["connectionTypes"]:
        yield f"{manifest['key']}-connections", _joined(_setup(manifest))


def _setup(manifest: Json) -> Iterator[str]:
    yield from (NOTICE, f"# Connections for {manifest['title']}")
    connector = f"[{manifest['title']}]({manifest['key']}.md)"
    yield f"How to set up each connection type for {connector}, and the values that it takes."
    shown: set[str] = set()
    for kind in manifest["connectionTypes"]:
        yield from _connection(manifest, kind, shown)


def _slug(title: str) -> str:
    """Return the anchor of a heading, as Python-Markdown makes it."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def _type(manifest: Json, kind: Json) -> str:
    return f"{kind.get('family') or manifest['key']}/{kind['key']}"


def _about(manifest: Json) -> str:
    url, licence = manifest.get("documentationUrl"), manifest.get("license")
    rows = [("Key", f"`{manifest['key']}`"), ("Version", manifest["version"]), ("Licence", licence)]
    rows += [("Provider's documentation", f"<{url}>" if url else None)]
    rows += [
        (
            "Install",
            (
                f"`pip install jackfield-{manifest['key']}`; before the release, [from a "
                "checkout](../../install.md)"
            ),
        )
    ]
    return "\n".join(f"- {name}: {value}" for name, value in rows if value)


def _connection(manifest: Json, kind: Json, shown: set[str]) -> Iterator[str]:
    yield f"## {kind['title']}"
    yield kind["description"]
    family = kind.get("family")
    yield f"Type: `{_type(manifest, kind)}`" + (
        f". A connection of this type serves every connector of the family `{family}`."
        if family
        else "."
    )
    yield _once(demoted(kind["setup"], 1), shown)
    yield "### Values of " + kind["title"]
    yield _fields(kind["schema"])
    yield _limits(kind)


def _once(text: str, shown: set[str]) -> str:
    """Leave out paragraphs and code blocks that an earlier guide of the page has; the first one is
    linked in their place.
    """
    parts = []
    for part in re.split(r"\n\n(?=\S)", text):
        if len(part) > _LONG and part.lstrip().startswith("```") and part in shown:
            parts.append(
                "The policy is the same as the first one on this page that allows the "
                "connector's actions."
            )
        else:
            parts.append(part)
        shown.add(part)
    return "\n\n".join(parts)


def _limits(kind: Json) -> str:
    """What differs where an action is called over this type."""
    serves, waives = kind.get("serves"), kind.get("waives", ())
    only = f"Supports only {_listed(serves['actions'])}: {serves['reason']}" if serves else ""
    needless = (
        f"Over a connection of this type, actions do not require {_listed(waives)}."
        if waives
        else ""
    )
    return " ".join(filter(None, (_sentence(only), needless)))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _action(manifest: Json, action: Json, *, level: int) -> Iterator[str]:
    part = "#" * (level + 1)
    yield f"{'#' * level} {action['title']}"
    yield action["description"]
    yield (
        f"Action: `{action['key']}`. Effect: "
        f"[`{action['effect']}`]({manifest['key']}.md#effects-and-errors)."
    )
    yield f"{part} Inputs"
    yield _fields(
        action["inputs"],
        connection=bool(manifest["connectionTypes"]),
        waived=_waived(manifest, action),
    )
    yield _needs(action["inputs"])
    yield f"{part} Output"
    yield _outputs(action["output"])
    yield _pages(action)
    for system, names in action.get("permissions", {}).items():
        yield f"{part} Permissions"
        yield f"{'AWS IAM' if system == 'aws:iam' else system}: {_listed(names)}."
    for example in action.get("examples", ()):
        yield f"{part} Example: {example['title']}"
        yield block(_compact(example["invocation"]))
        yield block(_compact(example["result"]))


def _compact(value: Json) -> str:
    """JSON with short arrays on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return re.sub(
        r"\[\s+([^][{}]{1,80}?)\s+\]",
        lambda found: "[" + re.sub(r",\s+", ", ", found[1]) + "]",
        text,
    )


def _waived(manifest: Json, action: Json) -> dict[str, str]:
    """Inputs that are not required over some connection types, and these types."""
    kinds = [
        kind
        for kind in manifest["connectionTypes"]
        if action["key"] in kind.get("serves", {"actions": [action["key"]]})["actions"]
        and kind.get("waives")
    ]
    names = dict.fromkeys(name for kind in kinds for name in kind["waives"])
    return {
        name: _listed(kind["key"] for kind in kinds if name in kind["waives"]) for name in names
    }


def _fields(
    schema: Json, *, connection: bool = False, waived: Mapping[str, str] | None = None
) -> str:
    freed = waived or {}
    needs = {
        key: f"required, but not over {freed[key]}" if key in freed else "required"
        for key in schema.get("required", ())
    }
    blocks = [
        _field(key, field, needs.get(key))
        for key, field in schema["properties"].items()
        if not field.get("x-jackfield", {}).get("hidden")
    ]
    if connection:
        text = "A member of the invocation, next to `inputs`: the name of the connection to use."
        blocks.append(_block("Connection", "connection", text, ["default: the only one that fits"]))
    return "\n".join(blocks)


def _field(key: str, field: Json, required: str | None) -> str:
    marks = field.get("x-jackfield", {})
    facts = [required] if required else []
    facts += ["secret"] if field.get("writeOnly") else []
    if "fromConnection" in marks:
        facts.append(
            f"{'fixed by' if marks.get('fixed') else 'default:'} the connection's "
            f"`{marks['fromConnection']}`"
        )
    elif "default" in field:
        facts.append(
            f"default: `{json.dumps(field['default'], ensure_ascii=False).strip(chr(34))}`"
        )
    if "options" in marks:
        facts.append(f"choices: `{marks['options']}`")
    return _block(
        field.get("title", key),
        key,
        " ".join(filter(None, (_sentence(field.get("description", "")), kind_of(field)))),
        facts,
    )


def _block(title: str, key: str, text: str, facts: Iterable[str]) -> str:
    """One input or output as a list item, which a narrow screen wraps; a table would run out of
    it.
    """
    about = ", ".join(facts)
    return f"- **{title}** `{key}`{f' ({about})' if about else ''}: {text}".rstrip(": ")


def _sentence(text: str) -> str:
    return f"{text}." if text and text[-1] not in ".!?" else text


def _needs(schema: Json) -> str:
    """What is required of several inputs together."""
    rules = [*schema.get("allOf", ()), schema]
    sentences = []
    for rule in rules:
        keys = [
            branch["required"][0]
            for branch in rule.get("anyOf", ())
            if list(branch) == ["required"] and len(branch["required"]) == 1
        ]
        if keys:
            sentences.append(
                "At least one of " + ", ".join(f"`{key}`" for key in keys) + " is required."
            )
    return " ".join(sentences)


def _outputs(schema: Json) -> str:
    required = set(schema.get("required", ()))
    blocks = []
    for key, field in schema.get("properties", {}).items():
        text = " ".join(filter(None, (_sentence(field.get("description", "")), kind_of(field))))
        blocks.append(
            _block(
                field.get("title", key),
                key,
                text,
                () if key in required else ("not always present",),
            )
        )
    return "\n".join(blocks)


def _pages(action: Json) -> str:
    paging, limit = action.get("pagination"), action.get("rateLimit")
    sentences = []
    if paging:
        sentences.append(
            f"Paginated: pass `{paging['tokenOutput']}` from the output as "
            f"`{paging['tokenInput']}` to get the next page."
        )
        if "allInput" in paging:
            sentences.append(
                f"`{paging['allInput']}` fetches every page; `meta.complete` is `false` if pages "
                "are left."
            )
    if limit:
        sentences.append(
            f"The provider allows {limit['perSecond']:g} per second and account; further pages "
            "stay within this limit."
        )
    return " ".join(sentences)
