"""A child: the fair bound of journalled HTTP calls. It does by hand what jackfield does for one
call, and nothing else.

``python -m benchmarks.bound UPSTREAM DATABASE threads|loop`` prints its address. One call: parse
the JSON, validate the inputs, record the begin (of a write before the upstream is called, in a
commit that is on the disk and that others share), call the upstream, record the end, answer. With
an ``Idempotency-Key`` the row holds the key, a repeat is answered from the row, and the end is on
the disk before the answer. With ``threads`` the upstream's client runs in threads, as a framework
needs whose connectors are plain functions; with ``loop`` in the event loop. There are no tokens,
rules, masking, encryption, deadlines, retries and metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from urllib.parse import urlsplit

import jsonschema_rs
import orjson
import urllib3
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SCHEMA = {
    "type": "object",
    "required": ["connector", "action", "inputs"],
    "properties": {
        "connector": {"type": "string", "maxLength": 200},
        "action": {"type": "string", "maxLength": 200},
        "connection": {"type": "string"},
        "inputs": {
            "type": "object",
            "required": ["url"],
            "properties": {
                "url": {"type": "string"},
                "method": {"enum": ["GET", "POST"]},
                "json": {},
            },
            "additionalProperties": False,
        },
    },
}
_TABLE = """
CREATE TABLE IF NOT EXISTS invocations (id TEXT PRIMARY KEY, status TEXT NOT NULL, connector TEXT, action TEXT, connection TEXT, key TEXT,
    inputs {blob}, result {blob}, created_at {real}, settled_at {real});
CREATE UNIQUE INDEX IF NOT EXISTS by_key ON invocations (key) WHERE key IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_time ON invocations (created_at, id);
"""
_INSERT = (
    "INSERT INTO invocations (id, status, connector, action, connection, key, inputs, "
    "created_at) VALUES (?, 'running', ?, ?, ?, ?, ?, ?)"
)
_FINISH = "UPDATE invocations SET status = ?, result = ?, settled_at = ? WHERE id = ?"
_HELD = "SELECT result FROM invocations WHERE key = ?"
_BEARER = {
    "Authorization": "Bearer token-of-the-benchmark-0123456789",
    "Content-Type": "application/json",
}
_TOGETHER, _COMPANY = 256, 0.05
_THREADS = 64
Statement = tuple[str, Sequence[object]]


class Database(Protocol):
    """A database with one connection to read and one to write."""

    def held(self, key: str) -> bytes | None:
        """Return the answer to a key, empty if there is none yet; None if nobody has the key."""

    def write(self, statements: Sequence[Statement]) -> None:
        """Execute statements, and commit them to the disk."""


class Sqlite:
    """A file."""

    def __init__(self, path: str) -> None:
        self._reader, self._writer = self._connect(path), self._connect(path)
        self._writer.executescript(_TABLE.format(blob="BLOB", real="REAL"))

    def held(self, key: str) -> bytes | None:
        """Return the answer to a key."""
        row = self._reader.execute(_HELD, (key,)).fetchone()
        return None if row is None else row[0] or b""

    def write(self, statements: Sequence[Statement]) -> None:
        """Execute and commit."""
        self._writer.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            self._writer.execute(sql, values)
        self._writer.execute("COMMIT")

    @staticmethod
    def _connect(path: str) -> sqlite3.Connection:
        found = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        found.execute("PRAGMA journal_mode = WAL")
        found.execute("PRAGMA synchronous = FULL")
        return found


class Postgres:
    """A server."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._reader, self._writer = psycopg.connect(url, autocommit=True), psycopg.connect(url)
        for statement in filter(
            str.strip, _TABLE.format(blob="BYTEA", real="DOUBLE PRECISION").split(";")
        ):
            self._reader.execute(statement.encode())

    def held(self, key: str) -> bytes | None:
        """Return the answer to a key."""
        row = self._reader.execute(_HELD.replace("?", "%s"), (key,), prepare=True).fetchone()
        return None if row is None else row[0] or b""

    def write(self, statements: Sequence[Statement]) -> None:
        """Execute in one round trip, and commit."""
        with self._writer.pipeline():
            for sql, values in statements:
                self._writer.execute(sql.replace("?", "%s").encode(), values, prepare=True)
            self._writer.commit()


class Writer:
    """Thread that commits what is queued together. What nobody waits for goes with the next commit,
    or soon with one of its own.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._loop = database, asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[Statement, asyncio.Future[None] | None]] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, daemon=True).start()

    def durable(self, sql: str, *values: object) -> asyncio.Future[None]:
        """Return what is done once a statement is on the disk."""
        told = self._loop.create_future()
        self._queue.put(((sql, values), told))
        return told

    def later(self, sql: str, *values: object) -> None:
        """Queue a statement that nobody waits for."""
        self._queue.put(((sql, values), None))

    def _work(self) -> None:
        while True:
            batch, until = [self._queue.get()], time.monotonic() + _COMPANY
            while len(batch) < _TOGETHER and (left := until - time.monotonic()) > 0:
                waited_for = any(told is not None for _, told in batch)
                try:
                    batch.append(
                        self._queue.get(block=not waited_for, timeout=None if waited_for else left)
                    )
                except queue.Empty:
                    break
            self._database.write([statement for statement, _ in batch])
            self._loop.call_soon_threadsafe(_tell, [told for _, told in batch if told is not None])


def _tell(waiting: Sequence[asyncio.Future[None]]) -> None:
    for told in waiting:
        if not told.done():
            told.set_result(None)


class InThreads:
    """Client of the upstream in threads."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._pool, self._threads = (
            urllib3.PoolManager(maxsize=_THREADS, retries=False),
            ThreadPoolExecutor(_THREADS),
        )

    async def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Send one request."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, inputs)

    def _call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        content = orjson.dumps(inputs["json"]) if "json" in inputs else None
        reply = self._pool.request(
            inputs.get("method", "GET"),
            self._upstream + inputs["url"],
            body=content,
            headers=_BEARER,
        )
        return {"status": reply.status, "json": orjson.loads(reply.data)}


class OnLoop:
    """Client of the upstream in the event loop: HTTP/1.1 over kept connections, as far as this
    upstream speaks it.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._head = "".join(
            f"{name}: {value}\r\n" for name, value in {"Host": parts.netloc, **_BEARER}.items()
        )

    async def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Send one request."""
        reader, writer = (
            self._idle.pop()
            if self._idle
            else await asyncio.open_connection(self._host, self._port)
        )
        content = orjson.dumps(inputs["json"]) if "json" in inputs else b""
        head = (
            f"{inputs.get('method', 'GET')} {inputs['url']} "
            f"HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        size = int(told.partition("content-length:")[2].partition("\r\n")[0])
        body = await reader.readexactly(size)
        self._idle.append((reader, writer))
        return {"status": int(told.split(" ", 2)[1]), "json": orjson.loads(body)}


class Bound:
    """The application."""

    def __init__(self, upstream: str, database: str, kind: str) -> None:
        self._upstream, self._where, self._kind = upstream, database, kind
        self._is_valid = jsonschema_rs.validator_for(_SCHEMA).is_valid
        self._database: Database
        self._client: InThreads | OnLoop
        self._writer: Writer

    @contextlib.asynccontextmanager
    async def opened(self, _app: Starlette) -> AsyncIterator[None]:
        """Open the database and the client."""
        self._database = Postgres(self._where) if "://" in self._where else Sqlite(self._where)
        self._client = (
            InThreads(self._upstream) if self._kind == "threads" else OnLoop(self._upstream)
        )
        self._writer = Writer(self._database)
        yield

    async def invoke(self, request: Request) -> Response:
        """Serve one call."""
        body = orjson.loads(await request.body())
        if not self._is_valid(body):
            return Response(b'{"status":"failed"}', 422, media_type="application/json")
        inputs, key, identifier = (
            body["inputs"],
            request.headers.get("idempotency-key"),
            uuid.uuid4().hex,
        )
        if key is not None and (held := self._database.held(key)) is not None:
            return Response(held or b"{}", 200 if held else 409, media_type="application/json")
        row = (
            identifier,
            body["connector"],
            body["action"],
            body.get("connection"),
            key,
            orjson.dumps(inputs),
            time.time(),
        )
        if inputs.get("method", "GET") != "GET" or key is not None:
            await self._writer.durable(_INSERT, *row)
        else:
            self._writer.later(_INSERT, *row)
        output = await self._client.call(inputs)
        result = orjson.dumps(
            {
                "status": "succeeded",
                "output": output,
                "meta": {"invocationId": identifier, "attempts": 1},
            }
        )
        if key is not None:
            await self._writer.durable(_FINISH, "succeeded", result, time.time(), identifier)
        else:
            self._writer.later(_FINISH, "succeeded", result, time.time(), identifier)
        return Response(result, media_type="application/json")


def _main() -> None:
    bound = Bound(*sys.argv[1:4])
    app = Starlette(
        routes=[Route("/v1/invocations", bound.invoke, methods=["POST"])], lifespan=bound.opened
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stderr.write(f"listens on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stderr.flush()
    uvicorn.Server(
        uvicorn.Config(app, loop="uvloop", http="httptools", log_config=None, access_log=False)
    ).run([listener])


if __name__ == "__main__":
    _main()
