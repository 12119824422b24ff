"""Roles of people who sign in at the operator's identity provider: named bundles of scopes and
rules, and their grants. No I/O.

A grant gives one role in one workspace to a group of the provider or to one person, who is
identified by issuer and subject, never by an e-mail address. All grants are one JSON array, the
shared setting ``roles``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from jackfield.callers.rules import APPROVE, SCOPES, Rules, Scope, may, united
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation, did_you_mean
from jackfield.kernel.hints import NextStep

_EVERYWHERE = "*"
_MOST = 500
_LONGEST = 1_000
_MEMBERS = ("role", "workspace", "group", "issuer", "subject")


@dataclass(frozen=True, slots=True)
class Role:
    """Bundle of a scope and rules. ``operates``: its holder manages all workspaces, as with a
    one-time link; ``grants``: its holder may create tokens of the scope ``approve``.
    """

    name: str
    scope: Scope
    about: str
    rules: Rules = Rules()
    operates: bool = False
    grants: bool = False


_BOUNDED = Rules(allow=("*",))
"""Rules that allow every action. A caller with rules manages neither tokens nor the workspace's
settings, and reads no audit log.
"""
ROLES: Mapping[str, Role] = MappingProxyType(
    {
        role.name: role
        for role in (
            Role("viewer", "read", "sees connectors, connections (masked) and calls"),
            Role("operator", "invoke", "also runs and cancels actions, and tests connections"),
            Role(
                "connector-manager",
                "manage",
                "also manages connections, schedules and subscriptions; neither tokens nor "
                "settings",
                _BOUNDED,
            ),
            Role("approver", APPROVE, "sees what a viewer sees, and decides on calls that wait"),
            Role(
                "admin",
                "manage approve",
                "does everything in the workspace, and lets others approve",
                grants=True,
            ),
            Role(
                "platform-admin",
                "manage approve",
                "is the operator in all workspaces",
                operates=True,
                grants=True,
            ),
        )
    }
)
"""Roles by name."""


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """Role in a workspace, for a ``group`` of the provider or for the person with ``issuer`` and
    ``subject``.
    """

    role: str
    workspace: str
    group: str = ""
    issuer: str = ""
    subject: str = ""

    def holds_for(self, issuer: str, subject: str, groups: Iterable[str]) -> bool:
        """Return whether a person has the role by this grant."""
        if self.group:
            return self.group in groups
        return (self.issuer, self.subject) == (issuer, subject)

    def to_json(self) -> dict[str, str]:
        """Return the grant as a JSON object without its empty members."""
        return {name: value for name in _MEMBERS if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class Rights:
    """Rights of a person in a workspace, combined from all the person's roles."""

    scope: Scope
    rules: Rules
    roles: tuple[str, ...]
    operates: bool = False
    grants: bool = False


def read_grants(text: str) -> tuple[RoleGrant, ...]:
    """Read the value of the setting ``roles``.

    :raises InvalidInvocation: if it is not valid, with the first fault.
    """
    try:
        found = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None
    if not isinstance(found, list) or len(found) > _MOST:
        raise _invalid(f"it must be a JSON array of at most {_MOST} grants")
    return tuple(dict.fromkeys(_grant(place, one) for place, one in enumerate(found)))


def write_grants(grants: Iterable[RoleGrant]) -> str:
    """Return grants as the value of the setting ``roles``."""
    return json.dumps([one.to_json() for one in grants], ensure_ascii=False, separators=(",", ":"))


def checked_grants(text: str) -> str:
    """Return the value of the setting ``roles`` in its stored form.

    :raises InvalidInvocation: if it is not valid.
    """
    return write_grants(read_grants(text)) if text.strip() else ""


def rights_in(
    grants: Iterable[RoleGrant], workspace: str, issuer: str, subject: str, groups: Iterable[str]
) -> Rights | None:
    """Return a person's rights in a workspace; None if the person has no rights in it. A platform
    operator has rights in every workspace.
    """
    known = frozenset(groups)
    roles = [
        ROLES[one.role]
        for one in grants
        if one.workspace in (workspace, _EVERYWHERE) and one.holds_for(issuer, subject, known)
    ]
    if not roles:
        return None
    ladder: Any = max(
        (role.scope.partition(" ")[0] for role in roles if role.scope != APPROVE),
        key=_rank,
        default=None,
    )
    scope = united(ladder, approves=any(may(role.scope, APPROVE) for role in roles))
    highest = [role for role in roles if may(role.scope, "manage")]
    rules = _BOUNDED if highest and all(role.rules for role in highest) else Rules()
    names = tuple(name for name in ROLES if any(role.name == name for role in roles))
    return Rights(
        scope or "read",
        rules,
        names,
        operates=any(role.operates for role in roles),
        grants=any(role.grants for role in roles),
    )


def workspaces_of(
    grants: Iterable[RoleGrant], issuer: str, subject: str, groups: Iterable[str]
) -> tuple[str, ...]:
    """Return the workspaces in which a person has a role, in the order of the grants; ``*`` means
    all workspaces.
    """
    known = frozenset(groups)
    return tuple(
        dict.fromkeys(one.workspace for one in grants if one.holds_for(issuer, subject, known))
    )


def made_grant(
    role: str, workspace: str, *, group: str = "", issuer: str = "", subject: str = ""
) -> RoleGrant:
    """Create a grant. A grant of ``platform-admin`` applies to all workspaces.

    :raises InvalidInvocation: if it is not valid.
    """
    everywhere = role in ROLES and ROLES[role].operates
    found = {
        "role": role,
        "workspace": _EVERYWHERE if everywhere else workspace,
        "group": group,
        "issuer": issuer,
        "subject": subject,
    }
    return _grant(0, {name: value for name, value in found.items() if value})


def _rank(scope: str) -> int:
    return tuple(map(str, SCOPES)).index(scope)


def _grant(place: int, found: Any) -> RoleGrant:
    if not isinstance(found, Mapping) or not all(
        isinstance(value, str) and value for value in found.values()
    ):
        raise _invalid(f"/{place} must be an object of texts that are not empty")
    unknown = next((name for name in found if name not in _MEMBERS), None)
    if unknown is not None:
        raise _invalid(
            f"/{place} has the unknown member "
            f"'{str(unknown)[:80]}'{did_you_mean(str(unknown), _MEMBERS)}"
        )
    role, workspace = found.get("role", ""), found.get("workspace", "")
    if role not in ROLES:
        raise _invalid(
            f"/{place}/role '{role[:80]}' is no role{did_you_mean(role, ROLES)}; they are "
            f"{', '.join(ROLES)}"
        )
    if ROLES[role].operates:
        workspace = workspace or _EVERYWHERE
    if not workspace or (workspace == _EVERYWHERE) != ROLES[role].operates:
        raise _invalid(
            f"/{place}/workspace must name one workspace, and * for platform-admin alone"
        )
    if ("group" in found) == ("subject" in found) or ("issuer" in found) != ("subject" in found):
        raise _invalid(f"/{place} must name a 'group', or 'issuer' and 'subject'")
    if any(len(value) > _LONGEST or not value.isprintable() for value in found.values()):
        raise _invalid(
            f"/{place} has a member that is not printable, or longer than {_LONGEST:,} characters"
        )
    return RoleGrant(
        role, workspace, found.get("group", ""), found.get("issuer", ""), found.get("subject", "")
    )


def _invalid(reason: str) -> InvalidInvocation:
    return InvalidInvocation(f"the roles are not valid: {reason}", hint=NextStep("role_grants"))
