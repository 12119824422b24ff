"""States that forms are rendered from: if the state has changed since a form was rendered, its
button does nothing.

A form carries the digest of its state along with its session's token. ``drawn_from`` computes the
digest and ``is_current`` checks it, ``decides`` does both for a route of the console. Only the page
itself can write the token; a new sign-in replaces the token and leaves the digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.requests.problem import Problem

_SHORT = 32
ANEW = "anew"
"""Query parameter of a page that replaces the requested one."""
MOVED = (
    "This has changed since its page was opened, perhaps in another tab. Nothing was done. "
    "This is how it is now."
)
State = Callable[[PageRequest], Any]
Decision = TypeVar("Decision", bound=Callable[[PageRequest], Any])


class Moved(Problem):
    """Refusal of a form that was rendered from a state that is no longer current."""

    def __init__(self, back: str = "") -> None:
        super().__init__(409, MOVED)
        self.back = back


def drawn_from(token: str, *state: Any) -> str:
    """Return the token of a form that is rendered from a state, derived from the session's
    token.
    """
    return f"{token}.{digest_of(*state)}"


def digest_of(*state: Any) -> str:
    """Return the digest of a state."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_SHORT]


def parted(given: str) -> tuple[str, str]:
    """Return the session's token that a form carries, and the digest of the form's state."""
    token, _, digest = given.partition(".")
    return token, digest


def is_current(drawn: str, *state: Any) -> bool:
    """Return whether ``drawn`` is the digest of a state."""
    return drawn == digest_of(*state)


def decides(
    state: State, back: Callable[[PageRequest], str] = lambda _: ""
) -> Callable[[Decision], Decision]:
    """Turn a POST of the console into a decision on the state that its page displays.

    ``state`` returns the current state of the form's objects (``form``, ``final``); None if they
    are gone, which the decorated function reports. If the form was rendered from another state, the
    page is rendered again: at ``back``, or at the form's own address.
    """

    def decorated(function: Decision) -> Decision:
        @wraps(function)
        def judged(request: PageRequest) -> Any:
            now = state(request)
            if now is not None and not is_current(request.drawn, now):
                raise Moved(back(request))
            return function(request)

        judged.drawn_from = state  # type: ignore[attr-defined]
        return cast("Decision", judged)

    return decorated
