"""Client of an attempt: it negotiates, refreshes the list of tools, and calls a tool only in the
form that was accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from jackfield.connector import (
    Forbidden,
    InvalidConnection,
    JackfieldError,
    OpenContext,
    RateLimited,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    current_call,
)
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import NotAllowed
from jackfield.kernel.secrecy import SecretHolder
from jackfield_http.client import HttpClient
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import SignIn
from jackfield_http.urls import Url
from jackfield_mcp.exchange import LONGEST_ID, Exchanges
from jackfield_mcp.messages import (
    CLIENT,
    LEGACY,
    MODERN,
    Message,
    RequestIds,
    Session,
    offered,
    param_headers,
)
from jackfield_mcp.outcomes import (
    Garbled,
    HeaderMismatch,
    InputRequired,
    SessionDoubted,
    SessionEnded,
    VersionRefused,
    asks_person,
    doubting,
    garbled,
    is_unanswered,
    misses_tool,
    refuses_token,
)
from jackfield_mcp.peer import Peer, Tools, fresh_for
from jackfield_mcp.pins import changed
from jackfield_mcp.results import rows_of
from jackfield_mcp.texts import one_line

T = TypeVar("T")
LARGEST_LIST = 16 * 1024 * 1024
"""Maximum size of a list of tools, all pages together, in bytes."""
MOST_TOOLS, MOST_PAGES = 5_000, 200
_TOO_LARGE = f"is larger than {MOST_TOOLS:,} tools or {LARGEST_LIST:,} bytes"
_LONGEST_CURSOR = 16 * 1024
_LACKS = "-32021"
"""Error code of a modern server that requires a capability which the client lacks."""
_UNKNOWN = "-32601"
_DECISIVE = (Unauthenticated, Forbidden, RateLimited)
"""Errors of the version probe that any other request would cause, too."""
PROBE_WITHIN = 5.0
"""Seconds for the version probe, and for the notification that begins a session: some servers never
answer them.
"""
_OF_VERSION = re.compile(r"protocol[ _-]?version|unsupported version", re.IGNORECASE)
_NO_POST = (400, 404, 405)
_LIST_AGAIN = (
    "List the server's tools again: it may have renamed or removed this one. Then accept its "
    "present tools."
)
_OTHER_TRANSPORT = (
    "Give the address at which it speaks Streamable HTTP, often one that ends in /mcp, or "
    "put a bridge before it."
)

_MOST_ROUNDS = 10
"""Maximum number of times that a server may ask a person before it carries out a call."""
_NOTHING: Mapping[str, Any] = {}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """Accepted tool: its exact name, its digest, its members' digests, and the header fields that
    repeat arguments.
    """

    name: str
    digest: str
    parts: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""
    """Advice for a tool that the server has changed."""


class McpClient(SecretHolder):
    """Client of one server for one attempt. Requests that change nothing do not count as requests
    of the action.

    ``on_missing`` receives the scopes that the server requires beyond the sign-in's. With
    ``declares``, sessions and lists, which many calls share, declare that the client can answer
    questions.
    """

    def __init__(
        self,
        context: OpenContext,
        settings: ClientSettings,
        sign_in: SignIn,
        peer: Peer,
        on_missing: Callable[[Sequence[str]], object] = tuple,
        *,
        declares: bool = False,
    ) -> None:
        if settings.server is None:
            raise InvalidConnection(
                "the connection names no server",
                hint="Set 'server' of the connection to the server's URL.",
            )
        self._context = context
        self._url: Url = (
            replace(settings.server, query="") if settings.server.query else settings.server
        )
        self._peer = peer
        self._declares = declares
        self._wire = Exchanges(context, settings, self._url, sign_in, on_missing, peer.forget_tools)

    @property
    def renewable(self) -> bool:
        """True if ``renew`` has an effect."""
        return self._wire.http.renewable

    def renew(self) -> None:
        """Drop leased credentials that the server reported as expired."""
        self._wire.http.renew()

    @property
    def context(self) -> OpenContext:
        """Context in which the client was opened."""
        return self._context

    @property
    def host(self) -> str:
        """Name of the server's host."""
        return self._url.host

    def session(self) -> Session:
        """Return the session of the connection; the first call negotiates it for all calls. A
        session in which a request had no answer is begun anew unless it answers now.

        :raises JackfieldError: if the server cannot be reached, or supports no known revision.
        """
        found = self._peer.session
        if found is None or found is self._peer.doubted:
            with self._peer.alone(self._wire.seconds_left()):
                found = self._peer.session
                if found is not None and found is self._peer.doubted and not self._answers(found):
                    self._peer.forget(found)
                    found = None
                self._peer.doubted = None
                if found is None:
                    found = self._peer.session = self._negotiated()
        return found

    def _answers(self, session: Session) -> bool:
        """Return whether the server answers a ping in a session, with whatever it likes."""
        message = Message.request(session.ids, "ping", {})
        try:
            self._wire.exchange(
                self._wire.brief(self._probe_seconds()), session, message, _whole, safe=True
            )
        except (SessionEnded, SessionDoubted):
            return False
        except JackfieldError as error:
            return not is_unanswered(error)
        return True

    def tools(self) -> list[Json]:
        """Read the whole list of tools from the server.

        :raises JackfieldError: if the list cannot be read, or is too large.
        """
        return self._listed()[0]

    def ask(self, method: str, params: Json, offers: Json = _NOTHING) -> Json:
        """Send a request that changes nothing, and return its result. Repeat the request once if
        the session has ended.
        """
        return self._asked(self._wire.quiet, method, params, _whole, offers)

    def call(
        self,
        tool: Tool,
        arguments: Json,
        into: Callable[[Json], T],
        *,
        safe: bool,
        takes_tasks: bool = False,
    ) -> T:
        """Call a tool that the server still lists in its accepted form; return ``into`` of the
        result.

        ``safe`` means that the call changes nothing, ``takes_tasks`` that the result may be a task.
        Questions to a person are answered if an answer is available.

        :raises NotAllowed: if the server has changed or removed the tool. Nothing was sent.
        :raises InputRequired: if the server asks a person a question that cannot be answered.
            Nothing was done.
        :raises JackfieldError: for every other outcome but a result.
        """
        session = self._prepared(tool, Sent.NOTHING)
        plain: dict[str, Any] = {"name": tool.name, "arguments": arguments}
        params, headers, is_again, follows = (
            plain,
            param_headers(tool.headers, arguments),
            False,
            self._is_followed,
        )
        had_begun = False
        for _ in range(_MOST_ROUNDS):
            message = Message.request(
                session.ids,
                "tools/call",
                params,
                self._offers(takes_tasks=takes_tasks),
                follows=follows,
            )
            try:
                return self._called(session, message, headers, into, safe=safe, had_begun=had_begun)
            except InputRequired as asks:
                had_begun = asks.had_begun
                with doubting(had_begun=had_begun):
                    params = {**plain, **self._answers_to(asks)}
            except SessionDoubted:
                self._peer.forget(session)
                raise
            except (SessionEnded, VersionRefused, HeaderMismatch) as error:
                if isinstance(error, SessionEnded) and not error.is_resent:
                    self._peer.forget(session)
                    raise error.refusal from None
                if is_again:
                    raise error.refusal if isinstance(error, SessionEnded) else error from None
                session, is_again = self._prepared_again(session, tool, error), True
            except Rejected as error:
                if misses_tool(error, tool.name):
                    self._peer.forget_tools()
                    error.hint = _LIST_AGAIN
                if not follows or not refuses_token(error):
                    raise
                follows = False
                _note_refusal()
        with doubting(had_begun=had_begun):
            raise asks_person(
                {},
                f"the server has asked a person more than {_MOST_ROUNDS} times before it does this",
            )

    def read(self, method: str, params: Json, into: Callable[[Json], T]) -> T:
        """Send a request of an action that reads, and return the value of ``into`` for the result.

        :raises NotFound: if the server has no resource of this URI.
        :raises JackfieldError: for every other outcome but a result.
        """
        return self._asked(self._wire.http, method, params, into)

    def task(self, identifier: str) -> Json:
        """Return the present state of a server's task.

        :raises JackfieldError: if the state cannot be read.
        """
        return self.ask("tasks/get", {"taskId": identifier}, self._offers(takes_tasks=True))

    def cancel_task(self, identifier: str) -> None:
        """Request that the server cancels a task.

        :raises JackfieldError: if the server refuses, or cannot be reached.
        """
        self.ask("tasks/cancel", {"taskId": identifier}, self._offers(takes_tasks=True))

    def answer_task(self, identifier: str, asks: InputRequired) -> None:
        """Answer a task's question to a person.

        :raises InputRequired: if there is no answer.
        :raises JackfieldError: if the server refuses the answers.
        """
        answers = self._answers_to(asks).get("inputResponses", {})
        self.ask(
            "tasks/update",
            {"taskId": identifier, "inputResponses": answers},
            self._offers(takes_tasks=True),
        )

    @property
    def _is_followed(self) -> bool:
        return (current_call() or self._context.call).progress is not None

    def _offers(self, *, takes_tasks: bool) -> Json:
        return offered(takes_tasks=takes_tasks, answers=self._wire.questions is not None)

    def _shared_offers(self, *, takes_tasks: bool = False) -> Json:
        """Return the capabilities that all callers share, without capabilities of a single
        caller.
        """
        return offered(takes_tasks=takes_tasks, answers=self._declares)

    def _answers_to(self, asks: InputRequired) -> dict[str, Any]:
        """Return the members that answer a server's questions in a repeated request; the refused
        request has done nothing.

        :raises InputRequired: if a question has no answer.
        """
        answers = {} if self._wire.questions is None else self._wire.questions.answered(asks)
        if answers.keys() != asks.requests.keys() or (asks.state is None and not answers):
            raise asks
        _note_refusal()
        found: dict[str, Any] = {"inputResponses": answers} if answers else {}
        return found if asks.state is None else {**found, "requestState": asks.state}

    def _asked(
        self,
        http: HttpClient,
        method: str,
        params: Json,
        into: Callable[[Json], T],
        offers: Json = _NOTHING,
    ) -> T:
        session = self.session()
        try:
            with self._doubting(session):
                return self._wire.exchange(
                    http,
                    session,
                    Message.request(session.ids, method, params, offers),
                    into,
                    safe=True,
                )
        except (SessionEnded, SessionDoubted, VersionRefused):
            self._peer.forget(session)
        session = self.session()
        try:
            with self._doubting(session):
                return self._wire.exchange(
                    http,
                    session,
                    Message.request(session.ids, method, params, offers),
                    into,
                    safe=True,
                )
        except SessionEnded as error:
            raise error.refusal from None

    def _called(
        self,
        session: Session,
        message: Message,
        headers: Mapping[str, str],
        into: Callable[[Json], T],
        *,
        safe: bool,
        had_begun: bool,
    ) -> T:
        read = into if session.is_modern else _untyped(into)
        try:
            with self._wire.listening(session), self._doubting(session):
                return self._wire.exchange(
                    self._wire.http, session, message, read, headers, safe=safe, had_begun=had_begun
                )
        except TimedOut:
            if not session.is_modern:  # there, the hang-up is the cancel
                self._wire.cancel(session, message)
            raise

    @contextmanager
    def _doubting(self, session: Session) -> Iterator[None]:
        """Doubt a session in which a request within the block has no answer."""
        try:
            yield
        except JackfieldError as error:
            if session.id is not None and is_unanswered(error):
                self._peer.doubted = session
            raise

    def _prepared_again(self, session: Session, tool: Tool, error: JackfieldError) -> Session:
        """Negotiate and list the tools again after a refusal that proves that the server did
        nothing.
        """
        _note_refusal()
        if isinstance(error, HeaderMismatch):
            self._peer.tools = None
        else:
            self._peer.forget(session)
        return self._prepared(tool, Sent.REFUSED)

    def _prepared(self, tool: Tool, sent: Sent) -> Session:
        """Check the tool first, then return the session: a stale list may belong to an ended
        session.

        A failure carries ``sent``, the state of the call's earlier requests.
        """
        try:
            self._require_pinned(tool)
            return self.session()
        except JackfieldError as failure:
            failure.sent, failure.tells_sent = sent, True
            raise

    def _require_pinned(self, tool: Tool) -> None:
        tools = self._fresh()
        if tool.digest not in tools.digests(tool.name):
            tools = self._fresh(refuses=True)
        now = tools.digests(tool.name)
        if tool.digest in now:
            return
        shown = one_line(tool.name, 128)
        if not now:
            raise NotAllowed(
                f"the server no longer has the tool '{shown}'", hint=tool.hint, sent=Sent.NOTHING
            )
        names = ", ".join(changed(tool.parts, tools.parts(tool.name))) or "its description"
        text = f"the server has changed the tool '{shown}' since it was accepted: {names}"
        raise NotAllowed(text, hint=tool.hint, sent=Sent.NOTHING)

    def _fresh(self, *, refuses: bool = False) -> Tools:
        """Return the server's tools from a fresh list. With ``refuses``, the list must be recent
        enough to refuse a call.
        """
        found = self._kept(refuses=refuses)
        if found is None:
            with self._peer.alone(self._wire.seconds_left()):
                found = self._kept(refuses=refuses)
                if found is None:
                    found = self._read_tools()
        return found

    def _read_tools(self) -> Tools:
        """Read the list of tools, once more if the tools change meanwhile; keep it unless they
        change again.
        """
        for _ in range(2):
            changes = self._peer.changes
            rows, seconds = self._listed()
            found = Tools(rows, self._context.clock.monotonic(), seconds)
            if changes == self._peer.changes:
                self._peer.tools = found
                break
        return found

    def _kept(self, *, refuses: bool) -> Tools | None:
        found, now = self._peer.tools, self._context.clock.monotonic()
        return (
            None
            if found is None or now >= (found.refuses_until if refuses else found.until)
            else found
        )

    def _listed(self, *, is_again: bool = False) -> tuple[list[Json], float]:
        """Return the server's tools, and the seconds for which the list is fresh.

        If the server refuses to continue a list, such as after a change, the list is read again
        once.
        """
        rows: list[Json] = []
        seen: set[str] = set()
        cursor, size, seconds, offers = (
            None,
            0,
            0.0,
            self._shared_offers(takes_tasks=self.session().has_tasks),
        )
        for number in range(MOST_PAGES):
            try:
                page = self.ask("tools/list", {} if cursor is None else {"cursor": cursor}, offers)
            except JackfieldError as error:
                if cursor == "" and _is_answer(error):
                    return rows, seconds
                if cursor is None or not _is_answer(error):
                    raise
                if is_again:
                    raise _bad_list(f"cannot be read to its end: {error.message}") from error
                return self._listed(is_again=True)
            listed = _tools_of(page)
            if cursor == "" and {*map(str, rows)}.issuperset(map(str, listed)):
                return rows, seconds  # an empty cursor leads back, or to nothing
            rows += listed
            size += len(str(listed))
            seconds = min(seconds, fresh_for(page)) if number else fresh_for(page)
            if len(rows) > MOST_TOOLS or size > LARGEST_LIST:
                raise _bad_list(_TOO_LARGE)
            cursor = page.get("nextCursor")
            if _is_end(cursor) or (cursor == "" and '""' in seen):
                return rows, seconds
            written = json.dumps(cursor, sort_keys=True)
            if written in seen or len(written) > _LONGEST_CURSOR:
                raise _bad_list("goes in circles, or has a cursor that is too long")
            seen.add(written)
        raise _bad_list(f"has more than {MOST_PAGES} pages")

    def _negotiated(self) -> Session:
        """Return a session in the version that the server is known to support, else probe the
        server. No tool is called to detect the version.
        """
        probe: JackfieldError | None = None
        if not self._peer.is_older:
            found, probe = self._probed()
            if found is not None:
                return found
        try:
            begun = self._initialized()
        except Rejected as error:
            if isinstance(probe, Rejected):
                raise
            return self._asked_again(error, probe)
        self._peer.is_older = True
        return begun

    def _probed(self) -> tuple[Session | None, JackfieldError | None]:
        """Return the session with a modern server; else None and the server's error.

        Only a rejected sign-in, a rate limit or a code of a modern server decides: legacy servers
        fail in any way, and some never answer.

        :raises JackfieldError: for such an error, or if nothing was sent.
        """
        try:
            return self._discovered(self._probe_seconds()), None
        except VersionRefused as error:
            return (self._discovered(), None) if MODERN in error.supported else (None, error)
        except JackfieldError as error:
            is_unsent = error.sent is Sent.NOTHING and not isinstance(error, TimedOut)
            is_modern = isinstance(error, HeaderMismatch) or (
                error.provider is not None and error.provider.code == _LACKS
            )
            if is_unsent or is_modern or isinstance(error, _DECISIVE):
                raise
            return None, error

    def _probe_seconds(self) -> float:
        return min(PROBE_WITHIN, self._wire.seconds_left() / 2)

    def _asked_again(self, refused: Rejected, probe: JackfieldError | None) -> Session:
        """Probe a server that refuses ``initialize`` again, without the shorter limit, and return
        its modern session.

        :raises JackfieldError: if the probe fails: ``refused``, or the probe's error if the server
            does not know ``initialize`` and was probed before.
        """
        self._peer.is_older = False
        try:
            found = self._discovered()
        except JackfieldError as error:
            is_unknown = isinstance(refused, VersionRefused) or (
                refused.provider is not None and refused.provider.code == _UNKNOWN
            )
            raise (error if is_unknown and probe is not None else refused) from None
        if found is None:
            raise refused
        return found

    def _discovered(self, within: float | None = None) -> Session | None:
        """Return the session of a modern server after probing its version; None if the server does
        not support the modern revision.
        """
        session = Session(MODERN)
        message = Message.request(session.ids, "server/discover", {}, self._shared_offers())
        http = self._wire.quiet if within is None else self._wire.brief(within)
        found = self._wire.exchange(http, session, message, _whole, safe=True)
        spoken = found.get("supportedVersions")
        if not isinstance(spoken, list) or MODERN not in spoken:
            return None
        return Session(MODERN, None, _object(found, "capabilities"), _object(found, "serverInfo"))

    def _initialized(self) -> Session:
        """Begin a session. Some servers refuse an unknown revision instead of answering with their
        own: then request the older revisions that they may speak.
        """
        try:
            return self._begun(LEGACY[0])
        except Rejected as error:
            for version in _older_revisions(error):
                with suppress(Rejected):
                    return self._begun(version)
            raise

    def _begun(self, wanted: str) -> Session:
        asked = {
            "protocolVersion": wanted,
            "capabilities": self._shared_offers(),
            "clientInfo": CLIENT,
        }
        try:
            found, identifier, cookies = self._wire.begun(
                Message.request(RequestIds(), "initialize", asked)
            )
        except Rejected as error:
            if (
                error.provider is not None
                and error.provider.http_status in _NO_POST
                and self._wire.names_endpoint()
            ):
                text = (
                    "the server speaks HTTP+SSE, the transport of MCP's revision of 2024, "
                    "which is not spoken here"
                )
                raise Rejected(
                    text, hint=_OTHER_TRANSPORT, provider=error.provider, sent=Sent.REFUSED
                ) from None
            raise
        version = found.get("protocolVersion")
        if version not in LEGACY:
            why = "has no 'initialize'" if version == MODERN else "is not known here"
            text = f"the server speaks the revision '{one_line(version, 40)}' of MCP, which {why}"
            raise Unavailable(text, hint="Upgrade jackfield-mcp, or the server.", repeatable=False)
        identifier = _once(identifier)
        if identifier is not None and (
            len(identifier) > LONGEST_ID or not identifier.isprintable() or not identifier.isascii()
        ):
            raise garbled("has a session ID that cannot be sent back")
        session = Session(
            str(version),
            identifier,
            _object(found, "capabilities"),
            _object(found, "serverInfo"),
            cookies,
        )
        # some servers have no answer to a notification, or answer it late; one that waits for it
        # says so next
        with suppress(Rejected, Unavailable, TimedOut):
            self._wire.notify(
                session, "notifications/initialized", {}, self._wire.brief(self._probe_seconds())
            )
        return session


def _older_revisions(refused: Rejected) -> Sequence[str]:
    """Return the revisions to try after a server has refused the newest: the revisions that its
    error names, else all older ones.

    The result is empty if the error is not about revisions.
    """
    words = (refused.provider.message if refused.provider is not None else None) or ""
    supported = refused.supported if isinstance(refused, VersionRefused) else ()
    if not supported and _OF_VERSION.search(words) is None:
        return ()
    named = [version for version in LEGACY[1:] if version in supported or version in words]
    return named if named or supported else LEGACY[1:]


def _once(identifier: str | None) -> str | None:
    """Return the ID of a session once, although a proxy may have repeated its header field."""
    first = None if identifier is None else identifier.partition(",")[0].strip()
    return (
        first
        if identifier is not None and {one.strip() for one in identifier.split(",")} == {first}
        else identifier
    )


def _note_refusal() -> None:
    """Record that the call's last request has done nothing, before the next request is sent."""
    call = current_call()
    if call is not None:
        call.refused()


def _untyped(into: Callable[[Json], T]) -> Callable[[Json], T]:
    """Return ``into`` for the revisions with sessions, which have no ``resultType``: beside
    content, the member means nothing there.
    """

    def read(result: Json) -> T:
        has_content = not result.keys().isdisjoint({"content", "structuredContent"})
        if not has_content or "inputRequests" in result:
            return into(result)
        return into({name: value for name, value in result.items() if name != "resultType"})

    return read


def _whole(result: Json) -> Json:
    return result


def _object(found: Json, name: str) -> Json:
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def _is_answer(error: JackfieldError) -> bool:
    """Return True for an error of the request itself, not of the connection to the server."""
    said = error.provider
    return isinstance(error, Rejected) or (
        said is not None and said.http_status == 200 and not isinstance(error, Garbled)
    )


def _tools_of(page: Json) -> list[Json]:
    """Return the tools of a page. A row that is no object becomes a tool without a name, which the
    report lists as unusable.
    """
    listed = page.get("tools")
    if isinstance(listed, Mapping):  # by name
        listed = [
            {"name": name, **row} if isinstance(row, Mapping) else row
            for name, row in listed.items()
        ]
    if isinstance(listed, list):
        if len(listed) > MOST_TOOLS:
            raise _bad_list(_TOO_LARGE)
        page = {"tools": [row if row is None or isinstance(row, Mapping) else {} for row in listed]}
    try:
        return rows_of(page, "tools")
    except Garbled:
        raise _bad_list("has no tools that can be read") from None


def _is_end(cursor: object) -> bool:
    """Return whether a cursor counts as omitted, in the forms of several languages. Other values
    continue, even 0 and an empty string.
    """
    return cursor is None or cursor is False or cursor in ([], {})


def _bad_list(reason: str) -> Unavailable:
    return Unavailable(
        f"the server's list of tools {reason}",
        hint="Report it to whoever runs the server.",
        repeatable=False,
    )
