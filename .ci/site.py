"""Hooks of mkdocs: the changelog as a page, what the search finds first, and tables of contents that name what differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_BOOSTS = (
    (r"index|decisions/|performance|architecture|paths|changelog", 0),
    (r"reference/connectors/.*-connections", 0.3),
    (r"reference/(connectors/.*-actions|connector-|http-library|testing|conformance|hooks)", 0.6),
    (r"tutorial/callers|reference/errors", 5),
    (r"reference/connectors/[a-z]+(-ses)?\.md", 4),
    (r"tutorial|install|concepts", 3),
)
"""Weights of pages in the search, by the beginning of their paths; the first that fits counts, and 0 leaves a page out."""
_PARTS = re.compile(r"Inputs|Output|Permissions|Example: .*|Values of .*")
"""Headings that each action or connection type has."""


def on_files(files: Files, config: Any) -> Files:
    """Add the changelog, whose links are those of the repository."""
    text = (Path(config.config_file_path).parent / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text.replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Weigh a page in the search."""
    boost = next((weight for path, weight in _BOOSTS if re.match(path, page.file.src_uri)), 1)
    page.meta.setdefault("search", {"boost": boost} if boost else {"exclude": True})
    return markdown


def on_page_context(context: Any, page: Any, **_: Any) -> Any:
    """Leave out of the table of contents what each section of the page has."""
    for item in _all(page.toc):
        item.children = [child for child in item.children if not _PARTS.fullmatch(child.title)]
    return context


def _all(items: Any) -> Iterator[Any]:
    for item in items:
        yield item
        yield from _all(item.children)
