"""The subscriptions of a workspace with the rights of one caller; each subscription that the caller
adds or changes has these rights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.call.call_rules import seen_connection
from jackfield.callers import Request, may
from jackfield.connector.model_faults import model_faults
from jackfield.kernel.clock import moment
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    InvalidInput,
    InvalidInvocation,
    NotAllowed,
    UnknownName,
    unknown_members,
)
from jackfield.kernel.hints import NextStep
from jackfield.redaction.marks import masked
from jackfield_service.subjects.references import References, fault_of, find_trigger, require, said
from jackfield_service.subjects.triggers.event_calls import checked_then
from jackfield_service.subjects.triggers.subscription import Sealed, Subscription
from jackfield_service.subjects.triggers.table import SubscriptionTable, unknown_subscription
from jackfield_store.access.audit import by_member, difference
from jackfield_store.access.settings import changed_settings, require_own
from jackfield_store.access.visible_pages import by_name, visible_page
from jackfield_store.database import SealBroken
from jackfield_store.management.provider_steps import call_of
from jackfield_store.recording.own_calls import joined

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.callers.actor import Actor
    from jackfield.manifest.manifest import Manifest
    from jackfield.manifest.triggers import TriggerManifest
    from jackfield_store.runtime import Jackfield

_MEMBERS = ("name", "trigger", "connection", "inputs", "every", "from", "then", "guard")
CHANGED = ("inputs", "every", "then")
"""Members of a subscription that can be changed."""
_LONGEST = 86_400.0
_SECONDS = 10.0
"""Timeout in seconds of a connector in a process of its own that judges inputs."""
HOOKS = "/hooks/"
_AUDITED = ("caller", "every", "then/connector", "then/action", "then/connection")
"""Members whose values are in the audit log, which is not encrypted; inputs and keys appear there
by name only.
"""


class SubscriptionChanged(InvalidInvocation):
    """Error for a subscription that was changed between reading and writing."""

    http_status = 409
    problem = "conflict"


class WorkspaceSubscriptions:
    """Subscriptions of the runtime's workspace, limited to triggers and connections that the rules
    of the caller's token allow to read.

    ``base`` is the address of the server that receives webhooks, "" if none is set.

    :raises InvalidInvocation: from the constructor, if there is no database.
    :raises UnknownSubscription: from methods that take a name, if there is no visible subscription
        of this name.
    """

    def __init__(self, runtime: Jackfield, caller: Caller, actor: Actor, base: str = "") -> None:
        storage = runtime.storage
        if not storage.enabled:
            raise InvalidInvocation(
                "subscriptions need a database, and JACKFIELD_DATABASE_URL is 'none'",
                hint="Configure a database.",
            )
        storage.require(runtime.workspace)
        self._runtime = runtime
        self._caller = caller
        self._base = base
        self._actor = actor
        self._table = SubscriptionTable(
            storage.database, storage.vault, runtime.workspace, runtime.clock, actor
        )
        self._authorizer = runtime.access.authorizer(caller)

    def add(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Add a subscription: ``name``, ``trigger`` (connector/trigger), ``connection``,
        ``inputs``. A poll has ``every`` in seconds, and ``from``, the time from which events count
        (default: now). ``then`` is the invocation that each event starts; ``guard`` is true, or the
        guard to set for the connection.

        :raises JackfieldError: if it is not valid, or the rules do not allow it.
        """
        for fault in unknown_members(document, _MEMBERS, "a subscription"):
            raise _invalid(fault.path, fault.message)
        manifest, trigger = self._trigger(_text(document, "trigger"))
        connection = self._connection(manifest, trigger, document.get("connection"))
        inputs = document.get("inputs") or {}
        check_inputs(self._runtime, manifest, trigger, inputs)
        since, now = document.get("from"), self._table.time.now()
        if since is not None and (
            not trigger.polls or trigger.compares or not isinstance(since, str)
        ):
            raise _invalid(
                "/from", "must be a time, and only polls have one that ask for what is new"
            )
        then = (
            None
            if document.get("then") is None
            else checked_then(self._runtime, self._caller, document["then"], trigger)
        )
        guards = self._guards(document.get("guard"), connection)
        found = self._table.add(
            _text(document, "name"),
            manifest.key,
            trigger.key,
            connection,
            trigger.kind,
            _every(document, trigger),
            inputs=inputs,
            caller=self._caller.to_json(),
            since=None if since is None else moment(since, now, -1, "'from'"),
            then=then,
        )
        if guards:
            self._runtime.access.workspaces.acting_as(self._actor).set(
                self._runtime.workspace, {"guards": guards}
            )
        return {**self._summary(found), **self._secret(found, trigger)}

    def change(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Change ``then``, which null removes, ``every``, and the ``inputs`` of a webhook that no
        provider has registered. URL and secret stay. From then on the subscription runs with this
        caller's rights.

        :raises JackfieldError: if it is not valid, or the rules do not allow it.
        """
        for fault in unknown_members(document, CHANGED, "a change of a subscription"):
            raise _invalid(fault.path, fault.message)
        found = self._find(name)
        manifest, trigger = self._trigger(f"{found.connector}/{found.trigger_key}")
        self._connection(manifest, trigger, found.connection)
        before = found.opened(self._runtime.storage.vault)
        caller = (
            self._caller
            if "then" in document or before.then is None
            else joined(self._caller, before.caller)
        )
        content = replace(before, caller=caller.to_json())
        if "inputs" in document:
            if trigger.kind != "webhook" or trigger.registers:
                raise _invalid(
                    "/inputs",
                    "stay as they are: a provider has registered them, or a poll has come so far "
                    "with them. Add another",
                )
            check_inputs(self._runtime, manifest, trigger, document["inputs"])
            content = replace(content, inputs=document["inputs"])
        if "then" in document:
            then = (
                None
                if document["then"] is None
                else checked_then(self._runtime, self._caller, document["then"], trigger)
            )
            content = replace(content, then=then)
        every = _every(document, trigger) if "every" in document else found.every
        about = {
            "members": sorted(document),
            **difference(_audited(before, found.every), _audited(content, every), _AUDITED),
        }
        if not self._table.change(found, content, every, about):
            raise SubscriptionChanged(
                f"the subscription '{name}' was changed meanwhile",
                hint="Look at it, and send the change again.",
            )
        return self.show(name)

    def inputs_of(self, trigger: str) -> Mapping[str, Any]:
        """Return the schema of a trigger's inputs.

        :raises JackfieldError: if no trigger has this name, or the rules do not allow it.
        """
        return self._trigger(trigger)[1].inputs

    def _guards(self, wanted: Any, connection: str | None) -> dict[str, Any]:
        """Return the guard to set for the connection; an empty object if the connection has a guard
        and no other guard is given, since setting a guard resumes a paused connection.
        """
        if wanted in (None, False):
            return {}
        if connection is None:
            raise _invalid("/guard", "must be left out: the trigger has no connection to guard")
        if self._caller.audience != "operator":
            command = (
                f"'jackfield workspaces set {self._runtime.workspace} --guard {connection}={{}}'"
            )
            hint = (
                "Leave 'guard' out. It is set by the platform's token with PATCH "
                f"/v1/workspaces, or by a person with {command}."
            )
            raise NotAllowed(
                "not allowed: only the operator and the platform set the guard of a connection",
                hint=hint,
            )
        if wanted is True:
            return {} if connection in self._runtime.access.settings.guards else {connection: {}}
        settings = self._runtime.access.settings
        changed_settings(settings, {"guards": {connection: wanted}})
        require_own({"guards": {connection: wanted}}, settings.guards)
        return {connection: wanted}

    def _secret(self, found: Subscription, trigger: TriggerManifest) -> dict[str, str]:
        """Return the secret of a webhook whose URL a person enters at the provider, to be displayed
        once; an empty object without such a secret.
        """
        content = found.opened(self._runtime.storage.vault)
        if trigger.kind != "webhook" or trigger.registers or content.inputs.get("signingSecret"):
            return {}
        verify = self._runtime.catalog.load(found.connector).triggers[trigger.key].verify
        shown = (
            verify.shown(content.secret, content.inputs)
            if hasattr(verify, "shown")
            else content.secret
        )
        return {"secret": shown} if shown else {}

    def page(self, after: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of visible subscriptions by name, and the cursor of the next page; None on
        the last page.
        """
        found, more = visible_page(by_name(self._table.page), self._sees, after, limit)
        now, references = self._table.time.now(), References(self._runtime)
        return [{**one.to_json(now), **self._standing(one, references, now)} for one in found], more

    def show(self, name: str) -> dict[str, Any]:
        """Return a subscription with its URL, its inputs, secrets masked, and its checkpoint."""
        return self._summary(self._find(name))

    def disable(self, name: str) -> dict[str, Any]:
        """Stop receiving and polling at once. A process removes the registration at the
        provider.
        """
        return self._summary(self._set(name, "disabling", "disabled"))

    def enable(self, name: str) -> dict[str, Any]:
        """Receive or poll again. A poll continues at its last position.

        :raises UnknownName: if a connector, action, trigger or connection that it refers to is
            gone.
        """
        found = self._find(name)
        require(self._missing(found, References(self._runtime)))
        return self._summary(self._table.set(found, "pending", "enabled"))

    def remove(self, name: str) -> None:
        """Remove a subscription: it receives nothing from then on, and a process removes the
        registration at the provider. Its events stay.
        """
        self._set(name, "removing", "removed")

    def reset(self, name: str, since: str) -> dict[str, Any]:
        """Delete the checkpoint of a poll, which starts again at the time ``since``."""
        found = self._find(name)
        if not found.polls:
            raise _invalid("/from", f"'{name}' is a webhook, which has no checkpoint")
        return self._summary(
            self._table.reset(found, moment(since, self._table.time.now(), -1, "'from'"))
        )

    def samples(self, name: str) -> list[dict[str, Any]]:
        """Return the samples of a subscription's trigger in the form of its events."""
        found = self._find(name)
        _, trigger = self._trigger(f"{found.connector}/{found.trigger_key}")
        return [dict(example) for example in trigger.row.get("examples", ())]

    def _set(self, name: str, status: str, event: str) -> Subscription:
        return self._table.set(self._find(name), status, event)

    def _missing(self, found: Subscription, references: References) -> UnknownName | None:
        """Return the fault of a missing reference: of its trigger, or of the call that its events
        start; None if none is missing.
        """
        watched = references.of_trigger(found.connector, found.trigger_key, found.connection)
        if watched is not None:
            return watched
        with suppress(SealBroken):  # another fault, which whoever works on it tells
            return references.of_then(found.opened(self._runtime.storage.vault).then)
        return None

    def _standing(self, found: Subscription, references: References, now: float) -> dict[str, Any]:
        """Return the members that report a missing reference, without which neither polls nor
        events can work; empty if none is missing. A paused subscription stays paused.
        """
        fault, status = self._missing(found, references), found.shown_status(now)[0]
        if fault is None or status == "failing":
            return fault_of(fault)
        return {
            "status": "paused" if status == "paused" else "failing",
            "reason": said(fault),
            **fault_of(fault),
        }

    def _find(self, name: str) -> Subscription:
        found = self._table.find(name)
        if not self._sees(found):
            raise unknown_subscription(name)
        return found

    def _sees(self, found: Subscription) -> bool:
        """Return whether the caller may see and change a subscription: its trigger, and the call
        that its events start.
        """
        manifest = self._runtime.catalog.look(found.connector)[1]
        seen = self._authorizer.sees_entry(
            manifest, found.connector, found.trigger_key, "read", found.connection
        )
        return seen and found.status != "removing" and self._may_start(found)

    def _may_start(self, found: Subscription) -> bool:
        if not self._authorizer.token:
            return True
        try:
            then = found.opened(self._runtime.storage.vault).then
        except SealBroken:  # whoever has no rules sees what is wrong
            return False
        if then is None:
            return True
        manifest = self._runtime.catalog.look(then["connector"])[1]
        return self._authorizer.sees_entry(
            manifest, then["connector"], then["action"], None, then.get("connection")
        )

    def _trigger(self, text: str) -> tuple[Manifest, TriggerManifest]:
        return find_trigger(self._runtime.catalog_of(self._caller), text)

    def _connection(self, manifest: Manifest, trigger: TriggerManifest, name: Any) -> str | None:
        if name is None and not trigger.needs_connection:
            self._authorizer.require(Request(manifest.key, trigger.key, "read", None))
            return None
        if not isinstance(name, str) or not name:
            raise _invalid(
                "/connection", "is missing: the trigger needs the connection that it watches"
            )
        self._authorizer.require(Request(manifest.key, trigger.key, "read", name))
        return seen_connection(self._runtime.pipeline.known, name, manifest, self._authorizer).name

    def _summary(self, found: Subscription) -> dict[str, Any]:
        vault, now = self._runtime.storage.vault, self._table.time.now()
        try:
            content, checkpoint = (
                found.opened(vault),
                {"checkpoint": found.checkpoint(vault)} if found.polls else {},
            )
        except SealBroken:
            return {
                "problem": "its row in the database was changed: nobody can read what it watches",
                **found.to_json(now),
            }
        manifest = self._runtime.catalog.look(found.connector)[1]
        trigger = None if manifest is None else manifest.triggers.get(found.trigger_key)
        inputs = "***" if trigger is None else masked(trigger.inputs, dict(content.inputs))
        about = found.to_json(now, self._url(content.path, trigger) if content.path else None)
        about |= self._standing(found, References(self._runtime), now)
        then = {} if content.then is None else {"then": self._shown_then(content.then)}
        return {
            **about,
            "inputs": inputs,
            **checkpoint,
            **then,
            **self._shown_guard(found.connection),
        }

    def _shown_guard(self, connection: str | None) -> dict[str, Any]:
        """Return the member ``guard``, None for a connection without a guard. The result is empty
        without a connection, or for a token with rules, which may see no settings.
        """
        if connection is None or self._caller.rules:
            return {}
        return {"guard": self._runtime.access.settings.guard_of(connection)}

    def _url(self, path: str, trigger: TriggerManifest | None) -> str:
        """Return the URL of a webhook. Below ``manage``, mask it unless the webhook has a declared
        signature, since otherwise the URL alone authenticates the sender.
        """
        scheme = (
            "" if trigger is None else trigger.row["webhook"].get("signature", {}).get("scheme", "")
        )
        shown = (
            self._caller.scope is None
            or may(self._caller.scope, "manage")
            or scheme not in ("", "secretPath")
        )
        return hook_url(self._base, path) if shown else "***"

    def _shown_then(self, then: Mapping[str, Any]) -> dict[str, Any]:
        """Return the call that events start, with the secrets among the inputs masked."""
        manifest = self._runtime.catalog.look(then["connector"])[1]
        action = None if manifest is None else manifest.actions.get(then["action"])
        return {
            **then,
            "inputs": "***"
            if action is None
            else masked(action.inputs, dict(then.get("inputs") or {})),
        }


def _audited(content: Sealed, every: float | None) -> dict[str, Any]:
    """Return the members of a subscription that the audit log compares."""
    about = {
        "inputs": content.inputs,
        "then": content.then,
        "every": every,
        "caller": content.caller.get("caller"),
    }
    return by_member(by_member(about, "inputs", "then"), "then/inputs")


def hook_url(base: str, path: str) -> str:
    """Return the URL to which a provider sends, relative if the server's address is not set."""
    return f"{base.rstrip('/')}{HOOKS}{path}"


def check_inputs(
    runtime: Jackfield, manifest: Manifest, trigger: TriggerManifest, inputs: Any
) -> Any:
    """Return the inputs of a subscription as the author's model.

    :raises InvalidInvocation: if the inputs do not fit the model.
    """
    from jackfield.connector.context import entered

    if not isinstance(inputs, Mapping):
        raise _invalid("/inputs", "must be an object")
    schema = runtime.schemas.find(
        (manifest.key, manifest.version, "trigger", trigger.key), trigger.inputs
    )
    checked = schema.check(inputs)
    if checked.details:
        raise _refusal(checked.details, manifest.key, trigger)
    model = runtime.catalog.load(manifest.key).triggers[trigger.key].inputs
    try:
        with entered(call_of(runtime.pipeline, _SECONDS)):
            given = model.model_validate(dict(checked.value))
            found: Sequence[Detail] = tuple(given.rules())
            if not found:
                return given
    except InvalidInput as error:  # of a connector in a process of its own
        found = error.details
    except ValueError as error:
        found = model_faults(error)
    raise _refusal(found, manifest.key, trigger)


def _refusal(
    faults: Sequence[Detail], connector: str, trigger: TriggerManifest
) -> InvalidInvocation:
    details = [Detail(f"/inputs{fault.path}", fault.message) for fault in faults]
    hint = NextStep("trigger_inputs", connector=connector, trigger=trigger.key)
    return InvalidInvocation(
        "the inputs of the subscription are not valid", details=details, hint=hint
    )


def _every(document: Mapping[str, Any], trigger: TriggerManifest) -> float | None:
    given = document.get("every")
    if not trigger.polls:
        if given is not None:
            raise _invalid("/every", "must be left out: the webhook is not polled")
        return None
    if given is None:
        return trigger.every
    if (
        isinstance(given, bool)
        or not isinstance(given, int | float)
        or not trigger.least <= given <= _LONGEST
    ):
        raise _invalid(
            "/every", f"must be a number of seconds from {trigger.least:g} to {_LONGEST:g}"
        )
    return float(given)


def _text(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    if not isinstance(found, str) or not found:
        raise _invalid(f"/{name}", f"'{name}' is missing" if found is None else "must be a string")
    return found


def _invalid(path: str, message: str) -> InvalidInvocation:
    step = NextStep("subscription_members")
    return InvalidInvocation(
        "1 member of the subscription is not valid", details=[Detail(path, message)], hint=step
    )
