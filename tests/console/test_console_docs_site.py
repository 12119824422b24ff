"""The documentation's site as a reader has it: opened from files, on a phone, without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

pytest_plugins = ["browser"]

ROOT = Path(__file__).resolve().parents[2]
MOST = 12_000
"""Pixels: the tallest page at the width of a phone."""
_LAID_OUT = """(articles) => articles.map((article) => {
    document.querySelector("article").outerHTML = article;
    return [document.documentElement.scrollHeight, document.documentElement.scrollWidth];
})"""
"""All in one go: between two calls the browser would draw each of the pages."""


_BARE = """{% extends "base.html" if page is not defined or not page or page.url == "index.html" else "bare.html" %}"""
_ARTICLE = """<article class="md-content__inner md-typeset">{% include "partials/content.html" %}</article>"""
"""What is around the article is the same on all pages but for the navigation, which takes a third of the time to write."""
_INDEXED = """
def on_page_markdown(markdown, *, page, **_):
    if not page.url.startswith("tutorial/"):
        page.meta["search"] = {"exclude": True}
"""
"""A hook of mkdocs: the index of the search takes as long to make as the articles, and to read."""


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.campaign)], ids=["articles", "whole"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as for readers: for each commit the home page whole, and of the others the articles alone,
    those of the tutorials to be searched for."""
    folder, theme = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("theme")
    settings = ROOT / "mkdocs.yml"
    if not request.param:
        (theme / "main.html").write_text(_BARE, encoding="utf-8")
        (theme / "bare.html").write_text(_ARTICLE, encoding="utf-8")
        (theme / "indexed.py").write_text(_INDEXED, encoding="utf-8")
        text = settings.read_text(encoding="utf-8").replace("\n  name: material\n", f"\n  name: material\n  custom_dir: {theme}\n")
        text = text.replace("\nhooks:\n", f"\nhooks:\n  - {theme / 'indexed.py'}\n")
        root = tmp_path_factory.mktemp("root")
        for name in ("CHANGELOG.md", "docs", ".ci"):
            (root / name).symlink_to(ROOT / name)
        settings = root / "mkdocs.yml"
        settings.write_text(text, encoding="utf-8")
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(settings), "--site-dir", str(folder)]
    subprocess.run([sys.executable, *words], cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True)
    return folder


def test_pages_fit_a_phone(site: Path, browser: Browser) -> None:
    """No page of the navigation is higher than 12,000 px at a width of 390 px, and none scrolls sideways as a whole."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((site / "index.html").as_uri(), wait_until="domcontentloaded")
    paths = sorted(site.rglob("*.html"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    articles = [text[text.index("<article") : text.index("</article>")] for text in texts]  # all else is the same on all pages
    sizes = page.evaluate(_LAID_OUT, articles)
    page.close()
    found = [(path.name, *size) for path, size in zip(paths, sizes, strict=True) if size[0] > MOST or size[1] > 390]
    assert found == []


def test_the_changelog_is_in_the_navigation(site: Path) -> None:
    """Each section of the changelog is a page, which the navigation of every page leads to."""
    text = (site / "index.html").read_text(encoding="utf-8")
    for title in re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE):
        slug = "-".join(re.findall(r"[a-z0-9]+", title.lower()))
        assert f'href="changelog/{slug}.html"' in text
        assert f"Changelog: {title}" in (site / "changelog" / f"{slug}.html").read_text(encoding="utf-8")


def test_search_works_from_files(site: Path, browser: Browser) -> None:
    """The search finds a page that was opened from a file, and asks no other host for anything."""
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.keyboard.type("restore")
    expect(page.locator(".md-search-result__link").first).to_be_visible(timeout=60_000)
    page.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))] == []
