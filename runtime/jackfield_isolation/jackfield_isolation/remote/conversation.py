"""One question to a child process, and the questions that the child asks this process before it
answers.
"""

from __future__ import annotations

import json
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.call.errors_map import Unmapped
from jackfield.connector.context import Minted
from jackfield.connector.failed_entries import MAX_FAILED_ENTRIES, FailedEntry
from jackfield.connector.grants import Grant
from jackfield.kernel.errors import Detail, InvalidConnection, JackfieldError, Sent, Unavailable
from jackfield.kernel.media_types import media_type
from jackfield.schema.wording import escaped
from jackfield.wire.exchanges import MOST
from jackfield_isolation.error_frames import dump_error, load_error
from jackfield_isolation.exchange_frames import load_exchanges
from jackfield_isolation.process import ChildProcess, Ended
from jackfield_isolation.questions import ACTS, CREDENTIAL, GRANT, Asked, Question
from jackfield_isolation.shares import CallShare, bounded
from jackfield_isolation.wire import Frame, Garbage

if TYPE_CHECKING:
    from jackfield.connector.context import Apart, Call, OpenContext
    from jackfield.kernel.clock import Deadline
    from jackfield_isolation.sessions import Session

GRACE = 0.15
"""Seconds after the deadline in which the parent still accepts a report of the child."""
_FAULTS = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""Exceptions that a malformed message of a child causes when it is read."""
_ANSWERS = ("end", "failed", "fault")
_LONGEST_FAULT = 2000
_LONGEST_REASON = 300
_LONGEST_NAME = 200
_MOST_APART = 1000
"""Maximum number of concurrent requests in threads of an action."""
_LARGEST_RETURN = 4000
"""Maximum number of characters of a step's returned JSON, which an error may quote."""
Dial = Callable[[str, int, float], socket.socket]
"""Function that opens a connection to a host and a port within some seconds."""


class Conversation:
    """Open question. ``call`` is the attempt that the child performs, ``session`` the parent's
    state of the connection.

    ``reports``: the client announces its requests. Otherwise a request counts as sent once the
    action is entered.
    """

    def __init__(
        self,
        child: ChildProcess,
        deadline: Deadline,
        dial: Dial,
        *,
        call: Call | None = None,
        context: OpenContext | None = None,
        session: Session | None = None,
        reports: bool = True,
    ) -> None:
        self._child = child
        self._deadline = deadline
        self._dial = dial
        self._call = call
        self._context = context
        self._session = session
        self._reports = reports
        self._entered = self._answered = self._acts = self._connected = False
        self._number = 0
        self._apart: dict[int, Apart] = {}
        """Requests that threads of the child's action have under way, by the child's numbers."""
        self._share = CallShare()
        self._is_storing = False
        self._early: Frame | None = None
        """Answer that arrived in the middle of a file."""
        self.renewable = False
        """True if the child says that its client can renew its credentials."""

    def ask(self, question: Question, asked: Asked) -> Any:
        """Ask the child and return its answer.

        :raises JackfieldError: the error that the child answers with, or the reason why there is no
            answer.
        """
        self._acts = question in ACTS
        try:
            self._number = self._child.begin(asked)
        except Ended as end:
            raise ended(self._child, end, Sent.NOTHING) from None
        try:
            answer = question.answer.read(self._answer())
        except _FAULTS as fault:
            self._child.kill(
                f"sent {fault if isinstance(fault, Garbage) else 'an answer that is none'}"
            )
            failure = ended(self._child, Ended(self._child.end), self._sent_by_dead)
            failure.repeatable = False  # another child would do the same
            raise failure from None
        except Ended as end:
            raise ended(self._child, end, self._sent_by_dead) from None
        finally:
            self._leave()
        self._child.answered += 1
        return answer

    def _leave(self) -> None:
        """End the conversation. If the child has not answered, tell it to send no more requests."""
        if not self._answered and self._child.is_alive:
            with suppress(Ended):
                self._send({"gone": True})
        self._child.forget(self._number)

    @property
    def sent(self) -> Sent:
        """Return the state of the call's requests, from its child's announcements."""
        begun = self._call is not None and self._call.begun and (self._reports or self._entered)
        return Sent.UNKNOWN if begun else Sent.NOTHING

    @property
    def _sent_by_dead(self) -> Sent:
        """Return the state of the call's requests after its child has ended and cannot announce
        requests over its connections.
        """
        return Sent.UNKNOWN if self._acts and self._connected else self.sent

    def _answer(self) -> Any:
        frame = self._await(*_ANSWERS)
        self._answered = True
        self._note_request(frame)
        self._note_exchanges(frame)
        self.renewable = frame.get("renewable") is True
        if "failed" in frame:
            raise load_error(frame["failed"])
        if "fault" in frame:
            raise _fault(frame["fault"], self.sent)
        return frame["end"]

    def _await(self, *names: str) -> Frame:
        """Return the first frame with a member of ``names``; serve the child's questions until it
        arrives.
        """
        while True:
            left = self._deadline.at - self._deadline.clock.monotonic() + GRACE
            try:
                frame = self._next(left)
            except TimeoutError:
                self._child.retire(self._number)
                raise self._deadline.passed(self.sent) from None
            if any(name in frame for name in names):
                return frame
            try:
                self._serve(frame)
            except Garbage:
                raise
            except _FAULTS as error:
                raise Garbage(f"a frame that is not a question ({type(error).__name__})") from None

    def _next(self, seconds: float) -> Frame:
        early, self._early = self._early, None
        if early is not None:
            return early
        frame, size = self._child.next_frame(self._number, seconds)
        if not any(name in frame for name in _ANSWERS):
            self._share.take(frame, size)
        return frame

    def _serve(self, frame: Frame) -> None:
        if self._call is not None and self._follow(self._call, frame):
            return
        if "entered" in frame:
            self._entered = True
        elif "lease" in frame:
            self._reply(lambda: self._lease(_text(frame["lease"])))
        elif "drop" in frame:
            self._drop(_text(frame["drop"]), frame["token"])
        elif "grant" in frame:
            self._reply(lambda: self._grant(frame))
        elif "dial" in frame:
            self._connect(_text(frame["dial"]), frame["port"], frame.get("seconds"))
        else:
            raise KeyError(*sorted(frame)[:3])

    def _follow(self, call: Call, frame: Frame) -> bool:
        """Process a frame about the progress of the call; return False for any other frame."""
        if "begin" in frame:
            self._note_request(frame)
            self._reply(
                lambda: call.begin(
                    _text(frame["begin"])[:_LONGEST_NAME], safe=frame.get("safe") is True
                )
            )
        elif "apart" in frame:
            self._reply(lambda: self._begin_apart(call, frame))
        elif "proven" in frame:
            self._prove(frame)
        elif "returned" in frame:
            call.returned(_bounded(frame["returned"]))
        elif "refusal" in frame:
            call.refused()
        elif "warning" in frame or "unfinished" in frame:
            _remark(call, frame)
        elif "answered" in frame:
            self._note_request(frame)
            call.answered(_bounded(frame["answered"]))
        elif "key" in frame:
            call.key.used = True
        elif "file" in frame or "event" in frame:
            self._hand_over(call, frame)
        else:
            return False
        return True

    def _hand_over(self, call: Call, frame: Frame) -> None:
        """Accept a file to store, or an event for the caller."""
        if "event" in frame:
            self._reply(lambda: call.hand_on(_event(frame["event"])))
            return
        with suppress(_LeftOffError):
            self._reply(lambda: self._store(_text(frame["file"]), frame.get("name")))

    def _begin_apart(self, call: Call, frame: Frame) -> None:
        if len(self._apart) >= _MOST_APART:
            raise Garbage(f"more than {_MOST_APART} requests at once")
        self._apart[frame["apart"]] = call.begin_apart(
            _text(frame["step"])[:_LONGEST_NAME], safe=frame.get("safe") is True
        )

    def _prove(self, frame: Frame) -> None:
        request = self._apart.pop(frame["proven"])
        if frame.get("done") is True:
            identifier = frame.get("requestId")
            request.answered(
                escaped(_text(identifier)[:_LONGEST_NAME]) if identifier is not None else None
            )
        else:
            request.refused()

    def _note_request(self, frame: Frame) -> None:
        if self._call is not None and isinstance(frame.get("requestId"), str):
            # a NUL could not be journaled in PostgreSQL
            self._call.request_id = escaped(frame["requestId"][:_LONGEST_NAME])

    def _note_exchanges(self, frame: Frame) -> None:
        """Record the child's exchanges with the provider, after those of earlier attempts."""
        known = None if self._call is None else self._call.exchanges
        if known is None or "exchanges" not in frame:
            return
        before = known[-1].number if known else 0
        for one in load_exchanges(frame["exchanges"]):
            one.number += before
            known.append(one)
        del known[:-MOST]

    def _reply(self, step: Callable[[], Any]) -> None:
        try:
            value = step()
        except JackfieldError as error:
            self._send({"refused": dump_error(error)})
        else:
            self._send({"granted": value})

    def _send(self, frame: Mapping[str, Any], descriptor: int | None = None) -> None:
        self._child.send({"id": self._number, **frame}, descriptor)

    def _lease(self, key: str) -> dict[str, Any]:
        if self._context is None or self._session is None:
            raise KeyError("lease")
        try:
            self._session.share.ask(key)
            minted = self._context.lease(key, lambda: self._minted(key))
            return {
                "value": minted.value,
                "expiresAt": minted.expires_at,
                "token": self._session.hold(key, minted),
            }
        except Garbage:
            self._session.clear()
            raise

    def _minted(self, key: str) -> Minted:
        self._send({"mint": key})
        frame = self._await("minted", "unminted")
        if "unminted" in frame:
            raise load_error(frame["unminted"])
        minted: Minted = CREDENTIAL.read(frame["minted"])
        if self._session is not None:
            # before it is stored and its secrets are masked everywhere
            self._session.share.take(key, minted)
        return minted

    def _store(self, content_type: str, name: object) -> Any:
        """Store a file that the child sends piece by piece."""
        if self._call is None or self._call.files is None or self._is_storing:
            raise KeyError("file")
        kind = media_type(content_type)
        self._is_storing = True
        try:
            return self._call.files.store(
                self._pieces(), kind, None if name is None else escaped(_text(name)[:_LONGEST_NAME])
            )
        finally:
            self._is_storing = False

    def _grant(self, frame: Frame) -> Any:
        """Read or change the grant of the child's connection, and of no other; return the
        result.
        """
        grants = self._context.grants if self._context is not None else None
        if grants is None:
            raise KeyError("grant")
        step = frame["grant"]
        if step == "find":
            return grants.find()
        used: Grant = GRANT.read(frame["used"])
        if step == "begin":
            grants.begin(used)
        elif step == "replace":
            grants.replace(used, GRANT.read(frame["rotated"]))
        elif step == "end":
            grants.end(used, escaped(_text(frame["reason"])[:_LONGEST_REASON]))
        else:
            raise KeyError("grant")
        return None

    def _pieces(self) -> Iterator[bytes]:
        """Yield the content of a file. The child sends the next piece only after the previous one
        was stored.
        """
        while True:
            self._send({"granted": None})
            frame = self._await("piece", "whole", *_ANSWERS)
            if "whole" in frame:
                return
            if "piece" not in frame:
                self._early = frame
                raise _LeftOffError
            self._deadline.move_on()
            yield b64decode(_text(frame["piece"]), validate=True)

    def _drop(self, key: str, token: object) -> None:
        used = self._session.held(token) if self._session is not None else None
        if used is not None and self._context is not None:
            self._context.drop(key, used)

    def _connect(self, host: str, port: int, seconds: object) -> None:
        if type(port) is not int or not 0 < port < 65536 or not 0 < len(host) < 256:
            raise ValueError("not an address")
        patience = min(
            max(0.001, float(seconds)) if isinstance(seconds, int | float) else 60.0,
            max(0.001, self._deadline.remaining()),
        )
        try:
            connection = self._dial(host, port, patience)
        except InvalidConnection as error:
            self._send({"refused": dump_error(error)})
        except (OSError, UnicodeError) as error:
            number, text = (
                (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
            )
            self._send({"failed": [number or 0, str(text or error)[:200]]})
        else:
            self._connected = True
            with connection:
                self._send({"socket": True}, connection.fileno())


class _LeftOffError(Exception):
    """Error for a child that answers in the middle of a file, since it could not read the
    content.
    """


class ConnectorFault(Exception):
    """Exception of the connector's code, raised in its process, that its error map does not
    know.
    """


def _fault(data: Any, sent: Sent) -> Exception:
    """Return an exception with the name and text of a child's exception; log and caller see that
    name.
    """
    name, text = _text(data["type"]), _text(data["text"])[:_LONGEST_FAULT]
    is_name = name.isidentifier() and len(name) <= _LONGEST_NAME
    kind: type[ConnectorFault] = type(name if is_name else "Exception", (ConnectorFault,), {})
    fault = kind(text)
    if data.get("unsent") is not True or sent is not Sent.NOTHING:
        return fault
    unsent = Unmapped(fault)
    unsent.sent, unsent.tells_sent = Sent.NOTHING, True
    return unsent


def _remark(call: Call, frame: Frame) -> None:
    """Process a child's warning, or its report that the end of the list is unknown."""
    if "unfinished" in frame:
        call.open_end = True
        return
    told = frame["warning"]
    message, path = escaped(_text(told["message"])), escaped(_text(told["path"]))
    if "entries" in told:
        entries = told["entries"][:MAX_FAILED_ENTRIES]
        call.failed_in_part(
            [_failed_entry(one) for one in entries],
            message,
            path,
            failed=told["failed"] if type(told.get("failed")) is int else 0,
        )
    else:
        call.warn(message, path)


def _failed_entry(told: Mapping[str, Any]) -> FailedEntry:
    place = told.get("input")
    asked = None if place is None else escaped(_text(place))
    return FailedEntry(escaped(_text(told["path"])), escaped(_text(told["message"])), input=asked)


def _event(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    found: Mapping[str, Any] = bounded(value, "an event")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _bounded(value: Any) -> Any:
    """Return a step's value. Of a long text, return only the beginning, since errors quote no
    more.
    """
    if isinstance(value, str):
        return value[:_LARGEST_RETURN]
    text = json.dumps(value, ensure_ascii=False)
    return value if len(text) <= _LARGEST_RETURN else text[:_LARGEST_RETURN]


def ended(child: ChildProcess, end: Ended, sent: Sent) -> Unavailable:
    """Return the error for a call whose child has ended."""
    return Unavailable(
        f"the process of the connector '{child.program.key}' {end}",
        details=[Detail("", "the connector runs in a process of its own, which is started again")],
        hint="Try again later. If it happens again, report it to the connector's author.",
        sent=sent,
    )
