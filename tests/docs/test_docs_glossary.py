"""The glossary has each noun that a command, a folder of the service or a message uses, in thirty
words.
"""

from __future__ import annotations

import re

import pytest

from doc_pages import ROOT
from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged

MOST_WORDS = 30
TERMS = dict(
    re.findall(
        r"^(?![:\s#])(.+)\n:   (.+)$",
        (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)
NAMES = {name.lower() for name in TERMS}
OTHERS = {
    "audit": "audit log",
    "connect": "connect session",
    "db": "database",
    "keys": "master key",
    "mcp": "mcp server",
    "people": "role",
    "state": "state file",
}
"""Commands and folders whose name is another word than the noun's."""
NO_NOUNS = {"overview"}
SAID = (
    "doubt",
    "evidence",
    "look",
    "marker",
    "canary",
    "verdict",
    "twin",
    "approval",
    "waiting",
    "policy",
    "offer",
    "audience",
    "shelf",
    "pace",
    "guard",
    "suppression",
    "callback",
    "delivery",
    "subscription",
    "trigger",
    "webhook",
    "hook",
    "schedule",
    "event",
    "cursor",
    "exchange",
    "lease",
    "claim",
    "grant",
    "replay",
    "catalogue",
    "installed connector",
    "workspace",
    "tenant",
    "platform",
    "operator",
    "setting",
    "job",
    "dead letter",
    "account",
    "grade",
    "overlay",
    "option source",
    "reference",
    "isolation",
)
"""Nouns of messages, options and pages."""


def _nouns() -> list[str]:
    """Commands that have verbs, and subjects of the service."""
    verbs = {
        name: built_in(name) if name in BUILT_IN else load_plugged(plugged()[name])
        for name in {*BUILT_IN, *plugged()}
    }
    commands = [name for name, found in verbs.items() if not callable(found) and {*found} != {""}]
    folder = ROOT / "runtime" / "jackfield_store" / "jackfield_service" / "subjects"
    return sorted(
        {*commands, *(path.parent.name for path in folder.glob("*/__init__.py"))} - NO_NOUNS
    )


def _singular(name: str) -> str:
    words = name.replace("-", " ").replace("_", " ")
    return re.sub(r"s$", "", re.sub(r"(ch)es$", r"\1", re.sub(r"ies$", "y", words)))


@pytest.mark.parametrize("name", _nouns())
def test_a_noun_of_a_command_or_a_folder_is_a_term(name: str) -> None:
    """Who meets the noun in a command, in an address or in the code finds what it means."""
    assert OTHERS.get(name, _singular(name)) in NAMES


def test_nouns_of_messages_and_pages_are_terms() -> None:
    """So does who meets it in a message, an option or a page."""
    assert [noun for noun in SAID if noun not in NAMES] == []


def test_each_term_has_one_short_sentence() -> None:
    """Terms are in order, none stands twice, and each is explained in thirty words."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert len(TERMS) == len(re.findall(r"^:   ", text, re.MULTILINE))
    assert [*TERMS] == sorted(TERMS, key=str.lower)
    bare = {name: re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words) for name, words in TERMS.items()}
    assert [name for name, words in bare.items() if len(words.split()) > MOST_WORDS] == []


def test_pages_have_one_word_for_what_is_installed() -> None:
    """A catalogue is published; what is installed is not called a catalog."""
    inside = ("architecture", "paths", "performance")  # what contributors read names the package
    pages = [
        path
        for path in (ROOT / "docs").rglob("*.md")
        if "decisions" not in path.parts and not path.name.startswith(inside)
    ]
    found = [
        path.name
        for path in pages
        if re.search(
            r"(?<![\w`./])[Cc]atalogs?\b(?![`/.:=_])", _prose(path.read_text(encoding="utf-8"))
        )
    ]
    assert found == []


def _prose(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
