"""Decision of a person on a call that waits for an approval, on the page of its invocation. A GET decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, NotAllowed
from jackfield.kernel.markup import Markup, Node, terms
from jackfield_console.layout.components import at, card, code_block, form, h, json_text, notice, text_field
from jackfield_console.layout.page_request import PageRequest
from jackfield_console.layout.shell import redirect
from jackfield_server.shared.requests.problem import Problem
from jackfield_store.recording.decisions import LONGEST_WHY, ApprovalClosed, Approvals, UnknownApproval

DONE = {
    "approved": "Approved. A worker makes the call.",
    "declined": "Declined. Nothing was sent.",
    "closed": "It did not wait any more, or was not what was shown any more. See below.",
}
"""Outcomes of a decision."""
_OPTIONS = (
    "timeoutSeconds", "jobTimeoutSeconds", "onDoubt", "partial", "repeat", "trace", "context", "notBefore", "notAfter",
)  # fmt: skip
"""Members of an approval that change what happens."""
_CHOICES = {"approved": ("Approve", "primary"), "declined": ("Decline", "danger")}


def decided(request: PageRequest) -> Response:
    """``POST /invocations/{id}/approval``; ``as`` is ``approved`` or ``declined``, ``why`` the reason."""
    request.require("approve")
    entry, outcome, why = request.entry(), request.form.get("as"), request.form.get("why", "").strip()
    if outcome not in _CHOICES:
        raise Problem(400, "'as' must be approved or declined")
    approvals = approvals_of(request)
    try:
        (approvals.approve if outcome == "approved" else approvals.decline)(entry.id, why)
    except NotAllowed as error:
        raise Problem(403, error.message, code="not_allowed") from None
    except (ApprovalClosed, UnknownApproval):
        outcome = "closed"
    except InvalidInvocation as error:
        raise Problem(error.http_status, error.message, hint=error.hint) from None
    return redirect(request, f"/invocations/{entry.id}?done={outcome}")


def approval_shown(request: PageRequest, entry: Entry) -> Markup | None:
    """Render what would be sent and the decision; None if the call does not wait."""
    if entry.status != "waiting":
        return None
    if not request.may("approve"):
        return notice("A person has to approve this call before it is made. Deciding requires the scope ", h.code("approve"), ".")
    try:
        found = approvals_of(request).show(entry.id)
    except JackfieldError as error:
        return notice(error.message, tone="warn")
    why = text_field("why", "Reason", hint="Kept with the approval and in the audit log.", maxlength=LONGEST_WHY)
    buttons = [h.button(word, name="as", value=outcome, class_=look) for outcome, (word, look) in _CHOICES.items()]
    return card(
        "Waiting for approval",
        h.p("Nothing was sent. If you approve, a worker makes exactly this call, once."),
        terms(_facts(request, found)),
        code_block(json_text(found.get("inputs", {})), "Inputs"),
        code_block(json_text({name: found[name] for name in _OPTIONS if name in found}), "Options"),
        code_block(json_text(found["files"]), "Files") if found.get("files") else None,
        form(request, f"/invocations/{entry.id}/approval", why, h.div(buttons, class_="actions"), class_="stack"),
        class_="card stack",
    )


def _facts(request: PageRequest, found: Mapping[str, Any]) -> list[tuple[str, Node]]:
    asked: Mapping[str, Any] = found["requestedBy"]
    facts: list[tuple[str, Node]] = [
        ("Action", h.code(f"{found['connector']}/{found['action']}")),
        ("Version", str(found.get("connectorVersion", ""))),
        ("Connection", found.get("connection")),
        ("Account", found.get("account")),
        ("Asked by", h.code(str(asked.get("caller") or "the process's own code"))),
        ("Expires", at(str(found["expiresAt"]), request.now, whole=True)),
        ("Digest", h.code(str(found.get("digest", "")), class_="small")),
    ]
    return [(name, value) for name, value in facts if value]


def approvals_of(request: PageRequest) -> Approvals:
    """Return the approvals that the visitor may decide."""
    return request.runtime.approvals_of(request.identity.caller, request.identity.actor)
