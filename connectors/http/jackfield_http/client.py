"""HTTP client of an attempt. It announces its requests, enforces deadlines, checks hosts and turns
failures into errors with codes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from jackfield.connector import (
    ANYWHERE,
    MAX_ANSWER,
    Call,
    Guard,
    JackfieldError,
    NotFound,
    OpenContext,
    Rejected,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    WireSettings,
    current_call,
    whole_answer,
)
from jackfield.kernel.dataclass import replace
from jackfield.kernel.frames import bordered
from jackfield.kernel.secrecy import SecretHolder
from jackfield.retry import Backoff, Tries
from jackfield.wire.guard import CURRENT
from jackfield.wire.outbound import way_out
from jackfield_http.answers import Answer, StreamedAnswer, body_of, header_of, media_type, noted
from jackfield_http.bodies import Body, Content, content_body, form_body, json_body, multipart_body
from jackfield_http.decoding import ACCEPTED, acceptable
from jackfield_http.errors import Failed, HttpErrors, Refusal
from jackfield_http.exchange import MOST_HOPS, SAFE, TO_OTHER_PLACES, Exchange, RequestOptions
from jackfield_http.faults import not_allowed
from jackfield_http.headers import (
    FRAMING,
    Headers,
    field,
    folded,
    merged,
    set_by_connection,
    together,
)
from jackfield_http.outcomes import Refused
from jackfield_http.parsing import error_body
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import ANONYMOUS, SignIn
from jackfield_http.signing import signatures
from jackfield_http.successes import refuse_others, refuse_streamed_page
from jackfield_http.unread import Unreadable
from jackfield_http.urls import Url, fill, owned_query, query_string, without
from jackfield_http.verdicts import Remark, are_harmless
from jackfield_http.version import VERSION
from jackfield_http.wire import open_wire

if TYPE_CHECKING:
    from jackfield_http.wire import Reply, Sender

_LOG = logging.getLogger("jackfield.http_client")
_AGENT = f"jackfield/{VERSION}"
_ERROR_BODY = 256 * 1024
"""Maximum number of bytes read of an error's body."""
_LONGEST_URL = 500
_USUAL = {
    "User-Agent": _AGENT,
    "Accept-Encoding": ACCEPTED,
    "Accept": "application/json, */*;q=0.5",
}
_WRITTEN = {(name, value): field(name, value) for name, value in _USUAL.items()}
"""Usual header fields in their encoded form: most requests do not change them."""
_NO_VALUES: Mapping[str, Any] = {}
_to_programs = partial(bordered, unless=CURRENT.get)
"""Decorator for calls by a program that borrowed the client outside of a call: exceptions then
carry no variables of jackfield.
"""


class HttpClient(SecretHolder):
    """Client of one server for one attempt, returned by ``open`` of a connection type.

    Paths are templates, ``api.get("/parcels/{id}", {"id": inputs.id})``; values stay within their
    segment. A response with an unexpected status raises an error with a code, so a returned
    ``Answer`` is a success.

    The runtime repeats an attempt as far as the effect allows. The client repeats later requests of
    an attempt if that is safe: a GET, and requests that the provider refused with 429 or did not
    receive.
    """

    def __init__(
        self, context: OpenContext, settings: ClientSettings, sign_in: SignIn = ANONYMOUS
    ) -> None:
        self._context = context
        self._settings = settings
        self._sign_in = sign_in
        self._keyed = 0
        self._until = (
            None if settings.within is None else context.clock.monotonic() + settings.within
        )

    def __repr__(self) -> str:
        server = self._settings.server
        return f"{type(self).__name__}(server={None if server is None else f'{server.scheme}://{server.authority}'!r})"

    def of(self, _number: int) -> HttpClient:
        """Return this client, since the connection has only one server."""
        return self

    @_to_programs
    def get(
        self, path: str, values: Mapping[str, Any] = _NO_VALUES, **options: Unpack[RequestOptions]
    ) -> Answer:
        """Send a GET. ``values`` fill the path's parameters; for ``options`` see ``request``."""
        return self._persist(self._exchange("GET", path, values, **options))

    @_to_programs
    def post(
        self, path: str, values: Mapping[str, Any] = _NO_VALUES, **options: Unpack[RequestOptions]
    ) -> Answer:
        """Send a POST."""
        return self._persist(self._exchange("POST", path, values, **options))

    @_to_programs
    def put(
        self, path: str, values: Mapping[str, Any] = _NO_VALUES, **options: Unpack[RequestOptions]
    ) -> Answer:
        """Send a PUT."""
        return self._persist(self._exchange("PUT", path, values, **options))

    @_to_programs
    def patch(
        self, path: str, values: Mapping[str, Any] = _NO_VALUES, **options: Unpack[RequestOptions]
    ) -> Answer:
        """Send a PATCH."""
        return self._persist(self._exchange("PATCH", path, values, **options))

    @_to_programs
    def delete(
        self, path: str, values: Mapping[str, Any] = _NO_VALUES, **options: Unpack[RequestOptions]
    ) -> Answer:
        """Send a DELETE."""
        return self._persist(self._exchange("DELETE", path, values, **options))

    @_to_programs
    def request(
        self,
        method: str,
        path: str | Url,
        values: Mapping[str, Any] = _NO_VALUES,
        **options: Unpack[RequestOptions],
    ) -> Answer:
        """Send a request and read the whole response.

        - ``query``: parameters by name. None is left out, a list repeats its name.
        - ``headers``: fields by name, in addition to those of the connection. A field that the
          connection or its sign-in sets is refused, and so is a query parameter: callers must not
          choose it.
        - ``json``, ``form``, ``multipart``, ``content`` (with ``content_type``): the body, one of
          them.
        - ``expect``: statuses that count as success, if not 200 to 299.
        - ``idempotent=True``: the provider recognises a repeated request by the invocation's key,
          which is sent in a header field; text names another field than the connection's.
        - ``safe=True``: the request changes nothing although it is a POST (a search).
        - ``failed``: a function that takes a success's JSON and returns True if it reports a
          failure, as ``HttpErrors.failed`` does.
        - ``step``: name of the request in errors; by default the method and the path without its
          values.

        :raises JackfieldError: for every other outcome; its ``sent`` says how far the request got.
        """
        return self._persist(self._exchange(method, path, values, **options))

    @contextmanager
    @_to_programs
    def stream(
        self,
        method: str,
        path: str | Url,
        values: Mapping[str, Any] = _NO_VALUES,
        *,
        largest: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Iterator[StreamedAnswer]:
        """Send a request and read the response's body in chunks, for files of any size; ``largest``
        limits the size in bytes.

        ``options`` are those of ``request``. ``failed`` judges JSON of up to 32 MiB, which is held
        in memory; a larger body reports no failure.

        :raises JackfieldError: as ``request`` does, also while chunks are read.
        """
        exchange = self._exchange(method, path, values, **options)
        refuse = None
        if not exchange.safe:
            refuse = partial(refuse_others, exchange, errors=self._settings.errors)
        reply, headers, url = self._replied(exchange)
        try:
            answer = StreamedAnswer(
                reply,
                headers,
                url,
                self._limit,
                largest,
                is_clear=self._is_clear(exchange, reply.status),
                refuse=refuse,
            )
            self._refuse_by_header(exchange, reply.status, headers)
            if not exchange.safe:
                refuse_streamed_page(exchange, answer)
            if self._judge(exchange, headers) is not None:
                self._refuse_failure(
                    exchange, Answer(reply.status, headers, answer.begin(MAX_ANSWER) or b"", url)
                )
            try:
                yield answer
            finally:
                answer.close()
            call = current_call()
            if call is not None and not exchange.safe:
                call.returned({"status": reply.status})
        finally:
            reply.close()

    @_to_programs
    def url(
        self,
        path: str,
        values: Mapping[str, Any] = _NO_VALUES,
        query: Mapping[str, Any] | None = None,
    ) -> Url:
        """Return the URL of a path on the connection's server."""
        return self._url(path, values, query or {})

    def _url(self, path: str, values: Mapping[str, Any], query: Mapping[str, Any]) -> Url:
        if self._settings.server is None:
            raise ValueError("this connection has no server: pass a Url")
        return self._settings.server.under(fill(path, values), query_string(query))

    @property
    def server(self) -> Url | None:
        """Server of the connection; None if requests name whole URLs."""
        return self._settings.server

    @property
    def errors(self) -> HttpErrors:
        """The connection's error map."""
        return self._settings.errors

    @_to_programs
    def elsewhere(self, url: Url) -> HttpClient:
        """Return a client for a server that the provider named, such as its storage for uploads.

        It has neither credentials nor the connection's header fields. It reaches public addresses
        only, or this machine if the connection does.

        :raises Rejected: if the provider named http where its own server has https.
        :raises NotAllowed: if the connection has a client certificate, which other servers must not
            see.
        """
        settings, own = self._settings, self._settings.server
        if settings.has_certificate:
            raise not_allowed(url.host)
        if own is not None and own.scheme == "https" and url.scheme == "http":
            raise Rejected(
                "the provider named a server without TLS, to which it would be sent in clear text",
                sent=Sent.REFUSED,
            )
        guard = _abroad(settings.guard or self._context.guard, own)
        server = replace(url, path="/", query="")
        return HttpClient(
            self._context, replace(settings, server=server, headers={}, guard=guard, guard_path="")
        )

    @_to_programs
    def unsigned(self, url: Url) -> Url:
        """Return a URL without the credentials that a request to it adds to the query."""
        return replace(url, query=without(url.query, self._sign_in.query()))

    @property
    def renewable(self) -> bool:
        """True if ``renew`` has an effect."""
        return self._sign_in.renewable

    @_to_programs
    def renew(self) -> None:
        """Drop leased credentials that the provider reported as expired."""
        if self._sign_in.renewable:
            self._sign_in.renew()

    def _exchange(
        self,
        method: str,
        path: str | Url,
        values: Mapping[str, Any],
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        multipart: Mapping[str, Any] | None = None,
        content: Content | None = None,
        content_type: str | None = None,
        expect: Collection[int] | None = None,
        idempotent: bool | str = False,
        safe: bool | None = None,
        step: str | None = None,
        failed: Failed | None = None,
    ) -> Exchange:
        url = (
            self._url(path, values, query or {})
            if isinstance(path, str)
            else path.with_query(query_string(query or {}))
        )
        signed = self._settings.server is None or url.origin == self._settings.server.origin
        if not signed:
            raise not_allowed(url.host)
        server, signing = self._settings.server, self._sign_in.query()
        if signing or (server is not None and server.query):
            url = owned_query(url, "" if server is None else server.query, signing)
        body = _body(json, form, multipart, content, content_type)
        given = dict(headers or {})
        if idempotent:
            given = merged(
                given,
                {
                    self._settings.idempotency_header
                    if idempotent is True
                    else idempotent: self._key()
                },
            )
        names = frozenset(map(folded, given))
        fields = merged(_USUAL, self._settings.headers, given)
        if self._settings.headers and (
            taken := next((name for name in self._settings.headers if folded(name) in names), None)
        ):
            raise set_by_connection(f"the header '{taken}'")
        name = step or f"{method} {path if isinstance(path, str) else url.host}"
        return Exchange(
            method,
            url,
            fields,
            body,
            name,
            method in SAFE if safe is None else safe,
            signed,
            expect,
            names,
            failed,
        )

    def _key(self) -> str:
        """Return the invocation's key for the first request of an attempt, and a key derived from
        it for each later request.
        """
        self._keyed += 1
        key = (current_call() or self._context.call).idempotency_key
        return key if self._keyed == 1 else f"{key}-{self._keyed}"

    def _replied(self, exchange: Exchange) -> tuple[Reply, Headers, Url]:
        """Send the request, follow redirects and raise for an unsuccessful response; return the
        response, which the caller closes.
        """
        origin, asked = exchange.url.origin, exchange
        for _ in range(MOST_HOPS + 1):
            reply, is_kept = self._send(exchange, origin), False
            try:
                headers = self._noted(reply)
                following = exchange.after(reply.status, headers, origin)
                if following is None:
                    if not exchange.accepts(reply.status):
                        raise self._error_of_refusal(
                            exchange, reply, headers, elsewhere=exchange is not asked
                        )
                    is_kept = True
                    return reply, headers, exchange.url
            finally:
                if not is_kept:
                    reply.close()
            exchange = following
        raise Unavailable(
            f"'{exchange.step}' was redirected more than {MOST_HOPS} times",
            sent=Sent.UNKNOWN,
            repeatable=False,
        )

    def _send(self, exchange: Exchange, origin: tuple[str, str, int]) -> Reply:
        url, fields = exchange.url, self._fields(exchange)
        if exchange.signed:
            if query := self._sign_in.query():
                url = url.with_query(query)
            fields = together(fields, self._sign_in.fields(), exchange.given)
            fields += signatures(self._sign_in, exchange.method, url, fields, exchange.body)
        body, call, connected = exchange.body, current_call(), False

        def begin() -> None:
            nonlocal connected
            connected = True
            if call is not None and self._settings.announces:
                call.begin(exchange.step, safe=exchange.safe)

        _LOG.debug("%s %s", exchange.step, exchange.url.host)
        wire = self._wire(url.origin == origin)
        content = None if body is None else body.chunks() if body.whole is None else body.whole
        if call is not None and self._settings.announces and not call.begun:
            call.check()  # to connect for nothing would take longer
        started, status = self._context.clock.time(), None
        try:
            reply = wire.send(exchange.method, url, fields, content, self._limit, begin)
            status = reply.status
        except (Unavailable, TimedOut):
            if call is not None and self._settings.announces and not connected:
                call.begun = True  # an attempt counts even where no connection could be made
            raise
        finally:
            if call is not None and call.observe is not None:
                call.observe(exchange.method, url.host, started, self._context.clock.time(), status)
        return reply

    def _fields(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        fields = [(b"Host", exchange.url.authority.encode("ascii"))]
        body, is_typed = exchange.body, False
        for name, value in exchange.headers.items():
            if (written := _WRITTEN.get((name, value))) is not None:
                fields.append(written)
                continue
            known = folded(name)
            is_typed = is_typed or name.lower() == "content-type"
            if known not in FRAMING:
                fields.append(
                    field(name, acceptable(value) if known == "accept-encoding" else value)
                )
        if body is not None and body.content_type is not None and not is_typed:
            fields.append(field("Content-Type", body.content_type))
        if body is not None and body.length is None:
            fields.append((b"Transfer-Encoding", b"chunked"))
        elif body is not None or exchange.method not in SAFE:
            fields.append(
                (b"Content-Length", b"%d" % (body.length or 0 if body is not None else 0))
            )
        return fields

    def _wire(self, home: bool) -> Sender:
        """Return the pool for the connection's own server, or the stricter one for the targets of
        redirects.
        """
        settings = self._settings
        own = settings.guard or self._context.guard
        guard = own if home else _abroad(own, settings.server)
        if not home and settings.has_certificate:
            raise not_allowed("another server, to which it was redirected")

        def make() -> Sender:
            context, route = settings.tls(), way_out(self._context.environment, settings.proxy)
            wired = WireSettings(
                guard,
                settings.guard_path,
                lambda: context,
                route,
                fresh_writes=settings.fresh_writes,
            )
            return open_wire(wired, http2=settings.http2)

        # a refused host is reported at the value that names it
        place = "" if guard.internal else settings.guard_path
        return self._context.cached(
            (
                "jackfield_http",
                home,
                guard,
                settings.http2,
                settings.fresh_writes,
                settings.proxy,
                place,
            ),
            make,
        )

    def _noted(self, reply: Reply) -> Headers:
        headers, call = header_of(reply), current_call()
        if call is not None:
            call.request_id = headers.first(*self._settings.errors.request_id) or call.request_id
        return headers

    def _accept(self, exchange: Exchange, answer: Answer) -> None:
        """Record a success, unless the body reports a failure."""
        self._refuse_by_header(exchange, answer.status, answer.headers)
        self._refuse_failure(exchange, answer)
        if exchange.safe:
            return
        refuse_others(exchange, answer, self._settings.errors)
        call = current_call()
        if call is not None:
            call.returned(noted(answer))

    def _judge(self, exchange: Exchange, headers: Headers) -> Failed | None:
        """Return the function that judges a success; None if there is no such function, or the
        response is not JSON.
        """
        errors = self._settings.errors
        failed = exchange.failed or errors.failed
        if failed is None or errors.read is not None:
            return failed
        media = media_type(headers)
        return failed if "json" in media or not media else None

    def _is_clear(self, exchange: Exchange, status: int) -> bool:
        """Return whether a status proves that a change was made, whatever the body contains: no
        rule finds a failure in this body.
        """
        errors = self._settings.errors
        return (
            not exchange.safe
            and 200 <= status < 300
            and are_harmless(exchange.failed or errors.failed)
            and errors.proves_success
        )

    def _refuse_by_header(self, exchange: Exchange, status: int, headers: Headers) -> None:
        """Raise the error of a successful status beside which a header field reports a failure."""
        errors = self._settings.errors
        for name, condition in errors.failed_by if 200 <= status < 300 else ():
            if condition.holds(headers.get(name)):
                refused = errors.explain(
                    Refusal(
                        exchange.step,
                        status,
                        headers,
                        safe=exchange.safe,
                        verdict=f"'{name}' says so",
                    )
                )
                refused.stale_credentials = isinstance(refused, Unauthenticated) and self.renewable
                raise refused

    def _refuse_failure(self, exchange: Exchange, answer: Answer) -> None:
        """Raise the error of a successful status whose body reports a failure."""
        failed = self._judge(exchange, answer.headers)
        if failed is None:
            return
        try:
            read = self._settings.errors.read
            body = (
                answer.json()
                if read is None
                else read(answer.content, answer.headers.get("content-type", ""))
            )
        except Unreadable as error:
            if error.by_coding and not are_harmless(failed):
                raise
            return
        except (ValueError, Unavailable):
            return
        found = body is not None and failed(body)
        if not found or (
            answer.status >= 300 and not (isinstance(found, Refused) and found.entries)
        ):
            return  # a status that the caller expects, such as the end of a list
        if isinstance(found, Remark):
            found.note(exchange.step, answer.headers.retry_after, safe=exchange.safe)
            return
        if isinstance(found, Refused) and not found.is_whole:
            found.note(safe=exchange.safe)
            return
        told = Refusal(
            exchange.step,
            answer.status,
            answer.headers,
            found if isinstance(found, Mapping) else body,
            safe=exchange.safe,
        )
        explain = self._settings.errors.explain
        if isinstance(found, Refused):
            told = replace(told, verdict=found.verdict, is_item=bool(found.entries))
            refused = found.chief(
                explain(replace(told, body=item, said=said)) for item, said in found.first
            )
        else:
            refused = explain(told)
        refused.stale_credentials = isinstance(refused, Unauthenticated) and self.renewable
        raise refused

    def _error_of_refusal(
        self, exchange: Exchange, reply: Reply, headers: Headers, *, elsewhere: bool
    ) -> JackfieldError:
        """Return the error of a refusal. A "not found" from a redirect's target, or in a gateway's
        page or text, says nothing about the requested object.
        """
        body, content = None, None
        with suppress(JackfieldError, ValueError):  # the status is clear without the body
            content = b"".join(body_of(reply, headers, self._limit, _ERROR_BODY))
            read = self._settings.errors.read or error_body
            body = read(content, headers.get("content-type", ""))
        refusal = Refusal(
            exchange.step,
            reply.status,
            headers,
            body,
            exchange.safe,
            content or b"",
            is_read=content is not None,
        )
        error = self._settings.errors.explain(refusal)
        error.stale_credentials = isinstance(error, Unauthenticated) and self.renewable
        if (
            isinstance(error, Rejected)
            and reply.status in TO_OTHER_PLACES
            and "location" in headers
        ):
            moved = exchange.moved(reply.status, headers)
            where = "another address" if moved is None else str(moved)[:_LONGEST_URL]
            error.hint = (
                error.hint if moved is None else f"Check the server's URL: it redirects to {where}."
            )
            if error.sent is Sent.UNKNOWN:  # the hint of a doubt is another one
                error.message += f"; the server redirects to {where}"
        if isinstance(error, NotFound) and (elsewhere or (exchange.safe and refusal.is_foreign)):
            error.sent = Sent.NOTHING
        return error

    def _once(self, exchange: Exchange) -> Answer:
        """Perform a request, and read the whole response."""
        content, fault = b"", None
        reply, headers, url = self._replied(exchange)
        is_clear = self._is_clear(exchange, reply.status)
        try:
            chunks, largest = (
                body_of(reply, headers, self._limit, self._settings.largest),
                self._settings.largest,
            )
            content = whole_answer(
                chunks, limit=largest, media_type=headers.get("content-type", "")
            )
        except Unreadable as error:
            if not is_clear:
                raise
            fault = error  # of no concern to an action that does not read the body
        finally:
            reply.close()
        answer = Answer(
            reply.status, headers, content, url, exchange.step, fault=fault, is_clear=is_clear
        )
        self._accept(exchange, answer)
        return answer

    def _persist(self, exchange: Exchange) -> Answer:
        """Send a request, and repeat it if the runtime cannot: the runtime would repeat the
        attempt's earlier requests, too.
        """
        call = current_call()
        is_first, tries, renewed = call is None or not call.requests, Tries(), False
        while True:
            tries.made += 1
            try:
                return self._once(exchange)
            except JackfieldError as error:
                if call is not None and error.sent is Sent.REFUSED:
                    call.refused()
                if is_first or call is None or (exchange.body is not None and exchange.body.once):
                    raise
                if error.stale_credentials and not renewed:
                    renewed, wait = True, 0.0
                    self.renew()
                else:
                    wait = self._wait(exchange, error, tries, call)
            call.deadline.clock.sleep(wait)

    def _wait(self, exchange: Exchange, error: JackfieldError, tries: Tries, call: Call) -> float:
        """Return the seconds to wait before the request is repeated.

        :raises JackfieldError: ``error``, if the request must not be repeated, or not within the
            remaining time.
        """
        harmless = exchange.safe or error.sent is not Sent.UNKNOWN
        if not (harmless and error.retryable and error.repeatable and tries.allow_another(error)):
            raise error
        wait = Backoff(random.SystemRandom()).wait(tries.made, error)
        if wait >= call.deadline.remaining():
            raise error
        return wait

    def _limit(self) -> float:
        if self._until is not None:
            return self._until - self._context.clock.monotonic()
        return (current_call() or self._context.call).deadline.remaining()


def _body(
    json: Any,
    form: Mapping[str, Any] | None,
    multipart: Mapping[str, Any] | None,
    content: Content | None,
    content_type: str | None,
) -> Body | None:
    if sum([value is not None for value in (json, form, multipart, content)]) > 1:
        raise ValueError("a request has one body: json, form, multipart or content")
    if json is not None:
        return json_body(json, content_type or "application/json")
    if form is not None:
        return form_body(form)
    if multipart is not None:
        return multipart_body(multipart)
    return None if content is None else content_body(content, content_type)


def _abroad(guard: Guard, server: Url | None) -> Guard:
    """Return the guard for the targets of redirects. An operator's connection may reach any
    address, but the server chooses these targets.
    """
    if not guard.internal:
        return guard
    local = server is not None and server.host in {"localhost", "127.0.0.1", "::1"}
    return replace(ANYWHERE, internal=False, loopback=local)
