"""State of a connection from which the forms of its page are rendered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jackfield.kernel.errors import JackfieldError
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.subjects.connect.drawn import row_state


def connection_state(request: PageRequest, row: Mapping[str, Any]) -> Any:
    """Return the displayed row of a connection, and its ID, since another connection may have its
    name by now.
    """
    with suppress(JackfieldError):
        return [row_state(row), request.connections.find(str(row["name"])).id]
    return [row_state(row)]


def present_connection(request: PageRequest) -> Any:
    """Return the state of the connection in the path; None if it does not exist, which the step
    then reports.
    """
    request.require("manage")
    with suppress(JackfieldError):
        return connection_state(request, request.connections.show(request.path("name")))
    return None
