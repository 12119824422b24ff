"""Sidecar that serves Dapr's bindings API until stopped."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield.kernel.threads import Threads
from jackfield_dapr.sidecar.api import DaprApi

if TYPE_CHECKING:
    from jackfield_dapr.sidecar.grpc_server import GrpcServer
    from jackfield_dapr.sidecar.http_server import HttpServer

_AT_ONCE = 64
"""Maximum number of concurrent calls, as in ``jackfield serve``."""


def has_grpc() -> bool:
    """Return whether the extra ``dapr`` is installed, which gRPC needs."""
    return find_spec("grpc") is not None


class Sidecar:
    """HTTP server and, if ``grpc_port`` is given, gRPC server on one host; both run from
    construction until ``stop``.

    Leaving the context lets running requests finish within ``patience`` seconds.

    :raises InvalidInvocation: if the extra ``server`` is missing, or gRPC is requested and grpcio
        is not installed.
    :raises Unavailable: if a port is not available.
    """

    def __init__(
        self,
        api: DaprApi,
        host: str = "127.0.0.1",
        http_port: int = 3500,
        grpc_port: int | None = None,
        *,
        patience: float = 5.0,
    ) -> None:
        self.api = api
        self._patience = patience
        self._servers: list[HttpServer | GrpcServer] = []
        self._threads = Threads(_AT_ONCE, "jackfield-dapr")
        try:
            self._servers.append(_http_server(self.api, host, http_port, self._threads))
            if grpc_port is not None:
                self._servers.append(_grpc_server(self.api, host, grpc_port, self._threads))
        except OSError as error:
            self.stop(0)
            port = grpc_port if self._servers else http_port
            raise Unavailable(
                f"cannot listen on port {port} of {host}: {error.strerror or error}",
                hint=(
                    "Another sidecar may be running. Choose other ports with --http-port and "
                    "--grpc-port (0 = any)."
                ),
            ) from None
        except InvalidInvocation:
            self.stop(0)
            raise

    @property
    def ports(self) -> tuple[int, ...]:
        """Ports in use: the HTTP port, then the gRPC port if the sidecar serves gRPC."""
        return tuple(server.address[1] for server in self._servers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop(self._patience)

    def stop(self, patience: float) -> None:
        """Report that the sidecar is stopping, refuse new requests, and let running ones finish
        within ``patience`` seconds.
        """
        self.api.stopping.set()
        end = time.monotonic() + patience
        for server in reversed(self._servers):
            server.stop(max(0.0, end - time.monotonic()))
        self._threads.shutdown(wait=False, cancel_futures=True)


def _http_server(api: DaprApi, host: str, port: int, threads: Threads) -> HttpServer:
    try:
        from jackfield_dapr.sidecar.http_server import HttpServer
        from jackfield_service.shell.http.protocol import Bounded
    except ImportError as error:
        raise InvalidInvocation(
            f"the server needs the extra 'server': the package '{error.name}' is not installed",
            hint="pip install 'jackfield[server]'",
        ) from None
    return HttpServer(api, host, port, threads, Bounded)


def _grpc_server(api: DaprApi, host: str, port: int, threads: Threads) -> GrpcServer:
    try:
        from jackfield_dapr.sidecar.grpc_server import GrpcServer
    except ImportError:
        raise InvalidInvocation(
            "gRPC needs the package grpcio, which is not installed",
            hint="Install the extra: jackfield[dapr]; or omit --grpc-port.",
        ) from None
    return GrpcServer(api, host, port, threads)
