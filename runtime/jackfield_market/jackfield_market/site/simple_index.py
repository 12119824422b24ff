"""Simple repository API of a catalogue, for plain pip and uv: HTML (PEP 503) and JSON (PEP 691,
700), hashes, metadata (PEP 658).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from jackfield_market.releases import Release

FOLDER = "simple"
"""Folder of the index in a site; its URL is the package index for pip and uv."""
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
_META = {"api-version": "1.1"}


def root(names: Iterable[str]) -> dict[str, str]:
    """Return the list of projects by path, as HTML and as JSON."""
    listed = sorted(names)
    links = [f'<a href="{name}/">{name}</a><br>' for name in listed]
    data = {"meta": _META, "projects": [{"name": name} for name in listed]}
    return {
        f"{FOLDER}/index.html": _html("Simple index", links),
        f"{FOLDER}/index.json": _json(data),
    }


def project(name: str, releases: Sequence[Release]) -> dict[str, str]:
    """Return the list of a project's wheels by path, as HTML and as JSON."""
    links, files = [], []
    for release in releases:
        url = f"../../{quote(release.path)}"
        digest, metadata, python = (
            release.data["sha256"],
            release.data["metadataSha256"],
            release.data.get("requiresPython"),
        )
        needs = f' data-requires-python="{escape(str(python))}"' if python else ""
        hashes = (
            f'data-dist-info-metadata="sha256={metadata}" data-core-metadata="sha256={metadata}"'
        )
        links.append(
            f'<a href="{url}#sha256={digest}"{needs} {hashes}>{escape(release.wheel)}</a><br>'
        )
        about = {
            "filename": release.wheel,
            "url": url,
            "hashes": {"sha256": digest},
            "size": release.data["size"],
        }
        about["upload-time"] = release.data["signedAt"]
        served = {"sha256": metadata}
        files.append(
            about
            | {"core-metadata": served, "dist-info-metadata": served}
            | ({"requires-python": python} if python else {})
        )
    versions = list(dict.fromkeys(release.version for release in releases))
    data = {"meta": _META, "name": name, "versions": versions, "files": files}
    folder = f"{FOLDER}/{name}"
    return {
        f"{folder}/index.html": _html(f"Links for {name}", links),
        f"{folder}/index.json": _json(data),
    }


def _html(title: str, links: Iterable[str]) -> str:
    head = f'<meta name="pypi:repository-version" content="1.1"><title>{escape(title)}</title>'
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8">{head}</head><body>',
        *links,
        "</body></html>",
        "",
    ]
    return "\n".join(lines)


def _json(data: object) -> str:
    return json.dumps(data, indent=1) + "\n"
