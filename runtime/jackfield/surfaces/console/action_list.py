"""List of a connector's actions on its page: whole for most, and by words, groups and pages for those with hundreds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from jackfield.markup import Markup, table
from jackfield.surfaces.console.components import badge, choices, h, more, search, summary
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
_SHOWN = 12
"""Groups that are shown at first."""
_FOUND = 1_000
_DIGITS = 9


def actions_listed(request: PageRequest, manifest: Manifest) -> list[Markup | None]:
    """Render the actions of a connector. ``?q=`` searches them, ``?group=`` keeps those of a tag, ``?start=`` is the first row."""
    actions, address = manifest.actions, f"/connectors/{manifest.key}"
    is_long = len(actions) > _PAGE
    words, group, given = (request.query.get(name, "").strip() for name in ("q", "group", "start"))
    start = int(given) if given.isdecimal() and len(given) <= _DIGITS else 0
    groups = {row.key: row.group for row in manifest.rows() if row.group}
    found = _found(request, manifest.key, words) if words else _by_use(request, manifest)
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


def _by_use(request: PageRequest, manifest: Manifest) -> list[str]:
    """List the keys of all actions: those that this workspace uses first, then in the connector's order."""
    uses = request.uses
    return sorted(manifest.actions, key=lambda key: -uses[manifest.key, key])


def _groups(address: str, words: str, group: str, groups: dict[str, str]) -> Markup | None:
    counted = Counter(groups.values()).most_common(_GROUPS)
    if len(counted) <= 1:
        return None
    kept = {"q": words} if words else {}
    whole = ("All groups", address if not kept else f"{address}?{urlencode(kept)}", not group)
    rest = [(f"{name} ({count:,})", f"{address}?{urlencode({**kept, 'group': name})}", name == group) for name, count in counted]
    few = choices("Groups of actions", [whole, *rest[:_SHOWN]])
    further = rest[_SHOWN:]
    if not further:
        return few
    opened = any(is_current for _, _, is_current in further)
    return h.div(few, h.details(h.summary(f"{len(further)} more groups"), choices("More groups", further), open=opened), class_="groups")


def _table(connector: str, actions: list[ActionManifest]) -> Markup:
    rows = [
        (
            [h.a(action.title, href=f"/connectors/{connector}/actions/{action.key}"), h.br(), h.code(action.key, class_="small")],
            badge(action.rule_effect),
            summary(action.description),
        )
        for action in actions
    ]
    return table("Actions", ("Action", "Effect", "Description"), rows, empty="No such action.", kind="rows actions-list")
