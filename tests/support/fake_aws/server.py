"""The account's server with faults: a script decides on each connection and each request."""

from __future__ import annotations

import socket
import threading
import time

from jackfield_aws_ses_simulator.aws.call import read_call
from jackfield_aws_ses_simulator.aws.exchange import Answer, HttpRequest
from jackfield_aws_ses_simulator.aws.model import SEND_PATH
from jackfield_aws_ses_simulator.aws.server import Server
from jackfield_aws_ses_simulator.aws.wire import Reader

from .exchange import Exchange, honest, misbehave
from .line import Line
from .state import State


class FaultyServer(Server):
    """Serves one endpoint on one port from start() to stop()."""

    def __init__(self, state: State, port: int) -> None:
        self.state = state
        self._lines: set[Line] = set()
        self._held = threading.Lock()
        super().__init__(self._talk, port)

    def release(self) -> None:
        """End every hang: the held answers are sent."""
        with self._held:
            for line in self._lines:
                if line.holding:
                    line.release()

    def _talk(self, sock: socket.socket) -> None:
        line = Line(sock, self.stopping)
        with self._held:
            self._lines.add(line)
        self.state.connected(1)
        try:
            if self.state.script.take_connection() is not None:
                line.reset()
            else:
                self._exchange_all(line)
        finally:
            with self._held:
                self._lines.discard(line)
            self.state.connected(-1)

    def _exchange_all(self, line: Line) -> None:
        reader, first = Reader(line.sock), True
        while (http := reader.read()) is not None and not self.stopping.is_set():
            settings = self.state.settings
            line.due = (
                time.perf_counter()
                + settings.latency
                + (settings.connect_latency if first else 0.0)
            )
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
        call = read_call(http, state.request_id())
        state.log(call)
        fault = state.script.take(call.service, call.operation)
        try:
            return (
                honest(state, line, call)
                if fault is None
                else misbehave(Exchange(state, line, call, fault))
            )
        finally:
            call.drop_content()
