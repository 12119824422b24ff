"""Start of a sign-in at the operator's identity provider: the link on the sign-in page, and the
page of an invitation to a role.
"""

from __future__ import annotations

from urllib.parse import quote

from jackfield.kernel.markup import Markup, Node
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.shell import LOGO
from jackfield_service.shell.process.server_context import ServerContext

START = "/login/start"


def provider_part(server: ServerContext, address: str, invitation: str = "") -> Markup | None:
    """Render the link to the provider's page; None without a provider."""
    if server.people is None:
        return None
    also = f"&invitation={quote(invitation, safe='')}" if invitation else ""
    href = f"{START}?next={quote(address, safe='')}{also}"
    return h.p(
        h.a("Sign in with your identity provider", href=href, class_="button primary"),
        class_="actions",
    )


def invited(server: ServerContext, invitation: str) -> Markup | None:
    """Render the page of an invitation to a role; None if it is not valid. Viewing does not use it
    up.
    """
    found = None if server.people is None else server.people.sign_ins.invited(invitation)
    if found is None:
        return None
    role, workspace = found
    where: Node = "all workspaces" if workspace == "*" else ["the workspace ", h.strong(workspace)]
    return h.main(
        h.p(LOGO, h.span("jackfield"), class_="brand"),
        h.h1("You are invited"),
        h.p(
            "Sign in, and you have the role ",
            h.strong(role),
            " in ",
            where,
            " from then on. The link works once.",
        ),
        provider_part(server, "/", invitation),
        class_="alone",
        id="content",
    )
