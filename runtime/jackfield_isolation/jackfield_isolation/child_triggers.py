"""Triggers of a connector in its own process: it reads requests, polls pages and makes
registrations; the parent does everything else.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jackfield.connector.conversion import payload
from jackfield.connector.declare import Connector
from jackfield.connector.hook_requests import HookRequest, Malformed
from jackfield.connector.model_faults import model_faults
from jackfield.connector.triggers import (
    Forged,
    Gone,
    Hook,
    Listed,
    Needs,
    Polled,
    Registered,
    Since,
    Trigger,
    TriggerEvent,
    Unfinished,
    Webhook,
)
from jackfield.kernel.errors import InvalidInput
from jackfield_isolation.questions import (
    EventFacts,
    ListFacts,
    PageFacts,
    ReceivedFacts,
    RegisteredFacts,
)


def steps_of(trigger: Trigger) -> tuple[str, ...]:
    """Return the names of the steps that a webhook runs at the provider; empty for a poll."""
    steps = (
        {}
        if not isinstance(trigger, Webhook)
        else {
            "enable": trigger.enabled,
            "renew": trigger.renewed,
            "disable": trigger.disabled,
            "fetch": trigger.fetched,
        }
    )
    return tuple(name for name, step in steps.items() if step is not None)


class ChildTriggers:
    """Triggers of one connector, for the parent's questions. ``client`` opens the connection of the
    question.
    """

    def __init__(self, connector: Connector, client: Callable[[], Any]) -> None:
        self._triggers = connector.triggers
        self._client = client

    def check(self, key: str, inputs: Mapping[str, Any]) -> None:
        """Check the inputs of a subscription.

        :raises InvalidInput: if the author's model or rules refuse them.
        """
        try:
            faults = list(self._inputs(key, inputs).rules())
        except ValueError as error:
            faults = model_faults(error)
        if faults:
            raise InvalidInput("the inputs are not valid", details=faults)

    def receive(
        self, key: str, body: str, headers: Mapping[str, str], at: float, hook: Mapping[str, Any]
    ) -> ReceivedFacts:
        """Verify a webhook's request, read it, and return its events or the reason of a refusal."""
        trigger = self._webhook(key)
        parts: Any = headers
        about = (parts["headers"], at, parts["query"], parts["method"], parts["queryString"])
        request = HookRequest(b64decode(body), *about)
        try:
            found = trigger.read(request, self._hook(key, hook))
        except Forged:
            return ReceivedFacts([], refused="forged")
        except Malformed:
            return ReceivedFacts([], refused="malformed")
        except Needs as needed:
            return ReceivedFacts([], needs=needed.name)
        return ReceivedFacts(
            _facts(found.events),
            found.answer,
            "",
            dict(found.remote),
            "",
            found.media_type,
            dict(found.headers),
        )

    def register(self, key: str, step: str, hook: Mapping[str, Any]) -> RegisteredFacts:
        """Enable, renew or disable a registration, and return its data."""
        trigger = self._webhook(key)
        function = {
            "enable": trigger.enabled,
            "renew": trigger.renewed,
            "disable": trigger.disabled,
        }[step]
        if function is None:
            raise LookupError(step)
        try:
            found: Any = function(self._hook(key, hook), self._client())
        except Gone:
            return RegisteredFacts({}, gone=True)
        if isinstance(found, Unfinished):
            return RegisteredFacts(dict(found.remote), again=found.again)
        made = (
            found
            if isinstance(found, Registered)
            else Registered(found if step != "disable" and found else {})
        )
        return RegisteredFacts(dict(made.remote), made.lasts)

    def fetch(self, key: str, name: str) -> str:
        """Download a file that a verifier needs; return it in base64."""
        function = self._webhook(key).fetched
        if function is None:
            raise LookupError(key)
        return b64encode(function(name, self._client())).decode()

    def page(
        self, key: str, inputs: Mapping[str, Any], at: float, mark: Mapping[str, Any], now: float
    ) -> PageFacts:
        """Read one page of a poll; return its events and the next checkpoint."""
        try:
            found: Polled = self._read(key, inputs, Since(at, mark, now))
        except Gone:
            return PageFacts([], {}, gone=True)
        return PageFacts(_facts(found.events), dict(found.next), found.more, unknown=found.unknown)

    def listed(self, key: str, inputs: Mapping[str, Any], after: Any) -> ListFacts:
        """Read one page of a list; return its items and the next page's token."""
        try:
            found: Listed = self._read(key, inputs, after["after"])
        except Gone:
            return ListFacts([], {}, gone=True)
        return ListFacts(
            [(item.id, dict(payload(item.data))) for item in found.items],
            {"next": found.next},
            unknown=found.unknown,
        )

    def _read(self, key: str, inputs: Mapping[str, Any], place: Any) -> Any:
        trigger = self._triggers[key]
        if trigger.function is None:
            raise LookupError(key)
        return trigger.function(
            self._inputs(key, inputs), self._client() if trigger.takes_client else None, place
        )

    def _inputs(self, key: str, inputs: Mapping[str, Any]) -> Any:
        return self._triggers[key].inputs.model_validate(inputs)

    def _webhook(self, key: str) -> Webhook:
        found = self._triggers[key]
        if not isinstance(found, Webhook):
            raise TypeError(key)
        return found

    def _hook(self, key: str, hook: Mapping[str, Any]) -> Hook:
        files = {name: b64decode(text) for name, text in hook["found"].items()}
        return Hook(
            hook["url"], hook["secret"], self._inputs(key, hook["inputs"]), hook["remote"], files
        )


def _facts(events: Iterable[TriggerEvent]) -> list[EventFacts]:
    return [
        EventFacts(
            dict(payload(one.data)),
            one.key,
            one.type,
            one.at,
            one.reference,
            one.outcome,
            one.marker,
            one.account,
        )
        for one in events
    ]
