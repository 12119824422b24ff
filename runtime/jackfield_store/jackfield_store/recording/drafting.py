"""Drafts of the journal's entries: the facts about a call as it is received."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.filling import compared
from jackfield.invocation.request import DEFAULT_PRIORITY
from jackfield.kernel.dataclass import replace
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.recording.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.call.reached import Asked, Reached
    from jackfield.call.tally import Dependencies
    from jackfield.invocation import Invocation, Meta
    from jackfield.invocation.entry import Draft
    from jackfield_store.journal.journal import Journal


async def drafted(
    asked: Asked, call: Reached, journal: Journal, dependencies: Dependencies
) -> Record:
    """Draft the journal's entry of a call."""
    how, invocation = asked.how, asked.invocation
    fingerprint, compares = None if how.claimed is None else how.claimed.fingerprint, None
    if fingerprint is None and invocation.idempotency_key is not None:
        compares = await compared(
            how.waiter,
            invocation,
            dependencies.files,
            dependencies.workspace,
            how.caller.owner,
            asked.given.files,
        )
        fingerprint = _fingerprinted(journal, compares)
    draft = draft_of(invocation, how.meta, fingerprint, how.caller.name, journal.time.stamp())
    draft.key_space = invocation.key_space or how.caller.key_space
    record = Record(journal, draft, asked, call, dependencies.clock)
    if how.again is not None:
        record.ask(how.again.entry)
    if compares is not None and compares.formerly is not None:
        record.formerly = partial(_fingerprinted_formerly, journal, compares, compares.formerly)
    if compares is not None:
        record.fingerprints = partial(
            _fingerprint_again, journal, compares, draft, journal.vault.hmac_key(journal.workspace)
        )
    return record


def _fingerprint_again(journal: Journal, invocation: Invocation, draft: Draft, key: str) -> None:
    """Compute a request's fingerprint anew if the workspace's ``key`` has changed since its
    settings were read. Another process may have purged and remade the workspace: repeats are
    recognized by the new keys.
    """
    if journal.vault.hmac_key(journal.workspace) != key:
        draft.fingerprint = _fingerprinted(journal, invocation)


def _fingerprinted(journal: Journal, invocation: Invocation) -> str:
    """Compute the fingerprint of a request: connector, action, connection and inputs as received.

    Inputs that are not JSON equal no other inputs; the later check refuses them.
    """
    request = {
        "connector": invocation.connector,
        "action": invocation.action,
        "connection": invocation.connection,
        "inputs": invocation.inputs if invocation.about is None else invocation.about,
    }
    found = attempt(journal.fingerprint, request)
    return (
        journal.fingerprint({"never": secrets.token_hex()}) if isinstance(found, Raised) else found
    )


def _fingerprinted_formerly(
    journal: Journal, invocation: Invocation, formerly: Callable[[], Any]
) -> str:
    return _fingerprinted(journal, replace(invocation, about=formerly()))


def draft_of(
    invocation: Invocation, meta: Meta, fingerprint: str | None, caller: str | None, now: float
) -> Draft:
    """Create the draft of an entry for an invocation that was received at ``now``."""
    from jackfield.invocation.entry import Draft

    return Draft(
        id=meta.invocation_id,
        connector=invocation.connector[:200],
        connector_version=None,
        action=invocation.action[:200],
        effect=None,
        connection=invocation.connection[:100] if isinstance(invocation.connection, str) else None,
        caller=caller,
        created_at=now,
        expires_at=now + invocation.timeout_seconds,
        fingerprint=fingerprint,
        idempotency_key=None if invocation.dry_run else invocation.idempotency_key,
        key_space=invocation.key_space,
        dry_run=invocation.dry_run,
        context=invocation.context or None,
        not_before=invocation.not_before,
        not_after=invocation.not_after,
        priority=DEFAULT_PRIORITY if invocation.priority is None else invocation.priority,
        kept_for=invocation.kept_for,
    )
