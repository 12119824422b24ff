"""Ports that do not answer."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def refused_url(host: str = "127.0.0.1") -> Iterator[str]:
    """Return the URL of a port that refuses every connection while the context lasts.

    The port is bound, so that nobody else gets it, and does not listen.
    """
    with socket.socket() as sock:
        sock.bind((host, 0))
        yield f"http://{host}:{sock.getsockname()[1]}"
