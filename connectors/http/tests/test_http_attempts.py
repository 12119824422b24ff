"""Requests of one attempt: which of them the client repeats, and what the runtime may make of
it.
"""

from __future__ import annotations

import socket

import pytest

from clocks import FakeClock
from http_rig import Cache, attempt
from jackfield.connector import JackfieldError, Sent
from jackfield.testing import CLOSE, RESET, Answer, Provider, refused, throttled
from jackfield_market.testing.loopback_provider import Step
from raw_server import read_request, serving


def test_the_first_request_is_the_runtimes(clock: FakeClock) -> None:
    """The first request of an attempt is not repeated here: the runtime repeats it, by the action's
    effect.
    """
    for step in (throttled(), refused(503), RESET):
        with (
            Provider([step]) as provider,
            attempt(provider.url, clock=clock) as (api, _),
            pytest.raises(JackfieldError),
        ):
            api.get("/x")
        assert len(provider.requests) == 1


def test_later_reads_are_repeated(clock: FakeClock) -> None:
    """A GET after a POST is repeated until it has an answer: the runtime cannot repeat it alone."""
    script: list[Step] = [
        Answer({"id": "j1"}, 202),
        throttled(3),
        refused(503),
        CLOSE,
        Answer({"state": "done"}),
    ]
    with (
        Provider(script) as provider,
        attempt(provider.url, clock=clock, seconds=60) as (api, call),
    ):
        api.post("/jobs")
        assert api.get("/jobs/j1").json("/state") == "done"
        methods = [request.method for request in provider.requests]
    assert methods == ["POST", "GET", "GET", "GET", "GET"]
    assert [(step.step, step.returned) for step in call.done] == [
        ("POST /jobs", {"status": 202, "id": "j1"})
    ]


def test_a_throttled_write_is_repeated(clock: FakeClock) -> None:
    """A later POST that was refused with 429 is repeated, and the refused one does not count as
    done.
    """
    script = [Answer(), throttled(), Answer(), Answer()]
    with Provider(script) as provider, attempt(provider.url, clock=clock) as (api, call):
        api.post("/a")
        api.post("/b")
        api.get("/c")
        assert len(provider.requests) == 4
    assert [step.step for step in call.done] == ["POST /a", "POST /b"]


@pytest.mark.parametrize("step", [refused(500), RESET, refused(422)])
def test_an_unclear_write_is_not_repeated(clock: FakeClock, step: Step) -> None:
    """A later POST whose outcome is unknown, or which was refused for good, is sent once."""
    with Provider([Answer(), step]) as provider, attempt(provider.url, clock=clock) as (api, _):
        api.post("/a")
        with pytest.raises(JackfieldError):
            api.post("/b")
        assert len(provider.requests) == 2


def test_a_body_that_is_used_up_is_not_sent_again(clock: FakeClock) -> None:
    """A body of chunks can be sent once."""
    with (
        Provider([Answer(), throttled(), Answer()]) as provider,
        attempt(provider.url, clock=clock) as (api, _),
    ):
        api.post("/a")
        with pytest.raises(JackfieldError):
            api.post("/b", content=iter([b"x"]))


def test_patience_ends_with_the_deadline(clock: FakeClock) -> None:
    """A wait that the deadline does not allow is not begun."""
    with (
        Provider([Answer(), throttled(100)]) as provider,
        attempt(provider.url, clock=clock, seconds=50) as (api, _),
    ):
        api.post("/a")
        with pytest.raises(JackfieldError) as found:
            api.get("/b")
        assert (found.value.code, found.value.retry_after, len(provider.requests)) == (
            "rate_limited",
            100,
            2,
        )


def test_a_refusal_that_the_author_handles(clock: FakeClock) -> None:
    """A refused POST that the action goes on from is no step that succeeded."""
    with (
        Provider([refused(409), Answer(), refused(422)]) as provider,
        attempt(provider.url, clock=clock) as (api, call),
    ):
        with pytest.raises(JackfieldError):
            api.post("/a")
        api.post("/b")
        with pytest.raises(JackfieldError) as found:
            api.post("/c")
    assert [step.step for step in call.done] == ["POST /b"]
    assert found.value.sent is Sent.REFUSED


def test_one_connection_for_an_attempt() -> None:
    """The requests of an attempt share the pool of its connection, so they arrive over one TCP
    connection.
    """
    cache, opened = Cache(), list[int]()

    def talk(connection: socket.socket) -> None:
        opened.append(0)
        while read_request(connection):
            opened[-1] += 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with serving(talk) as port:
        with attempt(f"http://127.0.0.1:{port}", cache=cache) as (api, _):
            api.post("/a")
            api.get("/b")
        cache.objects.clear()  # closes the connection, for whose end the server waits
    assert opened == [2]
