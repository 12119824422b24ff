"""Triggers of a connector in a child answer as they do in this process."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isolated import both_ways
from jackfield.connector import Forged, Gone, Hook, HookRequest, Malformed, Needs, Since
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.triggers.subscriptions import check_inputs
from jackfield_store.management.provider_steps import call_of, over_connection
from jackfield_store.runtime import Jackfield

CONNECTIONS = {"ada": {"type": "watching/named", "values": {"name": "ada"}}}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Jackfield, Jackfield]]:
    """A runtime with the connector in this process, and one with the connector in a child."""
    with both_ways(tmp_path_factory.mktemp("home"), "watching", CONNECTIONS) as runtimes:
        yield runtimes


def _step(
    runtime: Jackfield, trigger: str, step: Callable[[Any, Any, Any], Any], **inputs: Any
) -> Any:
    """Run a step of a trigger, which gets the trigger, its inputs and the client, as the work on a
    subscription does.
    """
    manifest, stages = runtime.catalog.find("watching"), runtime.pipeline
    connector = runtime.catalog.load("watching")
    found = check_inputs(runtime, manifest, manifest.triggers[trigger], inputs)

    def caught(client: Any) -> Any:
        try:
            return step(connector.triggers[trigger], found, client)
        except (Gone, Forged, Malformed) as error:
            return type(error).__name__

    call = call_of(stages, 20.0)
    outcome = over_connection(
        stages, manifest, connector, stages.known.find("ada"), call, caught, "no"
    )
    return (
        outcome
        if isinstance(outcome, str)
        else {name: _plain(getattr(outcome, name)) for name in outcome.__match_args__}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return (
        [_plain(getattr(value, name)) for name in value.__match_args__]
        if hasattr(value, "__match_args__")
        else value
    )


def _request(body: bytes, secret: str = "secret") -> HookRequest:
    return HookRequest(
        body, {"signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}, 1.0
    )


def _hook(inputs: Any) -> Hook:
    return Hook("https://jackfield.example/hooks/x", "secret", inputs, {"owner": "ada"})


def _needs(trigger: Any, inputs: Any, client: Any) -> Any:
    with pytest.raises(Needs) as needed:
        trigger.read(_CERTIFIED, _hook(inputs))
    return f"{needed.value.name}: {trigger.fetched(needed.value.name, client).hex()}"


def _certified(trigger: Any, inputs: Any, client: Any) -> Any:
    return trigger.read(_CERTIFIED, replace(_hook(inputs), found={"one.pem": b"\x00\xff"}))


_CERTIFIED = HookRequest(
    b"{}",
    {
        "certificate": "one.pem",
        "signature": hmac.new(b"\x00\xff", b"{}", hashlib.sha256).hexdigest(),
    },
    1.0,
)


def _page(mark: dict[str, Any], **given: Any) -> Callable[[Jackfield], Any]:
    def read(trigger: Any, inputs: Any, client: Any) -> Any:
        return trigger.function(inputs, client, Since(5.0, mark))

    return lambda one: _step(one, "posted", read, **given)


STEPS: dict[str, Callable[[Jackfield], Any]] = {
    "a page": _page({}, first=3),
    "the page after": _page({"number": 4}),
    "a list": lambda one: _step(
        one, "shelf", lambda trigger, inputs, client: trigger.function(inputs, client, None)
    ),
    "its end": lambda one: _step(
        one, "shelf", lambda trigger, inputs, client: trigger.function(inputs, client, 1)
    ),
    "a page that is gone": lambda one: _step(
        one, "shelf", lambda trigger, inputs, client: trigger.function(inputs, client, 9)
    ),
    "a registration": lambda one: _step(
        one, "posted", lambda trigger, inputs, client: trigger.enabled(_hook(inputs), client)
    ),
    "one that is gone": lambda one: _step(
        one, "posted", lambda trigger, inputs, client: trigger.renewed(_hook(inputs), client)
    ),
    "a request": lambda one: _step(
        one,
        "posted",
        lambda trigger, inputs, client: trigger.read(
            _request(b'{"id": "t-1", "type": "withdrawn"}'), _hook(inputs)
        ),
    ),
    "a file that a verifier needs": lambda one: _step(one, "shaken", _needs),
    "a request that is judged with it": lambda one: _step(one, "shaken", _certified),
    "a registration that waits": lambda one: _step(
        one, "shaken", lambda trigger, inputs, client: trigger.enabled(_hook(inputs), client)
    ),
    "one that has what it waited for": lambda one: _step(
        one,
        "shaken",
        lambda trigger, inputs, client: trigger.enabled(
            replace(_hook(inputs), remote={"token": "t"}), client
        ),
    ),
    "a forged one": lambda one: _step(
        one,
        "posted",
        lambda trigger, inputs, client: trigger.read(_request(b"{}", "guess"), _hook(inputs)),
    ),
    "a malformed one": lambda one: _step(
        one, "posted", lambda trigger, inputs, client: trigger.read(_request(b"{}"), _hook(inputs))
    ),
}


def test_triggers_answer_as_they_do_in_this_process(both: tuple[Jackfield, Jackfield]) -> None:
    """Pages, lists, registrations and requests are equal, as are the steps that a webhook has and
    the refusal of inputs.
    """
    for name, step in STEPS.items():
        here, isolated = (step(runtime) for runtime in both)
        assert here == isolated, name
    steps, faults = [], []
    for runtime in both:
        found = runtime.catalog.load("watching").triggers["posted"]
        steps.append((found.disabled is None, found.every, found.types, found.takes_client))
        manifest = runtime.catalog.find("watching")
        with pytest.raises(InvalidInvocation) as refused:
            check_inputs(
                runtime, manifest, manifest.triggers["posted"], {"first": "x", "colour": 1}
            )
        with pytest.raises(InvalidInvocation) as unlucky:
            check_inputs(runtime, manifest, manifest.triggers["posted"], {"first": 13})
        faults.append(
            [
                (detail.path, detail.message)
                for detail in (*refused.value.details, *unlucky.value.details)
            ]
        )
    assert (steps[0], faults[0]) == (steps[1], faults[1])
