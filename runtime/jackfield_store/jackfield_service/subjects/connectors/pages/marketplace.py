"""Pages of the catalogues' connectors: install, upgrade, remove, and the changes of an upgrade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from packaging.version import InvalidVersion, Version
from starlette.responses import Response

from jackfield.catalog.installations import revocations
from jackfield.kernel.markup import Markup, Node, table, terms
from jackfield_service.shell.pages.layout.components import (
    badge,
    card,
    check_field,
    choice_field,
    code_block,
    fault_of,
    final,
    form,
    h,
    heading,
    notice,
    search,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page, redirect
from jackfield_service.shell.process.installer import Installer
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connections.pages.uses import connector_uses
from jackfield_service.subjects.connectors.operations import changed, exactly, find_installer

_DONE = {
    "installed": "installed",
    "upgraded": "upgraded",
    "removed": "removed",
    "pinned": "changed",
}
_LISTED = 500
"""Maximum number of connectors listed without a search."""
_MOST_PERMISSIONS = 40
_NEWER = "newer"

Row = Mapping[str, Any]


def listed(request: PageRequest) -> Response:
    """Serve ``GET /marketplace``: the connectors of the catalogues; ``?q=`` searches them.
    ``?newer=`` requests the fragment of another page that names newer versions.
    """
    request.require("manage")
    if request.server.installer is None and not request.identity.rules:
        return _without_catalogue(request)
    installer = _installer(request)
    if _NEWER in request.query:
        return fragment(_newer(installer, request.query[_NEWER]))
    words = request.query.get("q", "").strip()
    rows = [row for row in _catalogue_rows(installer) if _matches(row, words)]
    outdated = {row["connector"]: row for row in installer.outdated()}
    found = table(
        "Connectors of the catalogues",
        ("Connector", "Description", "Version", "Grade", "Publisher", "Installed"),
        [_line(request, row, outdated.get(row["connector"])) for row in rows[:_LISTED]],
        empty=f"No connector matches “{words}”." if words else "The catalogues are empty.",
    )
    rest = len(rows) - _LISTED
    more = h.p(f"{rest:,} more. Use the search to find them.", class_="muted") if rest > 0 else None
    lead = [
        "From ",
        ", ".join(installer.sources),
        ". Packages are verified before any of their code runs.",
    ]
    return page(
        request,
        "connectors",
        "Add connectors",
        _done(request, installer),
        revoked_notices(request),
        _faults(outdated),
        search("/marketplace", "Search the catalogues", words),
        found,
        more,
        lead=lead,
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /marketplace/{key}``: a connector's publisher, grade and permissions, and the
    changes of an upgrade.
    """
    installer, key = _installer(request), exactly(request.path("key"))
    row, versions = _rows(installer, key)
    if row is None and not versions:
        raise Problem(404, f"no catalogue of this server has a connector '{key[:80]}'")
    about: Row = row or versions[0]
    title = heading(
        str(about.get("title", key)),
        h.span(about["version"], class_="badge plain"),
        lead=about.get("description"),
    )
    facts = terms(
        [
            ("Key", h.code(key)),
            ("Package", h.code(about["name"])),
            ("Grade", _grade(about)),
            ("Publisher", _publisher(about)),
            ("Licence", about.get("licence")),
            (
                "Connects to",
                ", ".join(about.get("hosts", ())) or "the hosts of its connections only",
            ),
            ("Catalogue", _source(about)),
            ("Versions", ", ".join(about.get("versions", ())) or None),
            ("Installed", ", ".join(_version(mine) for mine in versions) or "no"),
        ]
    )
    parts: list[Node] = [
        revoked_notices(request, key),
        facts,
        h.h2("Permissions"),
        _permissions(about),
    ]
    state = _state(row, versions)
    parts += (
        [_upgrade(request, installer, key, row, versions)]
        if versions
        else [_install(request, about)]
    )
    parts += (
        [_other_version(request, about, versions, state), _removal(request, key, versions, state)]
        if versions
        else []
    )
    return page(request, "connectors", str(about.get("title", key)), *parts, head=title)


def _rows(installer: Installer, key: str) -> tuple[Row | None, list[Row]]:
    row = next((row for row in installer.available() if row["connector"] == key), None)
    return row, [mine for mine in installer.installed() if mine["connector"] == key]


def _state(row: Row | None, versions: Iterable[Row]) -> Any:
    """Return the displayed state of a connector: the version, publisher and permissions in a
    catalogue, and the installed versions.
    """
    offered = (
        None
        if row is None
        else [
            row.get(member) for member in ("version", "publisher", "permissions", "hosts", "source")
        ]
    )
    return [offered, [[mine["version"], mine.get("default")] for mine in versions]]


def _present_state(request: PageRequest) -> Any:
    return _state(*_rows(_installer(request), exactly(request.path("key"))))


@decides(_present_state)
def installed(request: PageRequest) -> Response:
    """Serve ``POST /marketplace/{key}/installation``."""
    installer, key, source = (
        _installer(request),
        exactly(request.path("key")),
        request.form.get("source") or None,
    )
    changed(
        request.server,
        request.identity,
        "connector.installed",
        key,
        lambda: installer.install(key, source),
        source=source,
    )
    return redirect(request, f"/marketplace?done=installed&connector={key}")


@decides(_present_state)
def upgraded(request: PageRequest) -> Response:
    """Serve ``POST /marketplace/{key}/upgrade``; a breaking upgrade needs its box ticked."""
    installer, key, breaking = (
        _installer(request),
        exactly(request.path("key")),
        request.form.get("breaking") == "yes",
    )
    change = partial(installer.upgrade, key, breaking=breaking, dry_run=False)
    found = changed(
        request.server,
        request.identity,
        "connector.upgraded",
        key,
        change,
        allowBreaking=breaking or None,
    )
    if found["refused"]:
        error = found["refused"][0]["error"]
        told = fault_of(error["message"], error.get("hint"))
        return page(
            request,
            "connectors",
            key,
            told,
            h.p(h.a("Back", href=f"/marketplace/{key}")),
            status=409,
        )
    return redirect(request, f"/marketplace?done=upgraded&connector={key}")


@decides(_present_state)
def pinned(request: PageRequest) -> Response:
    """Serve ``POST /marketplace/{key}/version``: make a version the default, and install it if
    necessary.
    """
    installer, key, source = (
        _installer(request),
        exactly(request.path("key")),
        request.form.get("source") or None,
    )
    version = request.form.get("version", "")
    name = exactly(key, version)
    used = _used(mine for mine in installer.installed() if mine["connector"] == key)
    if _is_newer(version, used) and request.form.get("breaking") != "on":
        told = fault_of(
            f"{version} is newer than {used}, and callers may break",
            "Tick the box if they may, or upgrade, which compares both.",
        )
        return page(
            request,
            "connectors",
            key,
            told,
            h.p(h.a("Back", href=f"/marketplace/{key}")),
            status=409,
        )
    change = partial(installer.install, name, source, pin=True)
    changed(
        request.server,
        request.identity,
        "connector.installed",
        key,
        change,
        source=source,
        pin=True,
    )
    return redirect(request, f"/marketplace?done=pinned&connector={key}")


@decides(_present_state)
def removed(request: PageRequest) -> Response:
    """Serve ``POST /marketplace/{key}/removal`` of one version, or of all."""
    installer, key, version = (
        _installer(request),
        exactly(request.path("key")),
        request.form.get("version") or None,
    )
    name = exactly(key, version)
    changed(
        request.server,
        request.identity,
        "connector.removed",
        key,
        lambda: installer.uninstall(name),
        version=version,
    )
    return redirect(request, f"/marketplace?done=removed&connector={key}&version={version or ''}")


def _done(request: PageRequest, installer: Installer) -> Markup | None:
    """Render the name and version of the changed connector; None if there was no change. A forged
    link can only change the connector's key and version in it.
    """
    done = request.query.get("done")
    if done is None or done not in _DONE or not request.query.get("connector"):
        return None
    key, version = request.query["connector"], request.query.get("version") or None
    exactly(key, version)
    mine = next(
        (row for row in installer.installed() if row["connector"] == key and row.get("default")),
        None,
    )
    title = next(
        (
            str(row.get("title", key))
            for row in _catalogue_rows(installer)
            if row["connector"] == key
        ),
        key,
    )
    used = (
        f"Version {mine['version']} is used now."
        if mine
        else "No version of it is installed any more."
    )
    return notice(
        f"{title}{f' {version}' if version else ''} was {_DONE[done]}. {used}", tone="good"
    )


def _without_catalogue(request: PageRequest) -> Response:
    """Render the methods to add connectors on a server whose operator has named no catalogue."""
    ways = [
        card(title, h.p(text), code_block(command, text))
        for title, text, command in (
            (
                "From a catalogue",
                "Start the server with the address of one. This page then lists its connectors:",
                "jackfield serve --install-from URL --root FILE",
            ),
            (
                "As a package",
                "Install it into the server's environment, and start the server again:",
                "pip install jackfield-github",
            ),
            (
                "From a description",
                "Make one of an OpenAPI document, and install it as a package:",
                "jackfield generate openapi FILE",
            ),
        )
    ]
    lead = "This server installs no connectors itself, because its operator has named no catalogue."
    back = h.p(h.a("Installed connectors", href="/connectors", class_="button"))
    return page(request, "connectors", "Add connectors", ways, back, lead=lead)


def _catalogue_rows(installer: Installer) -> list[Row]:
    """Return the connectors of the catalogues, and installed connectors that no catalogue has any
    more.
    """
    rows: list[Row] = [*installer.available()]
    known = {row["connector"] for row in rows}
    gone = {
        mine["connector"]: {**mine, "installed": mine["version"]}
        for mine in reversed(installer.installed())
    }
    return [*rows, *(row for key, row in gone.items() if key not in known)]


def may_install(request: PageRequest) -> bool:
    """Return whether the caller may use the pages of the marketplace."""
    try:
        _installer(request)
    except Problem:
        return (
            request.server.installer is None
            and request.may("manage")
            and not request.identity.rules
        )
    return True


def _installer(request: PageRequest) -> Installer:
    request.require("manage")
    return find_installer(request.server, request.identity)


def _matches(row: Row, words: str) -> bool:
    text = f"{row['connector']} {row['name']} {row.get('title', '')} {row.get('description', '')}".casefold()
    return all(word in text for word in words.casefold().split())


def newer_versions(request: PageRequest, key: str = "") -> Markup | None:
    """Render the placeholder for notices of newer versions, of one connector or of all, for
    visitors who may upgrade; None for others. The notices are loaded after the page, since
    catalogues are read over the network.
    """
    if request.server.installer is None or not may_install(request):
        return None
    address = f"/marketplace?{urlencode({_NEWER: key})}"
    return h.div(hx_get=address, hx_trigger="load", hx_target="this", aria_live="polite")


def _newer(installer: Installer, key: str) -> Markup:
    found = [
        row
        for row in installer.newer()
        if row["status"] == "outdated" and key in ("", row["connector"])
    ]
    told = [
        notice(
            h.code(row["connector"]),
            f" {row['version']} is used, {row['latest']} is newer. ",
            h.a(
                "Compare and upgrade",
                href=f"/marketplace/{row['connector']}",
                aria_label=f"Compare and upgrade {row['connector']}",
            ),
        )
        for row in found
    ]
    return h.join(told)


def _line(request: PageRequest, row: Row, outdated: Row | None) -> tuple[Node, ...]:
    state: Node = row.get("installed") or _unfolded(request, row)
    if outdated is not None and outdated["status"] == "outdated":
        state = [row.get("installed"), " ", badge("outdated")]
    elif outdated is not None:
        state = [row.get("installed"), " ", badge(outdated["status"])]
    link = h.a(row.get("title", row["connector"]), href=f"/marketplace/{row['connector']}")
    return link, row.get("description", ""), row["version"], _grade(row), _publisher(row), state


def _faults(outdated: Mapping[str, Row]) -> list[Markup]:
    return [fault_of(f"{key}: {row['error']}") for key, row in outdated.items() if row.get("error")]


def _grade(row: Row) -> Node:
    return badge(str(row["grade"])) if row.get("grade") else h.span("none", class_="muted")


def _publisher(row: Row) -> Node:
    publisher: Row = row.get("publisher") or {}
    return [
        publisher.get("publisher", "unknown"),
        " ",
        h.code(str(publisher.get("keyId", ""))[:16]),
    ]


def _source(row: Row) -> Node:
    source = row.get("source")
    return h.code(source["url"] if isinstance(source, Mapping) else source)


def _version(row: Row) -> str:
    return f"{row['version']} (default)" if row.get("default") else str(row["version"])


def _permissions(row: Row) -> Markup:
    found: Mapping[str, list[str]] = row.get("permissions") or {}
    if not found:
        return h.p("It declares no permissions at its provider.", class_="muted")
    items = [h.li(h.code(f"{system}: {name}")) for system, names in found.items() for name in names]
    rest = len(items) - _MOST_PERMISSIONS
    return h.div(
        h.ul(items[:_MOST_PERMISSIONS]),
        h.p(f"and {rest} more", class_="muted") if rest > 0 else None,
    )


def _install(request: PageRequest, row: Row) -> Markup:
    install = _install_form(request, row, f"Install {row['version']}", None, "primary")
    return card(
        "Install", h.p("It serves every workspace of this server, from the next call on."), install
    )


def _unfolded(request: PageRequest, row: Row) -> Markup:
    """Render the row that installs a connector from the list: it first shows the connector's
    permissions.
    """
    title = row.get("title", row["connector"])
    install = _install_form(
        request, row, f"Install {row['version']}", f"Install {title} {row['version']}"
    )
    return h.details(
        h.summary("Install", aria_label=f"Install {title}"), _permissions(row), install
    )


def _install_form(
    request: PageRequest, row: Row, title: str, name: str | None, kind: str = "quiet"
) -> Markup:
    source = h.input(type="hidden", name="source", value=str(row["source"]))
    button = h.button(title, class_=kind, aria_label=name)
    return form(
        request,
        f"/marketplace/{row['connector']}/installation",
        source,
        button,
        state=_state(row, ()),
    )


def _upgrade(
    request: PageRequest, installer: Installer, key: str, row: Row | None, versions: Sequence[Row]
) -> Markup | None:
    """Render the changes of the newest release, or a note if calls use it already or it cannot be
    installed.
    """
    if row is None:
        gone = revoked_here(request).get(key)
        return notice(
            "The catalogue has withdrawn its releases."
            if gone
            else "The catalogue has no release of it.",
            tone="warn",
        )
    used = _used(versions)
    if row["version"] == used:
        return notice("The newest version is installed, and calls use it.")
    found = installer.upgrade(key, breaking=True, dry_run=True)
    if found["refused"]:
        error = found["refused"][0]["error"]
        return card("Upgrade", fault_of(error["message"], error.get("hint")))
    if not found["upgraded"]:
        return notice("The newest version that fits is installed.")
    step = found["upgraded"][0]
    is_breaking = step["level"] == "breaking"
    changes = table(
        "Changes",
        ("Change", "Level", "Where"),
        [
            (change["reason"], badge(change["level"]), h.code(change.get("path") or "/"))
            for change in step["changes"]
        ],
        empty="Nothing that callers notice.",
    )
    consent = h.label(
        h.input(type="checkbox", name="breaking", value="yes", required=True),
        " Upgrade although callers break",
    )
    button = h.button(f"Upgrade to {step['to']}", class_="primary")
    is_here = step["to"] in {mine["version"] for mine in versions}
    used_by = connector_uses(request, key)
    return card(
        f"Upgrade from {step['from']} to {step['to']}",
        notice(
            f"{step['to']} is newer, and installed. Calls use {used}, which somebody has chosen."
        )
        if is_here
        else None,
        notice("Some callers would break.", tone="warn") if is_breaking else None,
        h.p(
            "These run with it in this workspace, and with the new version from then on: ",
            used_by,
            ".",
        )
        if used_by
        else None,
        changes,
        form(
            request,
            f"/marketplace/{key}/upgrade",
            h.p(consent) if is_breaking else None,
            button,
            state=_state(row, versions),
        ),
    )


def _other_version(
    request: PageRequest, row: Row, versions: Sequence[Row], state: Any
) -> Markup | None:
    """Render the choice of other versions of an installed connector, to which a visitor can return
    after an upgrade; None without other versions.
    """
    used = _used(versions)
    others = [str(version) for version in row.get("versions", ()) if str(version) != used]
    if not others or not isinstance(row.get("source"), str):
        return None
    earlier, newer = (
        [version for version in others if _is_newer(version, used) is is_newer]
        for is_newer in (False, True)
    )
    source = h.input(type="hidden", name="source", value=str(row["source"]))
    choice = choice_field(
        "version",
        "Version",
        [(version, version) for version in (*earlier, *newer)],
        (earlier or newer)[0],
    )
    hint = "A newer version is not compared with the one in use, as an upgrade is."
    consent = (
        check_field(
            "breaking",
            "Take a newer one although callers may break",
            on=False,
            hint=hint,
            asks=True,
        )
        if newer
        else None
    )
    change = form(
        request,
        f"/marketplace/{row['connector']}/version",
        source,
        choice,
        consent,
        h.button("Use this version"),
        class_="stack",
        state=state,
    )
    text = (
        f"Calls use {used}. Another version, such as an earlier one, stays the default until "
        "the next upgrade."
    )
    return card("Use another version", h.p(text), change)


def _used(versions: Iterable[Row]) -> str | None:
    return next((str(mine["version"]) for mine in versions if mine.get("default")), None)


def _is_newer(version: str, used: str | None) -> bool:
    try:
        return used is not None and Version(version) > Version(used)
    except InvalidVersion:  # which the installer refuses
        return False


def _removal(request: PageRequest, key: str, versions: Sequence[Row], state: Any) -> Markup:
    address = f"/marketplace/{key}/removal"
    used = connector_uses(request, key) if len(versions) == 1 else []
    stopped = [" ", h.strong("These stop in this workspace: "), used, "."] if used else None
    text = [
        (
            "Calls of its actions fail until it is installed again. Its connections and its "
            "journal stay."
        ),
        stopped,
    ]
    removals = [
        final(
            request,
            address,
            f"Remove {version}",
            text,
            h.input(type="hidden", name="version", value=version),
            state=state,
        )
        for version in (str(mine["version"]) for mine in versions)
    ]
    return card("Remove", h.div(removals, class_="actions"))


def revoked_here(request: PageRequest) -> Mapping[str, Mapping[str, Any]]:
    """Return the revocations of installed connectors that the caller may see, by key."""
    found = revocations(request.server.catalog.home)
    return {key: row for key, row in found.items() if key in {*request.catalog}} if found else {}


def revoked_notices(request: PageRequest, key: str | None = None) -> list[Markup]:
    """Render a notice for each revoked connector, or only for ``key``."""
    return [_revoked(row) for name, row in revoked_here(request).items() if key in (None, name)]


def _revoked(row: Mapping[str, Any]) -> Markup:
    why = f": {row['reason']}" if row.get("reason") else ""
    since = f" on {row['at'][:10]}" if row["at"] else ""
    return notice(
        h.p(
            h.strong(
                f"The release {row['version']} of ",
                h.a(row["connector"], href=f"/connectors/{row['connector']}"),
                f" was revoked{since}{why}.",
            )
        ),
        h.p("Its calls go on. Find out whether it can be trusted; then upgrade or remove it."),
        tone="bad",
    )
