"""Pages are short: of words, of sentences; and what messages and docstrings cite is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import yaml

from doc_pages import ROOT

DOCS = ROOT / "docs"
MADE = re.compile("Made by `make (generate|prove-public)`")
"""Begins pages that are written by the code; test_docs_prove_results holds the form of the
second.
"""
TABLE = re.compile(r"<!-- table of: .*?<!-- end of table -->|<!-- code of: \S+ -->", re.DOTALL)
"""A table within a page that is made from a schema."""
INSIDE = re.compile(r"decisions/|architecture|paths|performance|threat-model")
"""Pages for contributors, which the site does not have."""
MOST_WORDS, MOST_OF_A_PAGE, MOST_OF_A_SENTENCE = 110_000, 1_800, 30
"""The first is a number that falls."""
_BLOCK = re.compile(r"^ *```.*?^ *```\s*$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*] |\d+\. |#|\||: ))")


def _written() -> dict[str, str]:
    """Texts of the site's pages that people write, by name, and the README."""
    pages = {
        path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
        for path in DOCS.rglob("*.md")
    }
    site = {
        name: TABLE.sub("", text)
        for name, text in pages.items()
        if not INSIDE.match(name) and not MADE.search(text[:300])
    }
    return {**site, "README.md": (ROOT / "README.md").read_text(encoding="utf-8")}


def _sentences(text: str) -> Iterator[str]:
    """Yield sentences of paragraphs, of items of lists and of cells of tables; of a link its words
    count.
    """
    for part in _PART.split(_BLOCK.sub("\n\n", text)):
        for cell in (
            part.strip().strip("|").split(" | ") if part.strip().startswith("|") else [part]
        ):
            yield from re.split(r"(?<=[.!?])[)*\"”]*\s+", re.sub(r"\]\([^)]*\)", "]", cell))


def test_sentences_of_pages_are_short() -> None:
    """No sentence has more than thirty words."""
    found = [
        f"{name}: {' '.join(words)}"
        for name, text in _written().items()
        for sentence in _sentences(text)
        if len(words := re.sub(r"^[-*>#\d.|: ]+", "", sentence.strip()).split())
        > MOST_OF_A_SENTENCE
    ]
    assert found == []


def test_pages_are_short() -> None:
    """No page has more than 1,800 words, and all together have at most so many."""
    counts = {name: len(text.split()) for name, text in _written().items()}
    assert {name: count for name, count in counts.items() if count > MOST_OF_A_PAGE} == {}
    assert sum(counts.values()) <= MOST_WORDS


def test_headings_of_a_page_differ() -> None:
    """A section stands once on its page, and a link by its heading leads to it: a merge of two
    edits has left both before.
    """
    found = {
        name: Counter(re.findall(r"^##+ (.+)$", _BLOCK.sub("", text), re.MULTILINE))
        for name, text in _written().items()
    }
    assert {
        name: twice
        for name, count in found.items()
        if (twice := [head for head, times in count.items() if times > 1])
    } == {}


def test_pages_that_are_cited_are_there() -> None:
    """A page that a message, a docstring or a schema names exists, or is made with the site."""
    folders = [
        ROOT / name for name in ("runtime", "connectors", "clients", "deploy", "hosts", "schemas")
    ]
    files = [
        path
        for folder in folders
        for kind in ("py", "json", "yaml", "yml", "js", "ts")
        for path in folder.rglob(f"*.{kind}")
    ]
    missing = {
        (path.relative_to(ROOT).as_posix(), cited)
        for path in files
        if not {".venv", "node_modules", "build", "tests"} & {*path.parts}
        for cited in re.findall(
            r"(?<![\w/.-])docs/(?:[a-z-]+/)?[\w-]+\.md",
            path.read_text(encoding="utf-8", errors="replace"),
        )
        if not (ROOT / cited).is_file()
        and not cited.startswith(("docs/reference/connectors/", "docs/connector.md"))
    }
    assert missing == set()


def test_addresses_of_old_pages_lead_to_headings() -> None:
    """A page that has gone into another one keeps its address, which leads to a heading that is
    there.
    """
    moved = dict(
        re.findall(
            r"^    ([a-z/-]+): (\S+\.html\S*)$",
            (ROOT / "mkdocs.yml").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    assert moved
    made = f"{DOCS}/reference/connectors/"
    for old, new in moved.items():
        page, _, anchor = new.partition("#")
        path = DOCS / f"{page.removesuffix('.html')}.md"
        assert not (DOCS / f"{old}.md").exists()
        assert path.is_file() or str(path).startswith(made), new
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
            }, new


def test_what_contributors_read_is_not_on_the_site() -> None:
    """The pages left out here are those that the site leaves out."""
    left = yaml.safe_load(
        (ROOT / "mkdocs.yml")
        .read_text(encoding="utf-8")
        .partition("\nexclude_docs:")[2]
        .partition("\n\n")[0]
        .lstrip(" |\n")
    )
    names = {name.strip("/").removesuffix(".md").rstrip("*") for name in str(left).split()}
    assert names == {Path(part).name for part in INSIDE.pattern.replace("/", "").split("|")}
