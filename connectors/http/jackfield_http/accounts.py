"""Account that the answer to a connection test names. People tell connections of one type apart by
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connector import Account
from jackfield_http.pointers import find
from jackfield_http.unread import Unreadable
from jackfield_http.words import POINTER, TEXT, closed, needs_one, word

if TYPE_CHECKING:
    from jackfield_http.answers import Answer

OWN_PATH = re.compile(
    r"/(me|self|myself|whoami|current|current_?user|account|accounts/me|users?/me|user|profile|user_?info)/?$",
    re.IGNORECASE,
)
"""Regular expression of paths that answer with the person whose credentials are sent."""
_IDS = ("/id", "/sub", "/user_id", "/userId", "/account_id", "/accountId", "/uuid", "/email")
_LABELS = ("/email", "/login", "/username", "/preferred_username", "/name")
ACCOUNT = closed(
    {
        "path": word(
            POINTER, "Path to GET after the test, if not the test's answer names the account."
        ),
        "id": POINTER,
        "label": word(
            {"type": "array", "items": POINTER},
            "Members that name it for people; the first that is there is shown.",
        ),
        "header": word(TEXT, "Header field with the account, if its body does not name it."),
    },
    [],
    "Where the answer to a connection test names the account.",
    **needs_one("id", "header"),
)
_LONGEST = 200
"""Maximum number of characters of an account's ID and of its label."""


def account_in(body: Any, about: Mapping[str, Any]) -> Account | None:
    """Return the account in a JSON body; None without an ID, which fails no test.

    ``about`` has JSON Pointers: ``id`` to the account's ID, ``label`` to members. The first
    existing member is the label.
    """
    found = _text(find(body, about["id"]))
    labels = (_text(find(body, place)) for place in about.get("label", ()))
    return Account(found, next(filter(None, labels), found)) if found else None


def account_of(answer: Answer, about: Mapping[str, Any]) -> Account | None:
    """Return the account that an answer names: in the header field ``about["header"]`` if there is
    one, otherwise in the body. Return None if the answer names none.
    """
    if "header" not in about:
        return account_in(body_of(answer), about)
    found = _text(answer.headers.get(about["header"], ""))
    return Account(found, found) if found else None


def usual_account(path: str, body: Any) -> Account | None:
    """Return the account of an answer that the manifest does not describe; None if the answer names
    none. Only paths of the signed-in person count: other objects have IDs, too.
    """
    if not OWN_PATH.search(path):
        return None
    return next(
        filter(None, (account_in(body, {"id": place, "label": _LABELS}) for place in _IDS)), None
    )


def body_of(answer: Answer) -> Any:
    """Return the JSON body of an answer; None if the body is no JSON."""
    try:
        return answer.json()
    except Unreadable:
        return None


def _text(value: Any) -> str:
    usable = isinstance(value, str | int) and not isinstance(value, bool)
    shown = (
        "".join(letter if letter.isprintable() else " " for letter in str(value)) if usable else ""
    )
    return shown.strip()[:_LONGEST]
