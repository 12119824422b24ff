"""The listener and a thread for each connection."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from jackfield_aws_ses.demo.aws.call import SEND_PATH, read_call
from jackfield_aws_ses.demo.aws.exchange import Answer, HttpRequest

from .exchange import Exchange, honest, misbehave
from .line import Line
from .modelled import route
from .state import State
from .wire import BadRequestError, Reader

_PATIENCE = 5.0


class Server:
    """Serves one endpoint on one port from start() to stop()."""

    def __init__(self, state: State, port: int) -> None:
        self.state = state
        self._stopping = threading.Event()
        self._lines: set[Line] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, name="fake-aws", daemon=True)

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor.start()

    def stop(self) -> None:
        """Close the port and every connection, and wait for the threads."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for line in self._lines:
                with contextlib.suppress(OSError):
                    line.sock.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in (self._acceptor, *threads):
            if thread.is_alive():
                thread.join(_PATIENCE)

    def release(self) -> None:
        """End every hang: the held answers are sent."""
        with self._lock:
            for line in self._lines:
                if line.holding:
                    line.release()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            line = Line(sock, self._stopping)
            thread = threading.Thread(target=self._serve, args=(line,), name="fake-aws-connection", daemon=True)
            with self._lock:
                if self._stopping.is_set():
                    line.close()
                    return
                self._lines.add(line)
                self._threads.add(thread)
                thread.start()

    def _serve(self, line: Line) -> None:
        self.state.connected(1)
        try:
            if self.state.script.take_connection() is not None:
                line.reset()
                return
            line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(line)
        except BadRequestError as error:
            with contextlib.suppress(OSError):
                line.send(Answer(400, str(error).encode(), "text/plain", (("Connection", "close"),)))
        except OSError:
            # The caller left, or stop() closed the socket: nobody is there to tell.
            return
        finally:
            line.close()
            with self._lock:
                self._lines.discard(line)
                self._threads.discard(threading.current_thread())
            self.state.connected(-1)

    def _converse(self, line: Line) -> None:
        reader, first = Reader(line.sock), True
        while (http := reader.read()) is not None and not self._stopping.is_set():
            settings = self.state.settings
            line.due = time.perf_counter() + settings.latency + (settings.connect_latency if first else 0.0)
            first = False
            if not self._exchange(line, http):
                return

    def _exchange(self, line: Line, http: HttpRequest) -> bool:
        state = self.state
        if state.settings.blind and http.path == SEND_PATH:
            state.accept_unread("sesv2:SendEmail")
            line.wait_due()
            line.send(Answer(200, f'{{"MessageId":"{state.message_id()}"}}'.encode()))
            return True
        call = route(read_call(http, state.request_id()))
        state.log(call)
        fault = state.script.take(call.service, call.operation)
        try:
            return honest(state, line, call) if fault is None else misbehave(Exchange(state, line, call, fault))
        finally:
            call.drop_content()
