"""Pages of connect sessions in the console, by path; and the page on which people connect, which
has routes of its own.
"""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.connect.pages import sessions
from jackfield_service.subjects.connect.pages.routes import routes

__all__ = ["PAGES", "routes"]

PAGES: tuple[Page, ...] = (
    Page("/tenants/{w}/connect-sessions", sessions.listed),
    Page("/tenants/{w}/connect-sessions", sessions.created, "POST"),
    Page("/tenants/{w}/connect-sessions/{id}/revocation", sessions.revoked, "POST"),
)
