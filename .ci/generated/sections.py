"""Tables within pages that people write: members of documents as schemas describe them, options of
commands, findings of the doctor and about messages, public defaults.

Such a table stands between ``<!-- table of: NAME -->`` and ``<!-- end of table -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generated import invocation, manifest, result
from generated.markdown import table
from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged
from jackfield.redaction.outputs import PUBLIC_DEFAULTS
from jackfield_aws_ses.content_checks import KINDS as OF_MESSAGES
from jackfield_aws_ses.doctor.findings import KINDS
from jackfield_http.bindings.error_rows import ERRORS
from jackfield_http.conditions import CONDITION
from jackfield_http.outcomes import OUTCOMES
from jackfield_http.verdicts import RULE
from jackfield_openapi.declared_pages import PAGINATION

_COMMON = ("--help", "--json", "--workspace")
"""Options that are left out: many commands have them."""
_FINDINGS = {"doctor": KINDS, "message-findings": OF_MESSAGES}
_OF_ITEMS = {name: about for name, about in OUTCOMES["properties"].items() if name not in CONDITION}
_OVERLAY = {
    "properties": {
        "pagination": PAGINATION,
        "failed": RULE,
        "outcomes": {"properties": _OF_ITEMS},
        "errors": ERRORS,
    }
}
"""Words of an overlay, by the tables that have them."""
_TABLE = re.compile(
    r"(<!-- table of: (?P<name>[a-z-]+)(?:/(?P<place>[A-Za-z/-]+))? -->\n).*?(<!-- end of table "
    r"-->)",
    re.DOTALL,
)


def pages(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each page of a folder that has such a table, with its text when the tables are made anew. An
    unknown name is a KeyError.
    """
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        made = _TABLE.sub(
            lambda found: f"{found[1]}\n{_made(found['name'], found['place'] or '')}\n\n{found[4]}",
            text,
        )
        if _TABLE.search(text):
            yield path, made


def _made(name: str, place: str) -> str:
    if name in _FINDINGS:
        rows = [
            (f"`{code}`", kind.severity, _named(kind.message), _named(kind.cure))
            for code, kind in _FINDINGS[name].items()
        ]
        return table(("code", "severity", "problem", "cure"), rows)
    if name == "public-defaults":
        return table(
            ("value", "published by"),
            [(f"`{value}`", source) for value, source in PUBLIC_DEFAULTS.items()],
        )
    if name == "options":
        return table(("option", "meaning"), _options(place))
    documents = {"manifest": manifest, "invocation": invocation, "result": result}
    found: Mapping[str, Any] = _OVERLAY if name == "overlay" else documents[name].schema()
    for step in place.split("/") if place else ():
        found = (
            found["$defs"][step] if step in found.get("$defs", {}) else found["properties"][step]
        )
        found = found.get("items", found)
    return _members(found)


def _options(command: str) -> Iterator[tuple[str, str]]:
    """A row for each option of a command, as ``--help`` has it."""
    noun, _, verb = command.partition("/")
    verbs = built_in(noun) if noun in BUILT_IN else load_plugged(plugged()[noun])
    assert not callable(verbs)
    for name, action in verbs[verb].parser(command.replace("/", " ")).flags.items():
        if (
            name == next((one for one in action.option_strings if one.startswith("--")), "")
            and name not in _COMMON
        ):
            others = "".join(f", `{one}`" for one in action.option_strings if one != name)
            value = action.metavar or ("|".join(action.choices) if action.choices else "")
            yield f"`{' '.join((name, str(value))).strip()}`{others}", str(action.help)


def _named(text: str) -> str:
    """A text whose places are names in italics, as a page shows them."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: f"*{found[1].replace('_', ' ')}*", text)


def _members(schema: Mapping[str, Any]) -> str:
    """A row for each member; a star is behind those that are always there."""
    required = {*schema.get("required", ())}
    rows = [
        (f"`{name}`" + (" *" if name in required else ""), _said(about))
        for name, about in schema["properties"].items()
    ]
    return table(("member", "meaning"), rows)


def _said(about: Mapping[str, Any]) -> str:
    meaning = about.get("description") or about.get("items", {}).get("description", "")
    return " ".join(part for part in (str(meaning), *_limits(about)) if part)


def _limits(about: Mapping[str, Any]) -> Iterator[str]:
    """What else the schema says of a member, in words."""
    if (
        about.get("type") != "array"
        and len(values := about.get("enum", ())) > 1
        and len(values) < 10
    ):
        yield "One of " + ", ".join(f"`{value}`" for value in values) + "."
    if "exclusiveMinimum" in about:
        yield f"Above {about['exclusiveMinimum']:,}."
    if "maximum" in about and about.get("minimum", 0) == 0 and "minimum" in about:
        yield f"0 to {about['maximum']:,}."
    elif "maximum" in about:
        yield f"At most {about['maximum']:,}."
    if "maxLength" in about:
        yield f"At most {about['maxLength']:,} characters."
    if "maxItems" in about:
        yield f"At most {about['maxItems']}."
    if "default" in about and about["default"] not in ({}, False):
        yield f"Default: `{about['default']}`."
