"""Mocked servers: a scripted server on loopback answers requests to a real server's address, from
any runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from jackfield.connector import InvalidConnection, Target, Wire, WireSettings
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation
from jackfield.wire.guard import OnlyHosts
from jackfield_market.testing.loopback_provider import (
    Answer,
    Provider,
    Request,
    Script,
    Step,
    script_of,
)
from jackfield_market.testing.offline import is_loopback, offline

_PORTS = {"http": 80, "https": 443}
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_LOCAL = OnlyHosts(("127.0.0.1",))
_WHY = "the servers of this test are mocked, and it reaches no other"


@contextmanager
def mocked(server: str, *script: Step | Script | Mapping[str, Step]) -> Iterator[Provider]:
    """Answer all requests to ``server`` (``https://api.example.com``) by ``script``, and refuse
    every other server that is not on this machine.

    Yield the ``Provider``, whose ``requests`` are the received requests. The mock applies to every
    runtime of this process and to all connectors that send through jackfield's own wire or AWS's
    client. All operations of AWS use that client in a process that has imported moto. ``script`` is
    a ``Provider``'s (default: 200 with ``{}``). An answer of AWS gets a request ID, without which
    AWS answers nothing. Blocks can be nested, one for each server.

    :raises InvalidInvocation: if ``server`` is not the URL of a server.
    """
    wanted = _target(server)
    played = script_of(script[0] if len(script) == 1 else script or Answer())  # type: ignore[arg-type]
    with (
        Provider(_named(played) if wanted.host.endswith(_AWS) else played) as provider,
        mock.patch.object(Wire, "send", _sending(wanted, provider, Wire.send)),
        offline(lambda _host: None, _WHY),
    ):
        yield provider


def _named(script: Script) -> Script:
    """Return a script whose answers have a request ID, as AWS's have."""

    def play(number: int, request: Request) -> Step:
        step = script(number, request)
        if not isinstance(step, Answer):
            return step
        return replace(step, headers={"x-amzn-RequestId": f"mocked-{number}", **step.headers})

    return play


def _sending(wanted: Target, provider: Provider, before: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that sends requests for ``wanted`` to the provider, and other requests with
    ``before``.
    """
    own, here = Wire(WireSettings()), _target(provider.url)

    def send(
        wire: Wire,
        method: str,
        target: Target,
        path: bytes,
        fields: list[tuple[bytes, bytes]],
        body: bytes | Iterable[bytes] | None,
        limit: Callable[[], float],
        begin: Callable[[], None],
    ) -> Any:
        if _is_same(target, wanted):
            with _LOCAL.entered():
                return _outermost(before)(own, method, here, path, fields, body, limit, begin)
        if not is_loopback(target.host) and not hasattr(before, "inner"):
            raise _not_mocked(target)
        return before(wire, method, target, path, fields, body, limit, begin)

    send.inner = before  # type: ignore[attr-defined]
    return send


def _is_same(target: Target, wanted: Target) -> bool:
    return (target.scheme, target.host.lower(), target.port) == (
        wanted.scheme,
        wanted.host,
        wanted.port,
    )


def _not_mocked(target: Target) -> InvalidConnection:
    text = f"'{target.host}' is not mocked: {_WHY}"
    return InvalidConnection(
        text,
        hint=f"Nothing was sent. Mock it: mocked('{target.scheme}://{target.host}', Answer(…)).",
    )


def _outermost(send: Callable[..., Any]) -> Callable[..., Any]:
    while hasattr(send, "inner"):
        send = send.inner
    return send


def _target(url: str) -> Target:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise InvalidInvocation(
            f"'{url[:200]}' is not the URL of a server",
            hint="Write scheme and host: https://api.example.com.",
        )
    return Target(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])
