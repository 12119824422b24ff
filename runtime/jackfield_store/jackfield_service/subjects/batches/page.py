"""Pages of batches in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.batches.pages import form as batch_form

PAGES: tuple[Page, ...] = (
    Page("/new-batch", batch_form.shown),
    Page("/new-batch", batch_form.sent, "POST"),
)
