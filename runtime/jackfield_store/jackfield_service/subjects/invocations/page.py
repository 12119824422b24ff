"""Pages of invocations in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.invocations.pages import action, invocation, invocations
from jackfield_service.subjects.invocations.pages.steps import CALLS, LETTERS

PAGES: tuple[Page, ...] = (
    Page("/connectors/{key}/actions/{action}", action.shown, describes=True),
    Page("/connectors/{key}/actions/{action}/code", action.code, "POST"),
    Page("/connectors/{key}/actions/{action}/output", action.output, describes=True),
    Page("/connectors/{key}/actions/{action}/run", action.run, "POST"),
    Page("/connectors/{key}/options/{source}", action.options),
    Page("/invocations", invocations.listed),
    Page("/invocations/selection", CALLS.taken, "POST"),
    Page("/invocations/export", invocations.saved),
    Page("/invocations/{id}", invocation.shown),
    Page("/invocations/{id}/cancel", invocation.cancelled, "POST"),
    Page("/queue/dead-letters/selection", LETTERS.taken, "POST"),
)
