"""An SMTP server for tests: aiosmtpd with TLS, users, and faults by script; and names that lead to
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from unittest import mock

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = [
    "CLOSE",
    "CUT",
    "DRIP",
    "HANG",
    "PASSWORD",
    "USER",
    "Fault",
    "Received",
    "SmtpServer",
    "resolving",
]

USER, PASSWORD = "AKIAIOSFODNN7EXAMPLE", "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG"
CUT = "cut"
"""A fault: the connection is reset in place of a reply."""
CLOSE = "close"
"""A fault: the connection is closed in place of a reply."""
HANG = "hang"
"""A fault: nothing happens any more."""
DRIP = "drip"
"""A fault: the reply comes byte by byte and never ends."""
_DROPS = frozenset({CUT, CLOSE})
_STALLS = frozenset({HANG, DRIP})

Fault = str | Callable[[], object] | None
"""What stands in for a reply; a callable is called, then all goes on as always."""

_LINGER = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # SO_LINGER with a wait of 0: closing sends RST
_WORD = {"220 ": "GREETING", "354 ": "CONTENT"}


@dataclass(frozen=True)
class Received:
    """A message that the server took over."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    user: str
    encrypted: bool


class SmtpServer:
    """Serves in a thread of its own, on a free port of 127.0.0.1 (``port`` chooses another,
    ``host`` another address).

    ``script`` holds faults by what they stand in for: a verb, ``GREETING``, ``CONTENT`` (the server
    has said 354) or ``.`` (it has the whole message). Each time that happens the first one left is
    used up: a reply to give, ``CUT``, ``CLOSE``, ``HANG``, ``DRIP``, a function to call first, or
    None to do as always. A message that was followed by one of the four counts as taken.
    ``starttls`` false hides the offer.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        script: Mapping[str, Iterable[Fault]] | None = None,
        *,
        tls: bool = False,
        starttls: bool = True,
        users: Mapping[str, str] | None = None,
        mechanisms: Iterable[str] = ("PLAIN", "LOGIN"),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.received: list[Received] = []
        self.heard: list[str] = []
        self.names: list[str | None] = []
        self.connections = 0
        self.users = {USER: PASSWORD} if users is None else users
        self.starttls = starttls
        self.mechanisms = tuple(mechanisms)
        self._script = {verb: list(faults) for verb, faults in (script or {}).items()}
        self._context = context
        self._tls = tls
        self._address = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._talks: set[_Talk] = set()

    @property
    def count(self) -> Counter[str]:
        """How often each verb was heard."""
        return Counter(self.heard)

    def fault(self, verb: str) -> str | None:
        """Use the next fault for ``verb`` up."""
        left = self._script.get(verb)
        found = left.pop(0) if left else None
        if callable(found):
            found()
            return None
        return found

    def drop(self) -> None:
        """Close every connection that is open, as a server that goes away."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(60)

    async def _drop(self) -> None:
        for talk in list(self._talks):
            talk.hang_up()
        await self._ended()

    async def _ended(self) -> None:
        """Let the loop tell each connection that it is over."""
        for _ in range(1000):
            if not self._talks:
                return
            await asyncio.sleep(0)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # connections are torn down on purpose
        self._loop.set_exception_handler(lambda _loop, _context: None)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        factory = self._talk
        server = await self._loop.create_server(
            factory, *self._address, ssl=self._context if self._tls else None
        )
        for listener in server.sockets:
            # a message need not be large to fill the buffers on its way
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for talk in list(self._talks):
            talk.hang_up(reset=True)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._ended()

    def _talk(self) -> _Talk:
        self.connections += 1
        talk = _Talk(self, None if self._tls else self._context, self._loop)
        self._talks.add(talk)
        return talk


class _Hooks:
    """What the server decides for itself."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's)
        self, smtp: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        offered = [line for line in responses if self._server.starttls or "STARTTLS" not in line]
        return [
            f"250-AUTH {' '.join(self._server.mechanisms)}"
            if line.startswith("250-AUTH ")
            else line
            for line in offered
        ]

    async def handle_MAIL(  # noqa: N802 (aiosmtpd's)
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 Authentication required"
        envelope.mail_from = address
        return "250 Ok"

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's)
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "250 Ok"

    async def handle_DATA(self, smtp: _Talk, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        fault = self._server.fault(".")
        if fault is None or fault in _DROPS | _STALLS or fault.startswith("2"):
            taken = self._server.received
            content = envelope.original_content or b""
            sent = Received(
                str(envelope.mail_from),
                tuple(envelope.rcpt_tos),
                content,
                str(session.auth_data),
                smtp.encrypted,
            )
            taken.append(sent)
        if fault in _DROPS | _STALLS:
            await smtp.misbehave(fault)
        return fault or f"250 Ok 0102018f6b1c2d3e-{len(self._server.received):04d}-000000"


class _Talk(SMTP):
    """One connection."""

    def __init__(
        self, server: SmtpServer, context: ssl.SSLContext | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        self._over = False
        super().__init__(
            _Hooks(server),
            data_size_limit=41_943_040,
            hostname="email-smtp.test",
            tls_context=context,
            authenticator=self._judge,
            auth_require_tls=context is not None,
            loop=loop,
        )
        for verb, method in list(self._smtp_methods.items()):
            self._smtp_methods[verb] = self._scripted(verb, method)

    @property
    def encrypted(self) -> bool:
        """Whether what is said now cannot be overheard."""
        return (
            self.transport is not None and self.transport.get_extra_info("ssl_object") is not None
        )

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection, at once where it is to look like a reset."""
        self._over = True
        transport: Any = self._original_transport or self.transport
        if transport is None:
            return
        if reset:
            with contextlib.suppress(OSError):  # it may be closed already
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER
                )
            transport.abort()
        else:
            transport.close()

    async def misbehave(self, fault: str | None) -> None:
        """Drop the connection, or do nothing useful on it until it ends."""
        if fault in _DROPS:
            self.hang_up(reset=fault == CUT)
        while fault in _STALLS and self.transport is not None:
            if fault == DRIP:
                self._writer.write(b"2")
            await asyncio.sleep(0.05)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self._server._talks.discard(self)
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        """Reply, unless the script has something else to say."""
        word = next(
            (
                word
                for start, word in _WORD.items()
                if isinstance(status, str) and status.startswith(start)
            ),
            None,
        )
        if word == "GREETING" and self._server.heard[-1:] == ["STARTTLS"]:
            word = None  # the 220 after STARTTLS
        fault = self._server.fault(word) if word else None
        if fault in _DROPS | _STALLS:
            if word == "CONTENT":
                await super().push(status)
            await self.misbehave(fault)
        elif not self._over:
            await super().push(fault or status)

    def _scripted(
        self, verb: str, method: Callable[[str | None], Any]
    ) -> Callable[[str | None], Any]:
        async def obey(argument: str | None) -> None:
            self._server.heard.append(verb)
            if verb == "EHLO":
                self._server.names.append(argument)
            fault = self._server.fault(verb)
            if fault in _DROPS | _STALLS:
                await self.misbehave(fault)
            elif fault is not None:
                await super(_Talk, self).push(fault)
            else:
                await method(argument)

        return obey

    def _judge(
        self, _server: SMTP, session: Session, _envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if mechanism not in self._server.mechanisms or not isinstance(data, LoginPassword):
            return AuthResult(
                success=False, handled=False, message="504 Unrecognized authentication type"
            )
        if self._server.users.get(data.login.decode()) != data.password.decode():
            return AuthResult(
                success=False, handled=False, message="535 Authentication Credentials Invalid"
            )
        return AuthResult(success=True, auth_data=data.login.decode())


@contextlib.contextmanager
def resolving(hosts: Mapping[str, int | None]) -> Iterator[None]:
    """Have each of these names lead to a port of this machine, whatever port is asked for, or
    (None) nowhere; others are as they were.
    """
    real = socket.getaddrinfo

    def found(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host in hosts and hosts[host] is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host in hosts:
            return [
                (
                    socket.AF_INET,
                    socket.SOCK_STREAM,
                    socket.IPPROTO_TCP,
                    "",
                    ("127.0.0.1", hosts[host]),
                )
            ]
        return real(host, port, *arguments, **options)

    with mock.patch("socket.getaddrinfo", found):
        yield
