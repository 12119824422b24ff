"""Triggers of an isolated connector in this process: each function asks the child, whose answers
are checked.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, cast

from jackfield.connector.context import current_call
from jackfield.connector.hook_requests import HookRequest, Malformed
from jackfield.connector.models import Output
from jackfield.connector.signatures import scheme_of
from jackfield.connector.triggers import (
    Forged,
    Gone,
    Hook,
    Item,
    Listed,
    Needs,
    Poll,
    Polled,
    Received,
    Registered,
    Since,
    Trigger,
    TriggerEvent,
    Unfinished,
    Webhook,
)
from jackfield.kernel.errors import Detail
from jackfield.manifest.triggers import TriggerManifest
from jackfield_isolation import questions
from jackfield_isolation.questions import EventFacts, Question
from jackfield_isolation.remote.channel import Channel


class WatchInputs:
    """Inputs of a subscription as JSON, checked by the author's model in the child."""

    def __init__(self, json: Mapping[str, Any]) -> None:
        self.json = json

    def rules(self) -> tuple[Detail, ...]:
        """Return no faults: the child has applied the author's rules."""
        return ()


class RemoteWebhook(Webhook):
    """Webhook whose requests are verified and read in one question."""

    channel: Channel

    def read(self, request: HookRequest, hook: Hook) -> Received:
        """Verify and read a request in the child.

        :raises Forged: if the provider has not signed the request.
        :raises Malformed: if the request cannot be read.
        :raises Needs: if the request cannot be judged without a file.
        """
        body, query = b64encode(request.body).decode(), dict(request.query)
        parts = {
            "headers": dict(request.headers),
            "query": query,
            "method": request.method,
            "queryString": request.query_string,
        }
        found = self.channel.ask(
            questions.RECEIVE, self.key, body, parts, request.at, _hook(hook), call=current_call()
        )
        if found.refused:
            raise Forged if found.refused == "forged" else Malformed
        if found.needs:
            raise Needs(found.needs)
        return Received(
            _events(found.events), found.answer, found.remote, found.media_type, found.headers
        )


def remote_trigger(about: TriggerManifest, channel: Channel, steps: Collection[str]) -> Trigger:
    """Return the proxy of a trigger; ``steps`` are the steps of a webhook that the child has."""
    facts: dict[str, Any] = {
        "key": about.key,
        "title": about.title,
        "inputs": _inputs(about.key, channel),
        "event": Output,
        "types": about.types,
        "permissions": about.permissions,
        "examples": (),
        "setup": about.setup,
    }
    found: Trigger
    if about.kind == "poll":
        found = Poll(lambda: None, about.every, about.least, compares=about.compares, **facts)
    else:
        # verified in the child, known here for the form of its secret
        signature = about.row.get("webhook", {}).get("signature")
        webhook = found = RemoteWebhook(
            _never if signature is None else scheme_of(signature), about.largest, **facts
        )
        webhook.channel = channel
        for name in steps:
            getattr(webhook, name)(
                _fetching(webhook, channel)
                if name == "fetch"
                else _registering(webhook, channel, name)
            )
    found.description = about.description
    found.takes_client = about.needs_connection
    if about.polls:
        found.function, found.every, found.least = (
            _reading(found, channel),
            about.every,
            about.least,
        )
    return found


def _inputs(key: str, channel: Channel) -> Any:
    """Return a class that replaces the author's model of the inputs."""

    def model_validate(values: Mapping[str, Any]) -> WatchInputs:
        channel.ask(questions.WATCH, key, dict(values), call=current_call())
        return WatchInputs(values)

    return type(
        "RemoteWatchInputs", (WatchInputs,), {"model_validate": staticmethod(model_validate)}
    )


def _fetching(trigger: Trigger, channel: Channel) -> Callable[[str, Any], bytes]:
    def fetch(name: str, client: Any) -> bytes:
        return b64decode(_ask(channel, client, questions.FETCH, trigger.key, name))

    return fetch


def _registering(
    trigger: Trigger, channel: Channel, step: str
) -> Callable[[Hook, Any], Registered | Unfinished]:
    def register(hook: Hook, client: Any) -> Registered | Unfinished:
        found = _ask(channel, client, questions.REGISTER, trigger.key, step, _hook(hook))
        if found.gone:
            raise Gone
        return (
            Registered(found.remote, found.lasts)
            if found.again is None
            else Unfinished(found.remote, found.again)
        )

    return register


def _reading(trigger: Trigger, channel: Channel) -> Callable[[WatchInputs, Any, Any], Any]:
    def poll(inputs: WatchInputs, client: Any, since: Since) -> Polled:
        found = _ask(
            channel,
            client,
            questions.PAGE,
            trigger.key,
            dict(inputs.json),
            since.at,
            dict(since.mark),
            since.now,
        )
        if found.gone:
            raise Gone
        return Polled(_events(found.events), found.next, found.more, found.unknown)

    def read(inputs: WatchInputs, client: Any, after: Any) -> Listed:
        found = _ask(
            channel, client, questions.LISTED, trigger.key, dict(inputs.json), {"after": after}
        )
        if found.gone:
            raise Gone
        return Listed(
            [Item(identifier, data) for identifier, data in found.items],
            found.next.get("next"),
            found.unknown,
        )

    return read if trigger.compares else poll


def _ask(channel: Channel, client: Any, question: Question, *given: Any) -> Any:
    return (channel if client is None else client).ask(question, *given, call=current_call())


def _hook(hook: Hook) -> dict[str, Any]:
    return {
        "url": hook.url,
        "secret": hook.secret,
        "inputs": dict(cast("WatchInputs", hook.inputs).json),
        "remote": dict(hook.remote),
        "found": {name: b64encode(content).decode() for name, content in hook.found.items()},
    }


def _events(found: Iterable[EventFacts]) -> list[TriggerEvent]:
    return [
        TriggerEvent(
            one.data, one.key, one.type, one.at, one.reference, one.outcome, one.marker, one.account
        )
        for one in found
    ]


def _never(_request: HookRequest, _hook: Hook) -> None:
    """Refuse every request: the child verifies requests.

    :raises Forged: always.
    """
    raise Forged("the child verifies")
