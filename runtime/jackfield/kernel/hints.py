"""Hints worded for their readers: an error holds a :class:`NextStep`, and a surface words it by
:func:`worded`.

This module has the library's words for the framework's steps, and the words of its own command
line. Each distribution above adds its steps, and the words of its surfaces, when it is imported.
The journal stores the library's wording, which names no surface.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, Self

_WORDS: dict[str, dict[str, str]] = {
    "library": {
        "action_schema": "See the schema of {connector}/{action} for its inputs.",
        "connection_schema": "See the schema of the connection type {connector}/{type} for its values.",
        "invocation_schema": (
            "An invocation has connector, action and inputs; connection, idempotencyKey, "
            "timeoutSeconds and others are optional."
        ),
        "connectors": (
            "Only installed connectors are found; they are Python packages, such as "
            "jackfield-aws-ses."
        ),
        "actions": "'{connector}' has {count} actions; the nearest names are {names}.",
        "offer": "The operator can offer it with the command line: 'offers add {pattern}'.",
        "connections": (
            "The list of connections has their names; connection files are set in "
            "JACKFIELD_CONNECTIONS."
        ),
        "approval": "Call it where it can wait: with a stored connection and a database.",
        "in_doubt": (
            "Check with the provider whether it took effect before you send it again (invocation "
            "{id}); 'onDoubt': 'retry' is for callers "
            "who would rather send it twice than not at all."
        ),
        "ask_again": (
            "The provider keeps the key until {until}: before that, the same call with the same "
            "idempotencyKey takes effect once. Later it could take effect twice: check with the "
            "provider first (invocation {id})."
        ),
        "in_part": (
            "Check with the provider whether it took effect before you send it again (invocation "
            "{id}): the details list the completed "
            "steps. It was not retried, because this would repeat them."
        ),
        "send_again": (
            "It may have taken effect. Its effect is the same however often it is sent: send "
            "the same call again."
        ),
        "may_be_queued": (
            "Look for the invocation {id} once the database is back; repeat it only if it is "
            "not there, or under its key."
        ),
        "add_connection": "Add a connection, or give one inline.",
        "oauth_clients": "Ask the operator for the OAuth clients.",
        "upload": "Store it again.",
        "workspaces": "The list of workspaces has their names.",
        "rules": "Ask the workspace's administrator.",
        "role_grants": 'Write [{"role": "operator", "workspace": "acme", "group": "it-support"}].',
        "database_busy": "Find out what keeps it busy.",
        "skipped": "Resolve them.",
        "host_access": (
            "Connections of remote callers need the operator's permission for this: the "
            "workspace's setting '{setting}'."
        ),
        "only_hosts": (
            "Nothing was sent. Add the host to 'only_hosts' of Jackfield(…), or to "
            "JACKFIELD_ONLY_HOSTS."
        ),
        "allow_host": (
            "Use a public host. The operator can allow an internal one: the shared setting "
            "allowHosts, or JACKFIELD_ALLOW_HOSTS."
        ),
        "resolve_at_proxy": (
            "Check the name. If only the proxy can resolve it, the operator can leave it to "
            "that: JACKFIELD_RESOLVE_AT_PROXY=1."
        ),
    },
    "cli": {
        "action_schema": "'jackfield schema {connector} {action}' shows the schema of its inputs.",
        "connection_schema": (
            "'jackfield schema {connector} --connection {type}' shows the schema of its values."
        ),
        "invocation_schema": (
            "An invocation has connector, action and inputs; 'jackfield invoke --help' lists "
            "the optional members."
        ),
        "connectors": (
            "'jackfield connectors list' shows what is installed; connectors are Python packages, "
            "such as jackfield-aws-ses. One of your "
            "own needs 'pip install --editable FOLDER'."
        ),
        "actions": (
            "'{connector}' has {count} actions; the nearest names are {names}. See "
            "'jackfield search --connector {connector}'."
        ),
        "offer": "Run 'jackfield offers add {pattern}'.",
        "approval": "Call it where it can wait: with a stored connection, by 'jackfield invoke'.",
        "only_hosts": "Nothing was sent. Add the host to JACKFIELD_ONLY_HOSTS.",
    },
}
"""Words of the steps by surface. A surface without words for a step uses the library's."""
_SURFACES: dict[str, Callable[[str, str], str]] = {}
"""Functions that word the hints of surfaces whose words depend on the reader, or that add to plain
texts.
"""
OF_PROVIDERS: Mapping[str, str] = {
    "rejected": (
        "The provider refused this request for its content: correct what its message names. "
        "Unchanged, it is refused again."
    ),
    "not_found": (
        "Check the names and IDs in the inputs, and whether the account of the connection "
        "may see what they name."
    ),
    "conflict": "Look at the present state at the provider, then decide whether to send this again.",
    "forbidden": "Give the account of the connection the permission that this action needs.",
    "unauthenticated": "Check the credentials of the connection at the provider.",
    "quota_exceeded": "Wait until the quota is renewed, or ask the provider for a higher one.",
    "rate_limited": "Send it again later, or fewer at a time.",
    "unavailable": "The failure is on the provider's side: try again later.",
}
"""Hints by code, for a provider's answers without a hint of the connector."""


def add_words(surface: str, words: Mapping[str, str]) -> None:
    """Add the words of a distribution for one surface; words for ``library`` define its steps."""
    _WORDS.setdefault(surface, {}).update(words)


def add_surface(name: str, wording: Callable[[str, str], str]) -> None:
    """Let ``wording`` word all hints of a surface. It gets the hint, and the rest of the surface's
    name after a colon.
    """
    _SURFACES[name] = wording


class NextStep(str):
    """Hint with one wording per surface. As a string it is the library's wording; ``more`` is
    appended to every wording.
    """

    __slots__ = ("facts", "kind", "more")

    kind: str
    more: str
    facts: Mapping[str, str]

    def __new__(cls, kind: str, *, more: str = "", **facts: str) -> Self:
        """Create the hint; ``facts`` fill the placeholders of its wordings.

        :raises KeyError: if no imported distribution has such a step.
        """
        return cls.of(_filled(_WORDS["library"][kind], more, facts), kind, more, facts)

    @classmethod
    def of(cls, text: str, kind: str, more: str, facts: Mapping[str, str]) -> Self:
        """Return a step with another process's wording, if this process has not imported the step's
        distribution.
        """
        made = super().__new__(cls, text)
        made.kind, made.more, made.facts = kind, more, facts
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the wording, too: another process need not have imported the distribution of the
        step.
        """
        return NextStep.of, (str(self), self.kind, self.more, self.facts)

    def said(self, words: str | None) -> str:
        """Return the hint in the ``words`` of a surface; without them, in the library's words."""
        return str(self) if words is None else _filled(words, self.more, self.facts)


def worded(hint: str | None, surface: str) -> str | None:
    """Return the hint as worded for ``surface``. A plain string stays unchanged, except for
    surfaces that add to it.
    """
    name, _, caller = surface.partition(":")
    if hint is None or name not in _SURFACES:
        return (
            hint.said(_WORDS.get(name, {}).get(hint.kind)) if isinstance(hint, NextStep) else hint
        )
    return _SURFACES[name](hint, caller)


def restored(hint: str | None) -> str | None:
    """Return a stored hint as its original step, if it was a step, so that each surface can word it
    again. Other hints stay unchanged.
    """
    if hint is None or isinstance(hint, NextStep):
        return hint
    for kind, kept in _WORDS["library"].items():
        found = _kept_as(kind, kept, hint)
        if found is not None:
            return found
    return hint


def _kept_as(kind: str, kept: str, hint: str) -> NextStep | None:
    """Parse a step from its library's wording: the inserted facts, and the following text. None if
    the hint has another wording.
    """
    names, place = list[str](), 0
    if not hint.startswith(kept.partition("{")[0]):
        return None
    pattern = ""
    for fact in re.finditer(r"\{(\w+)\}", kept):
        pattern += re.escape(kept[place : fact.start()]) + (
            "(.{1,200}?)" if fact[1] not in names else f"\\{names.index(fact[1]) + 1}"
        )
        names += [] if fact[1] in names else [fact[1]]
        place = fact.end()
    found = re.fullmatch(f"{pattern}{re.escape(kept[place:])}(?: (.*))?", hint, re.DOTALL)
    if found is None:
        return None
    return NextStep(
        kind, more=found[len(names) + 1] or "", **dict(zip(names, found.groups()[:-1], strict=True))
    )


def _filled(text: str, more: str, facts: Mapping[str, str]) -> str:
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", value)
    return f"{text} {more}" if more else text
