"""Resolution of an invocation's names under the rules, for the first stage: a caller learns only of
names that the rules let it see. Members of an invocation that the action, or its way to the
provider, does not support are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from jackfield.callers.caller import seen_catalog
from jackfield.kernel.errors import (
    ApprovalRequired,
    Detail,
    InvalidInvocation,
    NotAllowed,
    UnknownAction,
    UnknownConnection,
    UnknownName,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep

if TYPE_CHECKING:
    from jackfield.call.ports import Access, Settings
    from jackfield.callers import Authorizer, Caller, Request
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.invocation import Invocation, Meta
    from jackfield.invocation.entry import Entry
    from jackfield.manifest.manifest import ActionManifest, Manifest

_MOST_NAMED = 5
_MAX_TESTED = 10_000
"""Maximum number of stored connections of a type that are tested against the rules."""
NEEDS_APPROVAL, NOT_PERMITTED = "not looked: needs approval", "not looked: the rules forbid it"
"""Messages about looks for evidence that need an approval or that the rules forbid."""

Note = Callable[[str], object]


def find_action(manifest: Manifest, key: str, catalog: Catalog | None = None) -> ActionManifest:
    """Find the action ``key`` of a connector. ``catalog`` also knows the actions that exist but are
    not offered.

    :raises UnknownAction: if the connector has no action of that name.
    """
    found = manifest.actions.get(key)
    if found is None:
        unoffered = catalog.unoffered_action(manifest.key, key) if catalog is not None else None
        if unoffered is not None:
            raise unoffered
        tail = did_you_mean(key, manifest.actions)
        raise UnknownAction(
            f"'{manifest.key}' has no action '{key[:80]}'{tail}",
            hint=_known_actions(manifest, key[:80]),
        )
    return found


def _known_actions(manifest: Manifest, key: str) -> str:
    known = sorted(manifest.actions)
    if len(known) <= _MOST_NAMED:
        return f"'{manifest.key}' has {', '.join(known) or 'no actions'}."
    folded = {name.casefold(): name for name in known}
    nearest = [folded[name] for name in get_close_matches(key.casefold(), folded, _MOST_NAMED, 0)]
    return NextStep(
        "actions", connector=manifest.key, count=f"{len(known):,}", names=", ".join(nearest)
    )


def find_called(
    invocation: Invocation, catalog: Catalog, authorizer: Authorizer, meta: Meta, note: Note | None
) -> tuple[Manifest, ActionManifest]:
    """Find the connector and the action of a call, and note the connector's version.

    :raises UnknownConnector: if the connector does not exist.
    :raises UnknownAction: if the action does not exist.
    :raises NotAllowed: if the rules forbid every way to run it, whether it exists or not.
    """

    def refuse() -> None:
        if authorizer.is_bound:
            whole = catalog.look(invocation.connector)[1]
            authorizer.refuse_unknown(
                whole,
                _request(invocation, "write"),
                note,
                any_connection=invocation.connection is None,
            )

    seen = seen_catalog(catalog, authorizer)
    if not seen.has(invocation.connector, invocation.action):
        refuse()  # before another connector is looked for that may be meant
    try:
        manifest = seen.find(invocation.connector, invocation.connector_version)
        meta.connector_version = manifest.version
        return manifest, find_action(manifest, invocation.action, seen)
    except UnknownName:
        refuse()
        raise


def require_call(
    invocation: Invocation,
    manifest: Manifest,
    action: ActionManifest,
    authorizer: Authorizer,
    note: Note | None,
) -> None:
    """Check the rules for a call with the connection that it names, whether that connection exists
    or not.

    A call that needs a connection and names none is checked when the connection is chosen.

    :raises NotAllowed: if a rule forbids the call.
    """
    if (
        invocation.connection is not None
        or not manifest.connection_types
        or not action.needs_connection
    ):
        authorizer.require(_request(invocation, action.rule_effect), note)


def require_trace(caller: Caller, note: Note | None) -> None:
    """Check that a caller may have the bodies of a provider's exchanges stored.

    :raises NotAllowed: if the scope of its token is less than 'manage'.
    """
    if caller.scope in ("manage", "manage approve") or (caller.scope is None and not caller.remote):
        return
    text = (
        "not allowed: 'trace' keeps what the provider answers, which needs a token of the "
        "scope 'manage'"
    )
    if note is not None:
        note(text)
    raise NotAllowed(
        text,
        details=[Detail("/trace", "needs the scope 'manage'")],
        hint="Leave 'trace' out, or use another token.",
    )


def asked_for(
    manifest: Manifest, action: ActionManifest, over: object, authorizer: Authorizer
) -> str | None:
    """Return why a call must wait for a person's approval, by the rules for its action or for an
    action that it includes. ``over`` is the call's connection. None if no rule asks for an
    approval.
    """
    effects = {action.key: action.rule_effect} | {
        key: manifest.actions[key].rule_effect for key in action.allowed_with
    }
    found = (
        authorizer.asks(_rule_request(manifest.key, key, effect, over))
        for key, effect in effects.items()
    )
    return next((sentence for sentence in found if sentence is not None), None)


def require_others(
    manifest: Manifest,
    action: ActionManifest,
    over: object,
    authorizer: Authorizer,
    note: Note | None,
) -> None:
    """Check the rules for the other actions that a caller must be allowed to call. ``over`` is the
    call's connection.

    :raises NotAllowed: if a rule forbids one of the actions, or one of them is not offered.
    """
    for key in action.allowed_with:
        other = manifest.actions.get(key)
        if other is None:
            text = (
                f"not allowed: '{action.key}' is for callers who may call '{key}', too, and "
                "it is not offered here"
            )
            raise NotAllowed(text, hint=f"Whoever offers '{manifest.key}' can offer '{key}'.")
        authorizer.require(_rule_request(manifest.key, key, other.rule_effect, over), note)


def look_barred(
    access: Access, caller: Caller, manifest: Manifest, over: object, key: str
) -> str | None:
    """Return why a caller may not look for evidence of a call with the action ``key``; None if the
    caller may.

    ``over`` is the connection of the call: its name, or inline values.
    """
    action, authorizer = manifest.actions.get(key), access.authorizer(caller)
    if action is None:
        return NOT_PERMITTED
    try:
        authorizer.require(_rule_request(manifest.key, key, action.rule_effect, over))
        require_others(manifest, action, over, authorizer, None)
    except NotAllowed:
        return NOT_PERMITTED
    return None if asked_for(manifest, action, over, authorizer) is None else NEEDS_APPROVAL


def is_guarded(settings: Settings, connection: str | None, action: ActionManifest) -> bool:
    """Return whether suppressed recipients of a call are refused.

    :raises NotAllowed: if the guard has paused the connection and the action does more than read,
        such as hand out credentials.
    """
    guard = settings.guard_of(connection)
    if guard is None:
        return False
    if "paused" in guard and action.rule_effect != "read":
        figures = settings.figures(guard["paused"])
        hint = (
            "Nothing was sent. Find out why; who controls the workspace resumes the "
            "connection by setting its guard again."
        )
        raise NotAllowed(
            f"not allowed: the workspace's guard has paused the connection '{connection}' "
            f"({figures})",
            hint=hint,
        )
    return bool(guard.get("refuse", True))


def sees_entry(authorizer: Authorizer, catalog: Catalog, entry: Entry) -> bool:
    """Return whether the rules let the caller see a journal entry."""
    if not authorizer.token:
        return True
    manifest = catalog.look(entry.connector)[1]
    return authorizer.sees_entry(
        manifest, entry.connector, entry.action, entry.effect, entry.connection
    )


def _request(invocation: Invocation, effect: str) -> Request:
    return _rule_request(invocation.connector, invocation.action, effect, invocation.connection)


def _rule_request(connector: str, action: str, effect: str, over: object) -> Request:
    """Return the request that the rules judge for a call. ``over`` is a connection's name, inline
    values, or None.
    """
    from jackfield.callers.rules import INLINE, Request

    return Request(
        connector, action, effect, over if over is None or isinstance(over, str) else INLINE
    )


def permitted(
    connections: Connections,
    manifest: Manifest,
    action: str,
    authorizer: Authorizer,
    note: Note | None,
) -> list[tuple[str, str]]:
    """Return the connections that fit a call that names none and that its caller may use.

    :raises NotAllowed: if there is no such connection and the rules forbid the action itself.
    """
    about = manifest.actions[action]
    fitting = (
        connections.fitting(manifest, _MAX_TESTED)
        if authorizer.asks_for_connections
        else connections.fitting(manifest)
    )
    found = [(name, kind) for name, kind in fitting if authorizer.permits(manifest, about, name)]
    authorizer.require(
        _rule_request(manifest.key, action, about.rule_effect, found[0][0] if found else None), note
    )
    return found


def seen_connection(
    connections: Connections, name: str, manifest: Manifest, authorizer: Authorizer
) -> NamedConnection:
    """Find a connection by name, if the rules let the caller use it with the connector.

    For a restricted caller, a connection of another connector is reported as unknown, since the
    rules may hide it.

    :raises UnknownConnection: if there is no such connection.
    """
    if not authorizer.is_bound:
        return connections.find(name)

    def sees(other: str, kind: str) -> bool:
        return authorizer.uses(manifest, other, kind)

    try:
        found = connections.find(name)
    except UnknownConnection:
        raise connections.unknown(name, sees) from None
    if manifest.connection_type(found.type) is None:
        raise connections.unknown(name, sees)
    return found


def refuse_queue_members(invocation: Invocation) -> None:
    """Refuse members that apply only to queued invocations.

    :raises InvalidInvocation: with all these members.
    """
    members = {
        "notBefore": invocation.not_before,
        "notAfter": invocation.not_after,
        "priority": invocation.priority,
    }
    _refuse_members(
        members,
        "is for queued invocations only",
        "Queue it ('Prefer: respond-async'), or omit them.",
    )


def refuse_part(invocation: Invocation) -> None:
    """Refuse ``select`` and ``maxBytes`` in a queued call: nobody waits for its output, and the
    journal stores all of it.

    :raises InvalidInvocation: if the call has one of these members.
    """
    members, hint = (
        {"select": invocation.select, "maxBytes": invocation.max_bytes},
        "Leave it out: the journal has the output.",
    )
    _refuse_members(members, "is for a call that waits for its output", hint)


def _refuse_members(members: Mapping[str, object], why: str, hint: str) -> None:
    details = [
        Detail(f"/{name}", f"'{name}' {why}")
        for name, value in members.items()
        if value is not None
    ]
    if details:
        some = (
            "1 member of the invocation is"
            if len(details) == 1
            else f"{len(details)} members of the invocation are"
        )
        raise InvalidInvocation(f"{some} not valid", details=details, hint=hint)


def refuse_job_timeout(action: ActionManifest) -> None:
    """Refuse ``jobTimeoutSeconds`` for an action that is not a job.

    :raises InvalidInvocation: if the action is not a job.
    """
    if not action.is_job:
        detail = Detail(
            "/jobTimeoutSeconds",
            f"'jobTimeoutSeconds' is for jobs only, and '{action.key}' ends with its call",
        )
        raise InvalidInvocation(
            "1 member of the invocation is not valid",
            details=[detail],
            hint="Omit it; 'timeoutSeconds' limits the call.",
        )


def approval_required(rule: str, reason: str) -> ApprovalRequired:
    """Return the error for a call that needs a person's approval and cannot wait for it; ``reason``
    says why.
    """
    return ApprovalRequired(f"{rule}, and {reason}; nothing was sent", hint=NextStep("approval"))
