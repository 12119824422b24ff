"""A moto server with no state of earlier tests: moto keeps its state per process, for all its
servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import ProxyHandler, Request, build_opener

from moto.server import ThreadedMotoServer

from moto_quiet import quiet

quiet()


@contextmanager
def moto_server() -> Iterator[str]:
    """Start a server with empty services, and yield its URL; one at a time in a process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        tell(url, "reset")
        yield url
    finally:
        server.stop()


def tell(url: str, name: str, value: str = "") -> None:
    """Use moto's own API: ``reset-auth`` takes the number of calls after which permissions are
    checked.
    """
    request = Request(f"{url}/moto-api/{name}", value.encode(), {"Content-Type": "text/plain"})
    build_opener(ProxyHandler({})).open(request).close()
