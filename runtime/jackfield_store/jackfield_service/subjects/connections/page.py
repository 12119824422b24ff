"""Pages of connections in the console, by path."""

from __future__ import annotations

from jackfield_service.shell.pages.layout.pages import Page
from jackfield_service.subjects.connections.pages import (
    authorization,
    connection,
    connections,
    doctor,
)
from jackfield_service.subjects.connections.pages import form as connection_form

PAGES: tuple[Page, ...] = (
    Page("/connections", connections.listed),
    Page("/connections", connection_form.created, "POST"),
    Page("/connections/selection", connections.SELECTION.taken, "POST"),
    Page("/new-connection", connection_form.shown),
    Page("/connections/{name}", connection.shown),
    Page("/connections/{name}/authorization", authorization.begun, "POST"),
    Page("/connections/{name}/authorization/{id}", authorization.polled),
    Page(authorization.ANSWERED, authorization.answered),
    Page("/connections/{name}/values", connection_form.changed, "POST"),
    Page("/connections/{name}/test", connection.tested, "POST"),
    Page("/connections/{name}/doctor", doctor.shown),
    Page("/connections/{name}/doctor", doctor.examined, "POST"),
    Page("/connections/{name}/name", connection.renamed, "POST"),
    Page("/connections/{name}/quotas", connection.allowed, "POST"),
    Page("/connections/{name}/removal", connection.removed, "POST"),
)
