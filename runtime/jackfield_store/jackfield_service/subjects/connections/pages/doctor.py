"""Page of a connection's examination: its test, and the findings of the action ``doctor`` of each
connector that it serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import (
    badge,
    fault,
    form,
    h,
    notice,
    text_field,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import fragment, page
from jackfield_service.subjects.connections.pages.connection import cure
from jackfield_store.management.diagnosis import DOCTOR, doctors


def shown(request: PageRequest) -> Response:
    """Serve ``GET /connections/{name}/doctor``."""
    request.require("read")
    row = request.connections.show(request.path("name"))
    lead = [
        "Examines everything that ",
        h.a(row["name"], href=f"/connections/{row['name']}"),
        " depends on. All requests are read-only: no message is sent and nothing is changed.",
    ]
    return page(
        request,
        "connections",
        f"Doctor: {row['name']}",
        _form(request, row),
        h.div(id="findings", aria_live="polite"),
        lead=lead,
    )


def examined(request: PageRequest) -> Response:
    """Serve ``POST /connections/{name}/doctor``: examine the connection and return its findings."""
    request.require("invoke")
    inputs = {
        name.removeprefix("in."): value
        for name, value in request.form.items()
        if name.startswith("in.") and value.strip()
    }
    try:
        found = request.runtime.diagnose(
            request.path("name"),
            inputs,
            caller=request.identity.caller,
            actor=request.identity.actor,
        )
    except JackfieldError as error:
        return _answer(request, fault(error))
    return _answer(request, *_findings(found))


def _answer(request: PageRequest, *content: Node) -> Response:
    result = h.div(*content, id="findings", class_="stack", aria_live="polite")
    if request.partial:
        return fragment(result)
    row = request.connections.show(request.path("name"))
    return page(request, "connections", f"Doctor: {row['name']}", _form(request, row), result)


def _form(request: PageRequest, row: Mapping[str, Any]) -> Markup:
    examine = h.button("Examine", class_="primary", disabled=not request.may("invoke"))
    busy = h.span("Examining…", class_="busy-note", role="status")
    content = [*_fields(request, str(row["type"])), examine, busy]
    return form(
        request,
        f"/connections/{row['name']}/doctor",
        *content,
        into="#findings",
        swap="outerHTML",
        class_="card stack",
    )


def _fields(request: PageRequest, kind: str) -> Iterator[Markup]:
    """Yield a text field for each input of the connectors' doctors; an input that several
    connectors share has one field.
    """
    schemas: dict[str, Mapping[str, Any]] = {}
    for key in doctors(request.catalog, kind):
        schemas |= request.catalog.find(key).actions[DOCTOR].inputs.get("properties", {})
    for name, schema in schemas.items():
        value = request.form.get(f"in.{name}", "")
        yield text_field(
            f"in-{name}",
            str(schema.get("title", name)),
            value,
            str(schema.get("description", "")),
            name=f"in.{name}",
        )


def _findings(found: Mapping[str, Any]) -> Iterator[Markup]:
    findings = found["findings"]
    if not findings:
        yield notice("No problems found.", tone="good")
        return
    errors = sum(item["severity"] == "error" for item in findings)
    yield h.p(f"Errors: {errors}. Warnings: {len(findings) - errors}.", class_="muted")
    yield h.ol([_finding(item) for item in findings], class_="steps")


def _finding(item: Mapping[str, Any]) -> Markup:
    word = "failed" if item["severity"] == "error" else "warning"
    top = h.div(h.strong(item["message"]), " ", badge(item["severity"]), " ", h.code(item["code"]))
    return h.li(
        top, h.p(item["evidence"], class_="muted"), cure(str(item["cure"])), class_=f"step {word}"
    )
