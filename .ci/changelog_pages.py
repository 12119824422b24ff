"""Hook of mkdocs: the changelog as pages of the site, one for each of its sections, so that no page is too long for a phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_LONGEST = 14_000
"""Characters of a page; a longer section is continued on another one."""
_SECTION = re.compile(r"^### (.+)$", re.MULTILINE)


def pages(text: str) -> dict[str, tuple[str, str]]:
    """The pages by path, each with its title and its text."""
    _, *parts = _SECTION.split(text)
    found: dict[str, tuple[str, str]] = {}
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        slug = "-".join(re.findall(r"[a-z0-9]+", title.lower()))
        for number, entries in enumerate(_divided(body), 1):
            shown = f"{title} ({number})" if number > 1 else title
            path = f"changelog/{slug}{f'-{number}' if number > 1 else ''}.md"
            found[path] = (shown, f"# Changelog: {shown}\n\n{entries}")
    return found


def _divided(body: str) -> list[str]:
    entries = re.split(r"^(?=- )", body.strip().replace("](docs/", "](../") + "\n", flags=re.MULTILINE)
    parts = [""]
    for entry in entries:
        if len(parts[-1]) + len(entry) > _LONGEST:
            parts.append("")
        parts[-1] += entry
    return parts


def _changelog(config: Any) -> dict[str, tuple[str, str]]:
    return pages((Path(config.config_file_path).parent / "CHANGELOG.md").read_text(encoding="utf-8"))


def on_config(config: Any) -> Any:
    """Add the pages to the navigation."""
    config.nav.append({"Changelog": [{title: path} for path, (title, _) in _changelog(config).items()]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages to the site."""
    for path, (_, text) in _changelog(config).items():
        files.append(File.generated(config, path, content=text))
    return files
