"""The caller of an invocation: identity, the rights of the request, and the connectors that the
caller sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.exports import late_hints
from jackfield.kernel.local import COMMAND_LINE, account_keys

if TYPE_CHECKING:
    from jackfield.callers.authorizer import Authorizer
    from jackfield.callers.rules import Rules, Scope
    from jackfield.catalog.installed import Catalog
    from jackfield.catalog.offering import Audience

PersonKey = tuple[str, str, tuple[str, ...]]
"""Type of a person's key: issuer, subject and groups."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Caller of an invocation: a name for the journal, and the scope and rules of a token; the
    operator's own calls have neither.

    ``remote`` callers use a network, so their inline connections have less access to the server
    (``HostAccess``). ``token`` is the ID of a stored token, with which a worker checks its rights
    again; ``ended`` says why it is no longer valid. ``session`` is the session of a client that has
    neither token nor name.
    """

    name: str | None = None
    scope: Scope | None = None
    rules: Rules | None = field(default=None, repr=False)
    remote: bool = False
    token: str | None = None
    ended: str | None = None
    audience: Audience = "tenant"
    """Audience of the caller. Offers differ for the operator's own surfaces, for tenants, and for
    clients with their own offers.
    """
    session: str | None = field(default=None, repr=False)
    waits: bool = True
    """False on a surface that cannot report that a call waits for a person's approval: such a call
    is refused.
    """
    person: PersonKey | None = field(default=None, repr=False)
    """Person who signed in at the identity provider. A worker checks the call again by the person's
    current roles.
    """
    key_space: str = ""
    """Space of the idempotency keys of its calls, if jackfield makes them, as for a schedule's
    slots.
    """
    authors: tuple[str, ...] = field(default=(), repr=False)
    """Other authors of the call (``Actor.key``), such as a person who changed a schedule. Like the
    caller, they must not approve the call.
    """

    @property
    def origin(self) -> Literal["operator", "remote"]:
        """Origin of the values of an inline connection."""
        return "remote" if self.remote else "operator"

    @property
    def identity(self) -> tuple[str, str] | None:
        """Identity that is equal in all requests of a caller: a stored token, the subject of a JWT
        or a session. None for the process's own code and the command line, which several people may
        use.
        """
        if self.session is not None:
            return "session", self.session
        return (
            None
            if not self.remote or self.name is None
            else ("user", self.name)
            if self.token is None
            else ("token", self.token)
        )

    @property
    def is_apart(self) -> bool:
        """True for clients with their own offers of actions (``kernel.packages.AUDIENCES``)."""
        return self.audience not in ("operator", "tenant")

    @property
    def end(self) -> str | None:
        """Sentence that says why the caller's rights have ended; None if they have not."""
        return (
            None
            if self.ended is None
            else f"the {'token' if self.person is None else 'person'} {self.ended}"
        )

    @property
    def owner(self) -> str | None:
        """Name of the caller whose files and outputs this caller may use; None for callers without
        rules, who may use all of the workspace.
        """
        return self.name if self.rules else None

    def to_json(self) -> dict[str, Any]:
        """Return the members by which a worker restores the caller of a queued invocation. A
        token's rules are not included: they are read again. A call of the process's own code
        includes the account under which the process runs.
        """
        known = {
            "caller": self.name,
            "token": self.token,
            "scope": self.scope,
            "remote": self.remote,
            "audience": self.audience,
        }
        is_program = self.name is None and not self.remote and not self.authors
        further = {"person": self.person, "authors": account_keys() if is_program else self.authors}
        return {**known, **{name: value for name, value in further.items() if value}}

    @property
    def told(self) -> str | None:
        """Sentence for the approver that says how a caller on this machine made the call; None for
        remote callers.
        """
        if self.remote:
            return None
        own = (
            name
            for name in (self.name, *self.authors, *account_keys())
            if name and name.startswith(f"{COMMAND_LINE}:")
        )
        who = next(own, COMMAND_LINE).removeprefix(f"{COMMAND_LINE}:")
        if self.is_apart:
            return f"asked over {self.audience.upper()} on this machine by {who}"
        return (
            f"asked by {who} on this machine"
            if self.name
            else f"asked by a program on this machine (user {who})"
        )


LIBRARY = Caller(audience="operator")
"""Caller that is the process's own code."""


def seen_catalog(whole: Catalog, authorizer: Authorizer, connection: str | None = None) -> Catalog:
    """Return the part of a catalog that a caller may see, over ``connection`` if it is given; all
    of it if no rules bind the caller.
    """
    if not authorizer.is_bound:
        return whole
    from jackfield.callers.visible_catalog import SeenCatalog

    return SeenCatalog(whole, authorizer, connection)


late_hints(__name__)
