"""People who sign in to the console at the operator's identity provider: their current rights, and
how long these are valid.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from jackfield.callers.actor import Actor
from jackfield.callers.roles import (
    Rights,
    RoleGrant,
    made_grant,
    read_grants,
    rights_in,
    workspaces_of,
)
from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.wire.guard import Guard
from jackfield.wire.outbound import way_out
from jackfield_service.shell.identity.identity_providers import Oidc
from jackfield_service.shell.identity.oidc import OidcProvider, ProviderAway, Refused
from jackfield_store.access import DEFAULT, Audit, UnknownWorkspace, Workspaces
from jackfield_store.access.sign_ins import Person, SignIns
from jackfield_store.database.setting_rows import ROLES
from jackfield_store.management.roles import Roles

if TYPE_CHECKING:
    from jackfield.callers.caller import PersonKey
    from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.http")
LASTS = 900.0
"""Seconds for which the provider's data about a person is valid: a person removed from a group
loses its roles by then.
"""
_AWAY = 10.0
"""Seconds after a failure before the next renewal at the provider, so that requests do not fill the
threads while it is unavailable.
"""
_LOOKS, _LOOK = 50, 0.1
"""Number of checks, and seconds between them, in which a request waits for another request's
renewal.
"""


class People:
    """People of one server. Thread-safe; ``current`` may wait for the provider."""

    def __init__(self, settings: Oidc, storage: Storage, clock: Clock, guard: Guard) -> None:
        self.provider = OidcProvider(settings, clock, guard, way_out(storage.environment))
        self._storage = storage
        self._clock = clock
        self._away_until = 0.0
        self._read: tuple[str, tuple[RoleGrant, ...]] = ("", ())

    @property
    def sign_ins(self) -> SignIns:
        """Sign-ins in the database."""
        return SignIns(self._storage.database, self._storage.vault, self._clock)

    @property
    def grants(self) -> tuple[RoleGrant, ...]:
        """Grants of roles that are valid now; none if the setting cannot be read."""
        text = self._storage.shared_setting(ROLES)
        if text != self._read[0]:
            try:
                self._read = text, read_grants(text)
            except InvalidInvocation as error:
                _LOG.warning("nobody has a role: %s", error.message)
                self._read = text, ()
        return self._read[1]

    def current(self, identifier: str) -> Person | None:
        """Return a person who is signed in, renewed at the provider if due; None if the sign-in has
        ended, or cannot be renewed.
        """
        person = self.sign_ins.find(identifier)
        if person is None or self._holds(person):
            return person
        if not person.refresh or self._clock.monotonic() < self._away_until:
            return None
        return (
            self._renewed(identifier)
            if self.sign_ins.take_turn(identifier)
            else self._awaited(identifier)
        )

    def rights(self, person: Person, workspace: str) -> Rights | None:
        """Return a person's rights in a workspace; None for a person without rights."""
        return rights_in(self.grants, workspace, person.issuer, person.subject, person.groups)

    def rights_of(self, key: PersonKey, workspace: str) -> Rights | None:
        """Return the rights in a workspace of the person with this ``key_of`` value; None for a
        person without rights.
        """
        return rights_in(self.grants, workspace, *key)

    def key_of(self, person: Person) -> PersonKey:
        """Return the facts by which a person's call is checked again later: issuer, subject, and
        the groups that roles name.
        """
        named = {one.group for one in self.grants}
        return (
            person.issuer,
            person.subject,
            tuple(group for group in person.groups if group in named),
        )

    def workspaces(self, person: Person) -> tuple[str, ...]:
        """Return the workspaces that a person may enter; for an operator, the operator's workspace
        comes first.
        """
        found = workspaces_of(self.grants, person.issuer, person.subject, person.groups)
        every = (DEFAULT,) if "*" in found else ()
        return tuple(dict.fromkeys((*every, *(name for name in found if name != "*"))))

    def landing(self, person: Person, before: str = "") -> str | None:
        """Return the workspace that a person enters first: ``before`` if the person has rights
        there. None if no workspace is active.
        """
        workspaces = Workspaces(self._storage.database, self._storage.vault, self._clock)
        first: tuple[str, ...] = (
            (before,) if before and self.rights(person, before) is not None else ()
        )
        for name in (*first, *self.workspaces(person)):
            try:
                if not workspaces.settings(name).suspended or name == DEFAULT:
                    return name
            except UnknownWorkspace:
                continue
        return None

    def accept(self, person: Person, secret: str) -> bool:
        """Give a person the role of an invitation, which is used up; return False if the invitation
        is no longer valid.
        """
        found = self.sign_ins.invited(secret, spend=True)
        if found is None:
            return False
        roles = Roles(self._storage, self._clock, Actor("user", person.id, person.name))
        roles.add(made_grant(found[0], found[1], issuer=person.issuer, subject=person.subject))
        return True

    def log_out(self, subject: str, session: str) -> None:
        """End the sign-ins of a session or a person that has ended at the provider."""
        for person in self.sign_ins.end_at(self.provider.issuer, subject, session):
            self._note_end(person, "the identity provider ended the session")

    def _note_end(self, person: Person, reason: str) -> None:
        storage = self._storage
        log = Audit(
            storage.database,
            lambda: storage.vault,
            DEFAULT,
            self._clock,
            Actor("user", person.id, person.name),
        )
        log.record("session.ended", "console", {"reason": reason})

    def _holds(self, person: Person) -> bool:
        return self._clock.time() - person.verified_at < LASTS

    def _renewed(self, identifier: str) -> Person | None:
        """Renew a sign-in. The caller holds the turn for it, since a refresh token can be used only
        once. Return None if the sign-in has ended, or the provider is unavailable.
        """
        person = self.sign_ins.find(identifier)
        # another has renewed it before this request had the turn
        if person is None or self._holds(person):
            self.sign_ins.give_back(identifier)
            return person
        try:
            found = self.provider.renewed(person)
        except Refused as refusal:
            _LOG.info("a session of the console ends: %s", refusal)
            self.sign_ins.end(identifier)
            self._note_end(person, "the identity provider refused to renew the session")
            return None
        except ProviderAway as fault:
            _LOG.warning("sessions of the console cannot be renewed: %s", fault)
            self._away_until = self._clock.monotonic() + _AWAY
            self.sign_ins.give_back(identifier)
            return None
        self.sign_ins.renew(identifier, found)
        return found

    def _awaited(self, identifier: str) -> Person | None:
        """Wait for another request's renewal, and return the renewed person; None if the sign-in
        has ended, or no renewal came in time.
        """
        for _ in range(_LOOKS):
            time.sleep(_LOOK)
            person = self.sign_ins.find(identifier)
            if person is None or self._holds(person):
                return person
        return None
