"""Static server of a catalogue, for tests and small networks. Any other web server can serve the
same files.
"""

from __future__ import annotations

import os
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO

from jackfield.kernel.failures import ClientsLeave
from jackfield_market.site.simple_index import FOLDER, JSON_TYPE


class _Files(SimpleHTTPRequestHandler):
    """Handler that serves the files of a folder but lists no folders; clients that accept JSON get
    the package index as JSON.
    """

    protocol_version = "HTTP/1.1"
    timeout = 30
    extensions_map = {  # noqa: RUF012 (the base class declares it as an instance's)
        **SimpleHTTPRequestHandler.extensions_map,
        ".whl": "application/zip",
        ".metadata": "text/plain; charset=utf-8",
        ".html": "text/html; charset=utf-8",
    }

    def send_head(self) -> BinaryIO | None:
        """Serve ``index.json`` in place of a page of the package index, to clients that accept
        JSON.
        """
        wanted = self.path.partition("?")[0]
        if (
            wanted.startswith(f"/{FOLDER}/")
            and wanted.endswith("/")
            and JSON_TYPE in self.headers.get("Accept", "")
        ):
            self.path = f"{wanted}index.json"
        found: BinaryIO | None = super().send_head()
        return found

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        """Return the media type of a file; the JSON package index has a type of its own."""
        name = os.fspath(path)
        return JSON_TYPE if name.endswith(f"{os.sep}index.json") else super().guess_type(path)

    def list_directory(self, path: str | os.PathLike[str]) -> None:  # noqa: ARG002 (the signature of the base class)
        """Respond with 404 instead of a list of a folder."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Add headers against guessed types, frames and outdated copies."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write no log of requests."""


class _Server(ClientsLeave, ThreadingHTTPServer):
    pass


def server(site: str, host: str, port: int) -> ThreadingHTTPServer:
    """Return a bound server of ``site``; ``port`` 0 binds any free port."""
    return _Server((host, port), partial(_Files, directory=os.path.abspath(site)))
