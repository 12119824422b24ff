"""Form that runs an action for each row of a CSV file: columns are mapped to inputs, the rows are
checked, then one call a row is queued.

The label ``batch`` finds the calls of a file, and keys as in ``jackfield invoke --lines`` prevent a
second run of a row.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from jackfield.invocation import Enqueued, Result
from jackfield.invocation.line_keys import LineKeys
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import (
    Detail,
    InvalidInput,
    InvalidInvocation,
    JackfieldError,
    Unavailable,
)
from jackfield.kernel.markup import Markup, Node, table
from jackfield.kernel.pointers import cut
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield.redaction.marks import MASK
from jackfield_service.shell.pages.layout.action_choice import (
    actions_offered,
    choosing,
    chosen_action,
)
from jackfield_service.shell.pages.layout.assets import FORM_SCRIPTS
from jackfield_service.shell.pages.layout.components import (
    check_field,
    choice_field,
    fault_of,
    field,
    form,
    h,
    notice,
)
from jackfield_service.shell.pages.layout.connection_choice import (
    connection_dialog,
    fitting_connections,
    refuse_unchosen,
    unchosen,
)
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.selection import ONCE
from jackfield_service.shell.pages.layout.shell import outcome, page
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.batches.pages.file import (
    MOST_ROWS,
    FileRow,
    Rows,
    Target,
    alike,
    guessed,
    read_rows,
    row_inputs,
    targets,
)
from jackfield_service.subjects.invocations.pages.action import call_fields, read_invocation

BATCH = "batch"
"""Common label of the calls of one file."""
_ROW = "row"
"""Label with the number of the row."""
_TITLE = "Run for each row of a file"
_GUESSED = "Guessed from the column's name."
_PREVIEWED = 5
_CHECKED = 1000
"""Maximum number of rows that are checked before queuing, each as its call would be."""
_SHOWN = 50
_AT_ONCE = 250
"""Maximum number of calls per commit, for which other writes wait."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Content of the form: the file, the input of each column, the pointers of inputs guessed by
    meaning, and the common inputs of all calls.
    """

    text: str
    file: Rows
    known: Sequence[Target]
    chosen: Sequence[Target | None]
    likely: Sequence[str]
    common: Mapping[str, Any]
    reference: str
    again: bool

    @property
    def digest(self) -> str:
        """Digest of the checked content."""
        columns = [None if target is None else target.pointer for target in self.chosen]
        return hashlib.sha256(
            json.dumps([self.text, columns, self.common, self.again], sort_keys=True).encode()
        ).hexdigest()

    def call(self, row: FileRow) -> dict[str, Any]:
        """Return the call of a row.

        :raises InvalidInvocation: if the row has more values than there are columns.
        """
        usual = self.common.get("inputs")
        inputs = row_inputs(
            row, self.file.columns, self.chosen, usual if isinstance(usual, Mapping) else {}
        )
        return {
            **self.common,
            "inputs": inputs,
            "context": {"labels": {BATCH: self.reference, _ROW: str(row.number)}},
        }

    def place(self, path: str) -> int | None:
        """Return the index of the column that fills the input at a pointer; None without such a
        column.
        """
        return next(
            (
                place
                for place, target in enumerate(self.chosen)
                if target is not None and f"{path}/".startswith(f"{target.pointer}/")
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class _Fault:
    """Fault of a row: the reason why its call was refused, and the place in the row."""

    row: FileRow
    detail: Detail

    @property
    def what(self) -> tuple[str, str]:
        """Path and message of the fault, equal for rows with the same fault."""
        return self.detail.path, self.detail.message

    def cells(self, batch: _Batch) -> tuple[Node, ...]:
        """Render the fault as a row of a table: number, column, value and fault."""
        place, path = batch.place(self.detail.path), self.detail.path
        where: Node = (
            batch.file.columns[place] if place is not None else h.code(path) if path else "the row"
        )
        target = None if place is None else batch.chosen[place]
        return (
            str(self.row.number),
            where,
            None if place is None or target is None else _cell(self.row, place, target),
            self.detail.message,
        )


def shown(request: PageRequest) -> Response:
    """Serve ``GET /new-batch``: the search for an action, or with ``?connector=&action=`` its
    form.
    """
    request.require("invoke")
    if not request.query.get("action"):
        offered = partial(actions_offered, request, _address)
        return choosing(
            request,
            "invocations",
            _TITLE,
            "Choose what is to run.",
            "Search actions",
            offered,
            "/new-batch",
        )
    return _form(
        request,
        chosen_action(request, request.query.get("connector", ""), request.query["action"]),
        {},
    )


def sent(request: PageRequest) -> Response:
    """Serve ``POST /new-batch``: without a file, render the form with a call's inputs filled in;
    else check the rows, or queue them.
    """
    request.require("invoke")
    called = chosen_action(
        request, request.form.get("connector", ""), request.form.get("action", "")
    )
    given = read_invocation(request, *called)
    common: dict[str, Any] = {
        name: given[name]
        for name in ("connector", "action", "connection", "inputs")
        if name in given
    }
    if "rows" not in request.form:
        return _form(request, called, common)
    refuse_unchosen(request.form, common)
    batch = _read(request, called[1], common)
    wants = request.form.get("queue") == "on"
    try:
        content = (
            _queued(request, batch)
            if wants and request.form.get("checked") == batch.digest
            else _check(request, batch, late=wants)
        )
    except JackfieldError as error:
        raise unchosen(request.form, error) or error from None
    return outcome(request, "invocations", _TITLE, content)


def _address(connector: str, action: str) -> str:
    return f"/new-batch?{urlencode({'connector': connector, 'action': action})}"


def _form(
    request: PageRequest, called: tuple[Manifest, ActionManifest], begun: Mapping[str, Any]
) -> Response:
    manifest, action = called
    choices = fitting_connections(request, manifest, action, str(begun.get("connection") or ""))
    picker = h.input(
        type="file",
        id="file",
        accept=".csv,.tsv,.txt,text/csv",
        data_text_into="rows",
        aria_describedby="file-hint",
    )
    limit = (
        f"The first row names the columns. At most {MOST_ROWS:,} rows. Values with commas or "
        "line breaks are in double quotes."
    )
    area = h.textarea(
        id="rows",
        name="rows",
        rows=6,
        spellcheck="false",
        class_="mono",
        aria_describedby="rows-hint",
    )
    again = (
        "Without this, a row that succeeded or still waits is not run again when the same "
        "file is sent within a day."
    )
    content = form(
        request,
        "/new-batch",
        [
            h.input(type="hidden", name=name, value=value)
            for name, value in (("connector", manifest.key), ("action", action.key))
        ],
        h.input(type="hidden", name="reference", value=secrets.token_hex(8)),
        h.p(
            "Runs ",
            h.a(
                h.code(f"{manifest.key}/{action.key}"),
                href=f"/connectors/{manifest.key}/actions/{action.key}",
                target="_blank",
            ),
            ".",
        ),
        h.h2("The file"),
        field("file", "CSV file", picker, limit),
        field("rows", "Or its text", area, "A chosen file is shown here."),
        h.h2("The same for each row"),
        h.p(
            "Inputs that no column has. A column's value goes before what is entered here.",
            class_="muted",
        ),
        call_fields(request, called, begun, choices),
        check_field("again", "Run rows again that ran before", False, again),
        h.div(
            h.button("Check the rows", class_="primary"),
            h.span("Checking…", class_="busy-note", role="status"),
            class_="actions",
        ),
        h.div(id="checked", aria_live="polite", class_="stack"),
        into="#checked",
        class_="card",
        id="batch",
        novalidate=True,
    )
    lead = f"{action.title}: one call for each row of a CSV file, in the queue."
    return page(
        request,
        "invocations",
        _TITLE,
        content,
        connection_dialog(),
        lead=lead,
        scripts=FORM_SCRIPTS,
    )


def _read(request: PageRequest, action: ActionManifest, common: Mapping[str, Any]) -> _Batch:
    """Read the form. Columns are mapped by their names, or by probable meaning, until the person
    has chosen otherwise for this file.

    :raises InvalidInvocation: if the file cannot be read, or two columns fill one input.
    """
    reference = request.form.get("reference", "")
    if not ONCE.fullmatch(reference):
        raise Problem(400, "'reference' is not what the form has")
    text = request.form["rows"]
    file, known = read_rows(text), targets(action)
    by_pointer = {target.pointer: target for target in known}
    sure = guessed(file.columns, known)
    likely = alike(file.columns, known, sure)
    columns = [one or other for one, other in zip(sure, likely, strict=True)]
    if request.form.get("columns") == _names(file):
        columns = [request.form.get(f"column-{place}", "") for place in range(len(file.columns))]
    chosen = [by_pointer.get(pointer) for pointer in columns]
    twice = next(
        (target for target in chosen if target is not None and chosen.count(target) > 1), None
    )
    if twice is not None:
        raise InvalidInvocation(
            f"two columns go to '{twice.title}'", hint="Choose 'Not used' for one of them."
        )
    return _Batch(
        text, file, known, chosen, likely, common, reference, request.form.get("again") == "on"
    )


def _names(file: Rows) -> str:
    return json.dumps(list(file.columns))


def _check(request: PageRequest, batch: _Batch, *, late: bool) -> Node:
    """Render the columns, the first rows, the faults, and the button that queues the other rows;
    ``late`` means that the rows have changed since the last check.
    """
    rows = batch.file.rows
    faults, looked = list(_faults(request, batch, rows[:_CHECKED])), min(len(rows), _CHECKED)
    counts = Counter(fault.what for fault in faults)
    shared = [
        fault
        for fault in faults
        if fault.row is rows[0]
        and counts[fault.what] == looked
        and batch.place(fault.detail.path) is None
    ]
    same = {fault.what for fault in shared}
    wrong = {fault.row.number for fault in faults}
    good = len(rows) - len(wrong)
    told = f"{good:,} of {len(rows):,} rows can run." + (
        f" Only the first {_CHECKED:,} were checked." if looked < len(rows) else ""
    )
    return [
        notice("Something was changed since the rows were checked: look once more.", tone="warn")
        if late
        else None,
        notice(told, tone="warn" if wrong else "good"),
        fault_of("each row lacks something", None, [fault.detail.to_json() for fault in shared])
        if shared
        else None,
        _columns(batch),
        _preview(batch),
        _fault_table("What is wrong", batch, [fault for fault in faults if fault.what not in same]),
        _queue_button(batch, good, len(wrong)),
    ]


def _faults(request: PageRequest, batch: _Batch, rows: Sequence[FileRow]) -> Iterator[_Fault]:
    """Check rows as their calls would be checked, without queuing, and yield their faults.

    :raises JackfieldError: for a fault of all rows, such as a missing connection.
    """
    for row in rows:
        try:
            request.runtime.prepare(batch.call(row), caller=request.identity.caller)
        except JackfieldError as error:
            is_own = isinstance(error, InvalidInput) or row is not rows[0]
            if isinstance(error, Unavailable) or not (
                is_own or len(row.cells) > len(batch.file.columns)
            ):
                raise
            yield from _faults_of_row(row, error)


def _faults_of_row(row: FileRow, error: JackfieldError) -> Iterator[_Fault]:
    return (_Fault(row, detail) for detail in error.details or [Detail("", error.message)])


def _columns(batch: _Batch) -> Node:
    inputs = [("", "Not used"), *((target.pointer, target.title) for target in batch.known)]
    hints = [
        _GUESSED if target is not None and target.pointer == batch.likely[place] else None
        for place, target in enumerate(batch.chosen)
    ]
    return [
        h.h2("Columns"),
        h.input(type="hidden", name="columns", value=_names(batch.file)),
        h.div(
            [
                choice_field(
                    f"column-{place}",
                    name or f"Column {place + 1}",
                    inputs,
                    "" if target is None else target.pointer,
                    hints[place],
                )
                for place, (name, target) in enumerate(
                    zip(batch.file.columns, batch.chosen, strict=True)
                )
            ],
            class_="pair",
        ),
    ]


def _preview(batch: _Batch) -> Markup:
    used = [(place, target) for place, target in enumerate(batch.chosen) if target is not None]
    titles = [
        f"{target.title} ({number})"
        if [one.title for _, one in used].count(target.title) > 1
        else target.title
        for number, (_, target) in enumerate(used, 1)
    ]
    rows = [
        (str(row.number), *(_cell(row, place, target) for place, target in used))
        for row in batch.file.rows[:_PREVIEWED]
    ]
    return h.div(
        h.h2(f"The first {len(rows)} rows" if len(rows) > 1 else "The row"),
        table("The first rows", ("Row", *titles), rows),
    )


def _cell(row: FileRow, place: int, target: Target) -> Node:
    text = row.cells[place].strip() if place < len(row.cells) else ""
    return h.span("empty", class_="muted") if not text else MASK if target.is_secret else cut(text)


def _fault_table(title: str, batch: _Batch, faults: Sequence[_Fault]) -> Markup | None:
    """Render faults by row, the first ones if there are many; None without faults."""
    if not faults:
        return None
    more = (
        h.p(f"And {len(faults) - _SHOWN:,} more.", class_="muted") if len(faults) > _SHOWN else None
    )
    rows = [fault.cells(batch) for fault in faults[:_SHOWN]]
    return h.div(h.h2(title), table(title, ("Row", "Column", "Value", "Fault"), rows), more)


def _queue_button(batch: _Batch, good: int, wrong: int) -> Node:
    if not good:
        return None
    lacking = "1 row is" if wrong == 1 else f"{wrong:,} rows are"
    left = (
        f" {lacking} left out: mend that and send the file again, which runs no other row twice."
        if wrong
        else ""
    )
    text = "Queue 1 call" if good == 1 else f"Queue {good:,} calls"
    return [
        h.input(type="hidden", name="checked", value=batch.digest),
        h.div(h.button(text, name="queue", value="on", class_="primary"), class_="actions"),
        h.p(f"Each runs once, as soon as a worker is free.{left}", class_="muted"),
    ]


def _queued(request: PageRequest, batch: _Batch) -> Node:
    refused, earlier, queued = list[_Fault](), list[str](), 0
    for row, found in _outcomes(request, batch):
        if isinstance(found, Enqueued):
            earlier += [found.invocation_id] if found.replayed else []
            queued += not found.replayed
        elif found.meta.replayed:
            earlier.append(found.meta.invocation_id)
        elif found.error is not None:
            refused += _faults_of_row(row, found.error)
    left = len({fault.row.number for fault in refused})
    told = [
        f"{queued:,} queued.",
        f"{len(earlier):,} had been queued before." if earlier else "",
        f"{left:,} refused." if left else "",
    ]
    return [
        notice(" ".join(filter(None, told)), tone="warn" if refused or not queued else "good"),
        h.div(
            _follow(batch.reference, "Follow the calls", "primary")
            if queued
            else _before(request, earlier),
            class_="actions",
        ),
        h.p("Label of the calls: ", h.code(f"{BATCH}={batch.reference}"), class_="muted")
        if queued
        else None,
        _fault_table("Refused rows", batch, refused),
    ]


def _outcomes(request: PageRequest, batch: _Batch) -> Iterator[tuple[FileRow, Enqueued | Result]]:
    """Queue the call of each row and yield its outcome. Invalid rows are skipped: the check has
    named them.
    """
    journal = request.runtime.journal
    if journal is None:
        raise Problem(503, "this server has no journal")
    keys, rows = (
        LineKeys(journal.fingerprint),
        [row for row in batch.file.rows if len(row.cells) <= len(batch.file.columns)],
    )
    for begin in range(0, len(rows), _AT_ONCE):
        part = rows[begin : begin + _AT_ONCE]
        calls = [_keyed(batch, row, keys) for row in part]
        yield from zip(
            part, request.runtime.enqueue_many(calls, caller=request.identity.caller), strict=True
        )
        request.server.wake()


def _keyed(batch: _Batch, row: FileRow, keys: LineKeys) -> dict[str, Any]:
    call = batch.call(row)
    named = {name: value for name, value in call.items() if name != "context"}
    line = json.dumps([named, batch.reference] if batch.again else named, sort_keys=True)
    return {**call, **keys.members(row.number, line.encode())}


def _before(request: PageRequest, earlier: Sequence[str]) -> Node:
    """Render the link to the calls that an earlier form has queued."""
    if not earlier:
        return None
    try:
        labels = request.journal.find(earlier[0]).context.get("labels", {})
    except JackfieldError:
        return None
    return _follow(labels[BATCH], "The calls of before") if BATCH in labels else None


def _follow(reference: str, text: str, tone: str = "") -> Markup:
    return h.a(
        text,
        href=f"/invocations?{urlencode({'label': f'{BATCH}={reference}'})}",
        class_=f"button {tone}".strip(),
    )
