"""Actions are found by words, best first."""

from __future__ import annotations

import pytest

from jackfield.catalog import search
from jackfield.manifest import Manifest


def manifest(key: str, title: str, *actions: tuple[str, str, str, str], description: str = "") -> Manifest:
    """A manifest of actions: key, title, description, effect."""
    rows = [dict(zip(("key", "title", "description", "effect"), row, strict=True)) for row in actions]
    return Manifest.from_json(
        {"manifestVersion": 1, "key": key, "title": title, "version": "1", "description": description, "actions": rows}
    )


MANIFESTS = [
    manifest(
        "aws-ses", "Amazon SES",
        ("sendEmail", "Send Email", "Send an email through Amazon SES.\nWith attachments.", "write"),
        ("listIdentities", "List Identities", "List the verified addresses of an account.", "read"),
        description="Mail by the cloud.",
    ),
    manifest(
        "notes", "Notes",
        ("addNote", "Add a Note", "Write a note down.", "write"),
        ("listNotes", "List Notes", "Email them later.", "read"),
    ),
]  # fmt: skip


def found(words: str, effect: str | None = None) -> list[str]:
    """The keys of what is found, in order."""
    return [row.action for row in search(MANIFESTS, words, effect=effect)]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("", ["listIdentities", "sendEmail", "addNote", "listNotes"]),
        ("   ", ["listIdentities", "sendEmail", "addNote", "listNotes"]),
        ("email", ["sendEmail", "listNotes"]),
        ("EMAIL", ["sendEmail", "listNotes"]),
        ("send em", ["sendEmail"]),
        ("sendemail", ["sendEmail"]),
        ("list", ["listIdentities", "listNotes"]),
        ("list notes", ["listNotes"]),
        ("notes", ["listNotes", "addNote"]),
        ("aws", ["listIdentities", "sendEmail"]),
        ("ses list", ["listIdentities"]),
        ("cloud", ["listIdentities", "sendEmail"]),
        ("verified", ["listIdentities"]),
        ("mail", ["sendEmail", "listIdentities", "listNotes"]),
        ("dentities", ["listIdentities"]),
        ("zebra", []),
        ("list zebra", []),
    ],
)
def test_every_word_must_fit(words: str, keys: list[str]) -> None:
    """All words must occur in the action or its connector; keys and beginnings of words count most, ties go by name."""
    assert found(words) == keys


def test_effects_narrow_the_search() -> None:
    """``effect`` keeps the actions of that effect only."""
    assert found("", "read") == ["listIdentities", "listNotes"]
    assert found("email", "read") == ["listNotes"]
    assert found("", "idempotent") == []


def test_a_row_as_json() -> None:
    """A row names connector, action, title and effect, and the first line of the description."""
    assert search(MANIFESTS, "sendEmail")[0].to_json() == {
        "connector": "aws-ses", "action": "sendEmail", "title": "Send Email", "description": "Send an email through Amazon SES.",
        "effect": "write",
    }  # fmt: skip
