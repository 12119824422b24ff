"""Hooks of mkdocs: pages of connectors and the changelog, weights of the search, and tables of
contents that name what differs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_BOOSTS = (
    (r"index|changelog", 0),
    (r"reference/connectors/.*-connections", 0.3),
    (r"reference/(connectors/.*-actions|connector-|http-library|testing|conformance|hooks)", 0.6),
    (r"tutorial/callers|reference/errors", 5),
    (r"reference/connectors/[a-z]+(-ses)?\.md", 4),
    (r"tutorial|install|concepts", 3),
)
"""Weights of pages in the search, by the beginning of their paths; the first that fits counts, and
0 leaves a page out.
"""
_CONNECTORS, _SERVICES = "reference/connectors", "Services and databases"
_PARTS = re.compile(r"Inputs|Output|Permissions|Example: .*|Values of .*")
"""Headings that each action or connection type has."""
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SENTENCE = re.compile(r".+?[.:](?= |$)")
_MOVED = (
    '<!doctype html><title>Moved</title><meta http-equiv="refresh" content="0; url={target}">'
    '<article>This page has moved <a href="{target}">here</a>.</article>'
)
_LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")
_CODE_OF = re.compile(r"<!-- code of: (\S+) -->")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".ts": "ts", ".toml": "toml", ".json": "json"}


@cache
def _connector_pages() -> dict[str, str]:
    """Make the pages of connectors from their manifests, each by its path: they are in no
    folder.
    """
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import generate

    return {
        f"{_CONNECTORS}/{name}.md": text for name, text in generate.connector_pages(generate.ROOT)
    }


def on_config(config: Any) -> Any:
    """Add the pages of connectors that the navigation does not name: a new connector edits no
    list.
    """
    named = {
        path for section in config["nav"] for pages in section.values() for _, path in _pages(pages)
    }
    made = _connector_pages()
    left = [
        name
        for name in sorted(made, key=lambda name: name.removesuffix(".md"))
        if name not in named
    ]
    services = next(
        pages
        for section in config["nav"]
        for pages in section.get("Connectors", ())
        if _SERVICES in pages
    )[_SERVICES]
    for first in (
        name for name in left if not any(name.startswith(f"{other[:-3]}-") for other in left)
    ):
        own = [name for name in left if name == first or name.startswith(f"{first[:-3]}-")]
        services.append({_heading(made[first]): [{_heading(made[name]): name} for name in own]})
    return config


def _heading(text: str) -> str:
    return next(line[2:] for line in text.splitlines() if line.startswith("# "))


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of connectors, and the changelog, whose links are those of the repository."""
    for path, text in _connector_pages().items():
        files.append(File.generated(config, path, content=text))
    text = (Path(config.config_file_path).parent / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text.replace("](docs/", "](")))
    files.append(
        File.generated(
            config, "llms.txt", content=_index(files, config["nav"], config["site_name"])
        )
    )
    for old, new in config["extra"]["moved"].items():
        files.append(
            File.generated(
                config, f"{old}.html", content=_MOVED.format(target="../" * old.count("/") + new)
            )
        )
    return files


def _index(files: Files, nav: list[Any], site: str) -> str:
    """Return the pages of the navigation with one line each, for programs that read documentation
    (llmstxt.org).
    """
    lines = [
        f"# {site}",
        "",
        (
            "> A connector framework in Python: JSON in, JSON out. Coding agents that make "
            "connectors begin at 'Kit for coding agents'."
        ),
        "",
    ]
    for title, pages in ((title, pages) for section in nav for title, pages in section.items()):
        lines += [
            f"## {title}",
            "",
            *(_line(files, name, path) for name, path in _pages(pages)),
            "",
        ]
    return "\n".join(lines)


def _pages(nav: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield title and path of each page below a section; titles have those of the sections within
    before them.
    """
    for title, below in ((title, below) for item in nav for title, below in item.items()):
        if isinstance(below, str):
            yield f"{above}{title}", below
        else:
            yield from _pages(below, f"{above}{title}: ")


def _line(files: Files, title: str, path: str) -> str:
    file = files.get_file_from_path(path)
    if file is None:
        return f"- {title}"
    prose = _COMMENT.sub("", file.content_string).split("\n\n")
    first = next(
        (
            " ".join(part.split())
            for part in prose
            if part.strip() and part.lstrip()[0] not in "#|`>-!"
        ),
        "",
    )
    found = _SENTENCE.match(first)
    sentence = _LINK.sub(r"\1", found[0]).rstrip(":") if found else ""
    return f"- [{title}]({file.url})" + (f": {sentence}" if sentence else "")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Weigh a page in the search, and show the examples of the source tree that it names,
    folded.
    """
    boost = next((weight for path, weight in _BOOSTS if re.match(path, page.file.src_uri)), 1)
    page.meta.setdefault("search", {"boost": boost} if boost else {"exclude": True})
    return _CODE_OF.sub(lambda found: _folded(found[1]), markdown)


def _folded(path: str) -> str:
    file = Path(__file__).resolve().parent.parent / path
    code = file.read_text(encoding="utf-8").rstrip()
    lines = [f"```{_LANGUAGES[file.suffix]}", *code.splitlines(), "```"]
    return "\n".join([f'??? example "{path}"', "", *(f"    {line}".rstrip() for line in lines)])


def on_page_context(context: Any, page: Any, **_: Any) -> Any:
    """Leave out of the table of contents what each section of the page has."""
    for item in _all(page.toc):
        item.children = [child for child in item.children if not _PARTS.fullmatch(child.title)]
    return context


def _all(items: Any) -> Iterator[Any]:
    for item in items:
        yield item
        yield from _all(item.children)
