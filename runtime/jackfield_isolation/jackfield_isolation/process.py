"""One child process of a connector, from this process's side: its frames, its output, and its
end.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from jackfield.kernel.failures import OnFailure
from jackfield.kernel.local import OnAllCores
from jackfield.schema.wording import escaped
from jackfield_isolation.hello import HELLO, LAYERS, Hello
from jackfield_isolation.inbox import Inbox
from jackfield_isolation.lines import Lines
from jackfield_isolation.program import Program, clean_environment, command
from jackfield_isolation.questions import Asked
from jackfield_isolation.wire import LARGEST_ANSWER, LINE, Frame, Garbage, Head, Wire, decoded

_SEND_SECONDS = 2
"""Maximum time in seconds for which a child may leave its socket unread while a frame is sent to
it.
"""
_SETTLE_SECONDS = 1.0
_LONGEST_FAULT = 2000
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Ended(Exception):
    """Error for a call without an answer, because its child process ended."""


class Broken(Ended):
    """Error for a connector that cannot run, even if it is started again."""


class ChildProcess:
    """Running child process. Any thread may talk to it; ``lines`` log its messages.

    ``died`` is called once, from another thread, after the process has ended.
    """

    def __init__(
        self, program: Program, lines: Lines, died: Callable[[ChildProcess], None]
    ) -> None:
        self.program = program
        self.is_retired = False
        self.answered = 0
        """Number of calls that it has answered."""
        self._lines = lines
        self._died = died
        self._inbox = Inbox(program.largest_description)
        self._overdue: set[int] = set()
        self._end: str | None = None
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._process, self._wire = self._started(program)
        self._threads = [
            threading.Thread(target=self._read, name=f"jackfield-child-{program.key}", daemon=True),
            threading.Thread(
                target=self._read_output, name=f"jackfield-output-{program.key}", daemon=True
            ),
        ]

    def _started(self, program: Program) -> tuple[subprocess.Popen[bytes], Wire]:
        ours, theirs = socket.socketpair()
        # the child's own filter forbids that later
        with theirs, OnFailure(ours.close), OnAllCores():
            ours.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", _SEND_SECONDS, 0)
            )
            process = subprocess.Popen(
                command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=clean_environment(program),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                bufsize=0,
            )
        return process, Wire(ours, LARGEST_ANSWER)

    def greet(self) -> None:
        """Send the child its program, and start to read from it."""
        with suppress(OSError):  # it has ended already, and the reading thread finds out
            self._wire.send(self.program.configuration())
        for thread in self._threads:
            thread.start()

    def await_hello(
        self, seconds: float, consent: Callable[[Mapping[str, bool | str]], object]
    ) -> Hello:
        """Return the child's description of the connector. The child imports the connector after
        ``consent`` has accepted its layers.

        :raises Broken: if the child ends while it imports the connector, or sends garbage.
        :raises Ended: if the child ends earlier, or takes longer than ``seconds``.
        """
        try:
            layers: Mapping[str, bool | str] = LAYERS.read(
                self.next_frame(0, seconds)[0].get("layers")
            )
            consent(layers)
            self.send({"id": 0, "import": True})
            described: Hello = HELLO.read({**self._described(seconds), "layers": layers})
        except TimeoutError:
            self.kill(f"did not start within {seconds:.0f} s")
            raise Ended(f"did not start within {seconds:.0f} s") from None
        except Garbage as fault:
            self.kill(f"sent {fault}")
            raise Broken(f"sent {fault}") from None
        finally:
            self._inbox.close(0)
        return described

    def _described(self, seconds: float) -> Frame:
        try:
            found, _ = self.next_frame(0, seconds)
        except Ended as end:
            raise Broken(f"{end} while it imported the connector") from None
        if "broken" in found:
            self.kill("is broken")
            raise Broken(escaped(str(found["broken"])[:_LONGEST_FAULT]))
        return found

    @property
    def is_alive(self) -> bool:
        """Return whether the child is running and not about to end."""
        return self._end is None

    @property
    def is_idle(self) -> bool:
        """Return whether no call, other than an overdue one, waits for the child."""
        return not self._inbox.numbers() - self._overdue

    @property
    def pid(self) -> int:
        """Return the ID of the process."""
        return self._process.pid

    def begin(self, asked: Asked) -> int:
        """Send a question and return its number.

        :raises Ended: if the child has ended, and so has not read the question.
        :raises ValueError: if the question is too large.
        """
        number = self._inbox.open()
        with OnFailure(self.forget, number):
            if self._end is not None:
                raise Ended(self._end)
            self.send({"id": number, **vars(asked)})
        return number

    def send(self, frame: Frame, descriptor: int | None = None) -> None:
        """Send a frame.

        :raises Ended: if the child has ended, or does not read.
        """
        try:
            self._wire.send(frame, descriptor)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                self.kill("does not read what is sent to it")
            self._threads[0].join(_SETTLE_SECONDS)  # the reading thread learns how it has ended
            raise Ended(self._end or "has ended") from None

    def next_frame(self, number: int, seconds: float) -> tuple[Frame, int]:
        """Return the next frame about a question, and its size in bytes.

        :raises Ended: if the child ends first.
        :raises Garbage: if the frame is not JSON.
        :raises TimeoutError: if no frame arrives within ``seconds``.
        """
        if seconds <= 0:
            raise TimeoutError
        frame = self._inbox.take(number, seconds)
        if frame is None:
            raise Ended(self._end or "ended")
        return frame

    def forget(self, number: int) -> None:
        """Close a question; later frames about it are dropped. A retired child without further
        calls is killed.
        """
        self._inbox.close(number)
        if self.is_retired and self.is_idle:
            self.kill("was replaced")

    def retire(self, overdue: int | None = None) -> None:
        """Accept no more calls, and kill the child once its calls have ended. The ``overdue`` call,
        which would never end, does not count.
        """
        self.is_retired = True
        if overdue is not None:
            self._overdue.add(overdue)
        if self.is_idle:
            self.kill(
                "did not answer within the deadline" if overdue is not None else "was replaced"
            )

    def kill(self, reason: str) -> None:
        """Kill the child and all processes of its session. ``reason`` completes the sentence "the
        process …".
        """
        with self._lock:
            self._end = self._end or reason
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            # else its number may belong to another process by now
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def leave(self) -> None:
        """Close the copies of the sockets in a forked process; the child belongs to the process
        that was forked.
        """
        self._end = "belongs to another process"
        self._wire.leave()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.returncode = 0  # it is not this process's to wait for

    def cpu_seconds(self) -> float:
        """Return the CPU time that the child has used, in seconds; 0 where it cannot be read."""
        try:
            with open(
                f"/proc/{self._process.pid}/stat", encoding="ascii", errors="replace"
            ) as file:
                fields = file.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS
        except (OSError, ValueError, IndexError):
            return 0.0

    def wait(self, seconds: float) -> None:
        """Wait at most ``seconds`` until the child and its threads have ended."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def _read(self) -> None:
        reason = None
        try:
            for head, body in self._wire.bodies(self._admits):
                self._deliver(head, body)
                del body  # up to 32 MiB, until the next frame arrives
        except (Garbage, OSError) as error:
            reason = f"sent {error}" if isinstance(error, Garbage) else None
        if reason is not None:
            self.kill(reason)
        self._settle()

    def _admits(self, head: Head) -> bool:
        return self._inbox.admits(head) and (head.kind != LINE or self._lines.has_room)

    def _deliver(self, head: Head, body: bytes) -> None:
        if head.kind == LINE:
            self._lines.log(logging.WARNING, str(decoded(body).get("log")))
        else:
            self._inbox.put(head, body)

    def _settle(self) -> None:
        """Record the end of the child, and notify all readers that wait for it."""
        # it has ended or only closed its connection; a status that it has already stays
        self._kill()
        code = self._process.wait()
        with self._lock:
            self._end = self._end or _ending(code)
        self._is_over.set()
        self._wire.close()
        self._died(self)
        self._inbox.end()

    @property
    def end(self) -> str:
        """Reason of the child's end, which completes the sentence "the process …"."""
        return self._end or "is running"

    def _read_output(self) -> None:
        pipe = self._process.stdout
        if pipe is not None:
            with pipe:
                self._lines.read(pipe, self._is_over)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
