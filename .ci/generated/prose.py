"""Docstrings as Markdown: paragraphs, code in backticks, what is raised as a list."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from jackfield.connector.manifests import unwrapped

_RAISES = re.compile(r"^:raises ([\w., ]+): ?")
_CITED = {
    "docs/glossary.md": "[names](../glossary.md)",
    "docs/reference/invocation.md": "[Invocation](invocation.md)",
    "docs/reference/result.md": "[Result](result.md)",
    "docs/concepts.md": "[Effects and doubt](../concepts.md#effects-and-doubt)",
    "docs/reference/manifest.md": "[Manifest](manifest.md)",
    "docs/reference/cli.md": "[Command line](cli.md)",
    "docs/reference/http.md": "[HTTP API](http.md)",
    "docs/reference/connectors/aws-ses.md": "[Amazon SES](connectors/aws-ses.md)",
}
"""Links to the pages that docstrings name."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def markdown(value: object) -> str:
    """The docstring of an object as Markdown, "" if it has none."""
    return "\n\n".join(_paragraphs(_cited(inspect.getdoc(value) or "")))


def summary(text: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return (
        " ".join(_cited(text).strip().partition("\n\n")[0].split())
        .replace("``", "`")
        .removesuffix("::")
        .strip()
    )


def first_sentence(text: str) -> str:
    """The first sentence of a docstring."""
    found = summary(text)
    end = re.search(r"[.:](?= [A-Z`])", found)
    return found[: end.start()] + "." if end else found


def signature(name: str, value: object) -> str:
    """A call as an author writes it: without quotes around types, without ``self``."""
    try:
        given = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return name
    parameters = [
        parameter.replace(annotation=_unquoted(parameter.annotation))
        for parameter in given.parameters.values()
    ]
    text = str(
        given.replace(parameters=parameters, return_annotation=_unquoted(given.return_annotation))
    )
    text = _ADDRESS.sub("", text)
    text = (
        re.sub(r"\(self(?:, )?", "(", text, count=1)
        .replace("PydanticUndefined", "…")
        .removesuffix(" -> None")
    )
    return name + re.sub(r"<[^<>]*>|\b[A-Z]\w+\([^()]*\)", "…", text)


class _Type(str):
    """A type as it is written in the source: ``inspect`` shows annotations by their ``repr``."""

    __slots__ = ()
    __repr__ = str.__str__


def _unquoted(annotation: Any) -> Any:
    return _Type(annotation) if isinstance(annotation, str) else annotation


def _cited(text: str) -> str:
    """Link the pages that hold what a docstring cites."""
    linked = re.sub(r"docs/[a-z/-]+\.md", lambda found: _CITED.get(found[0], found[0]), text)
    return linked.replace("a code of the contract", "an [error code](errors.md)")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.replace("``", "`").split("\n\n"):
        lines = paragraph.strip("\n")
        if not lines.strip() or lines.strip() == "::":
            continue
        if lines.startswith("    "):
            yield f"```text\n{inspect.cleandoc(lines)}\n```"
        elif lines.startswith(":"):
            yield "\n".join(_fields(lines))
        else:
            yield unwrapped(lines.removesuffix("::").rstrip())


def _fields(lines: str) -> Iterator[str]:
    for line in re.split(r"\n(?=:)", lines):
        yield "- " + _RAISES.sub(
            r"Raises `\1`: ",
            re.sub(r"^:(?:return|returns|yield): ?", "Returns ", " ".join(line.split())),
        )
