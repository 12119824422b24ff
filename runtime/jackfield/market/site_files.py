"""Files of a site that are derived from its releases: package index, pages, lists and the search index."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from jackfield.manifest import Manifest
from jackfield.market import pages, search_index, simple_index
from jackfield.market.manifest_changes import compare
from jackfield.market.registry import Registry
from jackfield.market.releases import REVOKED, Release
from jackfield.market.shelf import Shelved, path_of, render_releases
from jackfield.market.wheels import read_bounded

if TYPE_CHECKING:
    from jackfield.market.schema_changes import Change

PUBLISHERS = "publishers.json"
"""Publishers with their keys and connectors."""
_CHANGES = 200
"""Most changes that are listed for one version."""


@dataclass(frozen=True, slots=True)
class Described:
    """Parts of a published wheel that its page shows."""

    manifest: Manifest
    readme: str
    is_markdown: bool


def of_connector(site: str, shelved: Shelved) -> dict[str, bytes]:
    """Return the files of one connector by path; its wheels are in the site."""
    described = [(release, _described(site, release)) for release in shelved.releases]
    changes = _changes(described)
    newest = described[-1][1] if described else None
    page = pages.withdrawn(shelved) if newest is None else pages.connector(shelved, newest.manifest, _readme(newest), changes)
    texts = {pages.path_of(shelved.newest.key): page, **simple_index.project(shelved.newest.name, shelved.releases)}
    listed = {version: [change.to_json() for change in found] for version, found in changes.items()}
    return {**{path: text.encode() for path, text in texts.items()}, path_of(shelved.newest.key): render_releases(shelved, listed)}


def of_all(shelves: Mapping[str, Shelved], registry: Registry) -> dict[str, bytes]:
    """Return the files about all connectors by path, without the signed lists."""
    sorted_shelves = [shelved for _, shelved in sorted(shelves.items(), key=lambda item: item[1].newest.data["title"].casefold())]
    names = [shelved.newest.name for shelved in shelves.values() if shelved.releases]
    texts = {
        **simple_index.root(names),
        **pages.lists(sorted_shelves),
        pages.PUBLISHERS: pages.publishers(registry.listed),
        search_index.PATH: search_index.render(sorted_shelves),
    }
    return {**{path: text.encode() for path, text in texts.items()}, **pages.assets()}


def of_publishers(registry: Registry) -> dict[str, bytes]:
    """Return the signed lists of publishers and of revoked keys by path."""
    revoked = [row for row in registry.rows if row["status"] == "revoked"]
    lists: Mapping[str, Any] = {PUBLISHERS: {"publishers": registry.listed}, REVOKED: {"keys": revoked}}
    return {path: (json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode() for path, data in lists.items()}


def _described(site: str, release: Release) -> Described:
    """Read a published wheel, whose content was checked when it was admitted and whose hash is that of the signed metadata."""
    package = str(release.data["package"])
    with zipfile.ZipFile(io.BytesIO(read_bounded(os.path.join(site, release.path)))) as archive:
        manifest = Manifest.from_json(json.loads(archive.read(f"{package}/connector.json")))
        info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
        metadata = archive.read(info)
    readme, kind = _description(metadata)
    return Described(manifest, readme, kind.partition(";")[0].strip() in {"text/markdown", ""})


def _description(metadata: bytes) -> tuple[str, str]:
    from packaging.metadata import parse_email

    raw, _ = parse_email(metadata)
    return raw.get("description", "").strip(), raw.get("description_content_type", "text/plain")


def _readme(described: Described) -> pages.Readme:
    return pages.Readme(described.readme, described.is_markdown)


def _changes(described: Sequence[tuple[Release, Described]]) -> dict[str, list[Change]]:
    """Return what changed in each version since the one before; nothing for the first."""
    pairs: Iterable[tuple[Any, Any]] = pairwise(described)
    return {new[0].version: list(compare(old[1].manifest, new[1].manifest).changes[:_CHANGES]) for old, new in pairs}
