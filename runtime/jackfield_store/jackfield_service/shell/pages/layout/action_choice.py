"""Choice of an action by search, for a form that starts calls: in a dialog of that form, which
preserves its values.

Without scripts, the choice is a separate page that returns to the form.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.callers.searching import found_actions
from jackfield.kernel.markup import Markup, Node
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_service.shell.pages.layout.components import badge, h, search, summary
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page
from jackfield_service.shell.requests.problem import Problem

_CARDS = 60
_DIALOG = "choose-action"
_SEARCH = "search-action"
_INSIDE = "inside"
"""Query parameter of a choice in a dialog."""
STARTED = "started"
"""ID of the part of a form that the chosen action fills."""


def choosing(
    request: PageRequest,
    section: str,
    title: str,
    lead: str,
    label: str,
    found: Callable[[str], Markup],
    at: str,
    **kept: str,
) -> Response:
    """Render a search with results while typing, at the address ``at``; ``kept`` has its other
    parameters.
    """
    words = request.query.get("q", "").strip()
    shown = found(words)
    if request.partial and "q" in request.query:
        return fragment(shown)
    kept |= {_INSIDE: "1"} if _INSIDE in request.query else {}
    hidden = [h.input(type="hidden", name=name, value=value) for name, value in kept.items()]
    address = f"{at}?{urlencode(kept)}" if kept else at
    content = h.div(
        search(address, label, words, hidden, live=True),
        h.div(shown, id="found", aria_live="polite"),
        class_="stack",
    )
    return (
        fragment(content) if request.partial else page(request, section, title, content, lead=lead)
    )


def actions_offered(request: PageRequest, address: Callable[[str, str], str], words: str) -> Markup:
    """Render the actions that match ``words``. ``address`` returns the form's address for a
    connector's action; a dialog fetches only a part of that form.
    """
    if not words:
        return h.p("Type what it is to do, such as “send a message”.", class_="empty")
    rows, _ = found_actions(request.search, request.catalog, words, None, None, 0, _CARDS)
    cards = []
    for row in rows:
        to = address(row.connector, row.action)
        partly = (
            {"hx_get": to, "hx_target": f"#{STARTED}", "data_chosen": _DIALOG}
            if _INSIDE in request.query
            else {}
        )
        link = h.a(row.title, href=to, class_="whole", **partly)
        cards.append(
            h.li(
                h.h2(link, badge(row.effect)),
                h.p(h.code(row.connector), " ", summary(row.description)),
                class_="card",
            )
        )
    return h.ul(cards, class_="cards") if cards else h.p("No action matches.", class_="empty")


def chooser(address: str, text: str) -> Markup:
    """Render the link that opens the choice at ``address``, in the form's dialog."""
    separator = "&" if "?" in address else "?"
    return h.a(
        text,
        href=address,
        hx_get=f"{address}{separator}{_INSIDE}=1",
        hx_target=f"#{_DIALOG}-body",
        data_dialog=_DIALOG,
        aria_haspopup="dialog",
    )


def action_field(label: str) -> Markup:
    """Render the search for an action inside of a form, which ``action_search`` carries out: the
    chosen action fills the form's part.
    """
    box = h.input(
        type="search",
        id="wanted-action",
        name="q",
        form=_SEARCH,
        autocomplete="off",
        placeholder="Search actions",
    )
    row = h.div(box, h.button("Search", form=_SEARCH, class_="quiet"), class_="searching")
    return h.div(
        h.label(label, for_="wanted-action"),
        row,
        h.div(id="offered", aria_live="polite"),
        class_="field",
    )


def action_search(at: str, **kept: str) -> Markup:
    """Render the search form of ``action_field``, outside of the field's form, since forms cannot
    be nested; ``at`` and ``kept`` are as in ``choosing``.
    """
    hidden = [h.input(type="hidden", name=name, value=value) for name, value in kept.items()]
    trigger = "submit, input from:#wanted-action delay:250ms"
    return h.form(
        hidden,
        id=_SEARCH,
        action=at,
        hx_get=f"{at}?{_INSIDE}=1",
        hx_trigger=trigger,
        hx_target="#offered",
        hx_sync="this:replace",
    )


def choice_dialog() -> Markup:
    """Render the dialog of the choice, outside of the form."""
    return dialog(_DIALOG, "Choose an action")


def dialog(name: str, title: Node) -> Markup:
    """Render an empty dialog, whose content is loaded when it opens."""
    close = h.button("Close", type="button", class_="quiet", data_close=name)
    top = h.div(h.h2(title, id=f"{name}-title"), close, class_="row")
    return h.dialog(top, h.div(id=f"{name}-body"), id=name, aria_labelledby=f"{name}-title")


def chosen_action(
    request: PageRequest, connector: str, key: str
) -> tuple[Manifest, ActionManifest]:
    """Find an action that the caller may see.

    :raises Problem: 404 if there is no such action.
    """
    manifest = request.catalog.look(connector)[1]
    action = None if manifest is None else manifest.actions.get(key)
    if manifest is None or action is None:
        raise Problem(404, f"no connector has the action '{connector[:40]}/{key[:80]}'")
    return manifest, action
