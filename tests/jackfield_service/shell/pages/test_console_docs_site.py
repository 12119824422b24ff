"""The documentation's site as a reader has it: opened from files, on a phone, without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, expect

pytest_plugins = ["browser"]

ROOT = Path(__file__).resolve().parents[4]
MOST = 12_000
"""Pixels: the tallest page at the width of a phone, but for references of connectors, which are one
long page by design.
"""
_LAID_OUT = """(articles) => articles.map((article) => {
    document.querySelector("article").outerHTML = article;
    return [document.documentElement.scrollHeight, document.documentElement.scrollWidth];
})"""
"""All in one go: between two calls the browser would draw each of the pages."""


_BARE = """{% extends "base.html" if page is not defined or not page or page.url == "index.html" else "bare.html" %}"""
_ARTICLE = """<article class="md-content__inner md-typeset">{% include "partials/content.html" %}</article>"""
"""What is around the article is the same on all pages but for the navigation, which takes a third
of the time to write.
"""
_INDEXED = """
def on_page_markdown(markdown, *, page, **_):
    if not page.url.startswith("tutorial/"):
        page.meta["search"] = {"exclude": True}
"""
"""A hook of mkdocs: the index of the search takes as long to make as the articles, and to read."""


@pytest.fixture(
    scope="module",
    params=[False, pytest.param(True, marks=pytest.mark.campaign)],
    ids=["articles", "whole"],
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as for readers: for each commit the home page whole, and of the
    others the articles alone, those of the tutorials to be searched for.
    """
    folder, theme = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("theme")
    settings = ROOT / "mkdocs.yml"
    if not request.param:
        (theme / "main.html").write_text(_BARE, encoding="utf-8")
        (theme / "bare.html").write_text(_ARTICLE, encoding="utf-8")
        (theme / "indexed.py").write_text(_INDEXED, encoding="utf-8")
        text = settings.read_text(encoding="utf-8").replace(
            "\n  name: material\n", f"\n  name: material\n  custom_dir: {theme}\n"
        )
        text = text.replace("\nhooks:\n", f"\nhooks:\n  - {theme / 'indexed.py'}\n")
        root = tmp_path_factory.mktemp("root")
        for name in ("CHANGELOG.md", "docs", ".ci"):
            (root / name).symlink_to(ROOT / name)
        settings = root / "mkdocs.yml"
        settings.write_text(text, encoding="utf-8")
    words = [
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(settings),
        "--site-dir",
        str(folder),
    ]
    subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder


def test_programs_find_each_page_with_one_line(site: Path) -> None:
    """``llms.txt`` links each page of the navigation, and the kit for coding agents among them; no
    link is broken.
    """
    text = (site / "llms.txt").read_text(encoding="utf-8")
    linked = re.findall(r"^- \[[^]]+\]\(([^)]+)\)", text, re.MULTILINE)
    assert len(linked) == len(re.findall(r"^- ", text, re.MULTILINE)) > 150
    assert [path for path in linked if not (site / path).is_file()] == []
    assert {f"agents/{name}.html" for name in ("index", "overlay", "errors", "mcp")} <= set(linked)
    assert {
        f"reference/connectors/{name}.html"
        for name in ("aws-ses", "aws-ses-actions-send-email", "github-actions")
    } <= set(linked)


def test_pages_fit_a_phone(site: Path, browser: Browser) -> None:
    """No page is higher than 12,000 px at a width of 390 px, but for connectors' references, and
    none scrolls sideways as a whole.
    """
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((site / "index.html").as_uri(), wait_until="domcontentloaded")
    paths = sorted(site.rglob("*.html"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    # all else is the same on all pages
    articles = [text[text.index("<article") : text.index("</article>")] for text in texts]
    sizes = page.evaluate(_LAID_OUT, articles)
    page.close()
    long = {path for path in paths if path.parent == site / "reference" / "connectors"}
    found = [
        (path.name, *size)
        for path, size in zip(paths, sizes, strict=True)
        if (size[0] > MOST and path not in long) or size[1] > 390
    ]
    assert found == []


def test_pictures_are_of_today_and_small() -> None:
    """Twelve, of at most 60 kB each, which ``make pictures`` makes again; pages show all of
    them.
    """
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert len(pictures) == 12
    assert [name for name, size in pictures.items() if size > 60_000] == []
    shown = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "tutorial").glob("*.md")
    )
    assert [name for name in pictures if f"images/{name})" not in shown] == []


def test_each_reader_has_a_front_door(site: Path) -> None:
    """Five doors have at most ten pages each, all at sight; what contributors read is in the
    repository and not on the site.
    """
    nav = yaml.safe_load(
        (ROOT / "mkdocs.yml")
        .read_text(encoding="utf-8")
        .partition("\nnav:\n")[2]
        .partition("\nexclude_docs:")[0]
    )
    doors = {title: pages for section in nav for title, pages in section.items()}
    first, *readers, connectors, reference = doors
    assert (first, connectors, reference) == ("Start", "Connectors", "Reference")
    assert readers == ["Call it", "Embed it", "Operate it", "Make a connector", "Agents"]
    pages = {
        title: [path for page in doors[title] for path in page.values()]
        for title in (first, *readers)
    }
    assert [
        title
        for title, paths in pages.items()
        if len(paths) > 10 or not all(isinstance(path, str) for path in paths)
    ] == []
    assert (
        'href="changelog.html"'
        in (site / "index.html").read_text(encoding="utf-8").partition("<article")[0]
    )
    left = [
        name
        for name in ("decisions", "architecture.html", "paths.html", "performance.html")
        if (site / name).exists()
    ]
    assert left == []


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("restore", "tutorial/backup.html"),
        ("schedule", "tutorial/schedules.html"),
        ("docker", "tutorial/containers.html"),
        ("retry", "tutorial/retry-safely.html"),
        ("idempotency key", "tutorial/callers.html"),
        ("django", "tutorial/hosts.html"),
    ],
)
def test_search_finds_first_what_is_about_the_words(
    site: Path, browser: Browser, words: str, page: str
) -> None:
    """The search finds the page about a user's words first, from a file, and asks no other host for
    anything.
    """
    tab = browser.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto((site / "index.html").as_uri())
    tab.locator("input.md-search__input").click()
    tab.keyboard.type(words)
    expect(tab.locator(".md-search-result__link").first).to_have_attribute(
        "href", re.compile(re.escape(page))
    )
    tab.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))] == []
