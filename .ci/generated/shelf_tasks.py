"""What is made beside the files of the shelf: ``tasks.txt``, everyday tasks in words, and the schema of the files for editors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jackfield_openapi.shelf.file_schema import schema
from jackfield_openapi.shelf.services import read_shelf

__all__ = ["files", "schema"]


def files(shelf: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file with a line for each task, such as ``create a jira issue → jira.createIssue``, if there is a shelf."""
    if not shelf.is_dir():
        return
    rows = ((words, service.key, action) for service in read_shelf(shelf) for words, action in service.about.get("tasks", {}).items())
    yield shelf / "tasks.txt", "".join(f"{words} → {key}.{action}\n" for words, key, action in rows)
