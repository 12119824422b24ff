"""Work on one claimed subscription: its registration, renewal or removal at the provider, and its
poll.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from jackfield.call.call_rules import seen_connection
from jackfield.callers import Request
from jackfield.connections.named_connection import NamedConnection
from jackfield.connector.grants import Grant
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    InvalidInvocation,
    JackfieldError,
    NotFound,
    RateLimited,
    Unavailable,
    UnknownAction,
    UnknownName,
)
from jackfield.kernel.failures import Raised, attempt, contained
from jackfield_service.subjects.references import said
from jackfield_service.subjects.triggers.event_calls import EventCalls
from jackfield_service.subjects.triggers.guards import pause_exceeding
from jackfield_service.subjects.triggers.polling import Polling
from jackfield_service.subjects.triggers.subscriptions import check_inputs, hook_url
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.room import is_queue_full
from jackfield_store.management.provider_steps import call_of, over_connection
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.callers import Caller
    from jackfield.connector.triggers import Hook, Trigger, Webhook
    from jackfield.manifest.manifest import Manifest
    from jackfield_service.subjects.triggers.due import DueSubscriptions
    from jackfield_service.subjects.triggers.subscription import Sealed, Subscription
    from jackfield_store.runtime import Jackfield

_SECONDS = 30.0
"""Timeout in seconds of one step at the provider, which is shorter than a claim."""
_SHORTEST, _LONGEST = 5.0, 3600.0
"""Minimum and maximum seconds between two tries of a failing step; each failure doubles the
time.
"""
_PARTING = 12
"""Number of failures, over some hours, after which the attempts to notify a provider of a removed
connection end.
"""
_RENEWED = 30 * 86_400.0
"""Maximum seconds between two renewals."""
_TRIES = 8
"""Minimum number of tries in half the lifetime of a registration."""

_SUSPENDED = 300.0
"""Seconds between two checks whether a suspended workspace was resumed: thousands of such
workspaces must cost others nothing.
"""
_FULL = 2.0
"""Seconds between two checks whether the workspace's queue is no longer full."""
_POLLING = ("active", "degraded", "failing")
_LEAVING = ("disabling", "removing")


class SubscriptionWork:
    """Work on one subscription. ``base`` is the address of the server that receives webhooks;
    ``queued`` is true once an event has started an invocation.
    """

    def __init__(
        self, runtime: Jackfield, found: Subscription, due: DueSubscriptions, base: str
    ) -> None:
        self._runtime = runtime
        self._found = found
        self._due = due
        self._base = base
        self._lasts: float | None = None
        self._again: float | None = None
        """Seconds until an unfinished registration continues."""
        self._caller: Caller
        self.queued = False

    def work(self) -> None:
        """Do the due work, and end the claim.

        :raises OvertakenError: if another process has claimed it, or it was changed.
        :raises Unavailable: if the database is unavailable; the claim then expires.
        """
        # nothing is asked, and nothing has failed
        if self._runtime.access.settings.suspended and self._found.status not in _LEAVING:
            self._due.later(self._found, self._due.time.now() + _SUSPENDED)
            return
        try:
            content = self._open_subscription()
        except JackfieldError as error:
            self._put_off(error)
            return
        if self._has_to_wait(content):
            self._due.later(self._found, self._due.time.now() + _FULL)
            return
        worked = attempt(self._step, content)
        if isinstance(worked, Raised):
            failure = _of_author(worked.error)
            if not (self._is_hopeless(failure, content) and self._end(content)):
                self._put_off(failure)

    def _has_to_wait(self, content: Sealed) -> bool:
        """Return whether a poll waits, since the workspace's queue is full and its events would
        start calls. A webhook's events cannot be delayed: they are accepted, and their calls wait
        in the queue.
        """
        found, most = self._found, self._runtime.access.settings.limits.get("queued")
        if (
            most is None
            or not content.then
            or not found.polls
            or found.status not in _POLLING
            or self._renews
        ):
            return False
        return is_queue_full(self._runtime.storage.database, found.workspace, most)

    def _open_subscription(self) -> Sealed:
        """Decrypt the subscription, and look up its author's current rights."""
        content = self._found.opened(self._runtime.storage.vault)
        self._caller = self._runtime.access.queued_by(content.caller)
        return content

    def _is_hopeless(self, error: JackfieldError, content: Sealed) -> bool:
        """Return whether the provider cannot be notified: a connector, trigger or connection is
        gone, or the connection was removed long ago.
        """
        return isinstance(error, UnknownName) or (
            content.parting is not None and self._found.failures >= _PARTING
        )

    def _step(self, content: Sealed) -> None:
        self._lasts, how = content.lasts, self._caller.ended
        if self._found.status not in _LEAVING:
            if how is not None and self._found.kind == "webhook":
                self._abandon(content, token_ended(how))
            elif not content.leaving or not self._is_left(content):
                self._serve(
                    self._of_account(
                        replace(content, remote={}, lasts=None, leaving=False)
                        if content.leaving
                        else content
                    )
                )
        elif self._found.kind == "webhook":
            self._disable(content)
        else:
            self._end(content)

    def _is_left(self, content: Sealed) -> bool:
        """Finish the removal of a registration whose process died, before a new registration;
        return False if the provider refuses that.
        """
        try:
            self._disable(content)
        except JackfieldError as error:
            if error.retryable:
                raise
            return False
        return True

    def _serve(self, content: Sealed) -> None:
        """Register or renew a webhook, if due, then poll. A failed registration does not prevent
        polling.
        """
        trigger, found, failure = self._declared(), self._found, None
        if found.kind == "webhook" and (found.status != "active" or self._renews):
            registered = attempt(self._registered, content, trigger)
            if isinstance(registered, Raised):
                failure = _of_author(registered.error)
                if not found.polls:
                    raise failure
            else:
                content = registered
            awaited = (
                trigger.enabled is None
                and not found.polls
                and (found.last_success_at or 0.0) < found.changed_at
            )
            if self._again is not None or awaited:
                self._due.unfinished(
                    found, None if self._again is None else self._due.time.now() + self._again
                )
                return
        pause = self._polled(content, trigger) if found.polls else None
        if failure is not None:
            raise failure
        now = self._due.time.now()
        due = [
            time
            for time in (self._found.renew_at, None if pause is None else now + pause)
            if time is not None
        ]
        self._due.done(found, min(due, default=None), trigger.least)

    @property
    def _renews(self) -> bool:
        return self._found.renew_at is not None and self._found.renew_at <= self._due.time.now()

    def _registered(self, content: Sealed, trigger: Webhook) -> Sealed:
        """Register the webhook at the provider, or renew its registration; register anew if the
        registration is lost. Return the new content.
        """
        from jackfield.connector.triggers import Gone, Registered, Unfinished

        if trigger.enabled is None:
            return content
        if not self._base:
            hint = "Name it: JACKFIELD_PUBLIC_URL, or 'jackfield serve --public-url'."
            raise InvalidInvocation(
                "nobody has named the address to which the provider sends", hint=hint
            )
        before, ended, step = self._found.renew_at, None, trigger.enabled
        if (
            before is not None
            and content.lasts is not None
            and self._due.time.now() > before + content.lasts / 2
        ):
            ended = before + content.lasts / 2
        elif self._renews:
            step = trigger.renewed or trigger.enabled
        try:
            outcome = self._hooked(content, step)
        except (Gone, NotFound):
            if step is trigger.enabled:
                raise
            ended = self._found.last_success_at
            outcome = self._hooked(content, trigger.enabled)
        if isinstance(outcome, Unfinished):
            self._again = max(outcome.again, _SHORTEST if outcome.remote == content.remote else 0.0)
            outcome = outcome.remote
        made = outcome if isinstance(outcome, Registered) else Registered(outcome or {})
        if made.lasts is not None and not made.lasts > 0:
            raise Unavailable("the provider says that the registration has ended already")
        content = replace(content, remote=dict(made.remote), lasts=made.lasts, parting=None)
        renew_at = (
            None
            if made.lasts is None
            else self._due.time.now() + min(max(made.lasts / 2, _SHORTEST), _RENEWED)
        )
        self._due.registered(self._found, self._runtime.storage.vault, content, renew_at)
        self._found, self._lasts = replace(self._found, renew_at=renew_at), made.lasts
        if ended is not None and not self._found.polls:
            self._due.missed(
                self._found, ended, "the registration at the provider had ended, and was made again"
            )
        return content

    def _hooked(self, content: Sealed, step: Callable[[Hook, Any], Any]) -> Any:
        return self._over(
            content, lambda client, inputs: step(hook_of(content, inputs, self._base), client)
        )

    def _disable(self, content: Sealed) -> None:
        self._tell(content)
        self._end(replace(content, remote={}), leaves=True)

    def _tell(self, content: Sealed) -> None:
        """Remove the registration at the provider, unless it is removed already."""
        trigger: Webhook = self._declared()
        if trigger.disabled is not None and not content.left:
            content = replace(content, leaving=True)
            self._due.registered(self._found, self._runtime.storage.vault, content, None)
            self._hooked(content, trigger.disabled)

    def _abandon(self, content: Sealed, ended: JackfieldError) -> None:
        """End a webhook whose token has ended; no work is due any more once the provider is
        notified, or refuses.
        """
        self._due.ended(self._found, said(ended))
        # nothing is polled or renewed any more
        self._found, self._lasts = replace(self._found, status="failing", every=None), None
        told = attempt(self._tell, content)
        if isinstance(told, Raised) and _of_author(told.error).retryable:
            self._put_off(ended)
            return
        self._due.registered(
            self._found,
            self._runtime.storage.vault,
            replace(content, remote={}, leaving=False, left=True),
            None,
        )
        self._due.later(self._found, None)

    def fetch(self, name: str) -> bytes:
        """Fetch the file for the webhook's verifier, over the connection.

        :raises JackfieldError: if the provider refuses or fails.
        """
        trigger = self._declared()
        if trigger.fetched is None:
            raise Unavailable(
                "the trigger declares no function that fetches what its verifier needs"
            )
        found: bytes = self._over(
            self._open_subscription(), lambda client, _inputs: trigger.fetched(name, client)
        )
        return found

    def _end(self, content: Sealed, *, leaves: bool = False) -> bool:
        """Record a requested removal or pause of the subscription, or its restart if it ``leaves``;
        return whether any was requested.
        """
        if self._found.status == "removing":
            self._due.removed(self._found)
        elif leaves or self._found.status == "disabling":
            self._due.paused(self._found, self._runtime.storage.vault, content)
        return self._found.status in _LEAVING

    def _polled(self, content: Sealed, trigger: Trigger) -> float:
        runtime, found = self._runtime, self._found
        calls = EventCalls(runtime, found, content.then, self._caller)
        calls.judge(content.inputs)
        sealer = calls.sealer(trigger.types)
        polling = Polling(
            runtime.storage, found, self._due, sealer, lambda step: self._over(content, step)
        )
        try:
            more = polling.compare(trigger) if trigger.compares else polling.poll(trigger, content)
        except RateLimited as limited:
            if not polling.has_stored:
                raise
            # a provider that allows a page at a time is not failing
            return min(limited.retry_after or _SHORTEST, _LONGEST)
        finally:
            self.queued = calls.queued
            pause_exceeding(runtime, sealer.suppressing)
        every = found.every or trigger.every
        return 0.0 if more else every * (1 + (secrets.randbelow(201) - 100) / 1000)

    def _of_account(self, content: Sealed) -> Sealed:
        """Restart the subscription if the connection belongs to another account than before, since
        a checkpoint is meaningless for another account. Return its content.
        """
        found, store = self._found, table_of(self._runtime.pipeline.known)
        row = None if store is None or found.connection is None else store.show(found.connection)
        account = None if row is None else row.outcome.account_id
        if account is None or account == found.account:
            return content
        if found.account is None:
            self._due.of_account(found, account)
            return content
        registers = self._manifest().triggers[found.trigger_key].registers
        # what the other account still sends is refused
        secret = secrets.token_urlsafe(32) if registers else content.secret
        content = replace(content, since=self._due.time.now(), remote={}, lasts=None, secret=secret)
        facts = {
            "reason": "the connection belongs to another account",
            "previousAccountId": found.account,
            "accountId": account,
        }
        self._due.begun_again(found, self._runtime.storage.vault, content, account, facts)
        status = "pending" if found.kind == "webhook" else found.status
        self._found = replace(found, mark=None, account=account, renew_at=None, status=status)
        return content

    def _over(self, content: Sealed, step: Callable[[Any, Any], Any]) -> Any:
        """Run a step of the connector with the rights of the subscription's author."""
        from jackfield.connector.triggers import Gone

        runtime, found, caller = self._runtime, self._found, self._caller
        ends = content.leaving or found.status in _LEAVING
        if caller.ended is not None and not ends:
            raise token_ended(caller.ended)
        authorizer = runtime.access.authorizer(caller)
        if not ends:
            authorizer.require(
                Request(found.connector, found.trigger_key, "read", found.connection)
            )
        manifest = self._manifest()
        inputs = check_inputs(
            runtime, manifest, manifest.triggers[found.trigger_key], content.inputs
        )
        if found.connection is None:
            return contained(step, None, inputs)

        def steps(client: Any) -> Any:
            try:
                return step(client, inputs)
            except Gone as gone:  # no failure of the provider
                return gone

        stages = runtime.pipeline
        parting, grant = content.parting if ends else None, None
        if parting is None:
            stored = seen_connection(stages.known, found.connection, manifest, authorizer)
        else:
            stored, kept = NamedConnection.from_json(parting), parting.get("grant")
            grant = None if kept is None else Grant.from_json(kept)
        connector = runtime.catalog.load(manifest.key)
        call = call_of(stages, _SECONDS, manifest.triggers[found.trigger_key].permissions)
        outcome = over_connection(
            stages,
            manifest,
            connector,
            stored,
            call,
            steps,
            "the provider could not be asked",
            grant,
        )
        if isinstance(outcome, Gone):
            raise outcome
        return outcome

    def _manifest(self) -> Manifest:
        manifest = self._runtime.catalog.find(self._found.connector)
        if self._found.trigger_key not in manifest.triggers:
            text = f"'{manifest.key}' has no trigger '{self._found.trigger_key}' any more"
            raise UnknownAction(text, hint="Remove the subscription.")
        return manifest

    def _declared(self) -> Any:
        manifest = self._manifest()
        return self._runtime.catalog.load(manifest.key).triggers[self._found.trigger_key]

    def _put_off(self, error: JackfieldError) -> None:
        """Postpone the work: by an hour at most, by one interval of a poll at most, and for several
        tries before a registration ends.
        """
        renewing = None if self._lasts is None else self._lasts / 2 / _TRIES
        most = min(_LONGEST, self._found.every or _LONGEST, renewing or _LONGEST)
        pause = min(_SHORTEST * 2.0 ** min(self._found.failures, 20), max(most, _SHORTEST))
        if isinstance(error, RateLimited) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, _LONGEST))
        self._due.failed(self._found, said(error), self._due.time.now() + pause)


def token_ended(how: str) -> InvalidInvocation:
    """Return the error of a subscription whose token has ended."""
    return InvalidInvocation(
        f"the token that added the subscription {how}",
        hint="Remove it, and add it with another token.",
    )


def _of_author(error: Exception) -> JackfieldError:
    """Return the error of a step. Any other exception is the author's fault: an invalid page, or a
    value that is not JSON.

    :raises OvertakenError: if ``error`` is an OvertakenError.
    """
    if isinstance(error, OvertakenError):
        raise error
    return (
        error
        if isinstance(error, JackfieldError)
        else Unavailable(f"the connector's code failed: {type(error).__name__}")
    )


def hook_of(content: Sealed, inputs: Any, base: str) -> Hook:
    """Return a subscription in the form for the functions of its webhook."""
    from jackfield.connector.triggers import Hook

    return Hook(hook_url(base, content.path), content.secret, inputs, content.remote)
