"""Dapr's HTTP API on a port: its Starlette route under uvicorn, in a dedicated thread."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from jackfield_dapr.sidecar.api import DaprApi
from jackfield_dapr.sidecar.http_api import Answer, stopped
from jackfield_dapr.sidecar.routes import dapr_route
from jackfield_service.shell.process.lanes import Lanes

if TYPE_CHECKING:
    from jackfield_service.shell.http.protocol import Bounded

_BACKLOG = 128
_AT_ONCE = 1000
_OF_ONE = 16
"""Maximum number of threads of one binding: an unresponsive provider leaves other bindings their
threads.
"""


class HttpServer:
    """HTTP server that runs until stopped, with its calls in ``threads``. ``port`` 0 chooses a free
    port, which ``address`` reports. ``protocol`` is the HTTP protocol of ``jackfield serve``, with
    its limits.

    :raises OSError: if the port is not available.
    """

    def __init__(
        self,
        api: DaprApi,
        host: str,
        port: int,
        threads: ThreadPoolExecutor,
        protocol: type[Bounded],
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)

        lanes = Lanes(threads, _OF_ONE)

        async def apart(binding: str, step: Callable[[], Answer]) -> Answer:
            try:
                return await lanes.run(binding, step)
            except asyncio.CancelledError:
                # uvicorn cancels what outlasts its patience, and logs what is raised
                return stopped()

        app = Starlette(
            routes=[dapr_route("/{rest:path}", api, apart)],
            exception_handlers={ClientDisconnect: _forget},
        )
        self._config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_AT_ONCE,
            timeout_keep_alive=60,
        )
        self._server = uvicorn.Server(self._config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), name="dapr-http", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def stop(self, patience: float) -> None:
        """Refuse new connections, let running requests finish within ``patience`` seconds, and
        close.
        """
        self._config.timeout_graceful_shutdown = max(1, round(patience))
        self._server.should_exit = True
        self._thread.join(patience + 2)
        self._listener.close()


async def _forget(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # the client has disconnected
