"""Work on one claimed subscription: it is enabled or disabled at the provider, or polled."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.access import Request
from jackfield.database.due_rows import OvertakenError
from jackfield.errors import InvalidInvocation, JackfieldError, RateLimited, Unavailable, UnknownAction, UnknownName
from jackfield.management.provider_steps import call_of, over_connection
from jackfield.pipe.call_rules import seen_connection
from jackfield.queue.subscriptions import check_inputs, hook_url
from jackfield.triggers.arrivals import arrivals

if TYPE_CHECKING:
    from collections.abc import Callable

    from jackfield.connector.triggers import Hook, Poll, Polled, Since, Webhook
    from jackfield.manifest import Manifest
    from jackfield.runtime import Jackfield
    from jackfield.triggers.due import DueSubscriptions
    from jackfield.triggers.subscription import Sealed, Subscription

_SECONDS = 30.0
"""Timeout of one step at the provider, which is less than a claim holds."""
_PAGES = 20
"""Pages of one poll; the rest is polled at once, after other subscriptions."""
_SHORTEST, _LONGEST = 5.0, 3600.0
"""Seconds between two tries of what fails: doubled each time."""


class SubscriptionWork:
    """Work on one subscription. ``base`` is the address of the server that receives webhooks."""

    def __init__(self, runtime: Jackfield, found: Subscription, due: DueSubscriptions, base: str) -> None:
        self._runtime = runtime
        self._found = found
        self._due = due
        self._base = base

    def work(self) -> None:
        """Do what is due, and end the claim.

        :raises OvertakenError: if another process has claimed it, or somebody changed it.
        :raises Unavailable: if the database is unavailable; the claim runs out then.
        """
        try:
            content = self._found.opened(self._runtime.storage.vault)
            self._step(content)
        except OvertakenError:
            raise
        except UnknownName as error:  # a connector, trigger or connection that is gone: there is nothing to disable
            if not self._end():
                self._put_off(error)
        except JackfieldError as error:
            self._put_off(error)
        except (ValueError, TypeError, AttributeError) as error:  # of the author: what was returned is no page, or no JSON
            self._put_off(Unavailable(f"the connector's code failed: {type(error).__name__}"))

    def _step(self, content: Sealed) -> None:
        match self._found.status:
            case "removing" | "disabling" if self._found.kind == "webhook":
                self._disable(content)
            case "removing" | "disabling":
                self._end()
            case _ if self._found.kind == "poll":
                self._poll(content)
            case _:
                self._enable(content)

    def _enable(self, content: Sealed) -> None:
        trigger: Webhook = self._declared()
        remote: Any = {}
        if trigger.enabled is not None:
            enable = trigger.enabled
            if not self._base:
                hint = "Name it: JACKFIELD_PUBLIC_URL, or 'jackfield serve --public-url'."
                raise InvalidInvocation("nobody has named the address to which the provider sends", hint=hint)
            remote = self._over(content, lambda client, inputs: enable(self._hook(content, inputs), client)) or {}
        self._due.enabled(self._found, self._runtime.storage.vault, content, dict(remote))

    def _disable(self, content: Sealed) -> None:
        trigger: Webhook = self._declared()
        if trigger.disabled is not None:
            disable = trigger.disabled
            self._over(content, lambda client, inputs: disable(self._hook(content, inputs), client))
        self._end()

    def _end(self) -> bool:
        """Record that it is removed or disabled, if somebody wants that; return whether somebody does."""
        if self._found.status == "removing":
            self._due.removed(self._found)
        elif self._found.status == "disabling":
            self._due.disabled(self._found)
        return self._found.status in ("removing", "disabling")

    def _poll(self, content: Sealed) -> None:
        from jackfield.connector.triggers import Since

        trigger: Poll = self._declared()
        vault = self._runtime.storage.vault
        mark = self._found.checkpoint(vault)
        more = True
        for _ in range(_PAGES):
            since = Since(content.since, mark)
            page: Polled = self._over(content, partial(_polled, trigger, since))
            mark, more = dict(page.next), page.more
            events = arrivals(vault, self._found, page.events, self._due.time.stamp())
            self._due.page(self._found, vault, events, mark)
            if not more:
                break
        every = self._found.every or trigger.every
        pause = 0.0 if more else every * (1 + (secrets.randbelow(201) - 100) / 1000)
        self._due.polled(self._found, self._due.time.now() + pause)

    def _over(self, content: Sealed, step: Callable[[Any, Any], Any]) -> Any:
        """Run a step of the connector with the rights of who added the subscription."""
        runtime, found = self._runtime, self._found
        caller = runtime.access.queued_by(content.caller)
        ends = found.status in ("disabling", "removing")
        if caller.ended is not None and not ends:
            hint = "Remove it, and add it with another token."
            raise InvalidInvocation(f"the token that added the subscription {caller.ended}", hint=hint)
        authorizer = runtime.access.authorizer(caller)
        if not ends:
            authorizer.require(Request(found.connector, found.trigger_key, "read", found.connection))
        manifest = self._manifest()
        inputs = check_inputs(runtime, manifest, manifest.triggers[found.trigger_key], content.inputs)
        if found.connection is None:
            return step(None, inputs)
        stages = runtime.pipeline
        stored = seen_connection(stages.known, found.connection, manifest, authorizer)
        connector = runtime.catalog.load(manifest.key)
        call = call_of(stages, _SECONDS)
        return over_connection(
            stages, manifest, connector, stored, call, lambda client: step(client, inputs), "the provider could not be asked"
        )

    def _hook(self, content: Sealed, inputs: Any) -> Hook:
        return hook_of(content, inputs, self._base)

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
        """Try again later, at the latest in an hour. The reason is shown with the subscription."""
        pause = min(_SHORTEST * 2.0 ** min(self._found.failures, 20), _LONGEST)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            pause = max(pause, min(error.retry_after, _LONGEST))
        self._due.failed(self._found, f"{error.message}. {error.hint}" if error.hint else error.message, self._due.time.now() + pause)


def _polled(trigger: Poll, since: Since, client: Any, inputs: Any) -> Polled:
    return trigger.function(inputs, client, since)


def hook_of(content: Sealed, inputs: Any, base: str) -> Hook:
    """Return a subscription as the functions of its webhook see it."""
    from jackfield.connector.triggers import Hook

    return Hook(hook_url(base, content.path), content.secret, inputs, content.remote)
