"""Doubts: the request and its recipient, the looks at the provider and their findings, a person's
decision, and the list of open doubts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from starlette.responses import Response

from jackfield.invocation import decode
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield.kernel.markup import Markup, Node, table, terms
from jackfield.manifest.reading import HOST
from jackfield_service.shell.pages.layout.components import (
    at,
    badge,
    card,
    choice_field,
    field,
    form,
    h,
    notice,
    outside,
    panel,
    text_field,
)
from jackfield_service.shell.pages.layout.drawn import decides
from jackfield_service.shell.pages.layout.entry_connection import connection_links
from jackfield_service.shell.pages.layout.gist import action_of, name_of, named, telling_inputs
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.shell.pages.layout.person import person
from jackfield_service.shell.pages.layout.results import inputs_shown, provider_shown
from jackfield_service.shell.pages.layout.shell import outcome as result_of
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.pages.layout.sorted_list import Sorts
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.journal.entry import EVIDENCE, LONGEST_NOTE
from jackfield_store.recording.held_keys import unaskable
from jackfield_store.runtime.evidence_loop import look_now

DONE = {
    "resolved": "Marked as resolved.",
    "settled": "It was no longer in doubt, so nothing was changed.",
    "looked": "The provider was asked. What was found is below.",
    "asked": "The request was sent again under its key. Its outcome is below.",
    "unlookable": (
        "Nothing can be looked up: the action does not say where, its connection was given "
        "inline, looks are switched off, or another "
        "process has the function."
    ),
}
"""Messages for the outcomes of a step."""
LIST = "/doubts"
"""Address of the list of doubts."""
_COLUMNS = ("Action", "Connection", "Since", "Last look", "Next look")
_SORTS = Sorts({"Action": "action", "Connection": "connection", "Since": "settledAt"}, names="id")
_PAGE = 50
_SENT = re.compile(r"\A'[^']*' (?:was sent and )?may have taken effect: ")
"""Regular expression of the beginning of an error's message, which the page replaces by its own
sentence.
"""
_OUTPUT_ROWS = 4
_OPEN = 6
"""Maximum number of open doubts on the overview."""
_WORDS = {
    "nothing": ("plain", "nothing found"),
    "matched": ("ok", "found"),
    "refused": ("failed", "was refused"),
    "similar": ("warning", "similar"),
    "pending": ("plain", "neither success nor failure"),
    "ambiguous": ("warning", "ambiguous"),
    "failed": ("failed", "could not look"),
}
_MEANS = {
    "nothing": "That nothing was found proves nothing by itself: what providers list may lag.",
    "matched": "It took effect: exactly one thing at the provider is of this call.",
    "refused": (
        "It has failed: the provider's own log says that it refused the call, or what the "
        "call has made says that it failed."
    ),
    "pending": (
        "What the call has made is there, and says neither success nor failure yet: look "
        "again, or open it and compare."
    ),
    "similar": (
        "There is something similar without the marker of this call. It may be older, or "
        "somebody else's: compare it with what was sent."
    ),
    "ambiguous": (
        "Several things have the same marker, which somebody may have copied. A person has "
        "to tell which is this call's."
    ),
    "failed": "The last look failed, which says nothing about the call.",
}
"""Texts for the newest look's finding, for the person who decides."""
_DECISIONS = {
    "succeeded": (
        "It took effect",
        "Its idempotency key is kept: the same request is not sent again.",
    ),
    "failed": (
        "It did not take effect",
        "Its idempotency key is freed: whoever repeats the request sends it again.",
    ),
}
"""Decisions of a person about a doubt, and their consequences."""


def _state(entry: Entry) -> Any:
    """Return the displayed state of a doubt: its looks, and their findings."""
    return [entry.id, [[look.get("number"), look["result"]] for look in entry.looks]]


def _open_state(request: PageRequest) -> Any:
    request.require("manage")
    entry = request.entry()
    return _state(entry) if entry.status == "in_doubt" else None


@decides(_open_state)
def resolved(request: PageRequest) -> Response:
    """Serve ``POST /invocations/{id}/resolve``; ``as`` is ``succeeded`` or ``failed``."""
    request.require("manage")
    entry, outcome = request.entry(), request.form.get("as")
    if outcome not in _DECISIONS:
        raise Problem(400, "'as' must be succeeded or failed")
    because, output = (
        request.form.get(f"because-{outcome}", ""),
        request.form.get(f"output-{outcome}", "").strip(),
    )
    try:
        request.journal.resolve(
            entry.id,
            cast("Literal['succeeded', 'failed']", outcome),
            request.identity.id,
            request.form.get(f"note-{outcome}", "").strip()[:LONGEST_NOTE],
            int(because) if because.isdecimal() else None,
            _decoded(output) if output else None,
        )
    except JackfieldError as error:
        if request.entry().status == "in_doubt":
            asked = _sure(request, entry, outcome, error)
            return result_of(
                request, "invocations", name_of(request, entry), asked, status=error.http_status
            )
        # another tab, evidence, or the late answer, was faster
        return redirect(request, f"/invocations/{entry.id}?done=settled")
    return redirect(request, f"/invocations/{entry.id}?done=resolved")


def _decoded(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = decode(text)
    except InvalidInvocation as error:
        raise InvalidInvocation(
            error.message.replace("the invocation", "the output"), hint="Write it as a JSON object."
        ) from None
    return found


def looked(request: PageRequest) -> Response:
    """Serve ``POST /invocations/{id}/look``: look for evidence now."""
    request.require("manage")
    entry = request.entry()
    try:
        look_now(request.runtime, entry.id)
    except InvalidInvocation:
        return redirect(request, f"/invocations/{entry.id}?done=unlookable")
    return redirect(request, f"/invocations/{entry.id}?done=looked")


def asked(request: PageRequest) -> Response:
    """Serve ``POST /invocations/{id}/ask``: send the request again under its key."""
    request.require("invoke")
    entry = request.entry()
    try:
        request.runtime.ask(entry.id, caller=request.identity.caller)
    except JackfieldError as error:
        said = [error.message, *(f"{item.path}: {item.message}" for item in error.details)]
        refused = notice(h.p(". ".join(said)), h.p(error.hint) if error.hint else None, tone="bad")
        status = 409 if isinstance(error, InvalidInvocation) else error.http_status
        return result_of(request, "invocations", name_of(request, entry), refused, status=status)
    return redirect(request, f"/invocations/{entry.id}?done=asked")


def _ask_button(request: PageRequest, entry: Entry) -> Markup | None:
    """Render the button that sends the request again; None without a key that the provider
    knows.
    """
    if not request.may("invoke") or unaskable(entry, request.now) is not None:
        return None
    told = "It sends the request again under its key: the provider takes it for the same one."
    button = h.button("Send again")
    return form(request, f"/invocations/{entry.id}/ask", h.p(told, class_="muted"), button)


def looks_shown(request: PageRequest, entry: Entry) -> Markup | None:
    """Render the looks for evidence of an invocation that is no longer in doubt, and the button
    that looks now; None without looks.
    """
    found = None if entry.status == "in_doubt" else _looks(request, entry)
    return card("What was looked for", *found, class_="card stack", id="looks") if found else None


def _looks(request: PageRequest, entry: Entry) -> list[Node]:
    """Render the looks for evidence, the newest first, with their meaning and the time of the next;
    an empty list if the invocation allows no looks.
    """
    if not entry.evidence:
        return []
    found = [_finding(look) for look in entry.looks]
    columns = ("Asked", "When", "Result", *(("Found",) if any(found) else ()))
    rows = [
        (
            [
                _source(request, entry, look),
                " ",
                h.span(f"look {look.get('number', place)}", class_="muted small"),
            ],
            at(str(look["at"]), request.now),
            _result(look),
            shown,
        )[: len(columns)]
        for place, (look, shown) in enumerate(zip(entry.looks, found, strict=True), 1)
    ]
    look = (
        form(request, f"/invocations/{entry.id}/look", h.button("Look now"))
        if request.may("manage") and _may_look(entry)
        else None
    )
    newest = str(entry.looks[-1]["result"]) if entry.looks else ""
    means = None if newest == "nothing" and entry.status == "failed" else _MEANS.get(newest)
    return [
        h.p(means) if means else None,
        table(
            "Looks at the provider",
            columns,
            reversed(rows),
            empty="The provider was not asked yet.",
        ),
        h.div(
            look,
            h.span(_next(request, entry), class_="muted") if entry.status == "in_doubt" else None,
            class_="actions",
        ),
    ]


def _source(request: PageRequest, entry: Entry, look: Mapping[str, Any]) -> str:
    """Name the source of a look: the title of the action or trigger that lists the objects at the
    provider.
    """
    manifest, source = request.catalog.look(entry.connector)[1], str(look.get("source", ""))
    key = source.rpartition("/")[2]
    declared = None if manifest is None else manifest.actions.get(key) or manifest.triggers.get(key)
    return source if declared is None else declared.title


def _may_look(entry: Entry) -> bool:
    """Return whether another look can still yield a finding: a look by a program's function settles
    the doubt, and is not repeated.
    """
    return entry.connector != HOST or entry.status == "in_doubt"


def _next(request: PageRequest, entry: Entry) -> Node:
    if waits := (entry.evidence or {}).get("waitsFor"):
        return f"Nobody looks: it waits for {waits}."
    due = _next_at(request, entry)
    return (
        ["The next look is due ", due, "."]
        if due
        else "Nobody looks by himself any more; an event of the provider may still come."
    )


def _next_at(request: PageRequest, entry: Entry) -> Markup | None:
    due = (entry.evidence or {}).get("nextLookAt")
    return None if due is None else at(max(due, str(iso(request.now))), request.now)


def _result(look: Mapping[str, Any]) -> Markup:
    tone, word = _WORDS.get(str(look["result"]), ("plain", str(look["result"])))
    return badge(tone, word)


def _finding(look: Mapping[str, Any]) -> Node:
    """Render a look's finding: a similar object next to the request, with a link to its page at the
    provider.
    """
    try:
        known = json.loads(look.get("text", ""))
    except ValueError:
        known = None
    link = _outside(look)
    if not isinstance(known, dict):
        return [look.get("text"), " ", link] if look.get("text") or link else None
    sent = {pointer.removeprefix("/"): value for pointer, value in look.get("sent", {}).items()}
    if not sent:
        return [terms([(name, str(value)) for name, value in known.items()]), link]
    names = [*sent, *(name for name in known if name not in sent)]
    missing = h.span("not compared", class_="muted")
    rows = [
        (name, sent.get(name, missing), str(known[name]) if name in known else missing)
        for name in names
    ]
    return [table("What was sent, and what is there", ("Member", "Sent", "There"), rows), link]


def _outside(look: Mapping[str, Any]) -> Markup | None:
    """Render the link to the provider's page of a look's finding; None without such a page."""
    return outside(look.get("link"), f"Open at {urlsplit(str(look.get('link'))).hostname}")


def resolution_shown(request: PageRequest, entry: Entry) -> list[Node]:
    """Render the resolution of the doubt with its author, the error that caused the doubt, and
    evidence that contradicts the decision.
    """
    settled: Any = (entry.result or {}).get("meta", {}).get("resolution")
    if not settled:
        return []
    decision = "it took effect" if entry.status == "succeeded" else "it did not take effect"
    is_unknown = entry.status == "succeeded" and not (entry.result or {}).get("output")
    because, evidence = settled.get("because"), settled.get("evidence")
    shown = card(
        "Settled by what the provider shows" if settled["by"] == EVIDENCE else "Resolved manually",
        terms(
            [
                ("Resolution", decision),
                (
                    "Resolved by",
                    None if settled["by"] == EVIDENCE else person(request, str(settled["by"])),
                ),
                ("Resolved", at(str(settled["at"]), request.now, whole=True)),
                ("Note", str(settled["note"]) if "note" in settled else None),
                ("Because of", f"look {because.get('number')}" if because else None),
                (
                    "Found at the provider",
                    _evidence(request, entry, evidence) if evidence else None,
                ),
                (
                    "Overruled",
                    f"what a look had found, {at_text(settled['overruled'])}"
                    if "overruled" in settled
                    else None,
                ),
                ("Request ID", h.code(entry.request_id) if entry.request_id else None),
                (
                    "Output",
                    "unknown: it was not received from the provider" if is_unknown else None,
                ),
                ("What had happened", _happened(entry.doubt)),
            ]
        ),
        provider_shown(entry.doubt or {}),
        class_="card stack",
    )
    return [_contradiction(request, entry, settled.get("contradictedBy")), shown]


def at_text(overruled: Mapping[str, Any]) -> str:
    """Return the verdict of evidence before a person's decision, as a sentence."""
    took = overruled.get("evidence", {}).get("verdict", "took") == "took"
    return f"that it {'took effect' if took else 'did not take effect'}"


def _evidence(request: PageRequest, entry: Entry, evidence: Mapping[str, Any]) -> Node:
    found = evidence.get("matched") or {}
    return [
        _source(request, entry, evidence),
        terms([(name, str(value)) for name, value in found.items()]) if found else None,
    ]


def _contradiction(
    request: PageRequest, entry: Entry, evidence: Mapping[str, Any] | None
) -> Markup | None:
    if evidence is None:
        return None
    said = "took effect" if evidence["verdict"] == "took" else "did not take effect"
    is_own = evidence["kind"] == "answer"
    told = "The call itself has answered since" if is_own else "The provider shows otherwise"
    counts = "That counts now." if is_own else "Nothing was changed by that."
    text = (
        f"{told}: that it {said}. {counts} If its key was used again, it may have happened twice."
    )
    return notice(
        h.p(text),
        None if is_own else h.p("Asked: ", _evidence(request, entry, evidence)),
        tone="bad",
    )


def _decision(request: PageRequest, entry: Entry, outcome: str) -> list[Node]:
    """Render the button of a decision on a doubt, with a panel that asks for confirmation, since a
    wrong decision makes a caller send a second time.
    """
    finding, what = _DECISIONS[outcome]
    return panel(
        f"asked-{outcome}",
        finding,
        finding,
        h.p(what),
        _sure(request, entry, outcome),
        tone="button",
    )


def _sure(
    request: PageRequest, entry: Entry, outcome: str, refused: JackfieldError | None = None
) -> Markup:
    """Render the form of a decision; after a refused decision, with its values."""
    given, place = request.form if refused is not None else {}, f"resolve-{outcome}"
    note = text_field(
        f"note-{outcome}",
        "How do you know?",
        given.get(f"note-{outcome}"),
        "Kept with the invocation.",
        maxlength=LONGEST_NOTE,
    )
    chosen = given.get(f"because-{outcome}", "")
    numbered = [
        (
            str(one["number"]),
            f"Look {one['number']}: {_source(request, entry, one)}, {_WORDS[one['result']][1]}",
        )
        for one in entry.looks
        if "number" in one
    ]
    because = (
        choice_field(
            f"because-{outcome}",
            "The look that shows it",
            [("", "None"), *reversed(numbered)],
            chosen,
        )
        if numbered
        else None
    )
    button = h.button(
        f"Mark as {outcome}",
        name="as",
        value=outcome,
        class_="danger" if outcome == "failed" else None,
    )
    output = (
        _output_field(given.get(f"output-{outcome}", ""), refused)
        if outcome == "succeeded"
        else None
    )
    address = f"/invocations/{entry.id}/resolve"
    return form(
        request,
        address,
        note,
        because,
        output,
        button,
        into=f"#{place}",
        swap="outerHTML",
        id=place,
        class_="stack",
        state=_state(entry),
    )


def _output_field(text: str, refused: JackfieldError | None) -> Markup:
    name, hint = (
        "output-succeeded",
        (
            "The action's output as JSON, if the provider shows it. The same request is answered "
            "with it."
        ),
    )
    wrong = (
        []
        if refused is None
        else [f"{item.path}: {item.message}" for item in refused.details] or [refused.message]
    )
    area = h.textarea(
        text,
        id=name,
        name=name,
        spellcheck="false",
        rows=_OUTPUT_ROWS,
        aria_invalid="true" if wrong else None,
        aria_describedby=f"{name}-hint {name}-fault" if wrong else f"{name}-hint",
    )
    told = (
        h.div(
            [h.p(fault, class_="field-error") for fault in wrong], id=f"{name}-fault", role="alert"
        )
        if wrong
        else None
    )
    return h.join([field(name, "Output", area, hint), told])


def doubt_shown(
    request: PageRequest, entry: Entry, marks: list[tuple[str, Node]], again: Markup | None
) -> Markup | None:
    """Render a call in doubt, the provider's evidence, the buttons that resolve it, and details for
    engineers; None for other calls. ``marks`` are the caller's own IDs of the call, ``again`` is
    the link that runs it again.
    """
    if entry.status != "in_doubt":
        return None
    error: dict[str, Any] = dict((entry.result or {}).get("error") or {})
    inputs, to = telling_inputs(request, entry)
    action, looks = action_of(request, entry.connector, entry.action), _looks(request, entry)
    facts = [
        ("What happened", _happened(error)),
        ("Request ID", h.code(entry.request_id) if entry.request_id else None),
        *marks,
    ]
    details = h.details(
        h.summary("Technical details"), h.div(terms(facts), provider_shown(error)), class_="further"
    )
    return card(
        "In doubt",
        h.p(
            _call_summary(request, entry, to),
            " It may have taken effect in full, in part, or not at all.",
        ),
        inputs_shown(inputs, action.inputs if action else {}) if inputs else None,
        h.div(h.h3("What was looked for"), *looks, class_="stack", id="looks") if looks else None,
        _ask_button(request, entry),
        *(
            _choice(request, entry)
            if request.may("manage")
            else [h.p("Resolving it requires the scope ", h.code("manage"), ".")]
        ),
        details,
        _anew(again) if again is not None and request.may("manage") else None,
        class_="card stack doubt",
    )


def _happened(error: Mapping[str, Any] | None) -> Node:
    """Render the error of a doubt without the parts that are on the page already; None without an
    error.
    """
    if not error:
        return None
    details = [
        f"{item['path']}: {item['message']}".removeprefix(": ") for item in error.get("details", ())
    ]
    return [
        _SENT.sub("", str(error["message"])),
        h.ul([h.li(text) for text in details], class_="plain") if details else None,
    ]


def _call_summary(request: PageRequest, entry: Entry, to: str) -> Node:
    over = connection_links(request, [entry]).get(entry.id)
    was = "was sent" if entry.attempts else "may have been sent"
    begun = entry.created_at if entry.started_at is None else entry.started_at
    return [
        h.strong(name_of(request, entry)),
        f" {was}",
        [" to ", h.strong(to)] if to else None,
        [" over ", over] if over else None,
        ", ",
        at(begun, request.now),
        ", and no clear answer came.",
    ]


def _choice(request: PageRequest, entry: Entry) -> list[Node]:
    links = (_outside(look) for look in reversed(entry.looks))
    link = next((link for link in links if link is not None), None)
    return [
        h.h3("Did it take effect?"),
        h.p("Check with the provider", [" (", link, ")"] if link else None, ", then resolve it:"),
        h.div(
            _decision(request, entry, "succeeded"),
            _decision(request, entry, "failed"),
            class_="actions",
        ),
    ]


def _anew(again: Markup) -> Markup:
    told = h.p(
        "If it took effect, running it again repeats it. Resolve the doubt first if you can."
    )
    return h.details(h.summary("Run again without resolving it"), told, again, class_="further")


def listed(request: PageRequest) -> Response:
    """Serve ``GET /doubts``: open doubts, the newest first."""
    request.require("read")
    found = _SORTS.read(
        request,
        lambda cursor, limit: request.journal.entries(
            status="in_doubt", cursor=cursor, limit=limit
        ),
        _PAGE,
    )
    shown = found.table(
        LIST, "Doubts", _COLUMNS, _rows(request, found.rows), empty="Nothing is in doubt."
    )
    lead = (
        "Calls that were sent, or may have been, and whose outcome nobody knows. Open one to "
        "see what was found, and to resolve it."
    )
    return page(request, "doubts", "In doubt", shown, lead=lead)


def open_doubts(request: PageRequest) -> Markup | None:
    """Render the newest doubts that are open; None without open doubts."""
    entries, cursor = request.journal.entries(status="in_doubt", limit=_OPEN)
    rows = _rows(request, entries)
    if not rows:
        return None
    more = h.p(f"The newest {_OPEN}.", class_="muted") if cursor is not None else None
    title = h.div(h.h2("In doubt"), h.a("All in doubt", href=LIST), class_="row")
    return h.section(title, table("Open doubts", _COLUMNS, rows), more, class_="card")


def _rows(request: PageRequest, listed_: Sequence[Entry]) -> list[Sequence[Node]]:
    """Render doubts as rows of a table: the findings so far, and the time of the next look."""
    entries = [entry for one in listed_ if (entry := _find(request, one)) is not None]
    names, over = named(request, entries), connection_links(request, entries)
    return [
        (
            names[entry.id],
            over.get(entry.id) or h.span("none", class_="muted"),
            at(entry.settled_at, request.now),
            _result(entry.looks[-1]) if entry.looks else h.span("not looked for", class_="muted"),
            _next_at(request, entry)
            or (entry.evidence or {}).get("waitsFor", "a person resolves it"),
        )
        for entry in entries
    ]


def _find(request: PageRequest, entry: Entry) -> Entry | None:
    try:
        return request.journal.find(entry.id)
    except JackfieldError:  # it was purged, or its row cannot be read
        return None


PAGES: tuple[Page, ...] = (
    Page(LIST, listed),
    Page("/invocations/{id}/resolve", resolved, "POST"),
    Page("/invocations/{id}/look", looked, "POST"),
    Page("/invocations/{id}/ask", asked, "POST"),
)
