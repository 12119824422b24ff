"""What a page, an example, a form or a help text tells to block or to let wait covers every change
of what is installed.

Rules are read wherever text is shipped: commands in blocks, patterns in quotes and code spans,
strings of the code. Words that explain a narrower pattern stand in ``EXPLAINED``.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from jackfield.callers.rules import PatternError, Request, Rules, asks, decide, rule
from jackfield.catalog import Catalog

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "docs",
    "examples",
    "deploy",
    "hosts",
    "clients",
    "schemas",
    "runtime",
    "connectors",
    "shelf",
    "benchmarks",
)
KINDS = frozenset(
    {
        ".md",
        ".py",
        ".yaml",
        ".yml",
        ".json",
        ".toml",
        ".txt",
        ".sh",
        ".html",
        ".ts",
        ".js",
        ".tsx",
        ".tf",
    }
)
OTHERS = frozenset({"tests", "node_modules", "dist", "vendor", "__pycache__", "virtual", "data"})
CONNECTION = "prod-acme"
METHODS = {
    "get": "read",
    "head": "read",
    "put": "idempotent",
    "delete": "idempotent",
    "post": "write",
    "patch": "write",
}
"""Effect of a method where an operation says no other."""
EXPLAINED = (
    "`effect:write` is less: an action that may be repeated",
    "A rule that lets `effect:write` alone wait, or blocks it, is accepted",
    "| `effect:write` | actions of this effect alone",
    "A pattern that blocks `effect:write`, or lets it wait, leaves these out",
    '"message": "\'stripe/* & effect:write\' leaves out 37',
    "are changes, which `effect:write` leaves out",
    "Patterns that match no installed action, or guard 'effect:write' alone",
    "patterns that block ``effect:write`` or make it wait",
    '_WRITE, _WIDER, _LEFT = "effect:write"',
    "Return the gaps of patterns that block or approve ``effect:write``",
)
"""Beginnings of what says that a pattern leaves out changes; each stands in a text once."""
_SPAN = re.compile(r"""(?:--(?:block|approve)[= ]|["'`])([^"'`\n\s]*(?: ?& ?[^"'`\n\s]+)*)""")
_COMMAND = re.compile(
    r"^\s*(?:\$ )?jackfield (?:tokens create|workspaces (?:set|create))\b.*", re.MULTILINE
)
_EFFECT = re.compile(r"effect:(?!read\b)[a-z]+")


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Shipped texts that have the effect of a rule, or a command that makes rules, with their
    paths; continued lines are joined.
    """
    paths = [*ROOT.glob("*.md"), ROOT / "server.json"]
    for folder in FOLDERS:
        found = (
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in KINDS or path.name == "Dockerfile"
        )
        paths += [
            path
            for path in found
            if not OTHERS.intersection(path.relative_to(ROOT).parts) and path.is_file()
        ]
    known = ((path, path.read_text(encoding="utf-8", errors="replace")) for path in sorted(paths))
    return tuple(
        (str(path.relative_to(ROOT)), re.sub(r"\\\n\s*", " ", text))
        for path, text in known
        if "effect:" in text
        or "tokens create" in text
        or "workspaces set" in text
        or "workspaces create" in text
    )


@cache
def changes() -> tuple[Request, ...]:
    """Every change of the installed connectors, and of those of the shelf, as a request over a
    connection.
    """
    found = (
        manifest
        for manifest in Catalog.installed(environment={}).manifests()
        if not manifest.key.startswith("aws.")
    )
    installed = [
        (manifest.key, row.key, row.effect) for manifest in found for row in manifest.rows()
    ]
    return tuple(Request(*one, CONNECTION) for one in (*installed, *of_shelf()) if one[2] != "read")


def of_shelf() -> Iterator[tuple[str, str, str]]:
    """Connector, key and effect of each operation of the shelf's files."""
    for path in sorted((ROOT / "shelf" / "services").glob("*.yaml")):
        document = yaml.load(
            path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
        operations = [
            (method, one)
            for item in document["paths"].values()
            for method, one in item.items()
            if method in METHODS
        ]
        for method, one in operations:
            own = one.get("x-jackfield", {})
            yield (
                document["x-shelf"].get("key", path.stem),
                own.get("key", one["operationId"]),
                own.get("effect", METHODS[method]),
            )


def patterns() -> Iterator[tuple[str, str]]:
    """Each pattern that names an effect other than ``read``, with its place."""
    for path, text in texts():
        for number, line in enumerate(text.splitlines(), 1):
            if any(words in line for words in EXPLAINED):
                continue
            for found in _SPAN.finditer(line):
                pattern = found[1].strip().strip(",;.")
                if _EFFECT.search(pattern) and is_pattern(pattern):
                    yield f"{path}:{number}", pattern


def is_pattern(text: str) -> bool:
    """Whether a text can be a rule; a member of YAML such as ``effect: write`` is none."""
    try:
        rule(text)
    except PatternError:
        return False
    return True


def recipes() -> Iterator[tuple[str, Rules]]:
    """The rules of each command that blocks changes, or lets them wait, with its place."""
    for path, text in texts():
        for found in _COMMAND.finditer(text):
            try:
                words = shlex.split(found[0].partition(" # ")[0])
            except ValueError:  # prose
                continue
            lists: dict[str, list[str]] = {"--allow": [], "--block": [], "--approve": []}
            for option, value in itertools.pairwise(words):
                lists.get(option, []).append(value)
            made = Rules.checked(*lists.values())
            if any(_EFFECT.search(pattern) for pattern in (*made.block, *made.approve)):
                yield f"{path}: {found[0].strip()[:160]}", made


def scope(pattern: str) -> str:
    """A pattern without its effect."""
    return (
        " & ".join(term for term in re.split(r"\s*&\s*", pattern) if not term.startswith("effect:"))
        or "*"
    )


def passing(made: Rules) -> list[str]:
    """Changes in the scope of rules that run at once under them."""
    guarded = [
        rule(scope(pattern)) for pattern in (*made.block, *made.approve) if _EFFECT.search(pattern)
    ]
    return [
        f"{one.connector}/{one.action}"
        for one in changes()
        if any(pattern.fits(one) for pattern in guarded)
        and decide(made, None, None, one).allowed
        and asks(made, None, one) is None
    ]


def test_the_connectors_are_installed() -> None:
    """GitHub, Stripe, Amazon SES, Slack and the shelf have changes of both kinds; without them the
    other tests say nothing.
    """
    found = {(one.connector, one.effect) for one in changes()}
    assert found >= {
        ("github", "write"),
        ("github", "idempotent"),
        ("stripe", "idempotent"),
        ("aws-ses", "idempotent"),
        ("slack", "write"),
    }
    assert len({connector for connector, _ in found}) > 100
    assert (
        len(passing(Rules(approve=("effect:write",))))
        == sum(one.effect == "idempotent" for one in changes())
        > 200
    )


@pytest.mark.parametrize(
    ("made", "passes", "waits"),
    [
        (
            Rules((), ("effect:write&*/delete*",), ("effect:write",)),
            "github/deleteRepository",
            "slack/postMessage",
        ),
        (Rules(approve=("stripe/* & effect:write",)), "stripe/createRefund", None),
        (
            Rules((), ("effect:change & */delete*",), ("effect:change",)),
            None,
            "github/deleteRepository",
        ),
        (Rules(("effect:read",), ("effect:write",)), None, "stripe/createRefund"),
    ],
)
def test_the_reader_finds_what_passes(made: Rules, passes: str | None, waits: str | None) -> None:
    """A recipe of before lets a repository be deleted and a payment be refunded at once."""
    found = passing(made)
    assert (passes in found) if passes else found == []
    assert waits not in found


def test_every_pattern_that_guards_covers_all_changes() -> None:
    """In pages, examples, forms and help texts, each pattern with an effect leaves out no change of
    its connectors.
    """
    found = [*patterns()]
    assert len({place.partition(":")[0] for place, _ in found}) >= 7, found
    left = {
        f"{place} {pattern}": names[:5]
        for place, pattern in found
        if (names := passing(Rules(block=(pattern,))))
    }
    assert left == {}


def test_no_command_lets_a_change_pass() -> None:
    """What a documented command blocks or lets wait, with what it allows, leaves out no change
    either.
    """
    found = [*recipes()]
    assert len(found) >= 5, found
    assert {place: names[:5] for place, made in found if (names := passing(made))} == {}


def test_explanations_stand_where_they_did() -> None:
    """What says that a pattern leaves out changes is still said, and once: a sentence that is gone
    excuses nothing.
    """
    whole = "\n".join(text for _, text in texts())
    assert [words for words in EXPLAINED if whole.count(words) != 1] == []
