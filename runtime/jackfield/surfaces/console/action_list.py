"""List of a connector's actions on its page: whole for most, and by words, groups and pages for those with hundreds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from jackfield.markup import Markup, table
from jackfield.surfaces.console.components import badge, h, more, search, summary
from jackfield.surfaces.shared.searching import found_actions

if TYPE_CHECKING:
    from jackfield.manifest import ActionManifest, Manifest
    from jackfield.surfaces.console.page_request import PageRequest

_PAGE = 200
"""Actions of one page; up to so many are listed without a search."""
_FEW = 20
"""Actions up to which they are not offered by group."""
_GROUPS = 60
"""Groups that are offered, the largest first."""
_FOUND = 1_000
_DIGITS = 9


def actions_listed(request: PageRequest, manifest: Manifest) -> list[Markup | None]:
    """Render the actions of a connector. ``?q=`` searches them, ``?group=`` keeps those of a tag, ``?start=`` is the first row."""
    actions, address = manifest.actions, f"/connectors/{manifest.key}"
    is_long = len(actions) > _PAGE
    words, group, given = (request.query.get(name, "").strip() for name in ("q", "group", "start"))
    start = int(given) if given.isdecimal() and len(given) <= _DIGITS else 0
    groups = {row.key: row.group for row in manifest.rows() if row.group}
    found = _found(request, manifest.key, words) if words else actions
    keys = [key for key in found if key in actions and (not group or groups.get(key) == group)]
    following = start + _PAGE if len(keys) > start + _PAGE else None
    kept = h.input(type="hidden", name="group", value=group) if group else None
    return [
        search(address, "Search actions", words, kept) if is_long else None,
        _groups(address, words, group, groups) if len(actions) > _FEW else None,
        h.p(f"{len(keys):,} of {len(actions):,} actions", class_="muted") if is_long or group else None,
        _table(manifest.key, [actions[key] for key in keys[start : start + _PAGE]]),
        more(address, "More actions", q=words, group=group, start=following),
    ]


def _found(request: PageRequest, connector: str, words: str) -> list[str]:
    rows, _ = found_actions(request.search, request.catalog, words, connector, None, 0, _FOUND)
    return [row.action for row in rows]


def _groups(address: str, words: str, group: str, groups: dict[str, str]) -> Markup | None:
    counted = Counter(groups.values()).most_common(_GROUPS)
    if len(counted) <= 1:
        return None
    kept = {"q": words} if words else {}
    links = [
        [
            h.a(
                f"{name} ({count:,})",
                href=f"{address}?{urlencode({**kept, 'group': name})}",
                aria_current="true" if name == group else None,
            ),
            " ",
        ]
        for name, count in counted
    ]
    return h.nav(h.a("All groups", href=f"{address}?{urlencode(kept)}"), " ", links, aria_label="Groups of actions")


def _table(connector: str, actions: list[ActionManifest]) -> Markup:
    rows = [
        (h.a(action.title, href=f"/connectors/{connector}/actions/{action.key}"), h.code(action.key), badge(action.rule_effect), summary(action.description))
        for action in actions
    ]  # fmt: skip
    return table("Actions", ("Action", "Key", "Effect", "Description"), rows, empty="No such action.")
