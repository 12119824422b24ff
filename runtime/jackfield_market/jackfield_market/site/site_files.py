"""Files of a site that are derived from its releases: package index, pages, lists and the search
index.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from packaging.metadata import parse_email

from jackfield.manifest.manifest import Manifest
from jackfield_market.manifest_changes import compare
from jackfield_market.registry import Registry
from jackfield_market.releases import REVOKED, Release
from jackfield_market.schema_changes import Change
from jackfield_market.site import pages, reports, search_index, simple_index
from jackfield_market.site.shelf import Shelved, path_of, render_releases
from jackfield_market.wheels import read_bounded

PUBLISHERS = "publishers.json"
"""Name of the list of publishers with their keys and connectors."""
_CHANGES = 200
"""Maximum number of changes that are listed for one version."""


@dataclass(frozen=True, slots=True)
class Described:
    """Parts of a published wheel that its page displays."""

    manifest: Manifest
    package: pages.Package


def of_connector(site: str, shelved: Shelved, published: bytes | None) -> dict[str, bytes]:
    """Return the files of one connector by path; its wheels are in the site.

    ``published`` is the connector's last signed list, whose changes are reused.
    """
    releases, key = shelved.releases, shelved.newest.key
    history = _history(
        site, releases, {} if published is None else json.loads(published).get("changes", {})
    )
    if releases:
        newest = _described(site, releases[-1])
        page = pages.connector(
            shelved, newest.manifest, newest.package, history, _report(site, releases[-1])
        )
    else:
        page = pages.withdrawn(shelved)
    texts = {pages.path_of(key): page, **simple_index.project(shelved.newest.name, releases)}
    listed = {
        version: {"since": step.since, "changes": [one.to_json() for one in step.changes]}
        for version, step in history.items()
    }
    return {
        **{path: text.encode() for path, text in texts.items()},
        path_of(key): render_releases(shelved, listed),
    }


def of_all(shelves: Mapping[str, Shelved], registry: Registry) -> dict[str, bytes]:
    """Return the files about all connectors by path, without the signed lists."""
    sorted_shelves = [
        shelved
        for _, shelved in sorted(
            shelves.items(), key=lambda item: item[1].newest.data["title"].casefold()
        )
    ]
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
    lists: Mapping[str, Any] = {
        PUBLISHERS: {"publishers": registry.listed},
        REVOKED: {"keys": revoked},
    }
    return {
        path: (json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
        for path, data in lists.items()
    }


def _described(site: str, release: Release) -> Described:
    """Read a published wheel. Its content was checked at its admission, and its hash matches the
    signed metadata.
    """
    package = str(release.data["package"])
    with zipfile.ZipFile(io.BytesIO(read_bounded(os.path.join(site, release.path)))) as archive:
        manifest = Manifest.from_json(json.loads(archive.read(f"{package}/connector.json")))
        info = next(
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        )
        return Described(manifest, _package(archive.read(info)))


def _report(site: str, release: Release) -> reports.VersionReport | None:
    return reports.published(site, release.key, release.version, release.data.get("grade"))


def _package(metadata: bytes) -> pages.Package:
    raw, _ = parse_email(metadata)
    kind = raw.get("description_content_type", "text/markdown").partition(";")[0].strip()
    requires = [need for need in raw.get("requires_dist", []) if "extra ==" not in need]
    return pages.Package(raw.get("description", "").strip(), kind == "text/markdown", requires)


def _history(
    site: str, releases: Sequence[Release], known: Mapping[str, Any]
) -> dict[str, pages.Step]:
    """Return the changes of each version since the previous version, by version; the first version
    has no entry.
    """
    manifests: dict[str, Manifest] = {}

    def manifest(release: Release) -> Manifest:
        if release.wheel not in manifests:
            manifests[release.wheel] = _described(site, release).manifest
        return manifests[release.wheel]

    steps = {}
    for old, new in pairwise(releases):
        row = known.get(new.version)
        if row is not None and row["since"] == old.version:
            changes = [Change(**change) for change in row["changes"]]
        else:
            changes = list(compare(manifest(old), manifest(new)).changes[:_CHANGES])
        steps[new.version] = pages.Step(old.version, changes)
    return steps
