"""The HTTP API as a surface for vectors: one server for the process, and for each play an
application with the play's own clock.
"""

from __future__ import annotations

import functools
import http.client
import json
import os
import threading
from collections.abc import Mapping
from typing import Any, cast

import uvicorn

from corpus import Vector
from jackfield.callers import Rules
from jackfield.invocation import MAX_BYTES
from jackfield.kernel.errors import CODES
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.shell.http.server_process import config
from jackfield_service.shell.identity.identity import Identity
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.process.settings import ServerSettings
from stage import Place

_CALLER = Identity("default", "vectors", "manage", Rules())


def takes_http(vector: Vector) -> bool:
    """Whether the API lets the vector through to the pipe: what is too large is a refusal of its
    own there (413), and an inline connection that reads the host is refused (contract §2).
    """
    given = vector.given
    if isinstance(given, str):
        return len(given.encode("utf-8", "surrogatepass")) <= MAX_BYTES
    connection = given.get("connection")
    if not isinstance(connection, Mapping):
        return True
    values = connection.get("values")
    ambient = connection.get("type", "").endswith(
        ("awsDefault", "awsAssumeRole")
    ) and "accessKeyId" not in (values or {})
    return not ambient and '"$' not in json.dumps(values)


def over_http(_vector: Vector, place: Place) -> dict[str, Any]:
    """``POST /v1/invocations``, connections from files; the answer's status is that of its code."""
    given = place.given
    status, result = posted(
        place, "/v1/invocations", given if isinstance(given, str) else json.dumps(given)
    )
    wanted = 200 if result["status"] == "succeeded" else CODES[result["error"]["code"]].http_status
    assert status == wanted, (status, result)
    return result


def posted(place: Place, path: str, text: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the answer to one request, of an application with the play's own
    clock.
    """
    server = _server()
    host = server.host = ServerContext(ServerSettings(queue_workers=0), os.environ, place.clock)
    setattr(host.identities, "cached", lambda _request: _CALLER)  # noqa: B010 (without a database there are no tokens)
    sent = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("POST", path, text.encode("utf-8", "surrogatepass"), sent)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    finally:
        connection.close()
        runtime = host.runtimes.known("default")
        if runtime is not None:
            runtime.close()
    assert answer.headers["Content-Type"] == "application/json", found
    return answer.status, found


class _Server:
    """Serves one application, since building its 80 routes takes a third of a play. For the
    application it is the play's ServerContext.
    """

    def __init__(self) -> None:
        self.host = ServerContext(ServerSettings(queue_workers=0), os.environ)
        app: Any = build_app(cast("ServerContext", self), mounts())
        found = config(ServerSettings(port=0))
        found.app, found.factory, found.lifespan, found.interface = app, False, "off", "asgi3"
        server = uvicorn.Server(found)
        threading.Thread(target=server.run, name="vectors-server", daemon=True).start()
        started = threading.Event()
        while not server.started:
            started.wait(0.01)
        self.port: int = server.servers[0].sockets[0].getsockname()[1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.host, name)


@functools.cache
def _server() -> _Server:
    # Started once and never stopped, as the fake AWS.
    return _Server()
