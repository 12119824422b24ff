"""The client of an attempt: negotiates, keeps the list of tools fresh, and calls a tool as it was accepted, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from jackfield.connector import (
    Call,
    InvalidConnection,
    JackfieldError,
    OpenContext,
    Rejected,
    Sent,
    TimedOut,
    Unavailable,
    bounded_answer,
    current_call,
    whole_answer,
)
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import NotAllowed
from jackfield.kernel.secrecy import SecretHolder
from jackfield_http.answers import StreamedAnswer, media_type
from jackfield_http.client import HttpClient
from jackfield_http.event_streams import Event, EventReader
from jackfield_http.parsing import parsed
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import SignIn
from jackfield_http.urls import Url
from jackfield_mcp.messages import CLIENT, LEGACY, MODERN, Message, Session, param_headers
from jackfield_mcp.naming import READ
from jackfield_mcp.outcomes import Garbled, HeaderMismatch, ScopesMissing, SessionEnded, VersionRefused, garbled, result_of
from jackfield_mcp.peer import Peer, Tools, fresh_for
from jackfield_mcp.pins import changed
from jackfield_mcp.texts import one_line

T = TypeVar("T")
LARGEST = 32 * 1024 * 1024
"""Bytes of an answer at most; the messages before it on a stream count."""
LARGEST_LIST = 16 * 1024 * 1024
"""Bytes of a list of tools at most, all pages together."""
MOST_TOOLS, MOST_PAGES = 5_000, 200
_MOST_MESSAGES = 10_000
"""Messages on a stream before the answer."""
_MOST_RESUMED = 3
_MOST_REPLIES = 20
"""Requests of a server on one stream that are answered: each costs a request of ours."""
_LONGEST_CURSOR = 16 * 1024
_LARGEST_SESSION = 1024 * 1024
"""Bytes of what a server says of itself: it is kept for the connection."""
_MOST_RETRY = 5.0
"""Seconds to wait at most before a stream is resumed."""
_ABOUT_ITSELF = frozenset({"server/discover", "initialize"})
_CANCEL_WITHIN = 1.0
_LONGEST_ID = 1_024
_NOT_FOUND = 404
_LACKS = "-32021"
"""Code of a modern server that wants a capability of the client."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """Tool as it was accepted: its exact name, its digest and those of its members, and the header fields that repeat arguments."""

    name: str
    digest: str
    parts: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""
    """What to do when the server's tool is another one."""


class _Cut(Exception):
    """A stream has ended before the answer; ``reader`` knows how far it was read."""

    def __init__(self, reader: EventReader, error: JackfieldError) -> None:
        super().__init__()
        self.reader = reader
        self.error = error


class McpClient(SecretHolder):
    """Client of one server for one attempt. Requests that change nothing do not count as requests of the action.
    ``on_missing`` is told the scopes that the server asks for beyond those of the sign-in."""

    def __init__(
        self,
        context: OpenContext,
        settings: ClientSettings,
        sign_in: SignIn,
        peer: Peer,
        on_missing: Callable[[Sequence[str]], object] = tuple,
    ) -> None:
        if settings.server is None:
            raise InvalidConnection("the connection names no server", hint="Set 'server' of the connection to the server's URL.")
        self._context = context
        self._settings = settings
        self._url: Url = replace(settings.server, query="")
        self._sign_in = sign_in
        self._peer = peer
        self._on_missing = on_missing
        self._http = HttpClient(context, settings, sign_in)
        self._quiet = HttpClient(context, replace(settings, announces=False), sign_in)

    @property
    def renewable(self) -> bool:
        """True if ``renew`` has an effect."""
        return self._http.renewable

    def renew(self) -> None:
        """Drop leased credentials that the server reported as expired."""
        self._http.renew()

    @property
    def context(self) -> OpenContext:
        """The context in which the client was opened."""
        return self._context

    @property
    def host(self) -> str:
        """Name of the server's host."""
        return self._url.host

    def session(self) -> Session:
        """Return the session; the first call negotiates it for all.

        :raises JackfieldError: if the server cannot be reached, or speaks no known revision.
        """
        found = self._peer.session
        if found is None:
            with self._peer.alone(self._seconds_left()):
                found = self._peer.session
                if found is None:
                    found = self._peer.session = self._negotiated()
        return found

    def tools(self) -> list[Json]:
        """Read the whole list of tools now.

        :raises JackfieldError: if it cannot be read, or is too large.
        """
        return self._listed()[0]

    def ask(self, method: str, params: Json) -> Json:
        """Send a request that changes nothing, and return its result. It is sent once more if the session had ended."""
        session = self.session()
        try:
            return self._exchange(self._quiet, session, Message.request(method, params), _whole, safe=True)
        except (SessionEnded, VersionRefused):
            self._peer.forget(session)
        return self._exchange(self._quiet, self.session(), Message.request(method, params), _whole, safe=True)

    def call(self, tool: Tool, arguments: Json, into: Callable[[Json], T], *, safe: bool, takes_tasks: bool = False) -> T:
        """Call a tool, if the server still lists it as it was accepted, and return what ``into`` makes of its result. ``safe``: the call
        changes nothing.

        :raises NotAllowed: if the server has changed the tool, or has it no more. Nothing was sent.
        :raises JackfieldError: for every other outcome but a result.
        """
        session = self._prepared(tool, Sent.NOTHING)
        message = Message.request("tools/call", {"name": tool.name, "arguments": arguments})
        headers = param_headers(tool.headers, arguments)
        try:
            return self._called(session, message, headers, into, safe=safe, takes_tasks=takes_tasks)
        except (SessionEnded, VersionRefused, HeaderMismatch) as error:
            session = self._prepared_again(session, tool, error)
        message = Message.request("tools/call", message.params)
        return self._called(session, message, headers, into, safe=safe, takes_tasks=takes_tasks)

    def read(self, uri: str, into: Callable[[Json], T]) -> T:
        """Read a resource, and return what ``into`` makes of the result.

        :raises NotFound: if the server has none of this URI.
        :raises JackfieldError: for every other outcome but a result.
        """
        session = self.session()
        message = Message.request(READ, {"uri": uri})
        try:
            return self._exchange(self._http, session, message, into, safe=True)
        except (SessionEnded, VersionRefused):
            self._peer.forget(session)
        return self._exchange(self._http, self.session(), Message.request(READ, message.params), into, safe=True)

    def _called(
        self, session: Session, message: Message, headers: Mapping[str, str], into: Callable[[Json], T], *, safe: bool, takes_tasks: bool
    ) -> T:
        try:
            return self._exchange(self._http, session, message, into, headers, safe=safe, takes_tasks=takes_tasks)
        except TimedOut:
            if not session.is_modern:  # there, the hang-up is the cancel
                self._cancel(session, message)
            raise

    def _prepared_again(self, session: Session, tool: Tool, error: JackfieldError) -> Session:
        """Negotiate and list again after a refusal, by which the server has said that it did nothing."""
        call = current_call()
        if call is not None:
            call.refused()
        if isinstance(error, HeaderMismatch):
            self._peer.tools = None
        else:
            self._peer.forget(session)
        return self._prepared(tool, Sent.REFUSED)

    def _prepared(self, tool: Tool, sent: Sent) -> Session:
        """Negotiate if needed, and look at the tool. A failure says of the call ``sent``: no request of it has been sent for this."""
        try:
            found = self.session()
            self._require_pinned(tool)
        except JackfieldError as failure:
            failure.sent, failure.tells_sent = sent, True
            raise
        return found

    def _require_pinned(self, tool: Tool) -> None:
        tools = self._fresh()
        now = tools.digest(tool.name)
        if now == tool.digest:
            return
        shown = one_line(tool.name, 128)
        if now is None:
            raise NotAllowed(f"the server no longer has the tool '{shown}'", hint=tool.hint, sent=Sent.NOTHING)
        names = ", ".join(changed(tool.parts, tools.parts(tool.name))) or "its description"
        text = f"the server has changed the tool '{shown}' since it was accepted: {names}"
        raise NotAllowed(text, hint=tool.hint, sent=Sent.NOTHING)

    def _fresh(self) -> Tools:
        found, clock = self._peer.tools, self._context.clock
        if found is None or found.until <= clock.monotonic():
            with self._peer.alone(self._seconds_left()):
                found = self._peer.tools
                if found is None or found.until <= clock.monotonic():
                    rows, seconds = self._listed()
                    found = self._peer.tools = Tools(rows, clock.monotonic() + seconds)
        return found

    def _listed(self) -> tuple[list[Json], float]:
        rows: list[Json] = []
        seen: set[str] = set()
        cursor, size, seconds = None, 0, 0.0
        for number in range(MOST_PAGES):
            page = self.ask("tools/list", {} if cursor is None else {"cursor": cursor})
            listed = page.get("tools")
            if not isinstance(listed, list) or not all(isinstance(row, Mapping) for row in listed):
                raise _bad_list("has no tools")
            rows += listed
            size += len(str(listed))
            seconds = min(seconds, fresh_for(page)) if number else fresh_for(page)
            if len(rows) > MOST_TOOLS or size > LARGEST_LIST:
                raise _bad_list(f"is larger than {MOST_TOOLS:,} tools or {LARGEST_LIST:,} bytes")
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                return rows, seconds
            if cursor in seen or len(cursor) > _LONGEST_CURSOR:
                raise _bad_list("goes in circles, or has a cursor that is too long")
            seen.add(cursor)
        raise _bad_list(f"has more than {MOST_PAGES} pages")

    def _negotiated(self) -> Session:
        """Ask a modern server what it speaks; what refuses that is a legacy one. A tool is never called to find out."""
        try:
            found = self._discovered()
        except VersionRefused as error:
            if MODERN not in error.supported:
                return self._initialized()
            found = self._discovered()
        except Rejected as error:
            if isinstance(error, HeaderMismatch) or (error.provider is not None and error.provider.code == _LACKS):
                raise
            return self._initialized()
        spoken = found.get("supportedVersions")
        if not isinstance(spoken, list) or MODERN not in spoken:
            return self._initialized()
        return Session(MODERN, None, _object(found, "capabilities"), _object(found, "serverInfo"))

    def _discovered(self) -> Json:
        return self._exchange(self._quiet, Session(MODERN), Message.request("server/discover", {}), _whole, safe=True)

    def _initialized(self) -> Session:
        asked = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": CLIENT}
        message = Message.request("initialize", asked)
        with self._sent(self._quiet, None, message, {}, safe=True, takes_tasks=False) as answer:
            identifier = answer.headers.get("mcp-session-id")
            found = result_of(self._read_reply(answer, None), message)
        version = found.get("protocolVersion")
        if version not in LEGACY:
            text = f"the server speaks the revision '{one_line(version, 40)}' of MCP, which is not known here"
            raise Unavailable(text, hint="Upgrade jackfield-mcp, or the server.", repeatable=False)
        if identifier is not None and (len(identifier) > _LONGEST_ID or not identifier.isprintable() or not identifier.isascii()):
            raise garbled("has a session ID that cannot be sent back")
        session = Session(str(version), identifier, _object(found, "capabilities"), _object(found, "serverInfo"))
        self._notify(self._quiet, session, "notifications/initialized", {})
        return session

    def _notify(self, http: HttpClient, session: Session, method: str, params: Json) -> None:
        message = Message(method, params, None)
        with self._sent(http, session, message, {}, safe=True, takes_tasks=False):
            pass

    def _cancel(self, session: Session, message: Message) -> None:
        """Tell a legacy server that nobody waits any more; a failure changes nothing."""
        late = HttpClient(self._context, replace(self._settings, announces=False, within=_CANCEL_WITHIN), self._sign_in)
        with suppress(JackfieldError):
            self._notify(late, session, "notifications/cancelled", {"requestId": message.id, "reason": "the deadline passed"})

    def _exchange(
        self,
        http: HttpClient,
        session: Session,
        message: Message,
        into: Callable[[Json], T],
        headers: Mapping[str, str] | None = None,
        *,
        safe: bool,
        takes_tasks: bool = False,
    ) -> T:
        """Send a request and return what ``into`` makes of its result. That is judged before the request counts as one that succeeded."""
        try:
            with self._sent(http, session, message, headers or {}, safe=safe, takes_tasks=takes_tasks) as answer:
                return into(result_of(self._read_reply(answer, session), message))
        except _Cut as cut:
            return into(result_of(self._resumed(cut, session, message), message))

    @contextmanager
    def _sent(
        self, http: HttpClient, session: Session | None, message: Message, headers: Mapping[str, str], *, safe: bool, takes_tasks: bool
    ) -> Iterator[StreamedAnswer]:
        body = message.body(session, takes_tasks=takes_tasks)
        given = {**message.headers(session), **headers}
        try:
            largest = _LARGEST_SESSION if message.method in _ABOUT_ITSELF else LARGEST
            with http.stream("POST", self._url, json=body, headers=given, safe=safe, step=message.method, largest=largest) as answer:
                yield answer
        except ScopesMissing as error:
            self._on_missing(error.scopes)
            raise
        except Rejected as error:
            if session is not None and session.id is not None and error.provider is not None and error.provider.http_status == _NOT_FOUND:
                raise SessionEnded(error.message, provider=error.provider, sent=Sent.REFUSED) from None
            raise

    def _read_reply(self, answer: StreamedAnswer, session: Session | None) -> Any:
        """Return the answer to a message: the whole body, or the event of a stream that has it."""
        media = media_type(answer.headers)
        if media == "text/event-stream":
            return self._streamed(answer, session)
        if media and "json" not in media:
            raise garbled(f"is neither JSON nor a stream of events ({media[:80]})")
        return _parsed(whole_answer(answer.chunks(), limit=LARGEST, media_type="application/json"))

    def _streamed(self, answer: StreamedAnswer, session: Session | None) -> Any:
        reader, count, replies = EventReader(), 0, 0
        try:
            for chunk in bounded_answer(answer.chunks(), limit=LARGEST):
                for event in filter(_has_data, reader.feed(chunk)):
                    found, count = _parsed(event.data), count + 1
                    if _is_answer(found):
                        return found
                    if count > _MOST_MESSAGES:
                        raise garbled(f"came after more than {_MOST_MESSAGES:,} other messages")
                    if session is not None:
                        replies += self._reply(session, found)
                    if replies > _MOST_REPLIES:
                        raise garbled(f"came after more than {_MOST_REPLIES} requests of the server's own")
        except Unavailable as error:
            if not error.retryable or error.sent is not Sent.UNKNOWN or session is None or isinstance(error, Garbled):
                raise
            raise _Cut(reader, error) from error
        raise _Cut(reader, garbled("ended before it was whole"))

    def _resumed(self, cut: _Cut, session: Session, message: Message) -> Any:
        """Read on behind the last event: that executes nothing, and tells what the call came to. Only legacy servers with event IDs can."""
        reader = cut.reader
        for _ in range(_MOST_RESUMED):
            if session.is_modern or reader.last_id is None:
                break
            self._wait(min(reader.retry or 0.0, _MOST_RETRY))
            headers = {**message.headers(session), "Accept": "text/event-stream", "Last-Event-ID": reader.last_id}
            try:
                with self._quiet.stream(
                    "GET", self._url, headers=headers, expect=(200, 301, 302, 303, 307, 308), step="resume", largest=LARGEST
                ) as answer:
                    if answer.status != 200:
                        break
                    return self._streamed(answer, session)
            except _Cut as again:
                last = reader.last_id
                reader = again.reader
                reader.last_id = reader.last_id or last
            except TimedOut:
                raise
            except JackfieldError:
                break
        raise cut.error from None

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._context.clock.sleep(max(0.0, min(seconds, self._seconds_left())))

    def _reply(self, session: Session, found: Any) -> int:
        """Answer a request that a legacy server sends on the stream, or its tool waits for ever: a ping is one, all else is unknown. Return
        the number of answers."""
        if session.is_modern or not isinstance(found, Mapping) or "method" not in found or "id" not in found:
            return 0
        outcome: dict[str, Any] = {"error": {"code": -32601, "message": "the client has no such method"}}
        if found["method"] == "ping":
            outcome = {"result": {}}
        if not isinstance(found["id"], str | int) or len(str(found["id"])) > _LONGEST_ID:
            return 0
        body = {"jsonrpc": "2.0", "id": found["id"], **outcome}
        headers = Message("", {}, None).headers(session)
        with suppress(JackfieldError), self._quiet.stream("POST", self._url, json=body, headers=headers, safe=True, step="reply"):
            pass
        return 1

    def _seconds_left(self) -> float:
        call: Call = current_call() or self._context.call
        return call.deadline.remaining()


def _whole(result: Json) -> Json:
    return result


def _object(found: Json, name: str) -> Json:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _parsed(content: bytes) -> Any:
    try:
        return parsed(content)
    except ValueError as error:
        raise garbled("is empty" if not content.strip() else "is not JSON, or too large") from error


def _has_data(event: Event) -> bool:
    """Return False for an event that only gives an ID, as servers send one first so that the stream can be resumed."""
    return bool(event.data)


def _is_answer(found: Any) -> bool:
    return not isinstance(found, Mapping) or "method" not in found


def _bad_list(reason: str) -> Unavailable:
    return Unavailable(f"the server's list of tools {reason}", hint="Report it to whoever runs the server.", repeatable=False)
