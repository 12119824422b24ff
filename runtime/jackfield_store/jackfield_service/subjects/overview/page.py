"""Pages of overview in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.overview.pages import overview

PAGES: tuple[Page, ...] = (Page("/", overview.shown),)
