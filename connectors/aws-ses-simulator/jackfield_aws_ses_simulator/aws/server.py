"""HTTP server of the account on loopback: a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jackfield_aws_ses_simulator.aws.answers import answer
from jackfield_aws_ses_simulator.aws.call import Call, read_call
from jackfield_aws_ses_simulator.aws.exchange import Answer
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.wire import BadRequestError, Reader, sent_whole

_LOOPBACK = "127.0.0.1"
_BACKLOG = 512
_PATIENCE = 5.0
"""Seconds to wait for a thread to end after its connection was closed."""


class Server:
    """Server on one port, from start() to stop(). ``converse`` serves one connection and returns at
    its end.
    """

    def __init__(self, converse: Callable[[socket.socket], object], port: int = 0) -> None:
        self._converse = converse
        self.stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._listener = socket.create_server((_LOOPBACK, port), backlog=_BACKLOG)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{_LOOPBACK}:{self.port}"
        self._acceptor = threading.Thread(target=self._accept, name="embedded-aws", daemon=True)

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor.start()

    def stop(self) -> None:
        """Close the port and all connections, and wait for the threads."""
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = dict(self._connections)
        for sock in connections.values():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in (self._acceptor, *connections):
            thread.join(_PATIENCE)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(
                target=self._serve, args=(sock,), name="embedded-aws-connection", daemon=True
            )
            with self._lock:
                if self.stopping.is_set():
                    sock.close()
                    return
                self._connections[thread] = sock
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(sock)
        except BadRequestError as error:
            with contextlib.suppress(OSError):
                sock.sendall(
                    sent_whole(
                        Answer(400, str(error).encode(), "text/plain", (("Connection", "close"),))
                    )
                )
        except OSError:
            return  # the caller left, or stop() closed the socket: nobody is there to tell
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)


@contextmanager
def serving(ledger: Ledger, on_answer: Callable[[Call, Answer], bool]) -> Iterator[str]:
    """Serve an account on a free port and yield its URL. ``on_answer`` is called with each
    response; if it returns False, the connection is closed without sending the response.
    """

    def converse(sock: socket.socket) -> None:
        reader = Reader(sock)
        while (http := reader.read()) is not None:
            call = read_call(http, ledger.request_id())
            found = answer(ledger, call)
            if not on_answer(call, found):
                return
            sock.sendall(sent_whole(found))
            if http.closes:
                return

    server = Server(converse)
    server.start()
    try:
        yield server.url
    finally:
        ledger.close()
        server.stop()
