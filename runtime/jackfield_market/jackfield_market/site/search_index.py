"""Search index of a catalogue's start page: JSON in a script, since browsers refuse to load JSON
files into a page from a disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from jackfield_market.site import listing
from jackfield_market.site.markup import clean
from jackfield_market.site.shelf import Shelved

PATH = "assets/search-index.js"
_TEXT = 160
_TITLE = 100
_CATEGORY = 60
_WORDS = 8_000
"""Maximum length of the search words of one connector, in characters, so that no connector makes
the index too large.
"""


def render(shelves: Iterable[Shelved]) -> str:
    """Return the script with one row per connector: key, title, summary, description, search words,
    categories, icon and facts of its listing.
    """
    rows = ",\n".join(json.dumps(_row(shelved), ensure_ascii=False) for shelved in shelves)
    return f"catalogueIndex([\n{rows}\n]);\n"


def _row(shelved: Shelved) -> list[str | list[str] | bool]:
    newest = shelved.newest
    data, named = newest.data, [*newest.data["actions"], *newest.data.get("triggers", ())]
    listed = data.get("listing", {})
    tasks = listed.get("tasks", ())
    texts = (
        newest.key,
        data["title"],
        newest.publisher["publisher"],
        data["description"],
        *data.get("categories", ()),
        *tasks,
    )
    found = (
        clean(" ".join([*map(str, texts), *(f"{one['key']} {one['title']}" for one in named)]))
        .lower()
        .split()
    )
    words = " ".join(dict.fromkeys(found))[:_WORDS]
    icon = str(data.get("icon", ""))
    further = [listing.text_of(listed), "; ".join(tasks)]
    row: list[str | list[str] | bool] = [
        newest.key,
        title_of(shelved),
        about(shelved),
        first_line(data["description"]),
        words,
        categories_of(shelved),
        icon,
    ]
    return [*row, *further, needs_review(shelved)] if listed else row


def needs_review(shelved: Shelved) -> bool:
    """Return whether the provider reviews applications before their users may approve."""
    return bool(shelved.newest.data.get("listing", {}).get("review"))


def categories_of(shelved: Shelved) -> list[str]:
    """Return the categories of a connector, shortened."""
    return [_shortened(str(name), _CATEGORY) for name in shelved.newest.data.get("categories", ())]


def title_of(shelved: Shelved) -> str:
    """Return the title of a connector, shortened."""
    return _shortened(str(shelved.newest.data["title"]), _TITLE)


def about(shelved: Shelved) -> str:
    """Return the line of a connector in a list: key, version, publisher, numbers of actions and
    triggers, grade.
    """
    newest = shelved.newest
    counts = [
        f"{len(rows)} {noun}{'' if len(rows) == 1 else 's'}"
        for noun in ("action", "trigger")
        if (rows := newest.data.get(f"{noun}s"))
    ]
    parts = [f"{newest.key} {newest.version}", f"by {newest.publisher['publisher']}", *counts]
    grade = newest.data.get("grade")
    return ", ".join(
        [
            *parts,
            *([f"grade {grade}"] if grade else []),
            *(["withdrawn"] if newest.is_revoked else []),
        ]
    )


def first_line(description: object) -> str:
    """Return the first line of a description, shortened."""
    return _shortened(str(description).partition("\n")[0], _TEXT)


def _shortened(text: str, longest: int) -> str:
    found = clean(text)
    return found if len(found) <= longest else f"{found[: longest - 1]}…"
