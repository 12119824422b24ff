"""Trial of a connector with sample data: its connection's test and a first read at a fake of its
provider, without an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.catalog.loading import part
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup
from jackfield.manifest.manifest import Manifest
from jackfield_service.shell.pages.layout.code_tabs import call_as_code
from jackfield_service.shell.pages.layout.components import badge, card, fault, h, notice
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.results import error_shown, output_shown
from jackfield_service.shell.pages.layout.shell import page
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.connectors.pages.connectors import TRIAL


def tried(request: PageRequest) -> Response:
    """Serve ``POST /connectors/{key}/trial``: sign in at a fake of the provider, and call the first
    action that reads.
    """
    request.require("invoke")
    manifest = request.manifest()
    trial = part(TRIAL)
    if trial is None:
        raise Problem(404, "no package of this server tries connectors: install jackfield[market]")
    title = f"{manifest.title} with sample data"
    try:
        found = trial(manifest)
    except JackfieldError as error:
        return page(request, "connectors", title, fault(error), _back(manifest), status=422)
    action = manifest.actions[found["action"]]
    lead = (
        "No provider was called: a fake on this server has answered, with the connector's "
        "own examples. Nothing was stored."
    )
    return page(
        request,
        "connectors",
        title,
        h.ol(
            h.li(card("1. Signed in", _connection(found["connection"]))),
            h.li(
                card(
                    f"2. Called “{action.title}”",
                    _result(found["result"], f"{manifest.key}/{action.key}"),
                )
            ),
            h.li(
                card(
                    "3. The same call, over a connection of your own",
                    _calls(request, found),
                    _next(request, manifest, found),
                )
            ),
            class_="stack plain",
        ),
        _back(manifest),
        lead=lead,
    )


def _connection(found: Mapping[str, Any]) -> Markup:
    account = found.get("account") or {}
    told = [
        "Over a connection of the type ",
        h.code(found["type"]),
        ": ",
        badge(str(found["test"])),
    ]
    return h.p(told, [" as ", h.strong(account["label"]), "."] if account.get("label") else ".")


def _result(result: Mapping[str, Any], name: str) -> Markup:
    shown = output_shown(result["output"], name) if "output" in result else None
    wrong = error_shown(result["error"]) if "error" in result else None
    return h.div(
        h.p(badge(str(result["status"]))),
        wrong,
        shown,
        class_="result",
        data_status=result["status"],
        id="trial-result",
    )


def _calls(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    key = found["connector"]
    call = {
        "connector": key,
        "action": found["action"],
        "connection": f"my-{key}",
        "inputs": found["inputs"],
    }
    return call_as_code(request, call, "trial-calls")


def _next(request: PageRequest, manifest: Manifest, found: Mapping[str, Any]) -> Markup:
    if not request.may("manage"):
        return notice("Ask somebody with the scope “manage” for a connection.")
    address = f"/new-connection?type={found['connection']['type']}"
    return h.p(h.a(f"Connect {manifest.title}", href=address, class_="button primary"))


def _back(manifest: Manifest) -> Markup:
    return h.p(h.a(f"Back to {manifest.title}", href=f"/connectors/{manifest.key}"))
