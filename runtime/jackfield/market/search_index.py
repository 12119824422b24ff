"""Search index of a catalogue's start page: JSON in a script, since browsers do not let a page on a disk read JSON files."""

from __future__ import annotations

import json
from collections.abc import Iterable

from jackfield.market.shelf import Shelved

PATH = "assets/search-index.js"
_TEXT = 160


def render(shelves: Iterable[Shelved]) -> str:
    """Return the script: per connector key, title, a line about it, its description, and the words that find it."""
    rows = ",\n".join(json.dumps(_row(shelved), ensure_ascii=False) for shelved in shelves)
    return f"catalogueIndex([\n{rows}\n]);\n"


def _row(shelved: Shelved) -> list[str]:
    newest = shelved.newest
    actions = newest.data["actions"]
    texts = (
        newest.key,
        newest.data["title"],
        newest.publisher["publisher"],
        newest.data["description"],
        *newest.data.get("categories", ()),
    )
    found = " ".join([*map(str, texts), *(f"{action['key']} {action['title']}" for action in actions)]).lower().split()
    return [newest.key, str(newest.data["title"]), about(shelved), first_line(newest.data["description"]), " ".join(dict.fromkeys(found))]


def about(shelved: Shelved) -> str:
    """Return the line of a list: key, version, publisher, number of actions, grade."""
    newest = shelved.newest
    count = len(newest.data["actions"])
    parts = [f"{newest.key} {newest.version}", f"by {newest.publisher['publisher']}", f"{count} action{'' if count == 1 else 's'}"]
    grade = newest.data.get("grade")
    return ", ".join([*parts, *([f"grade {grade}"] if grade else []), *(["withdrawn"] if newest.is_revoked else [])])


def first_line(description: object) -> str:
    """Return the first line of a description, shortened."""
    text = str(description).partition("\n")[0]
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
