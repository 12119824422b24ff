"""Four-eyes rule: the persons who have requested a call may not approve it.

A call is requested by its caller, and by the authors of a schedule or subscription that started it.
The creator of the token used counts as a requester, and so does each creator of the creator's token
or platform, up to the first. The holder of a one-time link may be anyone with an account on the
server, like the accounts of the command line. Tokens created by the operator belong to the people
who get them; two tokens with another common creator belong to one person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import NotAllowed
from jackfield.kernel.local import account_keys
from jackfield_store.access import Tokens, UnknownToken
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.access.tokens import OPERATORS

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.callers.actor import Actor
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Database
    from jackfield_store.keys.vault import Vault

_PROGRAM = "library"
_UNKNOWN = "operator"
"""Creator of a token that was made before its creator was recorded."""
_ELSE = "Let somebody else decide on it, such as whoever has a token of the scope 'approve'."


def asker_keys(stored: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys (``Actor.key``) under which a caller and the caller's fellow authors may
    decide; ``stored`` is the output of ``Caller.to_json``.
    """
    token, name = stored.get("token"), stored.get("caller")
    if token is not None:
        own = {f"token:{token}"}
    elif stored.get("remote"):
        own = (
            {f"user:{name}", f"link:{name}", "link"}
            if stored.get("audience") == "operator"
            else {f"user:{name}"}
        )
    else:
        own = {name or "library"}
    return frozenset(own) | {*stored.get("authors", ())}


def joined(caller: Caller, before: Mapping[str, Any]) -> Caller:
    """Return a caller who takes over another's content, as one of its authors; ``before`` is the
    other author's ``Caller.to_json``.
    """
    return replace(
        caller, authors=tuple(sorted(asker_keys(before) | {*caller.to_json().get("authors", ())}))
    )


class OwnCalls:
    """Four-eyes rule for the calls of one workspace."""

    def __init__(self, database: Database, vault: Vault, workspace: str, clock: Clock) -> None:
        self._tokens = Tokens(database, vault, workspace, clock)
        self._platforms = PlatformTokens(database, vault, clock)

    def refuse(self, stored: Mapping[str, Any], approver: Actor) -> None:
        """Refuse an approver who has requested the call; ``stored`` is its caller in the form of
        ``Caller.to_json``.

        :raises NotAllowed: if the approver has requested the call, or the creator of one of the
            tokens is no longer known.
        """
        askers, own = (
            asker_keys(stored),
            {approver.key, approver.person, *(account_keys() if approver.kind == _PROGRAM else ())},
        )
        above = {creator for asker in askers for creator in self._creators(asker)}
        made = {
            creator
            for creator in self._creators(approver.key)
            if _kind(creator) not in (*OPERATORS, _UNKNOWN)
        }
        for found, why in (
            (_meet(askers, own), "you have asked for it, or written what starts it"),
            (_meet(above, own), "you have created the token that asked for it"),
            (
                _meet(askers | above, made),
                "whoever asked for it has created your token, or both have one creator",
            ),
        ):
            if found:
                raise NotAllowed(
                    "not allowed: nobody approves his own call, or one by a token that he "
                    f"created: {why}",
                    hint=_ELSE,
                )

    def _creators(self, key: str) -> Iterator[str]:
        """Yield the creator of a token, the creator of that creator's token, and so on, to the
        first.

        :raises NotAllowed: if a token of the chain no longer exists, or was changed in the
            database: then the earlier creators are unknown.
        """
        seen = set[str]()
        while key not in seen and _kind(key) in ("token", "platform"):
            seen.add(key)
            kind, _, identifier = key.partition(":")
            key = self._creator(kind, identifier)
            yield key

    def _creator(self, kind: str, identifier: str) -> str:
        try:
            found = (
                self._platforms.find(identifier)
                if kind == "platform"
                else self._tokens.find(identifier)
            )
        except UnknownToken:
            found = None
        if found is None or found.unreadable:
            text = (
                "not allowed: it is not known any more who has created the token of this "
                "call, or yours"
            )
            raise NotAllowed(text, hint="Decline it, and let somebody else ask.")
        return found.created_by or _UNKNOWN


def _meet(ones: Iterable[str], others: Collection[str]) -> bool:
    """Return whether one person may be in both groups of actor keys."""
    return any(_may_be_one(_person(one), _person(other)) for one in ones for other in others)


def _may_be_one(one: str, other: str) -> bool:
    if one == other:
        return True
    kinds = {_kind(one), _kind(other)}
    if _UNKNOWN in kinds:
        return kinds <= {_UNKNOWN, *OPERATORS}
    return kinds == {"cli", "link"}


def _kind(key: str) -> str:
    return key.partition(":")[0]


def _person(key: str) -> str:
    """Return the key of an actor without an issuer. A person who signed in to the console has an
    issuer (``ISSUER#SUBJECT``), a person who sends a JWT has none: equal subjects count as one
    person.
    """
    _, marked, subject = key.partition("#")
    return (
        f"user:{subject}" if marked and key.startswith(("user:https://", "user:http://")) else key
    )
