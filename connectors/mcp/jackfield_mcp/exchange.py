"""Exchanges with one server: a message and its answer, as JSON or on a stream of events with
progress reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from jackfield.connector import (
    Call,
    JackfieldError,
    OpenContext,
    RateLimited,
    Sent,
    TimedOut,
    TooCostly,
    Unavailable,
    bounded_answer,
    current_call,
    whole_answer,
)
from jackfield.kernel.dataclass import replace
from jackfield_http.answers import StreamedAnswer, media_type
from jackfield_http.client import HttpClient
from jackfield_http.event_streams import Event, EventReader
from jackfield_http.parsing import charset_of, parsed
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import SignIn
from jackfield_http.urls import Url
from jackfield_mcp.bodies import answer_in, events_of, read_event, unwrapped
from jackfield_mcp.cookies import SessionCookies
from jackfield_mcp.listening import Listener
from jackfield_mcp.messages import PROGRESS, Message, Session, amount, messages_in, shows_work
from jackfield_mcp.outcomes import (
    Garbled,
    ScopesMissing,
    doubted,
    doubted_later,
    explained,
    garbled,
    judged,
    result_of,
)
from jackfield_mcp.questions import ASKS, Questions, can_answer
from jackfield_mcp.texts import one_line

T = TypeVar("T")
LARGEST = 32 * 1024 * 1024
"""Maximum size of an answer, in bytes, including the messages before it on a stream."""
_MOST_MESSAGES = 10_000
"""Maximum number of messages on a stream before the answer."""
_MOST_RESUMED = 3
"""Maximum number of resumptions of a stream without a new event. A server of 2025-11-25 may close a
stream after each event.
"""
_MOST_REPLIES = 20
"""Maximum number of replies to a server on one stream, plus one per second: some servers ping while
a tool runs.
"""
_LARGEST_SESSION = 1024 * 1024
"""Maximum size of a server's self-description, in bytes; it is stored with the connection."""
_LEAST_RETRY, _MOST_RETRY = 1.0, 5.0
"""Minimum wait in seconds before a stream that was resumed several times is resumed again, and
maximum wait before any resumption.
"""
_ABOUT_ITSELF = frozenset({"server/discover", "initialize"})
_CANCEL_WITHIN = 1.0
_ENDPOINT_WITHIN = 3.0
OVERHEARS_AFTER = 1.0
"""Seconds after which a call that somebody follows reads the server's own stream, too: many servers
send the progress there.
"""
LONGEST_ID = 1_024
"""Maximum number of characters of an ID from a server: of a session, a request or a task."""
_LONGEST_PROGRESS = 200
_LAG = 0.5
"""Maximum wait in seconds, after a refusal by status, for earlier messages on the server's own
stream, which is another connection.
"""
_ACCEPTED = 202
_MESSAGE_EVENTS = (None, "", "message")
"""Names of the events that carry messages."""
_TOOLS_CHANGED = "notifications/tools/list_changed"
_NO_MESSAGE = Message("", {}, None)

Json = Mapping[str, Any]


def _is_put_off(session: Session | None, status: int | None) -> bool:
    """Return whether a legacy server sends the answer later, on its own stream."""
    return status == _ACCEPTED and session is not None and not session.is_modern


class _Cut(Exception):
    """End of a stream before the answer; ``reader`` holds the position of the last event."""

    def __init__(self, reader: EventReader, error: JackfieldError) -> None:
        super().__init__()
        self.reader = reader
        self.error = error


class _PutOff(Exception):
    """Response without the answer to its accepted message: the answer may come on the server's own
    stream.
    """


class Exchanges:
    """Exchanges with one server within one attempt. Requests by ``quiet`` change nothing, and do
    not count as requests of the action.

    ``on_missing`` receives the scopes that the server requires beyond the sign-in's; ``on_changed``
    is called if the server's tools change.
    """

    def __init__(
        self,
        context: OpenContext,
        settings: ClientSettings,
        url: Url,
        sign_in: SignIn,
        on_missing: Callable[[Sequence[str]], object],
        on_changed: Callable[[], object],
    ) -> None:
        self._context = context
        self._settings = settings
        self._url = url
        self._sign_in = sign_in
        self._on_missing = on_missing
        self._on_changed = on_changed
        self._listens = False
        self.http = HttpClient(context, settings, sign_in)
        self._quiet: HttpClient | None = None
        self.questions = Questions.of(context)
        """Answers to questions that the server asks a person; None if there is no one to answer."""

    @property
    def quiet(self) -> HttpClient:
        """Client of requests that change nothing, made on first use: most calls need none."""
        if self._quiet is None:
            self._quiet = HttpClient(
                self._context, replace(self._settings, announces=False), self._sign_in
            )
        return self._quiet

    def brief(self, seconds: float) -> HttpClient:
        """Return a client for requests that change nothing and that take at most ``seconds``
        together.
        """
        return HttpClient(
            self._context, replace(self._settings, announces=False, within=seconds), self._sign_in
        )

    def exchange(
        self,
        http: HttpClient,
        session: Session,
        message: Message,
        into: Callable[[Json], T],
        headers: Mapping[str, str] | None = None,
        *,
        safe: bool,
        had_begun: bool = False,
    ) -> T:
        """Send a request and return ``into`` of its result. The request counts as successful only
        if ``into`` accepts the result.

        ``had_begun`` means that the server had begun an earlier round of the same call.

        :raises SessionEnded: if the server may no longer know the session, and did nothing.
        :raises SessionDoubted: if the server may no longer know the session, and its effect is
            unknown.
        :raises JackfieldError: for every other outcome but a result.
        """
        try:
            with self._awaiting(session, message, safe=safe, had_begun=had_begun):
                try:
                    with self._sent(http, session, message, headers or {}, safe=safe) as answer:
                        return into(result_of(self._read_reply(answer, session, message), message))
                except _Cut as cut:
                    return into(result_of(self._resumed(cut, session, message), message))
                except _PutOff:
                    if not safe or self._listens:
                        return into(result_of(self._put_off(session, message), message))
            # the answer may be gone already: the message, which changes nothing, is sent again
            session.mailbox.is_used = True
            return self.exchange(
                http, session, message.again(session.ids), into, headers, safe=safe
            )
        except JackfieldError as error:
            raise judged(error, session, safe=safe) from error.__cause__

    @contextmanager
    def _awaiting(
        self, session: Session, message: Message, *, safe: bool, had_begun: bool
    ) -> Iterator[None]:
        """Accept the answer to a message on the server's own stream within the block; open that
        stream if the server has used it before.

        A refusal of a message that is not ``safe`` leaves a doubt if the server had begun the
        request or an earlier round of its call.
        """
        listening = self.listening(session) if session.mailbox.is_used else nullcontext()
        tell = (
            None
            if self._call().progress is None
            else partial(self._tell, message=message, told=self._call().progress)
        )
        with session.mailbox.awaiting(message, tell), listening:
            try:
                yield
            except JackfieldError as error:
                if had_begun and not safe:
                    raise doubted_later(error) from error.__cause__
                within = min(_LAG, self.seconds_left()) if _is_by_status(error) else 0.0
                if safe or not session.mailbox.has_begun(message, within):
                    raise
                raise doubted(error) from error.__cause__

    def _put_off(self, session: Session, message: Message) -> Any:
        """Wait for the answer to an accepted message on the server's own stream, and return it.

        :raises JackfieldError: if no answer comes.
        """
        session.mailbox.is_used = True
        with self.listening(session):
            found = session.mailbox.wait(message, self.seconds_left())
        if found is not None:
            return found
        error = garbled("is empty, and none came on its stream")
        if self.seconds_left() <= 0:
            raise self._call().deadline.passed(Sent.UNKNOWN, error)
        raise error

    def begun(self, message: Message) -> tuple[Json, str | None, SessionCookies]:
        """Send the request that begins a session; return its result, the session's ID if the server
        gives one, and its cookies.
        """
        cookies = SessionCookies()
        try:
            with self._sent(self.quiet, None, message, {}, safe=True) as answer:
                self._note_cookies(cookies, answer)
                found = result_of(self._read_reply(answer, None, message), message)
                return found, answer.headers.get("mcp-session-id") or None, cookies
        except _Cut as cut:
            raise cut.error from None

    def notify(
        self, session: Session, method: str, params: Json, http: HttpClient | None = None
    ) -> None:
        """Send a notification."""
        with self._sent(http or self.quiet, session, Message(method, params, None), {}, safe=True):
            pass

    def cancel(self, session: Session, message: Message) -> None:
        """Notify a legacy server that the caller no longer waits; ignore a failure."""
        asked = {"requestId": message.id, "reason": "the deadline passed"}
        with suppress(JackfieldError):
            self.notify(session, "notifications/cancelled", asked, self.brief(_CANCEL_WITHIN))

    def names_endpoint(self) -> bool:
        """Return whether the server's stream begins with an ``endpoint`` event, as in the transport
        of 2024.
        """
        http, reader = self.brief(min(_ENDPOINT_WITHIN, self.seconds_left())), EventReader()
        headers = {"Accept": "text/event-stream"}
        with (
            suppress(JackfieldError),
            http.stream(
                "GET", self._url, headers=headers, expect=(200,), largest=LARGEST
            ) as answer,
        ):
            if media_type(answer.headers) == "text/event-stream":
                events = chain.from_iterable(
                    map(reader.feed, bounded_answer(answer.chunks(), limit=LARGEST))
                )
                return any(
                    event.name == "endpoint" for event in islice(filter(_has_data, events), 1)
                )
        return False

    @property
    def answers_at_once(self) -> bool:
        """True if an installed package answers a server's questions while the call continues."""
        return self.questions is not None and self.questions.at_once

    @contextmanager
    def listening(self, session: Session) -> Iterator[None]:
        """Read the stream of a legacy server within the block, if it may ask answerable questions
        or send answers there. If it may only send progress, that begins a little later.
        """
        is_wanted = session.mailbox.is_used or (session.id is not None and self.answers_at_once)
        if session.is_modern or self._listens or not is_wanted:
            is_told = (
                session.id is not None and not self._listens and self._call().progress is not None
            )
            with (
                Listener(partial(self._overhear, session), OVERHEARS_AFTER).listening()
                if is_told
                else nullcontext()
            ):
                yield
            return
        self._listens = True
        try:
            with Listener(partial(self._listen, session)).listening():
                yield
        finally:
            self._listens = False

    def _overhear(self, session: Session, opened: Callable[[StreamedAnswer], None]) -> None:
        """Read the server's own stream, unless another call in the session does."""
        if not session.mailbox.is_read:
            self._listen(session, opened)

    def _listen(self, session: Session, opened: Callable[[StreamedAnswer], None]) -> None:
        """Read the server's own stream to its end, in a thread without a call of its own."""
        headers, reader, replies = (
            {**_NO_MESSAGE.headers(session), "Accept": "text/event-stream"},
            EventReader(),
            0,
        )
        began, is_open = self._context.clock.monotonic(), False
        with (
            suppress(JackfieldError),
            self.quiet.stream(
                "GET", self._url, headers=headers, step="listen", largest=LARGEST
            ) as answer,
            session.mailbox.reading(),
        ):
            is_open = True
            opened(answer)
            for event in chain.from_iterable(
                map(reader.feed, bounded_answer(answer.chunks(), limit=LARGEST))
            ):
                for found in _messages(event, _NO_MESSAGE):
                    session.mailbox.deliver(found)
                    replies += self._heard(session, found, _NO_MESSAGE)
                if self._are_many(replies, began):
                    break
        session.mailbox.is_used = session.mailbox.is_used and is_open

    def seconds_left(self) -> float:
        """Return the seconds until the deadline of the call."""
        return self._call().deadline.remaining()

    @contextmanager
    def _sent(
        self,
        http: HttpClient,
        session: Session | None,
        message: Message,
        headers: Mapping[str, str],
        *,
        safe: bool,
    ) -> Iterator[StreamedAnswer]:
        body = message.body(session)
        given = {**message.headers(session), **headers}
        try:
            largest = _LARGEST_SESSION if message.method in _ABOUT_ITSELF else LARGEST
            with http.stream(
                "POST",
                self._url,
                json=body,
                headers=given,
                safe=safe,
                step=message.method,
                largest=largest,
            ) as answer:
                if session is not None and not session.is_modern:
                    self._note_cookies(session.cookies, answer)
                yield answer
        except ScopesMissing as error:
            self._on_missing(error.scopes)
            raise
        except Unavailable as error:
            provider = error.provider
            if provider is not None and _is_put_off(session, provider.http_status):
                raise _PutOff from None  # words such as "Accepted", as a page of HTML
            raise

    def _note_cookies(self, cookies: SessionCookies, answer: StreamedAnswer) -> None:
        field = answer.headers.get("set-cookie", "")
        if field and answer.url.origin == self._url.origin:
            own = "; ".join(
                value.decode("latin-1")
                for name, value in self._sign_in.fields()
                if name.lower() == b"cookie"
            )
            reserved = {one.partition("=")[0].strip() for one in own.split(";")}
            cookies.update(field, answer.url, self._context.clock.time(), reserved)

    def _read_reply(self, answer: StreamedAnswer, session: Session | None, message: Message) -> Any:
        """Return the answer to a message: the whole body, or the event with the answer."""
        media, charset = (
            media_type(answer.headers),
            charset_of(answer.headers.get("content-type", "")),
        )
        if media == "text/event-stream":
            return self._streamed(answer, session, message)
        content = whole_answer(answer.chunks(), limit=LARGEST, media_type="application/json")
        is_put_off = _is_put_off(session, answer.status)
        if is_put_off and not content.strip():
            raise _PutOff
        try:
            found = _parsed(content, message, charset)
        except Garbled:
            if is_put_off:  # words such as "Accepted"
                raise _PutOff from None
            # some servers send JSON as text: what is an answer says so itself
            if media and "json" not in media:
                raise garbled(f"is neither JSON nor a stream of events ({media[:80]})") from None
            raise
        rows = messages_in(found)
        if is_put_off and all({"result", "error"}.isdisjoint(row) for row in rows):
            raise _PutOff
        if session is not None and len(rows) > 1 and any(map(shows_work, rows)):
            session.mailbox.note_work(message)
        return found

    def _streamed(self, answer: StreamedAnswer, session: Session | None, message: Message) -> Json:
        reader, count, replies, began = EventReader(), 0, 0, self._context.clock.monotonic()
        last: Json = {}
        try:
            for event in filter(
                _has_data, events_of(bounded_answer(answer.chunks(), limit=LARGEST), reader)
            ):
                listed = _messages(event, message)
                count += max(1, len(listed))
                for found in listed:
                    if message.is_answered_by(found):
                        return found
                    last = found
                    replies += self._heard(session, found, message)
                    if self._are_many(replies, began):
                        raise garbled(
                            f"came after more than {_MOST_REPLIES} requests of the server's own, "
                            "and one a second"
                        )
                if count > _MOST_MESSAGES:
                    raise garbled(f"came after more than {_MOST_MESSAGES:,} other messages")
        except Unavailable as error:
            if (
                not error.retryable
                or error.sent is not Sent.UNKNOWN
                or session is None
                or isinstance(error, Garbled)
            ):
                raise
            raise _Cut(reader, error) from error
        raise _Cut(reader, _unanswered(last))

    def _resumed(self, cut: _Cut, session: Session, message: Message) -> Json:
        """Read the stream on after the last event to get the answer; this executes nothing.

        Only legacy servers with event IDs support it.
        """
        reader, pause, after, times, in_vain = cut.reader, 0.0, 0.0, 0, 0
        while not session.is_modern and reader.last_id and in_vain < _MOST_RESUMED:
            pause, times = pause if reader.retry is None else reader.retry, times + 1
            self._wait(
                min(max(pause, after, _LEAST_RETRY if times > _MOST_RESUMED else 0.0), _MOST_RETRY)
            )
            headers = {
                **message.headers(session),
                "Accept": "text/event-stream",
                "Last-Event-ID": reader.last_id.encode().decode("latin-1"),
            }
            try:
                with self.quiet.stream(
                    "GET",
                    self._url,
                    headers=headers,
                    expect=(200, 301, 302, 303, 307, 308),
                    step="resume",
                    largest=LARGEST,
                ) as answer:
                    if answer.status != 200:
                        break
                    session.mailbox.note_work(message)
                    return self._streamed(answer, session, message)
            except _Cut as again:
                last, reader = reader.last_id, again.reader
                reader.last_id = last if reader.last_id is None else reader.last_id
                in_vain = in_vain + 1 if reader.last_id == last and reader.retry is None else 0
            except TimedOut as late:  # whether or not the rest was asked for, the message was sent
                raise self._call().deadline.passed(Sent.UNKNOWN, cut.error) from late
            except Garbled:
                break
            except (Unavailable, RateLimited) as busy:
                after, in_vain = max(_LEAST_RETRY, busy.retry_after or 0.0), in_vain + 1
            except JackfieldError as refused:
                cut.error.message += f"; the rest of the answer cannot be read: {refused.message}"
                break
        raise cut.error from None

    def _are_many(self, replies: int, began: float) -> bool:
        return replies > _MOST_REPLIES + self._context.clock.monotonic() - began

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._context.clock.sleep(max(0.0, min(seconds, self.seconds_left())))

    def _heard(self, session: Session | None, found: Json, message: Message) -> int:
        """Process a server's message that precedes the answer; return the number of replies
        sent.
        """
        method = found.get("method")
        if session is not None and shows_work(found):
            session.mailbox.note_work(message)
        if method == PROGRESS:
            self._tell(found, message, self._call().progress)
        elif method == _TOOLS_CHANGED:
            self._on_changed()
        return 0 if session is None else self._reply(session, found)

    def _tell(
        self, found: Json, message: Message, told: Callable[[float | None, str], object] | None
    ) -> None:
        """Report a server's progress to ``told``, the call's observer, in the server's own
        words.
        """
        params = found.get("params")
        if (
            told is None
            or not isinstance(params, Mapping)
            or not message.has_id(params.get("progressToken"))
        ):
            return
        done, total = amount(params.get("progress")), amount(params.get("total"))
        part = (
            done / total
            if done is not None and total is not None and 0 <= done <= total and total > 0
            else None
        )
        told(part, one_line(params.get("message"), _LONGEST_PROGRESS))

    def _reply(self, session: Session, found: Json) -> int:
        """Reply to a legacy server's request on the stream, since its tool waits for the reply;
        return the number of replies.

        Pings are answered, and questions if a package answers them; every other method is refused
        as unknown.
        """
        if session.is_modern or "method" not in found or "id" not in found:
            return 0
        outcome: dict[str, Any] = {
            "error": {"code": -32601, "message": "the client has no such method"}
        }
        if found["method"] == "ping":
            outcome = {"result": {}}
        elif (
            found["method"] == ASKS
            and self.questions is not None
            and self.questions.at_once
            and can_answer(found.get("params"))
        ):
            outcome = {"result": self.questions.answer(found["params"])}
        if not isinstance(found["id"], str | int) or len(str(found["id"])) > LONGEST_ID:
            return 0
        body = {"jsonrpc": "2.0", "id": found["id"], **outcome}
        headers = _NO_MESSAGE.headers(session)
        with (
            suppress(JackfieldError),
            self.quiet.stream(
                "POST", self._url, json=body, headers=headers, safe=True, step="reply"
            ),
        ):
            pass
        return 1

    def _call(self) -> Call:
        return current_call() or self._context.call


def _parsed(content: bytes, message: Message, charset: str | None) -> Any:
    try:
        return unwrapped(parsed(content), message)
    except ValueError as error:
        found = None if isinstance(error, TooCostly) else answer_in(content, message, charset)
        if found is None:
            raise garbled(
                "is empty" if not content.strip() else "is not JSON, or too large"
            ) from error
        return found


def _is_by_status(error: JackfieldError) -> bool:
    return (
        error.sent is Sent.REFUSED
        and error.provider is not None
        and error.provider.http_status not in (None, 200)
    )


def _has_data(event: Event) -> bool:
    """Return whether an event has data; servers first send an event with only an ID, by which the
    stream can be resumed.
    """
    return bool(event.data)


def _messages(event: Event, message: Message) -> list[Json]:
    """Return the messages of an event; empty for events of other types and events that are not
    JSON, as many heartbeats are.
    """
    if event.name not in _MESSAGE_EVENTS:
        return []
    try:
        return messages_in(read_event(event.data, message))
    except TooCostly as error:
        raise garbled("is too large") from error


def _unanswered(last: Json) -> JackfieldError:
    """Return the error for a stream that ended without an answer.

    The call stays in doubt even after an error without a request's ID.
    """
    error = last.get("error")
    found = garbled("ended before it was whole")
    if isinstance(error, Mapping) and "id" not in last:
        found.provider = explained(error).provider
    return found
