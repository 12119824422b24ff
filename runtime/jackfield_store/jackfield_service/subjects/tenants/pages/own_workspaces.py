"""Workspaces in which a person who signed in at the identity provider has roles, and the switch
from one to another.
"""

from __future__ import annotations

from starlette.responses import Response

from jackfield.kernel.markup import table
from jackfield_service.shell.pages.layout.components import form, h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.shell import page, redirect
from jackfield_service.shell.pages.sign_in import ConsoleSessions
from jackfield_service.shell.requests.problem import Problem


def listed(request: PageRequest) -> Response:
    """Serve ``GET /workspaces``: the visitor's workspaces."""
    request.require("read")
    here = request.identity.workspace
    rows = [
        (
            h.strong(name),
            h.span("You are in this workspace.", class_="muted")
            if name == here
            else form(request, f"/workspaces/{name}", h.button(f"Switch to {name}")),
        )
        for name in request.identity.others or (here,)
    ]
    lead = "The workspaces in which you have a role."
    return page(
        request,
        "workspace",
        "Your workspaces",
        table("Your workspaces", ("Workspace", "Switch"), rows, empty=""),
        lead=lead,
    )


def entered(request: PageRequest) -> Response:
    """Serve ``POST /workspaces/{w}``: continue in another workspace, in a session that ends at the
    time of the present one.
    """
    request.require("read")
    workspace, sessions = request.path("w"), ConsoleSessions(request.server)
    if workspace not in request.identity.others:
        raise Problem(404, "you have no role in this workspace")
    secret = sessions.move(request.http, workspace)
    response = redirect(request, "/")
    sessions.jar.begin(response, workspace, secret)
    return response
