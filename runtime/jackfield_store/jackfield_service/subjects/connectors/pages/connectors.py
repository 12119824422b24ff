"""Pages of the installed connectors and their actions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.callers.searching import found_actions, found_triggers, listed_connectors
from jackfield.catalog import CatalogRow
from jackfield.catalog.loading import has_part
from jackfield.kernel.markup import Markup, table, terms
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_service.shell.pages.layout.components import (
    badge,
    choices,
    form,
    guide,
    h,
    heading,
    line,
    more,
    notice,
    outside,
    picture,
    search,
    summary,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page
from jackfield_service.subjects.connectors.pages.marketplace import (
    may_install,
    newer_versions,
    revoked_here,
    revoked_notices,
)

TRIAL = "trying"
"""Name of the part of a package that tries connectors at a fake of their provider."""
_FOUND = 30
"""Maximum number of actions in a search result."""
_CARDS = 200
"""Maximum number of connectors listed without a search; more are not sorted by category."""
_USED = 24
"""Maximum number of connectors listed as in use."""
_MOST = 1000
_PAGE = 200
"""Number of actions on one page, and the maximum listed without a search."""
_FEW = 20
"""Maximum number of actions that are not offered by group."""
_GROUPS = 60
"""Maximum number of offered groups, the largest first."""
_FIRST_GROUPS = 12
"""Number of groups that are visible at first."""
_BY_WORDS = 1_000
_DIGITS = 9


def icon_of(manifest: Manifest) -> Markup:
    """Return the connector's icon, or two letters of its title if it has none or refers to another
    host.
    """
    return picture(manifest.raw.get("icon")) or _letters(manifest.title)


def _letters(title: str) -> Markup:
    words = [word for word in title.split() if word[:1].isalnum()]
    text = "".join(word[0] for word in words[:2]) if len(words) > 1 else title[:2]
    return h.span(text.upper(), class_="icon letters", aria_hidden="true")


def listed(request: PageRequest) -> Response:
    """Serve ``GET /connectors``: list the connectors; ``?q=`` searches connectors and actions."""
    request.require("read")
    words = request.query.get("q", "").strip()
    found = _render_results(request, words)
    if request.partial:
        return fragment(found)
    add = (
        h.a("Add connectors", href="/marketplace", class_="button")
        if may_install(request)
        else None
    )
    lead = (
        "Installed connectors."
        if add
        else "Installed connectors. The operator of the server can add others."
    )
    live = (
        request.runtime.catalog.whole.stored_prefixes
        and request.may("manage")
        and not request.identity.rules
    )
    servers = h.a("MCP servers", href="/mcp-servers", class_="button") if live else None
    box = search("/connectors", "Search connectors and actions", words, live=True)
    head = heading("Connectors", servers, add, lead=lead)
    return page(
        request,
        "connectors",
        "Connectors",
        newer_versions(request),
        box,
        h.div(found, id="found", aria_live="polite"),
        head=head,
    )


def _render_results(request: PageRequest, words: str) -> Markup:
    catalog = request.catalog
    revoked = revoked_here(request)
    entries = list(listed_connectors(request.server.search, catalog, folded=not words))
    if not words:
        return _all(request, entries, revoked)
    wanted = words.casefold().split()
    actions, _ = found_actions(request.search, request.catalog, words, None, None, 0, _FOUND)
    best = actions[0].connector if actions and actions[0].exact else None
    named = [
        entry
        for entry in entries
        if entry.key == best
        or all(word in f"{entry.key} {entry.title}".casefold() for word in wanted)
    ]
    connectors = sorted(named, key=lambda entry: entry.key != best)
    matching = table(
        "Matching actions",
        ("Action", "Connector", "Effect", "Description"),
        [
            (
                h.a(row.title, href=f"/connectors/{row.connector}/actions/{row.action}"),
                h.code(row.connector),
                badge(row.effect),
                summary(row.description),
            )
            for row in actions
        ],
        empty=f"No action matches “{words}”.",
    )
    return h.div(
        h.ul([_card(request, entry, revoked) for entry in connectors[:_FOUND]], class_="cards")
        if connectors
        else None,
        h.h2("Actions"),
        h.p(f"No action matches all words of “{words}”. These are the closest.", class_="muted")
        if actions and not actions[0].exact
        else None,
        matching,
        _triggers(request, words),
        class_="stack",
    )


def _triggers(request: PageRequest, words: str) -> Markup | None:
    rows = found_triggers(request.search, request.catalog, words)
    if not rows:
        return None
    cells = [
        (
            h.a(row.title, href=f"/new-subscription?trigger={row.connector}/{row.trigger}"),
            h.code(row.connector),
            badge(row.kind),
            summary(row.description),
        )
        for row in rows[:_FOUND]
    ]
    return h.div(
        h.h2("Triggers"),
        table("Matching triggers", ("Trigger", "Connector", "Kind", "Description"), cells),
        class_="stack",
    )


def _all(request: PageRequest, entries: list[CatalogRow], revoked: Collection[str]) -> Markup:
    """Render all connectors: connectors in use first, then the others, by category if they are few
    enough.
    """
    catalog, wanted = request.catalog, request.query.get("category", "")
    in_use = _in_use(request)
    used = [catalog.look(key)[0] for key in in_use[:_USED]]
    rest = [entry for entry in entries if entry.key not in in_use]
    kinds = _categories(request, rest) if len(entries) <= _CARDS else {}
    shown = [entry for entry in rest if not wanted or wanted in kinds.get(entry.key, ())]
    cards = [_card(request, entry, revoked) for entry in shown[:_CARDS]]
    cards += [] if wanted else list(map(_source_card, catalog.offered_whole))
    counted = Counter(name for names in kinds.values() for name in names)
    links = [
        (f"{name} ({count})", f"/connectors?{urlencode({'category': name})}", name == wanted)
        for name, count in counted.most_common()
    ]
    left = len(shown) - _CARDS
    return h.div(
        [h.h2("In use"), h.ul([_card(request, entry, revoked) for entry in used], class_="cards")]
        if used
        else None,
        h.h2("All others" if used else "All connectors") if cards else None,
        choices("Categories", [("All categories", "/connectors", not wanted), *links])
        if len(links) > 1
        else None,
        h.ul(cards, class_="cards") if cards else None,
        None
        if used or cards
        else h.p(
            "No connectors installed. Try ",
            h.code("pip install jackfield-aws-ses"),
            ".",
            class_="empty",
        ),
        h.p(f"{left:,} more. Use the search to find them.", class_="muted") if left > 0 else None,
        class_="stack",
    )


def _in_use(request: PageRequest) -> list[str]:
    """List the keys of the connectors in use: first by the number of the workspace's calls, then
    connectors with a connection.
    """
    catalog, calls = request.catalog, Counter[str]()
    for (key, _), count in request.uses.items():
        calls[key] += count
    types = dict.fromkeys(str(row["type"]) for row in request.stored_connections(_MOST))
    with_connection = [
        manifest.key
        for name in types
        for manifest in catalog.with_type(name)
        if not manifest.virtual
    ]
    return [
        key
        for key in dict.fromkeys(
            [*(key for key, _ in calls.most_common()), *sorted(with_connection)]
        )
        if key in catalog
    ]


def _categories(request: PageRequest, entries: Iterable[CatalogRow]) -> dict[str, list[str]]:
    """Return the categories of each connector that can be loaded."""
    manifests = [request.catalog.find(entry.key) for entry in entries if entry.error is None]
    return {
        manifest.key: [str(name) for name in manifest.raw.get("categories", ())]
        for manifest in manifests
    }


def _card(request: PageRequest, entry: CatalogRow, revoked: Collection[str]) -> Markup:
    if entry.error is not None:
        return h.li(
            h.h2(_letters(entry.key), entry.key),
            h.p(badge("broken"), " ", entry.error),
            class_="card",
        )
    manifest = request.catalog.find(entry.key)
    count = "1 action" if len(manifest.actions) == 1 else f"{len(manifest.actions)} actions"
    return h.li(
        h.h2(
            icon_of(manifest),
            h.a(manifest.title, href=f"/connectors/{manifest.key}", class_="whole"),
        ),
        h.p(summary(manifest.description)),
        h.p(h.code(manifest.key), " · ", count, " · ", manifest.version, class_="muted"),
        badge("revoked") if entry.key in revoked else None,
        class_="card",
    )


def _source_card(name: str) -> Markup:
    return h.li(
        h.h2(_letters(name), f"{name}.*"),
        h.p(
            "Each service of ",
            h.code(name),
            " is a connector of its own. Search for a service, or for what it does.",
        ),
        class_="card",
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /connectors/{key}``."""
    request.require("read")
    manifest = request.manifest()
    raw = manifest.raw
    version = h.span(manifest.version, class_="badge plain")
    title = heading(
        [icon_of(manifest), manifest.title],
        version,
        _try_button(request, manifest),
        lead=line(manifest.description),
    )
    facts = terms(
        [
            ("Key", h.code(manifest.key)),
            ("Categories", ", ".join(map(str, raw.get("categories", ()))) or None),
            ("Licence", raw.get("license")),
            ("Documentation", outside(raw.get("documentationUrl"))),
        ]
    )
    return page(
        request,
        "connectors",
        manifest.title,
        revoked_notices(request, manifest.key),
        newer_versions(request, manifest.key),
        facts,
        h.h2("Actions"),
        _actions(request, manifest),
        _types(request, manifest),
        head=title,
    )


def _try_button(request: PageRequest, manifest: Manifest) -> Markup | None:
    """Render the button that tries a connector with sample data; None if no fake of its provider
    can be made, or the visitor may not invoke.
    """
    bound = any("http" in row for row in manifest.raw.get("connectionTypes", ()))
    if not bound or not request.may("invoke") or not has_part(TRIAL):
        return None
    return form(
        request,
        f"/connectors/{manifest.key}/trial",
        h.button("Try with sample data", class_="primary"),
    )


def _types(request: PageRequest, manifest: Manifest) -> list[Markup]:
    if not manifest.connection_types:
        return [h.h2("Connections"), notice("Its actions need no connection.")]
    return [h.h2("Connection types"), h.ul(_type_cards(request, manifest), class_="cards wide")]


def _type_cards(request: PageRequest, manifest: Manifest) -> Iterable[Markup]:
    for kind in manifest.connection_types.values():
        name = manifest.full_name(kind)
        count, none = (
            len(request.stored_connections(100, name)),
            "not known now" if request.is_silent else "none in this workspace",
        )
        have = (
            h.a(f"{count} in this workspace", href=f"/connections?type={name}") if count else none
        )
        make = (
            h.a(
                "New connection",
                href=f"/new-connection?type={manifest.key}/{kind.key}",
                class_="button",
            )
            if request.may("manage")
            else None
        )
        limits = (
            h.p(f"Only for {', '.join(kind.serves.actions)}: {kind.serves.reason}.", class_="muted")
            if kind.serves
            else None
        )
        setup = h.details(h.summary("Setup guide"), guide(kind.setup)) if kind.setup else None
        yield h.li(
            h.h3(kind.title),
            h.p(line(kind.description)),
            limits,
            h.p(h.code(name), " · ", have),
            h.p(make),
            setup,
            class_="card",
        )


def _actions(request: PageRequest, manifest: Manifest) -> list[Markup | None]:
    """Render the actions of a connector. ``?q=`` searches them, ``?group=`` selects a tag,
    ``?start=`` is the first row.
    """
    actions, address = manifest.actions, f"/connectors/{manifest.key}"
    is_long = len(actions) > _PAGE
    words, group, given = (request.query.get(name, "").strip() for name in ("q", "group", "start"))
    start = int(given) if given.isdecimal() and len(given) <= _DIGITS else 0
    groups = {row.key: row.group for row in manifest.rows() if row.group}
    found = _found_keys(request, manifest.key, words) if words else _by_use(request, manifest)
    keys = [key for key in found if key in actions and (not group or groups.get(key) == group)]
    following = start + _PAGE if len(keys) > start + _PAGE else None
    kept = h.input(type="hidden", name="group", value=group) if group else None
    return [
        search(address, "Search actions", words, kept) if is_long else None,
        _groups(address, words, group, groups) if len(actions) > _FEW else None,
        h.p(f"{len(keys):,} of {len(actions):,} actions", class_="muted")
        if is_long or group
        else None,
        _action_table(manifest.key, [actions[key] for key in keys[start : start + _PAGE]]),
        more(address, "More actions", q=words or None, group=group or None, start=following),
    ]


def _found_keys(request: PageRequest, connector: str, words: str) -> list[str]:
    rows, _ = found_actions(request.search, request.catalog, words, connector, None, 0, _BY_WORDS)
    return [row.action for row in rows]


def _by_use(request: PageRequest, manifest: Manifest) -> list[str]:
    """List the keys of all actions: the workspace's most used first, then in the connector's
    order.
    """
    uses = request.uses
    return sorted(manifest.actions, key=lambda key: -uses[manifest.key, key])


def _groups(address: str, words: str, group: str, groups: dict[str, str]) -> Markup | None:
    counted = Counter(groups.values()).most_common(_GROUPS)
    if len(counted) <= 1:
        return None
    kept = {"q": words} if words else {}
    whole = ("All groups", address if not kept else f"{address}?{urlencode(kept)}", not group)
    rest = [
        (f"{name} ({count:,})", f"{address}?{urlencode({**kept, 'group': name})}", name == group)
        for name, count in counted
    ]
    few = choices("Groups of actions", [whole, *rest[:_FIRST_GROUPS]])
    further = rest[_FIRST_GROUPS:]
    if not further:
        return few
    opened = any(is_current for _, _, is_current in further)
    return h.div(
        few,
        h.details(
            h.summary(f"{len(further)} more groups"), choices("More groups", further), open=opened
        ),
        class_="groups",
    )


def _action_table(connector: str, actions: list[ActionManifest]) -> Markup:
    rows = [
        (
            [
                h.a(action.title, href=f"/connectors/{connector}/actions/{action.key}"),
                h.br(),
                h.code(action.key, class_="small"),
            ],
            badge(action.rule_effect),
            summary(action.description),
        )
        for action in actions
    ]
    return table(
        "Actions",
        ("Action", "Effect", "Description"),
        rows,
        empty="No such action.",
        kind="rows actions-list",
    )
