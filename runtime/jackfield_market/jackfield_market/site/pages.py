"""Pages of a catalogue for people: lists of connectors with search, a page per connector, and the
publishers.

Pages load nothing from other hosts, work from a disk, and list everything without scripts. Text of
manifests comes from strangers: see ``jackfield_market.site.markup``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jackfield.kernel.definitions import completed
from jackfield.kernel.markup import Markup, Node
from jackfield_market.registry import CONNECTORS
from jackfield_market.releases import ICONS
from jackfield_market.site import listing, reports, schema_table
from jackfield_market.site.markup import codes, document, h, line, link, page, table, terms
from jackfield_market.site.search_index import (
    about,
    categories_of,
    first_line,
    needs_review,
    title_of,
)

if TYPE_CHECKING:
    from jackfield.manifest.manifest import Manifest
    from jackfield_market.releases import Release
    from jackfield_market.schema_changes import Change
    from jackfield_market.site.reports import VersionReport
    from jackfield_market.site.shelf import Shelved

PUBLISHERS = "publishers/index.html"
_LISTED = 100
"""Number of connectors on one page of the list."""
_ICON = 64 * 1024
_CATEGORIES = 200
"""Maximum number of categories to choose from."""
_INDEX_FROM = 6
"""Number of actions from which a page lists its actions."""
_EFFECTS = {
    "read": "reads only",
    "idempotent": "changes data; safe to repeat",
    "write": "changes data; never repeated when in doubt",
}

_KINDS = {"webhook": "the provider sends each event", "poll": "asks the provider for what is new"}


@dataclass(frozen=True, slots=True)
class Package:
    """Long description of a package, and the packages that it requires."""

    readme: str
    is_markdown: bool
    requires: Sequence[str]


@dataclass(frozen=True, slots=True)
class Step:
    """Changes of a version since the version ``since``."""

    since: str
    changes: Sequence[Change]


def path_of(key: str) -> str:
    """Return the path of the page of a connector."""
    return f"{CONNECTORS}/{key}/index.html"


def assets() -> dict[str, bytes]:
    """Return style and script of all pages by path."""
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "assets")
    found = {}
    for name in ("catalogue.css", "catalogue.js"):
        with open(os.path.join(folder, name), "rb") as file:
            found[f"assets/{name}"] = file.read()
    return found


def lists(shelves: Sequence[Shelved]) -> dict[str, str]:
    """Return the pages of the list by path, from the start page on; ``shelves`` are sorted by
    title.
    """
    parts = [shelves[at : at + _LISTED] for at in range(0, len(shelves), _LISTED)] or [[]]
    filters = _filters(Counter(name for one in shelves for name in categories_of(one)))
    if any(needs_review(one) for one in shelves):
        box = h.input(type="checkbox", id="review", autocomplete="off", aria_controls="results")
        filters = [*filters, h.label(box, " Without an app review only", class_="choice")]
    return {
        _list_path(number): _list(part, number, len(parts), len(shelves), filters)
        for number, part in enumerate(parts, start=1)
    }


def _filters(counts: Mapping[str, int]) -> list[Node]:
    """Return the choice of a category next to the search, which the script displays; empty without
    categories.
    """
    if not counts:
        return []
    names = sorted(counts, key=str.casefold)[:_CATEGORIES]
    choices = [
        h.option("All categories", value=""),
        *(h.option(f"{name} ({counts[name]:,})", value=name) for name in names),
    ]
    return [
        h.label("Category", for_="category"),
        h.select(choices, id="category", autocomplete="off", aria_controls="results"),
    ]


def _list_path(number: int) -> str:
    return "index.html" if number == 1 else f"list/{number}.html"


def _list(
    part: Sequence[Shelved], number: int, count: int, total: int, filters: Sequence[Node]
) -> str:
    root = "" if number == 1 else "../"
    title = f"Connectors (page {number} of {count})" if count > 1 else "Connectors"
    noun = "connector" if total == 1 else "connectors"
    words = h.input(id="words", type="search", autocomplete="off", aria_controls="results")
    return page(
        title,
        root,
        h.h1(title),
        h.div(
            h.label("Search connectors and actions", for_="words"),
            words,
            filters,
            class_="search",
            role="search",
            hidden=True,
        ),
        h.p(id="status", role="status"),
        h.ul(class_="list", id="results", hidden=True),
        h.div(
            h.p(f"{total:,} {noun}, by name", class_="soft"),
            h.ul([_entry(one, root) for one in part], class_="list"),
            _pages(number, count, root),
            id="listed",
        ),
    )


def _entry(shelved: Shelved, root: str) -> Markup:
    name = h.strong(h.a(title_of(shelved), href=f"{root}{path_of(shelved.newest.key)}"))
    return h.li(
        _picture(shelved.newest.data.get("icon")),
        name,
        " ",
        h.span(about(shelved), class_="soft"),
        h.br(),
        first_line(shelved.newest.data["description"]),
        listing.entry(shelved.newest.data.get("listing")),
    )


def _picture(icon: Any) -> Markup | None:
    return h.img(class_="small icon", alt="", src=icon) if icon else None


def _pages(number: int, count: int, root: str) -> Markup | None:
    if count == 1:
        return None
    links = [
        h.span(one, aria_current="page")
        if one == number
        else h.a(one, href=f"{root}{_list_path(one)}")
        for one in range(1, count + 1)
    ]
    return h.nav(links, class_="pages", aria_label="Pages of the list")


def publishers(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the page of all publishers; ``rows`` come from ``publishers.json``."""
    cells = [
        _publisher(row) for row in sorted(rows, key=lambda row: (row["publisher"], row["since"]))
    ]
    columns = ("Publisher", "Fingerprint of the key", "Status", "Connectors")
    return page(
        "Publishers",
        "../",
        h.h1("Publishers"),
        h.p("Compare a fingerprint with the one that the publisher has told you over another way."),
        table("Publishers and their keys", columns, cells, empty="There are none yet."),
    )


def _publisher(row: Mapping[str, Any]) -> Sequence[Node]:
    reason = f": {row['reason']}" if row.get("reason") else ""
    ended = (
        [" ", h.span(f"since {row['endedAt']}{reason}", class_="breaking")]
        if "endedAt" in row
        else None
    )
    status = [row["status"], ended, h.br(), h.small(f"first published {row['since']}")]
    links = [
        [", " if place else None, h.a(key, href=f"../{path_of(key)}")]
        for place, key in enumerate(row["connectors"])
    ]
    return row["publisher"], h.code(fingerprint(row["keyId"])), status, links


def fingerprint(key_id: str) -> str:
    """Format a key id in groups of four characters, for comparison by people."""
    return " ".join(key_id[at : at + 4] for at in range(0, len(key_id), 4))


def withdrawn(shelved: Shelved) -> str:
    """Return the page of a connector whose releases were all withdrawn."""
    data = shelved.newest.data
    about_it = [h.h1(data["title"]), _warning(shelved), h.p(line(data["description"]))]
    return page(data["title"], "../../", *about_it, h.h2("Versions"), _versions(shelved, {}))


def connector(
    shelved: Shelved,
    manifest: Manifest,
    package: Package,
    steps: Mapping[str, Step],
    report: VersionReport | None,
) -> str:
    """Return the page of a connector; ``manifest`` is the newest release's, ``steps`` are by
    version.
    """
    newest, raw = shelved.newest, completed(manifest.whole())
    return page(
        manifest.title,
        "../../",
        h.h1(_icon(raw), f"{manifest.title} ", h.small(newest.version)),
        _warning(shelved),
        h.p(line(manifest.description)),
        _facts(newest, raw, package, report),
        listing.tasks(raw),
        h.h2("Install"),
        _install(newest),
        h.h2("Permissions"),
        _permissions(newest),
        _hosts(newest),
        h.h2("Connections"),
        [_connection(kind) for kind in raw["connectionTypes"]] or h.p("It needs none."),
        h.h2("Actions"),
        _index(raw["actions"]),
        [_action(action) for action in raw["actions"]],
        [h.h2("Triggers"), [_trigger(trigger) for trigger in raw["triggers"]]]
        if raw.get("triggers")
        else None,
        [h.h2("Description of the package"), _readme(package)] if package.readme else None,
        listing.facts(raw),
        reports.section(report) if report else None,
        h.h2("Versions"),
        _versions(shelved, steps),
    )


def _warning(shelved: Shelved) -> Markup | None:
    if not shelved.revoked:
        return None
    names = ", ".join(release.version for release in shelved.revoked)
    rest = "" if shelved.releases else " No version is offered."
    return h.p(
        f"Withdrawn because the key that signed them was revoked: {names}.{rest}",
        class_="warning",
        role="note",
    )


def _icon(raw: Mapping[str, Any]) -> Markup | None:
    """Return the icon as an image, in which browsers run no scripts and load nothing; None without
    a valid icon.
    """
    icon = raw.get("icon")
    shown = isinstance(icon, str) and icon.startswith(ICONS) and len(icon) <= _ICON
    return h.img(class_="icon", alt="", src=icon) if shown else None


def _facts(
    newest: Release, raw: Mapping[str, Any], package: Package, report: VersionReport | None
) -> Markup:
    data, why = newest.data, h.a("why", href="#grade") if report else None
    return terms(
        [
            ("Connector", h.code(newest.key)),
            ("Publisher", h.a(newest.publisher["publisher"], href=f"../../{PUBLISHERS}")),
            ("Fingerprint", h.code(fingerprint(newest.publisher["keyId"]))),
            (
                "Grade",
                [h.span(data["grade"], class_="badge"), " ", why]
                if "grade" in data
                else "not graded by this catalogue",
            ),
            ("Proof", listing.proof(raw)),
            (
                "Sign-in",
                ", ".join(str(row.get("title", row["key"])) for row in raw["connectionTypes"])
                or None,
            ),
            ("App review", listing.review(raw)),
            ("Licence", data.get("licence") or "not stated"),
            ("Requires", codes(package.requires)),
            ("Python", data.get("requiresPython")),
            ("Signed", data["signedAt"]),
            ("Categories", ", ".join(map(str, data.get("categories", ())))),
            (
                "Documentation",
                link(raw["documentationUrl"], str(raw["documentationUrl"]))
                if raw.get("documentationUrl")
                else None,
            ),
        ]
    )


def _install(newest: Release) -> list[Node]:
    site = h.span("CATALOGUE", class_="site-url")
    ours = [f"jackfield install {newest.key} --from ", site]
    pip = ["pip install -i ", site, f"/simple {newest.name}=={newest.version}"]
    note = "With plain pip or uv, which check the hash but neither publisher nor metadata:"
    return [
        _command("the command of jackfield", ours),
        h.p(note),
        _command("the command of pip", pip),
    ]


def _command(label: str, text: Node) -> Markup:
    return h.div(h.pre(h.code(text), tabindex="0"), class_="install", data_label=label)


def _permissions(newest: Release) -> Markup:
    found: Mapping[str, Sequence[str]] = newest.data["permissions"]
    lines = [h.li(f"{system}: ", codes(names)) for system, names in found.items()]
    return h.ul(lines) if lines else h.p("None declared.")


def _hosts(newest: Release) -> Markup:
    """Return a paragraph with the hosts that an isolated connector may reach in addition to its
    connection's hosts.
    """
    hosts = newest.data.get("hosts", ())
    named: Node = (
        ["the hosts that its connection names, and ", codes(hosts)]
        if hosts
        else "only the hosts that its connection names"
    )
    return h.p("Network, when installed with ", h.code("jackfield install"), ": ", named, ".")


def _connection(kind: Mapping[str, Any]) -> list[Node]:
    title, setup = kind.get("title", kind["key"]), kind.get("setup")
    return [
        h.h3(f"{title} ", h.code(kind["key"])),
        h.p(line(kind.get("description", ""))),
        schema_table.members(kind.get("schema", {}), f"Values of {title}", "It has no values."),
        h.details(h.summary("Setup guide"), document(setup, 4)) if setup else None,
    ]


def _index(actions: Sequence[Mapping[str, Any]]) -> Markup | None:
    if len(actions) < _INDEX_FROM:
        return None
    links = [h.li(h.a(action["title"], href=f"#{_anchor(action)}")) for action in actions]
    return h.nav(h.ul(links), class_="inside", aria_label="Actions")


def _anchor(action: Mapping[str, Any]) -> str:
    return f"action-{quote(str(action['key']))}"


def _action(action: Mapping[str, Any]) -> list[Node]:
    title, effect = action["title"], action.get("effect", "write")
    permissions = enumerate((action.get("permissions") or {}).items())
    needs = [
        ["; " if place else "Permissions: ", f"{system}: ", codes(names)]
        for place, (system, names) in permissions
    ]
    output = schema_table.members(
        action["output"], f"Output of {title}", "Its members are not listed."
    )
    return [
        h.h3(f"{title} ", h.code(action["key"]), id=_anchor(action)),
        h.p(line(action.get("description", ""))),
        h.p(h.span(effect, class_="badge"), " ", h.span(_EFFECTS.get(effect, ""), class_="soft")),
        schema_table.members(action["inputs"], f"Inputs of {title}", "It has no inputs."),
        h.details(h.summary("Output"), output),
        h.p(needs) if needs else None,
    ]


def _trigger(trigger: Mapping[str, Any]) -> list[Node]:
    title, kind = trigger["title"], str(trigger["kind"])
    types = trigger.get("types")
    return [
        h.h3(f"{title} ", h.code(trigger["key"])),
        h.p(line(trigger.get("description", ""))),
        h.p(h.span(kind, class_="badge"), " ", h.span(_KINDS.get(kind, ""), class_="soft")),
        schema_table.members(trigger.get("inputs", {}), f"Inputs of {title}", "It has no inputs."),
        h.details(
            h.summary("Event"),
            schema_table.members(
                trigger.get("event", {}), f"Event of {title}", "Its members are not listed."
            ),
        ),
        h.p("Types of its events: ", codes(types)) if types else None,
    ]


def _readme(package: Package) -> Markup:
    return (
        document(package.readme, 3) if package.is_markdown else h.pre(package.readme, tabindex="0")
    )


def _versions(shelved: Shelved, steps: Mapping[str, Step]) -> list[Node]:
    return [
        _version(release, steps.get(release.version), release.publisher["keyId"])
        for release in reversed(shelved.all)
    ]


def _version(release: Release, step: Step | None, key_id: str) -> list[Node]:
    data = release.data
    gone = data.get("revoked")
    why = f": {gone['reason']}" if gone and gone.get("reason") else ""
    return [
        h.h3(release.version),
        h.p(f"Withdrawn on {gone['at']}{why}", class_="warning") if gone else None,
        h.p(
            release.wheel if gone else h.a(release.wheel, href=f"../../{quote(release.path)}"),
            h.br(),
            f"Signed {data['signedAt']} with the key ",
            h.code(fingerprint(key_id)),
            f", {data['size']:,} bytes",
            h.br(),
            "SHA-256 ",
            h.code(release.sha256),
        ),
        _changes(step),
    ]


def _changes(step: Step | None) -> Markup | None:
    if step is None:
        return None
    if not step.changes:
        return h.p(f"Nothing that callers can see has changed since {step.since}.")
    counts = Counter(change.level for change in step.changes)
    summary = ", ".join(
        f"{counts[level]} {level}" for level in ("breaking", "additive", "textual") if counts[level]
    )
    changes = [
        h.li(h.span(one.level, class_=one.level), f": {one.reason} (", h.code(one.path), ")")
        for one in step.changes
    ]
    return h.details(h.summary(f"Changes since {step.since}: {summary}"), h.ul(changes))
