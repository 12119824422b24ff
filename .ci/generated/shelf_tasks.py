"""What is made beside the files of the shelf: ``tasks.txt``, everyday tasks in words, the schema of
the files for editors, and what providers answer, as the table of ``README.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from generated.shelf_schema import schema
from jackfield_openapi.shelf.answers import table
from jackfield_openapi.shelf.services import read_shelf

__all__ = ["files", "schema"]
_TABLE = "## What providers answer\n"


def files(shelf: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file with a line for each task, such as ``create a jira issue → jira.createIssue``,
    and the README, if there is a shelf.
    """
    if not shelf.is_dir():
        return
    services = read_shelf(shelf)
    rows = (
        (words, service.key, action)
        for service in services
        for words, action in service.about.get("tasks", {}).items()
    )
    yield shelf / "tasks.txt", "".join(f"{words} → {key}.{action}\n" for words, key, action in rows)
    readme = shelf / "README.md"
    head = readme.read_text(encoding="utf-8").partition(_TABLE)[0]
    lines = "".join(
        f"{line}\n" for line in table({service.key: service.about for service in services})
    )
    about = (
        "Each answer links to the page that says it. `unknown`: no page that was read says it. "
        "`none`: the connector does nothing of the "
        "kind. The files have them as `answers`; this table is made of them by `make generate`."
    )
    yield readme, f"{head}{_TABLE}\n{about}\n\n{lines}"
