"""Three steps from an empty installation to the first call that succeeds: connect an account,
choose an action, run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from jackfield.kernel.markup import Markup, Node
from jackfield.kernel.walk import extension
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_service.shell.pages.layout.components import card, h
from jackfield_service.shell.pages.layout.page_request import PageRequest

_MOST_CONNECTORS, _MOST_ACTIONS = 200, 50
"""Maximum numbers of connectors that are searched for one that a connection serves, and of its
read-only actions.
"""


def first_steps(request: PageRequest) -> Markup:
    """Render the steps: done ones are marked, and the next one is a button."""
    rows = request.connections.list(limit=1).items
    row = rows[0] if rows else None
    suggested = None if row is None else _suggested(request, row)
    found = h.a(row["name"], href=f"/connections/{row['name']}") if row is not None else None
    return card(
        "First steps",
        h.ol(
            h.li(
                _connect(request) if found is None else ["Connect an account. Done: ", found, "."]
            ),
            h.li(_choose(row, suggested)),
            h.li(
                "Press ",
                h.strong("Run"),
                ". The Result is shown beside the form, and the same call as code for your own "
                "program.",
            ),
            class_="stack",
        ),
        class_="card wide",
        id="first-steps",
    )


def _connect(request: PageRequest) -> list[Node]:
    if not request.may("manage"):
        return [
            "Ask somebody with the scope ",
            h.code("manage"),
            " to connect an account, or use an action that needs none.",
        ]
    return [
        h.a("Connect an account", href="/new-connection", class_="button primary"),
        " or use an action that needs none.",
    ]


def _choose(
    row: Mapping[str, Any] | None, suggested: tuple[Manifest, ActionManifest] | None
) -> list[Node]:
    search = h.a("Choose an action", href="/connectors")
    if row is None or suggested is None:
        return [search, ". One that only reads is a good first one."]
    manifest, action = suggested
    address = f"/connectors/{manifest.key}/actions/{action.key}?connection={row['name']}"
    link = h.a(f"{manifest.title}: {action.title}", href=address, class_="button primary")
    return [search, ", such as ", link, ", which only reads."]


def _suggested(
    request: PageRequest, row: Mapping[str, Any]
) -> tuple[Manifest, ActionManifest] | None:
    """Return the read-only action with the fewest required inputs, of a connector that a connection
    serves; None without such an action.
    """
    # else a family's type, which others serve
    own = request.catalog.look(row["type"].partition("/")[0])[1]
    for manifest in (
        islice(request.catalog.manifests(), _MOST_CONNECTORS) if own is None else (own,)
    ):
        kind = manifest.connection_type(row["type"])
        if kind is None:
            continue
        keys = (
            one.key for one in manifest.rows() if one.effect == "read" and kind.can_serve(one.key)
        )
        actions = [manifest.actions[key] for key in islice(keys, _MOST_ACTIONS)]
        if actions:
            return manifest, min(actions, key=lambda action: (_needed(action), action.key))
    return None


def _needed(action: ActionManifest) -> int:
    known = action.inputs.get("properties", {})
    return sum(
        "default" not in known.get(name, {})
        and not extension(known.get(name, {})).get("fromConnection")
        for name in action.inputs.get("required", ())
    )
