"""Pages of callbacks in the console, by path."""

from __future__ import annotations

from dataclasses import replace

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.callbacks.pages import callbacks, deliveries

_PAGES: tuple[Page, ...] = (
    Page("/callbacks", callbacks.listed),
    Page("/callbacks", callbacks.created, "POST"),
    Page("/callbacks/{id}", callbacks.shown),
    Page("/callbacks/{id}/{step}", callbacks.changed, "POST"),
    Page("/deliveries", deliveries.listed),
    Page("/deliveries/{id}", deliveries.shown),
    Page("/deliveries/dead/resend", deliveries.all_resent, "POST"),
    Page("/deliveries/{id}/resend", deliveries.resent, "POST"),
)
PAGES = (*_PAGES, *(replace(page, path=f"/platforms/{{platform}}{page.path}") for page in _PAGES))
"""Pages of a workspace's callbacks, and of a platform's."""
