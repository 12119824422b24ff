"""Pages of approvals in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.approvals.pages import approval, approvals

PAGES: tuple[Page, ...] = (
    Page("/invocations/{id}/approval", approval.decided, "POST"),
    Page("/approvals", approvals.listed),
)
