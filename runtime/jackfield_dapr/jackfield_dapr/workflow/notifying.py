"""One notification: one mail per recipient, sent concurrently, and each mail's outcome."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from jackfield.invocation import Result
from jackfield.kernel.errors import InvalidInvocation
from jackfield.schema.formats import split_mailboxes
from jackfield_dapr.workflow.providers import Provider
from jackfield_formats.translating import inputs_of

SUBJECT = "Workflow Notification"
"""Default subject."""

_PAGE = """<!DOCTYPE html>
<html>
<body>
<p>{text}</p>
</body>
</html>
"""


def recipients(given: object) -> list[str]:
    """Return the recipients in ``to``: the strings of a list, or a string separated by commas."""
    if isinstance(given, str):
        return _split(given)
    return (
        [item.strip() for item in given if isinstance(item, str) and item.strip()]
        if isinstance(given, list)
        else []
    )


def body(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a message: ``body`` (``text``, ``html``, or one string), or a plain
    ``message``, which is also rendered as HTML.
    """
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
    """Render a plain text as an HTML page; its content is escaped."""
    return _PAGE.replace("{text}", html.escape(text).replace("\r\n", "\n").replace("\n", "<br>\n"))


def _split(text: str) -> list[str]:
    """Split a string into addresses. A comma inside a quoted name does not separate, nor one in a
    bare name (``Ada, Countess <a@x.io>``).
    """
    found: list[str] = []
    waiting: list[str] = []
    for part, separator in split_mailboxes(text):
        if part:
            waiting += (part, f"{separator} ")
        if waiting and "@" in part:
            found.append("".join(waiting[:-1]))
            waiting = []
    return [*found, "".join(waiting[:-1])] if waiting else found


_LOG = logging.getLogger("jackfield.workflow")
_AT_ONCE = 8
"""Maximum number of one notification's mails that are sent at once."""
_OURS = frozenset({"provider", "to", "message", "body", "text", "html", "subject", "fanout"})
_TO_ALL = ("cc", "bcc")
"""Fields whose recipients would get every mail. With such a field, a single mail goes to all
recipients.
"""

Invoke = Callable[[Mapping[str, Any]], Result]
"""Signature of ``Jackfield.invoke``."""


@dataclass(frozen=True, slots=True, repr=False)
class Delivery:
    """Outcome of the mail to one recipient, or of the single mail to all recipients."""

    to: str | list[str]
    result: Result

    def to_json(self) -> dict[str, Any]:
        """Return the recipient and the Result."""
        return {"to": self.to, "result": self.result.to_json()}


def invocations(
    words: Mapping[str, Any], provider: Provider, *, strict: bool
) -> list[tuple[str | list[str], dict[str, Any]]]:
    """Return each recipient with the invocation of its mail. ``strict`` uses only the fields that
    Thand reads: provider, to and message.

    :raises InvalidInvocation: if the recipient or the message is missing.
    """
    if strict:
        words = {name: words[name] for name in ("provider", "to", "message") if name in words}
    to, texts = recipients(words.get("to")), body(words)
    if not to:
        raise InvalidInvocation(
            "a contact 'to' must be provided for notifiers",
            hint="Give a list of addresses as 'to'.",
        )
    if not texts:
        raise InvalidInvocation(
            "invalid notification request: it has no message",
            hint="Give 'message', or 'body' with 'text' or 'html'.",
        )
    alias = provider.alias
    unknown = sorted(name for name in words if name not in _OURS and name not in alias.inputs)
    if unknown:
        _LOG.warning("a notification ignores: %s", ", ".join(unknown))
    rest = {
        name: value
        for name, value in words.items()
        if name in alias.inputs and name not in _OURS and value
    }
    shared = inputs_of(alias, {**rest, "subject": words.get("subject") or SUBJECT, **texts})
    groups: list[str | list[str]] = [to] if is_single(words) else [*to]
    made = {
        "connector": alias.connector,
        "action": provider.action,
        "connection": provider.connection,
    }
    return [
        (
            group,
            {
                **made,
                "inputs": {
                    **shared,
                    **inputs_of(alias, {"to": [group] if isinstance(group, str) else group}),
                },
            },
        )
        for group in groups
    ]


def is_single(words: Mapping[str, Any]) -> bool:
    """Return whether one mail goes to all recipients."""
    return words.get("fanout") == "single" or any(words.get(name) for name in _TO_ALL)


def notify(mails: list[tuple[str | list[str], dict[str, Any]]], invoke: Invoke) -> list[Delivery]:
    """Send all mails concurrently; the outcome of one does not affect the others."""
    if len(mails) == 1:
        return [Delivery(mails[0][0], invoke(mails[0][1]))]
    with ThreadPoolExecutor(min(_AT_ONCE, len(mails)), "jackfield-notify") as workers:
        results = workers.map(invoke, [invocation for _, invocation in mails])
        return [Delivery(to, result) for (to, _), result in zip(mails, results, strict=True)]
