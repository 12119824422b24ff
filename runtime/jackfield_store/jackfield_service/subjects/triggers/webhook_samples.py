"""Webhooks of a connector that ``jackfield dev`` serves: a path for each, and its samples sent to
it, signed as by the provider.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.connector import Hook
from jackfield.connector.triggers import Webhook
from jackfield.kernel.clock import monotonic
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_service.subjects.triggers.subscriptions import hook_url
from jackfield_service.subjects.triggers.table import SubscriptionTable, UnknownSubscription
from jackfield_store.runtime import Jackfield

_PATIENCE = 30.0
"""Maximum seconds to wait until the server listens."""
_LOOK = 0.1


def replay(jackfield: Jackfield, key: str, port: int, say: Callable[[str], object]) -> None:
    """Print the path of each webhook of the connector ``key``, send its samples there, and print
    the outcomes.

    The subscriptions are named ``dev-TRIGGER``, and have no connection: nothing is registered at
    the provider.
    """
    storage = jackfield.storage
    table = SubscriptionTable(
        storage.database, storage.vault, jackfield.workspace, jackfield.clock, Actor("library")
    )
    for trigger in jackfield.catalog.load(key).triggers.values():
        if not isinstance(trigger, Webhook):
            continue
        example: Mapping[str, Any] = next((one for one in trigger.examples if "request" in one), {})
        content = _subscription(jackfield, table, key, trigger.key, example).opened(storage.vault)
        say(
            f"jackfield: webhook {trigger.key}: "
            f"{hook_url(f'http://127.0.0.1:{port}', content.path)}"
        )
        if not example or trigger.signs is None:
            say("  it has no sample that can be signed: see 'request' of its examples")
            continue
        hook = Hook("", content.secret, trigger.inputs.model_validate(dict(content.inputs)))
        status = _sent(port, content.path, example["request"], trigger.signs, hook)
        told = len(example.get("events", ()))
        say(
            f"  its sample '{example.get('title', 'sample')}' was answered with {status}; it has "
            f"{told} event{'' if told == 1 else 's'}"
        )


def _subscription(
    jackfield: Jackfield,
    table: SubscriptionTable,
    key: str,
    trigger: str,
    example: Mapping[str, Any],
) -> Subscription:
    name = f"dev-{trigger}"
    try:
        return table.find(name)
    except UnknownSubscription:
        found = table.add(
            name,
            key,
            trigger,
            None,
            "webhook",
            None,
            inputs=example.get("inputs", {}),
            caller=LIBRARY.to_json(),
        )
    storage = jackfield.storage
    due = DueSubscriptions(storage.database, jackfield.clock)
    for one in due.claim(1):  # else a server has it, which registers nothing without a connection
        due.done(one, None, 0.0)
    return found


def _sent(
    port: int,
    path: str,
    request: Mapping[str, Any],
    sign: Callable[[bytes, Hook, float], Mapping[str, str]],
    hook: Hook,
) -> int:
    body = (
        request["body"] if isinstance(request["body"], str) else json.dumps(request["body"])
    ).encode()
    headers = {
        "Content-Type": "application/json",
        **request.get("headers", {}),
        **sign(body, hook, time.time()),
    }
    until = monotonic() + _PATIENCE
    while True:
        with closing(
            http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        ) as connection:
            try:
                connection.request("POST", f"/hooks/{path}", body, headers)
                return connection.getresponse().status
            except ConnectionRefusedError:
                if monotonic() > until:
                    return 0
        time.sleep(_LOOK)
