"""From the words of a notification to whom it goes and what it says."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from jackfield.schema.mailboxes import split_mailboxes

__all__ = ["SUBJECT", "body", "page", "recipients"]

SUBJECT = "Workflow Notification"
"""The subject where none is given."""

_PAGE = """<!DOCTYPE html>
<html>
<body>
<p>{text}</p>
</body>
</html>
"""


def recipients(given: object) -> list[str]:
    """The recipients in ``to``: the texts of a list, or a text with commas between them."""
    if isinstance(given, str):
        return _split(given)
    return [item.strip() for item in given if isinstance(item, str) and item.strip()] if isinstance(given, list) else []


def body(words: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a message: ``body`` (``text``, ``html``, or one text), or a plain ``message``, of which a page is made too."""
    found = {name: words[name] for name in ("text", "html") if words.get(name)}
    given = words.get("body")
    if isinstance(given, Mapping):
        found = {**{name: given[name] for name in ("text", "html") if given.get(name)}, **found}
    message = words.get("message") or (given if isinstance(given, str) else None)
    if message is None or message == "":
        return found
    text = message if isinstance(message, str) else str(message)
    return {"text": text, "html": page(text), **found}


def page(text: str) -> str:
    """A plain text as a page: whatever it holds is shown and means nothing in HTML."""
    return _PAGE.replace("{text}", html.escape(text).replace("\r\n", "\n").replace("\n", "<br>\n"))


def _split(text: str) -> list[str]:
    """The addresses of a text; a comma in a quoted name does not part, and one in a bare name (``Ada, Countess <a@x.io>``) neither."""
    found: list[str] = []
    waiting: list[str] = []
    for part, separator in split_mailboxes(text):
        if part:
            waiting += (part, f"{separator} ")
        if waiting and "@" in part:
            found.append("".join(waiting[:-1]))
            waiting = []
    return [*found, "".join(waiting[:-1])] if waiting else found
