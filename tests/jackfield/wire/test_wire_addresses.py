"""Names and their addresses: a request ends with its deadline, whatever the resolver does, and says
whose fault it is.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jackfield.connector import Guard, Target, Wire, WireSettings
from jackfield.wire.faults import WireFault
from jackfield.wire.head import Proxy
from ports import free_port


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A resolver that says nothing about names below ``.silent`` until the test has ended; which it
    was asked for.
    """
    asked, real, ended = list[str](), socket.getaddrinfo, threading.Event()

    def found(host: str, *rest: Any, **named: Any) -> Any:
        if host.endswith(".silent"):
            asked.append(host)
            assert ended.wait(60)
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return real(host, *rest, **named)

    monkeypatch.setattr("socket.getaddrinfo", found)
    yield asked
    ended.set()
    for thread in _resolvers():
        thread.join(60)


def _resolvers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "jackfield-resolver"]


def _fault(wire: Wire, host: str, seconds: float = 0.2) -> WireFault:
    # on a slow machine, too, there is time left for each step
    with pytest.raises(WireFault) as found:
        wire.send(
            "GET",
            Target("https", host, 9),
            b"/",
            [(b"Host", b"x")],
            None,
            lambda: seconds,
            lambda: None,
        )
    return found.value


WAYS: dict[str, tuple[str, Callable[[], WireSettings], str]] = {
    "a server": (
        "a.silent",
        WireSettings,
        "the host 'a.silent' could not be looked up: the resolver did not answer",
    ),
    "a server of a tenant": (
        "b.silent",
        lambda: WireSettings(guard=Guard()),
        "the host 'b.silent' could not be looked up",
    ),
    "a proxy": (
        "127.0.0.1",
        lambda: WireSettings(route=Proxy(Target("http", "c.silent", 9))),
        "the proxy 'c.silent:9' could not be looked up",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_resolver_that_says_nothing(silent: list[str], way: str) -> None:
    """The request ends with its deadline, names the resolver, and has sent nothing."""
    host, settings, words = WAYS[way]
    fault = _fault(Wire(settings()), host)
    assert (fault.sent.value, len(silent)) == ("nothing", 1)
    assert fault.said.startswith(words)
    assert way == "a proxy" or "/etc/resolv.conf" in fault.words


def test_a_tenants_name_that_only_a_proxy_may_know(silent: list[str]) -> None:
    """The judgement of a name on the way to a proxy ends with the deadline, too; such a name is
    refused then.
    """
    wire = Wire(WireSettings(guard=Guard(), route=Proxy(Target("http", "127.0.0.1", free_port()))))
    with pytest.raises(Exception, match="not allowed to reach this host"):
        wire.send("GET", Target("https", "d.silent", 9), b"/", [], None, lambda: 0.2, lambda: None)
    assert silent == ["d.silent"]


def test_a_look_up_is_shared(silent: list[str]) -> None:
    """Requests to a name whose resolver says nothing ask once, however many there are."""
    wire = Wire(WireSettings())
    assert [_fault(wire, "e.silent", 0.05).kind for _ in range(3)] == ["resolver"] * 3
    assert silent == ["e.silent"]


def test_a_resolver_that_says_nothing_holds_few_threads(silent: list[str]) -> None:
    """However many names are asked for, 64 are looked up at a time. Requests to the others end with
    their deadlines; behind 1,000, they end at once. All say that the resolver did not answer, and
    have sent nothing.
    """
    wire = Wire(WireSettings())
    faults = [_fault(wire, f"{number}.silent", 0.001) for number in range(1_000)]
    faults.append(_fault(wire, "one-more.silent", 3_600.0))
    assert {(fault.kind.value, fault.sent.value) for fault in faults} == {("resolver", "nothing")}
    assert (len(silent), len(_resolvers())) == (64, 64)


def test_an_unrouted_address_does_not_hide_what_another_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a name with an address of IPv6 that no way leads to, the refusal of its other address is
    told.
    """

    class Unrouted(socket.socket):
        def connect(self, address: Any) -> None:
            raise (
                OSError(errno.ENETUNREACH, "Network is unreachable")
                if ":" in address[0]
                else ConnectionRefusedError(errno.ECONNREFUSED, "no")
            )

    def found(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        ]

    monkeypatch.setattr("socket.getaddrinfo", found)
    monkeypatch.setattr("socket.socket", Unrouted)
    assert (
        _fault(Wire(WireSettings()), "both.example", 30.0).said
        == "'both.example:9' refused the connection"
    )


def test_a_tenant_whose_names_hang_leaves_places_to_another(silent: list[str]) -> None:
    """However many names that hang one tenant asks for, another tenant's name is looked up at once,
    even if the first has asked for it, too. One tenant holds neither all threads nor all names.
    """
    hostile, other = (
        Wire(WireSettings(guard=Guard(loopback=True, tenant=name))) for name in ("a-1", "b-2")
    )
    assert _fault(other, "first.silent", 0.01).kind == "resolver"
    for number in range(800):
        _fault(hostile, f"{number}.silent", 0.0001)
    assert _fault(hostile, "localhost", 0.01).kind == "resolver"  # it waits behind the others
    assert _fault(other, "localhost", 10.0).kind != "resolver"
    assert len(silent) < 64


def test_a_late_answer_is_kept_for_a_moment(
    silent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request to a name whose look-up took longer than a turn gets its answer, without a
    further look-up.
    """
    monkeypatch.setattr("jackfield.wire.addresses.TURN", 0.0)
    wire = Wire(WireSettings())
    assert _fault(wire, "localhost", 5.0).sent.value == "nothing"
    for thread in _resolvers():
        thread.join(60)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: silent.append("asked again"))
    monkeypatch.setattr("jackfield.wire.addresses.TURN", 5.0)
    assert _fault(wire, "localhost", 5.0).kind != "resolver"
    assert not silent
