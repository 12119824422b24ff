"""Pages, as subjects declare them in ``page.PAGES``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from jackfield_service.shell.pages.layout.page_request import PageRequest

Endpoint = Callable[[PageRequest], Any]
"""Function that returns a response, or an awaitable of one. A function that is no coroutine
function runs in a thread.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or the handler of a page's form (``POST``). A page that ``describes`` shows installed
    connectors, and works while the database does not answer, without stored data. A page that
    ``streams`` reads the body itself, and gets the CSRF token in a header.
    """

    path: str
    endpoint: Endpoint
    method: Literal["GET", "POST"] = "GET"
    describes: bool = False
    streams: bool = False

    @property
    def place(self) -> tuple[bool, ...]:
        """Sort key among the routes: at each segment of a path, a word comes before a parameter,
        which would match it, too.
        """
        return tuple(segment.startswith("{") for segment in self.path.split("/"))
