"""No secret stands in a variable of what is ended before its first step, or of what a lent client
raises.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield.embedding.shown_frames import injected, spellings, variables

from jackfield.kernel.frames import bordered
from jackfield_http import HttpClient
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield

SECRET = "tok-4711-v3ry-s+cret"
NEEDLES = spellings(SECRET)


class _Held(Exception):
    """What the host raises."""


@pytest.fixture
def jackfield(tmp_path: Path) -> Iterator[Jackfield]:
    """A runtime with a stored connection, whose server nobody is, and a queued invocation."""
    with Jackfield(database_url=f"sqlite:///{tmp_path / 'j.db'}", environment={}) as found:
        found.connections.add(
            "m", "http/bearer", {"server": "http://127.0.0.1:9", "token": SECRET}, test=False
        )
        found.enqueue(_call())
        yield found


def _call() -> dict[str, Any]:
    inputs = {"url": "/x", "method": "POST", "json": {"password": SECRET}}
    return {"connector": "http", "action": "request", "connection": "m", "inputs": inputs}


def _in_variables(error: BaseException) -> set[tuple[str, str]]:
    return {
        (file, name)
        for file, name, text in variables(error)
        if any(needle in text for needle in NEEDLES)
    }


def test_a_coroutine_that_is_cancelled_before_its_first_step_shows_no_secret(
    jackfield: Jackfield,
) -> None:
    """It has run no line of ours by then. It is named after its method, and a host that asks
    whether that makes a coroutine is told so.
    """

    async def cancelled(coroutine: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(coroutine)
        task.cancel()
        await task

    made: dict[str, Callable[[], Any]] = {
        "Jackfield.ainvoke": lambda: jackfield.ainvoke(_call()),
        "Jackfield.arun": lambda: jackfield.arun(Queue(jackfield.storage.database).claim(1)[0]),
    }
    for name, make in made.items():
        coroutine = make()
        assert coroutine.__qualname__ == name
        with pytest.raises(asyncio.CancelledError) as raised:
            asyncio.run(cancelled(coroutine))
        assert _in_variables(raised.value) == set()
        assert inspect.iscoroutinefunction(getattr(jackfield, coroutine.__name__))
    with pytest.raises(_Held) as held:
        jackfield.ainvoke(_call()).throw(_Held())
    assert _in_variables(held.value) == set()


def test_a_generator_that_is_ended_before_its_first_step_shows_no_secret() -> None:
    """It has run no line of ours by then, and is named after its function."""

    @bordered
    def one(token: str) -> Iterator[str]:
        yield token

    made: Any = one(SECRET)
    assert made.__name__ == "one"
    with pytest.raises(_Held) as raised:
        made.throw(_Held())
    assert _in_variables(raised.value) == set()


@pytest.mark.parametrize("path", ["/x", "//nowhere.invalid/x", 5])
def test_what_a_lent_client_raises_shows_no_secret(path: Any, jackfield: Jackfield) -> None:
    """Its requests have a border, too; it is a client of the class that an action gets, and the
    same one.
    """
    lent = jackfield.lend("m", "http")
    client: Any = lent.client()
    assert isinstance(client, HttpClient)
    assert type(client).__name__ == "HttpClient"
    for at in (-1, 10, 20, 30):
        _, error = injected(lambda: client.post(path, json={"password": SECRET}), at)
        assert error is not None
        assert _in_variables(error) == set()


@pytest.mark.parametrize(
    ("service", "method", "given"),
    [
        ("sesv2", "get_account", {}),
        ("sqs", "send_message", {"QueueUrl": "http://127.0.0.1:9/q", "MessageBody": "x"}),
        ("s3", "list_buckets", {}),
    ],
)
def test_what_a_lent_client_of_aws_raises_shows_no_secret(
    service: str, method: str, given: dict[str, Any]
) -> None:
    """Neither the keys nor the signed fields, whether the request goes out directly or by
    botocore's client.
    """
    values = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": SECRET,
        "sessionToken": SECRET,
        "region": "eu-west-1",
    }
    found = {
        "aws": {"type": "aws/apiKeySecret", "values": {**values, "endpoint": "http://127.0.0.1:9"}}
    }
    with Jackfield(
        connections=[{"connections": found}], database_url="none", environment={}
    ) as jackfield:
        del values, found
        call = getattr(jackfield.lend("aws").client().client(service), method)
        for at in (-1, 10, 20, 30):
            _, error = injected(lambda: call(**given), at)
            assert error is not None
            assert _in_variables(error) == set()
