"""Rows of a list that a person ticks, and steps for all of them: each step asks for confirmation,
then shows the outcome of each row.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from jackfield.callers import Scope
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Markup, Node, table
from jackfield_service.shell.pages.layout.components import badge, form, h, heading, notice
from jackfield_service.shell.pages.layout.drawn import digest_of
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.requests.problem import Problem

_FORM = "selection"
_TICK = "pick-"
ONCE = re.compile("[0-9a-f]{16}")
"""Regular expression of the identifier by which a repeated form is recognised."""
_WORDS = {"passed": "done", "refused": "not done"}
_CHANGED = "It has changed since the step was asked for."
_MOST = 100
"""Maximum number of selected rows for which a step is carried out at once; a page of a list has
50.
"""


class NotDone(Exception):
    """Error for a step that was not carried out for a row; ``why`` is the message for the
    visitor.
    """

    def __init__(self, *why: Node) -> None:
        super().__init__()
        self.why = why


@dataclass(frozen=True, slots=True)
class Step:
    """A step that can be carried out for several rows: ``Redrive`` of dead letters.

    ``take`` gets the request, the ID of a row and an identifier that is equal each time this form
    is sent, and returns the outcome of the row. ``warn`` returns the warnings to a person about the
    rows before the step, ``follow`` the page that shows the outcomes.
    """

    key: str
    title: str
    scope: Scope
    what: str
    take: Callable[[PageRequest, str, str], Node]
    warn: Callable[[PageRequest, Sequence[str]], Node] = lambda _request, _picked: None
    tone: str = "primary"
    follow: Callable[[str], Node] = lambda _once: None


@dataclass(frozen=True, slots=True)
class Selection:
    """Steps for the rows of the list at ``address``; its pages have this section and title.

    ``named`` renders a row's name by its ID, ``state`` returns its displayed state. A step is
    refused for a row whose state has changed since the confirmation was rendered.
    """

    address: str
    section: str
    title: str
    steps: tuple[Step, ...]
    named: Callable[[PageRequest, str], Node]
    state: Callable[[PageRequest, str], Any]

    def bar(self, request: PageRequest) -> Markup | None:
        """Render the buttons of the steps that the caller may carry out, visible once a row is
        ticked; None if there are no such steps.
        """
        offered = [step for step in self.steps if request.may(step.scope)]
        if not offered:
            return None
        buttons = [
            h.button(f"{step.title}…", name="step", value=step.key, class_="quiet")
            for step in offered
        ]
        count = h.span(role="status", class_="muted", data_picked=True)
        return form(
            request, f"{self.address}/selection", count, buttons, id=_FORM, class_="selection"
        )

    def every(self, request: PageRequest) -> Markup | None:
        """Render the checkbox that selects all rows, for the head of their column; None if ``bar``
        returns None. Without scripts it is hidden.
        """
        if not any(request.may(step.scope) for step in self.steps):
            return None
        return h.input(
            type="checkbox",
            data_pick_all=True,
            form=_FORM,
            hidden=True,
            class_="pick",
            aria_label="Select all on this page",
        )

    def taken(self, request: PageRequest) -> Response:
        """Serve ``POST {address}/selection``: ask for confirmation, or carry out the step if
        ``sure`` is sent.
        """
        step = next((step for step in self.steps if step.key == request.form.get("step")), None)
        if step is None:
            raise Problem(
                400, "'step' must be one of " + ", ".join(step.key for step in self.steps)
            )
        request.require(step.scope)
        picked = [name.removeprefix(_TICK) for name in request.form if name.startswith(_TICK)]
        if len(picked) > _MOST:
            raise Problem(400, f"a step is taken for at most {_MOST} rows at once")
        if not picked:
            return redirect(request, f"{self.address}?done=none")
        once = request.form.get("sure", "")
        if once and not ONCE.fullmatch(once):
            raise Problem(400, "'sure' is not what the form has")
        return (
            self._done(request, step, picked, once)
            if once
            else self._confirmation(request, step, picked)
        )

    def _confirmation(self, request: PageRequest, step: Step, picked: Sequence[str]) -> Response:
        rows = [h.li(self.named(request, identifier)) for identifier in picked]
        drawn = [
            (f"{_TICK}{identifier}", digest_of(self.state(request, identifier)))
            for identifier in picked
        ]
        hidden = [h.input(type="hidden", name=name, value=digest) for name, digest in drawn]
        tone = {"class_": step.tone} if step.tone else {}
        sure = form(
            request,
            f"{self.address}/selection",
            hidden,
            h.input(type="hidden", name="step", value=step.key),
            h.input(type="hidden", name="sure", value=secrets.token_hex(8)),
            h.div(
                h.button(f"{step.title}: {len(picked)}", **tone),
                h.a("Cancel", href=self.address, class_="button"),
                class_="actions",
            ),
        )
        title = f"{step.title} {len(picked)}?"
        listed = h.section(h.h2("Selected"), h.ul(rows, class_="picked"), sure, class_="card stack")
        return page(
            request,
            self.section,
            title,
            step.warn(request, picked),
            listed,
            head=heading(title, lead=step.what),
        )

    def _done(self, request: PageRequest, step: Step, picked: Sequence[str], once: str) -> Response:
        rows = []
        failed = 0
        for identifier in picked:
            name = self.named(request, identifier)
            is_shown = request.form[f"{_TICK}{identifier}"] == digest_of(
                self.state(request, identifier)
            )
            word, what = (
                _outcome(step, request, identifier, once) if is_shown else ("refused", _CHANGED)
            )
            failed += word == "refused"
            rows.append((name, badge(word, _WORDS[word]), what))
        done = len(picked) - failed
        told = notice(
            f"{step.title}: {done} done, {failed} not done."
            if failed
            else f"{step.title}: {done} done.",
            tone="warn" if failed else "good",
        )
        back = h.p(
            step.follow(once) if done else None,
            " ",
            h.a("Back to the list", href=self.address, class_="button"),
        )
        shown = h.div(
            table(f"{step.title}: outcomes", (self.title, "Outcome", "What happened"), rows),
            id="found",
        )
        return page(request, self.section, step.title, told, shown, back, head=heading(step.title))


def tick(identifier: str, label: str) -> Markup:
    """Render the checkbox that selects a row."""
    name = f"{_TICK}{identifier}"
    return h.input(
        type="checkbox", name=name, id=name, form=_FORM, class_="pick", aria_label=f"Select {label}"
    )


NONE = {"none": "Nothing is selected. Tick rows first."}
"""Messages for ``?done=none``."""


def _outcome(step: Step, request: PageRequest, identifier: str, once: str) -> tuple[str, Node]:
    try:
        return "passed", step.take(request, identifier, once)
    except NotDone as refused:
        return "refused", list(refused.why)
    except Problem as problem:
        return "refused", problem.detail
    except JackfieldError as error:
        faults = [h.li(h.code(item.path or "/"), " ", item.message) for item in error.details]
        return "refused", [error.message, h.ul(faults, class_="faults") if faults else None]
