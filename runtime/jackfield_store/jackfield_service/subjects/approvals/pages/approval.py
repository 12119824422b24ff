"""Decision of a person on a call that waits for an approval, on its invocation's page and on the
list of approvals. A GET decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from jackfield.invocation.entry import Entry
from jackfield.invocation.published import published_schema
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, NotAllowed
from jackfield.kernel.hidden import has_hidden
from jackfield.kernel.markup import Markup, Node, codes, terms
from jackfield.kernel.scripts import mixed_words
from jackfield_service.shell.pages.layout.components import (
    at,
    bar,
    card,
    code_block,
    form,
    h,
    json_text,
    notice,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.gist import action_of
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.person import person
from jackfield_service.shell.pages.layout.results import given_shown, inputs_shown
from jackfield_service.shell.pages.layout.shell import redirect
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.recording.decisions import (
    LONGEST_WHY,
    ApprovalClosed,
    ApprovalSpoiled,
    UnknownApproval,
    WaitingCalls,
)

LIST = "/approvals"
"""Address of the list of approvals."""
DONE = {
    "approved": "Approved. A worker makes the call.",
    "declined": "Declined. Nothing was sent.",
    "closed": "Not decided: somebody else was faster, or its time was over.",
    "spoiled": (
        "Not approved, but cancelled: it is not what was shown any more. Its result says "
        "what has changed. Nothing was sent."
    ),
}
"""Messages for the outcomes of a decision."""
WARNINGS = ("closed", "spoiled")
"""Outcomes that differ from the person's choice."""
_OPTIONS = {
    "idempotencyKey": "Idempotency key",
    "timeoutSeconds": "Time limit in seconds",
    "jobTimeoutSeconds": "Time limit of a job in seconds",
    "onDoubt": "If the answer is lost",
    "partial": "If only a part succeeds",
    "repeat": "Even beside an equal call",
    "trace": "Keep what is exchanged",
    "context": "Context",
    "notBefore": "Not before",
    "notAfter": "Not after",
}
"""Members of an approval that change the call, with their titles."""
_RULES = {
    "onDoubt": {
        "report": "report it",
        "settle": "ask the provider whether it took effect",
        "retry": "send it again",
    },
    "partial": {"warn": "succeed with a warning", "fail": "fail"},
}
"""Words for the values of an approval's members."""
_MOST_WORDS = 10
_CHOICES = {"approved": ("Approve", "primary"), "declined": ("Decline", "danger")}


def _place(request: PageRequest) -> str:
    """Return the address of the page on which a call is decided."""
    identifier = request.path("id")
    return (
        f"{LIST}?decide={identifier}#decide"
        if "list" in request.form
        else f"/invocations/{identifier}#decide"
    )


def _state(request: PageRequest) -> Any:
    """Return the displayed state of a waiting call: its request, and the reason why it can no
    longer be approved; None if it does not wait.
    """
    request.require("approve")
    approvals, identifier = approvals_of(request), request.entry().id
    try:
        found = approvals.show(identifier)
        return (
            [found, approvals.spoiled_reason(identifier)] if found["status"] == "waiting" else None
        )
    except JackfieldError:  # which the decision says
        return None


@decides(_state, _place)
def decided(request: PageRequest) -> Response:
    """Serve ``POST /invocations/{id}/approval``. ``as`` is ``approved`` or ``declined``, ``why``
    the reason; ``list`` is sent for a decision on the list.
    """
    request.require("approve")
    entry, outcome, why = (
        request.entry(),
        request.form.get("as"),
        request.form.get("why", "").strip(),
    )
    if outcome not in _CHOICES:
        raise Problem(400, "'as' must be approved or declined")
    approvals = approvals_of(request)
    try:
        (approvals.approve if outcome == "approved" else approvals.decline)(entry.id, why)
    except NotAllowed as error:
        raise Problem(403, error.message, code="not_allowed") from None
    except ApprovalSpoiled:
        outcome = "spoiled"
    except (ApprovalClosed, UnknownApproval):
        outcome = "closed"
    except InvalidInvocation as error:
        raise Problem(error.http_status, error.message, hint=error.hint) from None
    return redirect(
        request, f"{LIST if 'list' in request.form else f'/invocations/{entry.id}'}?done={outcome}"
    )


def approval_shown(
    request: PageRequest, identifier: str, *, from_list: bool = False
) -> Markup | None:
    """Render the request with the form for a decision, or with the decision. None if the call
    needed no approval, or the visitor may not decide.

    With ``from_list``, the visitor returns to the list of approvals after the decision.
    """
    if not request.may("approve"):
        return None
    approvals = approvals_of(request)
    try:
        found = approvals.show(identifier)
    except UnknownApproval:
        return None
    except JackfieldError as error:
        return notice(error.message, tone="warn")
    if found["status"] != "waiting":
        return _decision_card(request, found)
    return card(
        "Waiting for approval",
        _decision_form(request, found, from_list=from_list),
        class_="card stack",
        id="decide",
    )


def _decision_form(request: PageRequest, found: Mapping[str, Any], *, from_list: bool) -> Markup:
    """Render the form of a decision: the request, its destination, the caller, and the buttons,
    which stay visible.
    """
    approvals, identifier = approvals_of(request), str(found["id"])
    why = text_field(
        "why", "Reason", hint="Kept with the approval and in the audit log.", maxlength=LONGEST_WHY
    )
    back = h.input(type="hidden", name="list", value="on") if from_list else None
    own, spoiled = approvals.own_reason(identifier), approvals.spoiled_reason(identifier)
    choices = {
        outcome: look
        for outcome, look in _CHOICES.items()
        if (own is None and spoiled is None) or outcome != "approved"
    }
    buttons = [
        h.button(word, name="as", value=outcome, class_=look)
        for outcome, (word, look) in choices.items()
    ]
    action = action_of(request, found["connector"], found["action"])
    name = [h.strong(action.title), " "] if action else None
    return form(
        request,
        f"/invocations/{identifier}/approval",
        back,
        h.p("Nothing was sent. If you approve, a worker makes exactly this call, once.")
        if spoiled is None
        else _past(spoiled),
        _oddities(found),
        terms(
            [("Action", [name, h.code(f"{found['connector']}/{found['action']}", class_="small")])]
        ),
        h.h3("Inputs"),
        inputs_shown(found.get("inputs", {}), action.inputs if action else {}),
        [h.h3("Files"), inputs_shown(found["files"], {})] if found.get("files") else None,
        h.h3("Call"),
        terms(_facts(request, found, is_linked=spoiled is None)),
        _details(request, found),
        None
        if own is None
        else notice(h.p("You may not approve it: ", own.removeprefix("not allowed: "), ".")),
        why,
        bar(*buttons, counts=False),
        state=[found, spoiled],
    )


def _oddities(found: Any) -> list[Markup]:
    """Render hidden parts of a call: invisible characters, and letters that look like others."""
    texts = list(_texts(found))
    mixed = [word for text in texts for word in mixed_words(text)][:_MOST_WORDS]
    hidden = (
        "It has characters that are not seen or that reorder others. Here each is an escape, "
        "such as \\u202e; what is sent has the character."
    )
    scripts = "It has words with letters of several alphabets that look alike: "
    return [
        *(
            [notice(hidden, tone="warn")]
            if any(has_hidden(text, kept="\n\r\t") for text in texts)
            else []
        ),
        *([notice(scripts, h.strong(", ".join(mixed)), ".", tone="warn")] if mixed else []),
    ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from (str(name), *_texts(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _past(reason: str) -> Markup:
    """Render the reason why a call can no longer be approved."""
    next_ = "Nothing was sent. Decline it; whoever asked can call again."
    return notice(
        h.p(h.strong("It cannot be approved any more: "), reason, "."), h.p(next_), tone="warn"
    )


def approval_told(request: PageRequest, entry: Entry) -> Markup | None:
    """Render the note that a call waits, or the decision on it, for a visitor who may not decide;
    None otherwise. A token with rules sees no decision, which names other people and their reasons.
    """
    if request.may("approve"):
        return None
    if entry.status != "waiting":
        found = None if request.identity.rules else approvals_of(request).decision(entry.id)
        return None if found is None else _decision_card(request, found)
    needs = [
        "A person has to approve this call before it is made. Deciding requires the scope ",
        h.code("approve"),
    ]
    token = h.a("a token of that scope", href="/tokens")
    by_link = [
        (
            ", which a one-time link does not have: it creates tokens, and nobody approves a "
            "call by a token that he created. Give "
        ),
        token,
        " to whoever decides",
    ]
    return notice(h.p(needs, by_link if request.identity.kind == "link" else None, "."))


def decider(found: Mapping[str, Any]) -> Node:
    """Render the person who decided on a call; None if it is undecided."""
    by: Mapping[str, Any] | None = found.get("decidedBy")
    return (
        None if by is None else h.strong(str(by.get("name") or by.get("id") or by.get("kind", "")))
    )


def _decision_card(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    facts: list[tuple[str, Node]] = [
        ("Decision", str(found["status"]).capitalize()),
        ("By", decider(found)),
        (
            "When",
            at(str(found["decidedAt"]), request.now, whole=True) if "decidedAt" in found else None,
        ),
        ("Reason", found.get("why")),
        ("Asked by", asker(request, found["requestedBy"])),
        ("Changed in the database", found.get("damage")),
    ]
    return card("Approval", terms([(name, value) for name, value in facts if value]))


def asker(request: PageRequest, asked: Mapping[str, Any]) -> Node:
    """Render the caller who requested a call."""
    if asked.get("how"):
        return str(asked["how"]).removeprefix("asked ").removeprefix("by ")
    return (
        person(request, str(asked["caller"])) if asked.get("caller") else "the process's own code"
    )


def _facts(
    request: PageRequest, found: Mapping[str, Any], *, is_linked: bool
) -> list[tuple[str, Node]]:
    """List a call's destination, its caller, and its members without their default values."""
    asked: Mapping[str, Any] = found["requestedBy"]
    over = found.get("connection")
    hosts = dict.fromkeys(found.get("destination", {}).get("hosts", ()))
    facts: list[tuple[str, Node]] = [
        ("Connection", h.a(over, href=f"/connections/{over}") if over and is_linked else over),
        ("Account", found.get("account")),
        ("Goes to", codes(hosts) or None),
        ("Asked by", asker(request, asked)),
        ("Waits because", found.get("reason")),
        ("Expires", at(str(found["expiresAt"]), request.now, whole=True)),
        *_options(found, usual=False),
    ]
    return [(name, value) for name, value in facts if value]


def _options(found: Mapping[str, Any], *, usual: bool) -> list[tuple[str, Node]]:
    """List the members of a call that change its effect: ``usual`` selects members with their
    default values, else the others.
    """
    declared = published_schema("invocation")["properties"]
    given = {
        name: found[name]
        for name in _OPTIONS
        if name in found and (declared[name].get("default") == found[name]) is usual
    }
    return [
        (_OPTIONS[name], given_shown(_RULES[name].get(value, value) if name in _RULES else value))
        for name, value in given.items()
    ]


def _details(request: PageRequest, found: Mapping[str, Any]) -> Markup:
    """Render details that few decisions need: default options, versions, and the inputs as sent.
    The connection's values, such as its region and role, are from the time of the call.
    """
    about: Mapping[str, Any] = found.get("destination", {})
    values = {
        name: value
        for name, value in about.get("connection", {}).items()
        if value not in about["hosts"]
    }
    facts: list[tuple[str, Node]] = [
        ("Version", str(found.get("connectorVersion", "")) or None),
        ("Digest", h.code(str(found.get("digest", "")), class_="small")),
        *_options(found, usual=True),
    ]
    return h.details(
        h.summary("Details"),
        [h.h3("Values of the connection"), inputs_shown(values, _schema(request, found))]
        if values
        else None,
        h.h3("Options"),
        terms(facts),
        h.h3("Inputs as JSON"),
        code_block(json_text(found.get("inputs", {})), "Inputs"),
        class_="further",
    )


def _schema(request: PageRequest, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of the call's connection; an empty one if the connection is gone, or hidden
    from the visitor.
    """
    try:
        kind = request.connections.kinds.known(
            request.connections.show(found.get("connection", ""))["type"]
        )
    except JackfieldError:
        return {}
    return {} if kind is None else kind.schema


def approvals_of(request: PageRequest) -> WaitingCalls:
    """Return the approvals that the visitor may decide."""
    return request.runtime.approvals_of(request.identity.caller, request.identity.actor)
