"""Pages of a catalogue for people: lists of connectors with search, a page per connector, and the publishers.

Pages ask no other host for anything, work from a disk, and list everything without scripts. Text of manifests comes from strangers:
see ``jackfield_market.markup``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jackfield_market import markup, schema_table
from jackfield_market.registry import CONNECTORS
from jackfield_market.search_index import about, first_line, title_of

if TYPE_CHECKING:
    from jackfield.manifest import Manifest
    from jackfield_market.releases import Release
    from jackfield_market.schema_changes import Change
    from jackfield_market.shelf import Shelved

PUBLISHERS = "publishers/index.html"
_LISTED = 100
"""Connectors of one page of the list."""
_ICON = 64 * 1024
_ICONS = ("data:image/svg+xml", "data:image/png;base64,")
_INDEX_FROM = 6
"""Actions from which a page has a list of them."""
_EFFECTS = {
    "read": "reads only",
    "idempotent": "changes data; safe to repeat",
    "write": "changes data; never repeated when in doubt",
}


@dataclass(frozen=True, slots=True)
class Package:
    """Metadata of a package: its long description and the packages that it requires."""

    readme: str
    is_markdown: bool
    requires: Sequence[str]


@dataclass(frozen=True, slots=True)
class Step:
    """Changes of a version since the one before."""

    since: str
    changes: Sequence[Change]


def path_of(key: str) -> str:
    """Return the path of the page of a connector."""
    return f"{CONNECTORS}/{key}/index.html"


def assets() -> dict[str, bytes]:
    """Return style and script of all pages by path."""
    folder = os.path.join(os.path.dirname(__file__), "assets")
    found = {}
    for name in ("catalogue.css", "catalogue.js"):
        with open(os.path.join(folder, name), "rb") as file:
            found[f"assets/{name}"] = file.read()
    return found


def lists(shelves: Sequence[Shelved]) -> dict[str, str]:
    """Return the start page and the further pages of the list, by path; ``shelves`` are sorted by title."""
    parts = [shelves[at : at + _LISTED] for at in range(0, len(shelves), _LISTED)] or [[]]
    return {_list_path(number): _list(part, number, len(parts), len(shelves)) for number, part in enumerate(parts, start=1)}


def _list_path(number: int) -> str:
    return "index.html" if number == 1 else f"list/{number}.html"


def _list(part: Sequence[Shelved], number: int, count: int, total: int) -> str:
    root = "" if number == 1 else "../"
    where = f" (page {number} of {count})" if count > 1 else ""
    noun = "connector" if total == 1 else "connectors"
    body = (
        f"<h1>Connectors{where}</h1>"
        '<div class="search" role="search" hidden><label for="words">Search connectors and actions</label>'
        '<input id="words" type="search" autocomplete="off" aria-controls="results"></div><p id="status" role="status"></p>'
        '<ul class="list" id="results" hidden></ul>'
        f'<div id="listed"><p class="soft">{total:,} {noun}, by name</p><ul class="list">{"".join(_entry(one, root) for one in part)}</ul>'
        f"{_pages(number, count, root)}</div>"
    )
    return markup.page(f"Connectors{where}", body, root)


def _entry(shelved: Shelved, root: str) -> str:
    data = shelved.newest.data
    name = f'<strong><a href="{root}{path_of(shelved.newest.key)}">{markup.text(title_of(shelved))}</a></strong>'
    return f'<li>{name} <span class="soft">{markup.text(about(shelved))}</span><br>{markup.text(first_line(data["description"]))}</li>'


def _pages(number: int, count: int, root: str) -> str:
    if count == 1:
        return ""
    links = [
        f'<span aria-current="page">{one}</span>' if one == number else f'<a href="{root}{_list_path(one)}">{one}</a>'
        for one in range(1, count + 1)
    ]
    return f'<nav class="pages" aria-label="Pages of the list">{"".join(links)}</nav>'


def publishers(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the page of all publishers; ``rows`` are those of ``publishers.json``."""
    cells = [_publisher(row) for row in sorted(rows, key=lambda row: (row["publisher"], row["since"]))]
    body = "<h1>Publishers</h1><p>Compare a fingerprint with the one that the publisher has told you over another way.</p>"
    shown = markup.table(("Publisher", "Fingerprint of the key", "Status", "Connectors"), cells, "Publishers and their keys")
    return markup.page("Publishers", body + (shown if cells else "<p>There are none yet.</p>"), "../")


def _publisher(row: Mapping[str, Any]) -> Sequence[str]:
    reason = f": {row['reason']}" if row.get("reason") else ""
    ended = f' <span class="breaking">since {markup.text(row["endedAt"] + reason)}</span>' if "endedAt" in row else ""
    status = f"{row['status']}{ended}<br><small>first published {markup.text(row['since'])}</small>"
    links = ", ".join(f'<a href="../{path_of(key)}">{markup.text(key)}</a>' for key in row["connectors"])
    return markup.text(row["publisher"]), markup.code(fingerprint(row["keyId"])), status, links


def fingerprint(key_id: str) -> str:
    """Return a key id in groups of four, to be compared by people."""
    return " ".join(key_id[at : at + 4] for at in range(0, len(key_id), 4))


def withdrawn(shelved: Shelved) -> str:
    """Return the page of a connector of which every release was withdrawn."""
    newest = shelved.newest
    body = f"<h1>{markup.text(newest.data['title'])}</h1>{_warning(shelved)}<p>{markup.line(newest.data['description'])}</p>"
    return markup.page(newest.data["title"], f"{body}<h2>Versions</h2>{_versions(shelved, {})}", "../../")


def connector(shelved: Shelved, manifest: Manifest, package: Package, steps: Mapping[str, Step]) -> str:
    """Return the page of a connector; ``manifest`` is that of the newest release, ``steps`` are by version."""
    newest, raw = shelved.newest, manifest.completed()
    parts = [
        f"<h1>{_icon(raw)}{markup.text(manifest.title)} <small>{markup.text(newest.version)}</small></h1>{_warning(shelved)}",
        f"<p>{markup.line(manifest.description)}</p>{_facts(newest, raw, package)}",
        f"<h2>Install</h2>{_install(newest)}",
        f"<h2>Permissions</h2>{_permissions(newest)}{_hosts(newest)}",
        "<h2>Connections</h2>",
        *(map(_connection, raw["connectionTypes"]) if raw["connectionTypes"] else ["<p>It needs none.</p>"]),
        f"<h2>Actions</h2>{_index(raw['actions'])}",
        *map(_action, raw["actions"]),
        f"<h2>Description of the package</h2>{_readme(package)}" if package.readme else "",
        f"<h2>Versions</h2>{_versions(shelved, steps)}",
    ]
    return markup.page(manifest.title, "\n".join(parts), "../../")


def _warning(shelved: Shelved) -> str:
    if not shelved.revoked:
        return ""
    names = ", ".join(release.version for release in shelved.revoked)
    rest = "" if shelved.releases else " No version is offered."
    return f'<p class="warning" role="note">Withdrawn because the key that signed them was revoked: {markup.text(names)}.{rest}</p>'


def _icon(raw: Mapping[str, Any]) -> str:
    """Return the icon as an image, in which browsers run no scripts and load nothing."""
    icon = raw.get("icon")
    shown = isinstance(icon, str) and icon.startswith(_ICONS) and len(icon) <= _ICON
    return f'<img class="icon" alt="" src="{markup.text(icon)}">' if shown else ""


def _facts(newest: Release, raw: Mapping[str, Any], package: Package) -> str:
    data = newest.data
    by = f'<a href="../../{PUBLISHERS}">{markup.text(newest.publisher["publisher"])}</a>'
    facts = [
        ("Connector", markup.code(newest.key)),
        ("Publisher", by),
        ("Fingerprint", markup.code(fingerprint(newest.publisher["keyId"]))),
        ("Grade", f'<span class="badge">{markup.text(data["grade"])}</span>' if "grade" in data else "not graded by this catalogue"),
        ("Licence", markup.text(data.get("licence") or "not stated")),
        ("Requires", ", ".join(map(markup.code, package.requires))),
        ("Python", markup.text(data.get("requiresPython", ""))),
        ("Signed", markup.text(data["signedAt"])),
        ("Categories", ", ".join(map(markup.text, data.get("categories", ())))),
        ("Documentation", markup.link(raw["documentationUrl"], str(raw["documentationUrl"])) if raw.get("documentationUrl") else ""),
    ]
    return f'<dl class="facts">{"".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts if value)}</dl>'


def _install(newest: Release) -> str:
    site = '<span class="site-url">CATALOGUE</span>'
    lines = (
        ("the command of jackfield", f"jackfield install {markup.text(newest.key)} --from {site}"),
        ("the command of pip", f"pip install -i {site}/simple {markup.text(newest.name)}=={markup.text(newest.version)}"),
    )
    blocks = [f'<div class="install" data-label="{label}"><pre tabindex="0"><code>{line}</code></pre></div>' for label, line in lines]
    return f"{blocks[0]}<p>With plain pip or uv, which check the hash but neither publisher nor metadata:</p>{blocks[1]}"


def _permissions(newest: Release) -> str:
    found: Mapping[str, Sequence[str]] = newest.data["permissions"]
    lines = [f"<li>{markup.text(system)}: {', '.join(map(markup.code, names))}</li>" for system, names in found.items()]
    return f"<ul>{''.join(lines)}</ul>" if lines else "<p>None declared.</p>"


def _hosts(newest: Release) -> str:
    """Return the hosts that an isolated connector may reach besides those of its connection."""
    hosts = ", ".join(map(markup.code, newest.data.get("hosts", ())))
    named = f"the hosts that its connection names, and {hosts}" if hosts else "only the hosts that its connection names"
    return f"<p>Network, when installed with <code>jackfield install</code>: {named}.</p>"


def _connection(kind: Mapping[str, Any]) -> str:
    title = kind.get("title", kind["key"])
    setup = kind.get("setup")
    guide = f"<details><summary>Setup guide</summary>{markup.document(setup, 4)}</details>" if setup else ""
    fields = schema_table.table(kind.get("schema", {}), f"Values of {title}", "It has no values.")
    return f"<h3>{markup.text(title)} {markup.code(kind['key'])}</h3><p>{markup.line(kind.get('description', ''))}</p>{fields}{guide}"


def _index(actions: Sequence[Mapping[str, Any]]) -> str:
    if len(actions) < _INDEX_FROM:
        return ""
    links = "".join(f'<li><a href="#{_anchor(action)}">{markup.text(action["title"])}</a></li>' for action in actions)
    return f'<nav class="inside" aria-label="Actions"><ul>{links}</ul></nav>'


def _anchor(action: Mapping[str, Any]) -> str:
    return f"action-{markup.text(quote(str(action['key'])))}"


def _action(action: Mapping[str, Any]) -> str:
    title, effect = action["title"], action.get("effect", "write")
    needs = [f"{markup.text(system)}: {', '.join(map(markup.code, names))}" for system, names in (action.get("permissions") or {}).items()]
    badge = f'<span class="badge">{markup.text(effect)}</span> <span class="soft">{_EFFECTS.get(effect, "")}</span>'
    inputs = schema_table.table(action["inputs"], f"Inputs of {title}", "It has no inputs.")
    output = schema_table.table(action["output"], f"Output of {title}", "Its members are not listed.")
    return (
        f'<h3 id="{_anchor(action)}">{markup.text(title)} {markup.code(action["key"])}</h3>'
        f"<p>{markup.line(action.get('description', ''))}</p><p>{badge}</p>{inputs}"
        f"<details><summary>Output</summary>{output}</details>" + (f"<p>Permissions: {'; '.join(needs)}</p>" if needs else "")
    )


def _readme(package: Package) -> str:
    if package.is_markdown:
        return markup.document(package.readme, 3)
    return f'<pre tabindex="0">{markup.text(package.readme)}</pre>'


def _versions(shelved: Shelved, steps: Mapping[str, Step]) -> str:
    return "".join(_version(release, steps.get(release.version), release.publisher["keyId"]) for release in reversed(shelved.all))


def _version(release: Release, step: Step | None, key_id: str) -> str:
    data = release.data
    gone = data.get("revoked")
    link = markup.text(release.wheel) if gone else f'<a href="../../{markup.text(quote(release.path))}">{markup.text(release.wheel)}</a>'
    why = f": {markup.text(gone['reason'])}" if gone and gone.get("reason") else ""
    note = f'<p class="warning">Withdrawn on {markup.text(gone["at"])}{why}</p>' if gone else ""
    facts = f"Signed {markup.text(data['signedAt'])} with the key {markup.code(fingerprint(key_id))}, {data['size']:,} bytes"
    digest = f"SHA-256 {markup.code(release.sha256)}"
    return f"<h3>{markup.text(release.version)}</h3>{note}<p>{link}<br>{facts}<br>{digest}</p>{_changes(step)}"


def _changes(step: Step | None) -> str:
    if step is None:
        return ""
    since = markup.text(step.since)
    if not step.changes:
        return f"<p>Nothing that callers can see has changed since {since}.</p>"
    counts = Counter(change.level for change in step.changes)
    summary = ", ".join(f"{counts[level]} {level}" for level in ("breaking", "additive", "textual") if counts[level])
    return f"<details><summary>Changes since {since}: {summary}</summary><ul>{''.join(map(_change, step.changes))}</ul></details>"


def _change(change: Change) -> str:
    return f'<li><span class="{change.level}">{change.level}</span>: {markup.text(change.reason)} ({markup.code(change.path)})</li>'
