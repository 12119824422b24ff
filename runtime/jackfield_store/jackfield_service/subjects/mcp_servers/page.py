"""Pages of MCP servers, which are connectors of the workspace: added, compared with the accepted
state, accepted and removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import (
    badge,
    bar,
    card,
    check_field,
    choice_field,
    code_block,
    done_notice,
    folded,
    form,
    h,
    heading,
    json_text,
    notice,
    panel,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.resources import Cells, facts, find_one, listing, things
from jackfield_service.shell.pages.layout.shell import fragment, outcome, page, redirect
from jackfield_service.subjects.mcp_servers.subject import MCP_SERVERS
from jackfield_store.access import DEFAULT
from jackfield_store.management.mcp_servers import TRUST, ServerWish

_AT = "/mcp-servers"
_DONE = {
    "created": "Added. Its tools are actions of the workspace now.",
    "signin": (
        "Added. It lists its tools for those who sign in only: make a connection, then "
        "accept them over it."
    ),
    "accepted": "Accepted. Calls go to the tools as they are now.",
    "overlaid": "Saved. Calls have this effect from now on.",
    "removed": "MCP server removed.",
}
_TRUST_TEXTS = {
    "none": "No: every tool is a write",
    "annotations": "Yes: the server says which tools only read",
}

_CELLS: Cells = {
    "connector": lambda item: h.a(
        h.code(item["connector"]), href=f"/connectors/{item['connector']}"
    ),
    "url": lambda item: h.code(item["url"]),
}
_EFFECT_TEXTS = {
    "read": "read: it changes nothing",
    "idempotent": "idempotent: twice is as good as once",
    "write": "write: never repeat it",
    "": "What follows from the server's annotations, if they are believed",
}


def listed(request: PageRequest) -> Response:
    """Serve ``GET /mcp-servers``: the servers by name, shared ones included."""
    shown = listing(
        request,
        MCP_SERVERS,
        things(request, MCP_SERVERS),
        _AT,
        "MCP servers",
        _CELLS,
        empty="No MCP servers yet.",
    )
    lead = (
        "Each tool of a server is an action, exactly as it was accepted. A tool that the "
        "server changes is refused until somebody accepts it."
    )
    head = heading("MCP servers", _new(request), lead=lead)
    return page(request, "connectors", "MCP servers", done_notice(request, _DONE), shown, head=head)


def created(request: PageRequest) -> Response:
    """Serve ``POST /mcp-servers``."""
    given = {
        name: request.form.get(name, "").strip()
        for name in ("name", "url", "title", "trust", "token")
    }
    credentials = ("Authorization", f"Bearer {given['token']}") if given["token"] else None
    shared = request.form.get("shared") == "on"
    wish = ServerWish(
        given["name"], given["url"], given["title"], given["trust"] or TRUST[0], shared, credentials
    )
    made = things(request, MCP_SERVERS).add(wish)
    return redirect(
        request, f"{_AT}/{made['name']}?done={'signin' if made.get('needsSignIn') else 'created'}"
    )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /mcp-servers/{server}``: its accepted tools, and the possible steps."""
    found = find_one(request, MCP_SERVERS)
    rows = [
        (h.code(tool["tool"]), h.code(tool["action"]), tool["title"], badge(tool["effect"]))
        for tool in found["tools"]
    ]
    tools = table(
        "Tools", ("Tool", "Action", "Title", "Effect"), rows, empty="No tool was accepted yet."
    )
    missing = [
        (h.code(row["tool"]), f"The tool is left out: {row['reason']}.")
        for row in found.get("leftOut", ())
    ]
    missing += [
        (h.code(tool["tool"]), f"Left off: {note}.")
        for tool in found["tools"]
        for note in tool.get("notes", ())
    ]
    left = (
        folded("Not taken over", table("Not taken over", ("Tool", "What"), missing))
        if missing
        else None
    )
    own = (
        None
        if found["inherited"]
        else [_effects(request, found), _review(request, found), _removal(request, found)]
    )
    head = heading(
        found["name"], badge("inherited") if found["inherited"] else None, lead="MCP server"
    )
    done = done_notice(request, _DONE)
    about = card("MCP server", facts(request, MCP_SERVERS, found, _CELLS))
    return page(
        request,
        "connectors",
        str(found["name"]),
        done,
        about,
        card("Tools", tools),
        left,
        own,
        head=head,
    )


def reviewed(request: PageRequest) -> Response:
    """Serve ``POST /mcp-servers/{server}/review``: fetch the server's tools, and show the
    differences, each with a checkbox that accepts it.
    """
    found, connection = (
        find_one(request, MCP_SERVERS),
        request.form.get("connection", "").strip() or None,
    )
    review = things(request, MCP_SERVERS).review(found["name"], connection=connection)
    return fragment(_differences(request, found["name"], review, connection))


def accepted(request: PageRequest) -> Response:
    """Serve ``POST /mcp-servers/{server}/acceptance``: accept the ticked tools in their reviewed
    form.
    """
    name, connection = (
        str(find_one(request, MCP_SERVERS)["name"]),
        request.form.get("connection", "").strip() or None,
    )
    ticked = [
        field.partition(":")[2]
        for field, value in request.form.items()
        if field.startswith("accept:") and value == "on"
    ]
    digests = {tool: digest for tool in ticked if (digest := request.form.get(f"digest:{tool}"))}
    if not ticked:
        return outcome(
            request, "connectors", name, notice("Tick what to accept.", tone="bad"), status=400
        )
    gone = [tool for tool in ticked if tool not in digests]
    things(request, MCP_SERVERS).accept(name, gone, connection=connection, digests=digests)
    return redirect(request, f"{_AT}/{name}?done=accepted")


def _state(found: Mapping[str, Any]) -> Any:
    return (
        None
        if found["inherited"]
        else [found.get(member) for member in ("name", "url", "createdAt", "acceptedAt", "tools")]
    )


def _present_state(request: PageRequest) -> Any:
    return _state(find_one(request, MCP_SERVERS))


@decides(_present_state)
def overlaid(request: PageRequest) -> Response:
    """Serve ``POST /mcp-servers/{server}/overlay``: set the effect of one tool."""
    name, effect = str(find_one(request, MCP_SERVERS)["name"]), request.form.get("effect", "")
    things(request, MCP_SERVERS).overlay(
        name, {request.form.get("tool", ""): {"effect": effect or None}}
    )
    return redirect(request, f"{_AT}/{name}?done=overlaid")


@decides(_present_state)
def removed(request: PageRequest) -> Response:
    """Serve ``POST /mcp-servers/{server}/removal``, which is refused while the server has
    connections.
    """
    name = str(find_one(request, MCP_SERVERS)["name"])
    things(request, MCP_SERVERS).remove(name)
    return redirect(request, f"{_AT}?done=removed")


def _new(request: PageRequest) -> list[Node]:
    fields = [
        text_field(
            "name",
            "Name",
            hint="In kebab-case, such as acme-notes. The connector is mcp.NAME.",
            required=True,
            maxlength=40,
        ),
        text_field(
            "url",
            "URL",
            hint="Of Streamable HTTP, such as https://mcp.example.com/mcp.",
            required=True,
            maxlength=2000,
        ),
        choice_field("trust", "Believe its annotations", _TRUST_TEXTS.items(), TRUST[0]),
        text_field(
            "token",
            "Access token",
            hint="Lists its tools now, and is not kept.",
            type="password",
            autocomplete="off",
        ),
    ]
    if request.identity.workspace == DEFAULT:
        fields.append(check_field("shared", "All workspaces see it", on=False))
    button = h.div(h.button("Add", class_="primary"), class_="actions")
    made = form(request, _AT, *fields, h.div(id="made", aria_live="polite"), button, into="#made")
    return panel("new-server", "Add a server", "Add a server", made, tone="primary")


def _effects(request: PageRequest, found: Mapping[str, Any]) -> Markup | None:
    """Render the form for the effect of one tool; None if there is no tool."""
    tools = [(tool["action"], f"{tool['title']} ({tool['effect']})") for tool in found["tools"]]
    if not tools:
        return None
    text = h.p(
        "What a tool does decides whether a call may be repeated. Yours beats what the server "
        "says, also after it was accepted anew."
    )
    fields = [
        choice_field("tool", "Tool", tools, tools[0][0]),
        choice_field("effect", "Effect", _EFFECT_TEXTS.items(), "read"),
    ]
    button = bar(h.button("Save", class_="primary"))
    told = h.div(id="overlaid", aria_live="polite")
    said = form(
        request,
        f"{_AT}/{found['name']}/overlay",
        text,
        *fields,
        told,
        button,
        into="#overlaid",
        state=_state(found),
    )
    return folded("Say what a tool does", said)


def _review(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    text = h.p(
        "Asks the server for its tools, and shows what differs from what was accepted. Nothing "
        "is called.",
        class_="muted",
    )
    over = text_field(
        "connection",
        "Connection",
        hint="Over which to ask it, if it wants a sign-in.",
        maxlength=100,
    )
    button = h.div(h.button("Review now", class_="primary"), class_="actions")
    told = h.div(id="review", aria_live="polite")
    return card(
        "Review",
        form(request, f"{_AT}/{found['name']}/review", text, over, button, into="#review"),
        told,
    )


def _differences(
    request: PageRequest, name: str, review: Mapping[str, Any], connection: str | None
) -> Node:
    left = [notice(f"Left out: '{row['tool']}', as {row['reason']}.") for row in review["leftOut"]]
    if review.get("needsSignIn"):
        return notice(
            "The server lists its tools for those who sign in only: name a connection.", tone="bad"
        )
    parts: list[Node] = []
    for group, title in (("changed", "Changed"), ("new", "New"), ("gone", "Gone")):
        for row in review[group]:
            parts += [_box(title, row), *_details(row)]
    if not parts:
        return [notice("Its tools are the accepted ones.", tone="good"), *left]
    hidden = h.input(type="hidden", name="connection", value=connection or "")
    button = h.div(h.button("Accept", class_="primary"), class_="actions")
    told = h.div(id="acceptance", aria_live="polite")
    return [
        form(request, f"{_AT}/{name}/acceptance", hidden, *parts, told, button, into="#acceptance"),
        *left,
    ]


def _box(title: str, row: Mapping[str, Any]) -> Markup:
    box = check_field(f"accept:{row['tool']}", f"{title}: {row['tool']}", on=False)
    pin = (
        h.input(type="hidden", name=f"digest:{row['tool']}", value=row["digest"])
        if "digest" in row
        else None
    )
    return h.div(box, pin)


def _details(row: Mapping[str, Any]) -> list[Node]:
    """Render the changes of a tool, with the server's texts as plain text."""
    shown = {
        member: row[member]
        for member in ("title", "description", "inputs", "output")
        if isinstance(row.get(member), Mapping)
    }
    return [code_block(json_text(shown), f"What has changed of {row['tool']}")] if shown else []


def _removal(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    text = h.p("Its actions are gone then. It is refused while there are connections of it.")
    told = h.div(id="removing", aria_live="polite")
    button = h.button(f"Remove {found['name']}", class_="danger")
    return folded(
        "Remove",
        form(
            request,
            f"{_AT}/{found['name']}/removal",
            text,
            told,
            button,
            into="#removing",
            state=_state(found),
        ),
    )


PAGES: tuple[Page, ...] = (
    Page("/mcp-servers", listed),
    Page("/mcp-servers", created, "POST"),
    Page("/mcp-servers/{server}", shown),
    Page("/mcp-servers/{server}/review", reviewed, "POST"),
    Page("/mcp-servers/{server}/acceptance", accepted, "POST"),
    Page("/mcp-servers/{server}/overlay", overlaid, "POST"),
    Page("/mcp-servers/{server}/removal", removed, "POST"),
)
