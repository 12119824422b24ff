"""Owners of the callbacks on a page: the visitor's workspace, or a platform, whose callbacks the
operator sees for all its workspaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from jackfield.kernel.errors import JackfieldError
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.pages.layout.resources import things
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.deliveries import Deliveries
from jackfield_service.subjects.callbacks.subject import CALLBACKS, DELIVERIES
from jackfield_store.access.platform_tokens import checked_pattern, home_of


@dataclass(frozen=True, slots=True)
class EventHome:
    """Owner of callbacks. ``base`` begins the addresses of its pages, and ``section`` is their
    section in the navigation. ``platform`` is the pattern of a platform's workspaces; None for the
    visitor's own workspace.
    """

    base: str
    section: str
    platform: str | None = None

    @property
    def whose(self) -> str:
        """Phrase that names the origin of the events."""
        return (
            "this workspace"
            if self.platform is None
            else f"all workspaces {self.platform}, each with its name in data.workspace,"
        )

    def callbacks(self, request: PageRequest) -> Callbacks:
        """Return the callbacks; changes are audited in the visitor's name."""
        return things(request, CALLBACKS, home=self.home)

    def deliveries(self, request: PageRequest) -> Deliveries:
        """Return the deliveries."""
        return things(request, DELIVERIES, home=self.home)

    @property
    def home(self) -> str | None:
        """Owner in the database; None for the visitor's own workspace."""
        return None if self.platform is None else home_of(self.platform)


def event_home(request: PageRequest) -> EventHome:
    """Return the owner of the callbacks that the address names.

    :raises Problem: 403 if it is a platform and the visitor is not the operator, 404 if it is no
        pattern of a platform.
    """
    named = request.http.path_params.get("platform")
    if named is None:
        return EventHome("", "callbacks")
    request.require_operator()
    try:
        pattern = checked_pattern(named)
    except JackfieldError:
        raise Problem(404, "no such platform") from None
    return EventHome(platform_base(pattern), "tenants", pattern)


def platform_base(pattern: str) -> str:
    """Return the beginning of the addresses of a platform's pages."""
    return f"/platforms/{quote(pattern, safe='*')}"
