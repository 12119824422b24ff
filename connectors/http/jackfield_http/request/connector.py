"""Connector ``http``: the actions ``request`` and ``graphql``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from jackfield.connector import (
    MAX_ANSWER,
    Connector,
    Detail,
    InvalidInput,
    Sent,
    StreamedFile,
    current_call,
)
from jackfield.wire.graphql import effect_of
from jackfield_http.answers import Answer, media_type
from jackfield_http.bindings.responses import shape_of
from jackfield_http.bodies import Part
from jackfield_http.client import HttpClient
from jackfield_http.downloads import INLINE, MAX_TEXT, Download, fetched, inline
from jackfield_http.graphql import is_refused, judge
from jackfield_http.headers import Headers
from jackfield_http.page_ends import is_absent
from jackfield_http.paging import NoList, Pages
from jackfield_http.parsing import is_json, stream_reading
from jackfield_http.request.connections import (
    Anonymous,
    AnyApiKey,
    AnyAuthorizationCode,
    AnyAwsSigV4,
    AnyBasic,
    AnyBearer,
    AnyClientCredentials,
    AnyMutualTls,
    AnyOpenIdConnect,
    target,
)
from jackfield_http.request.models import (
    GIVEN,
    PLACED,
    FormPart,
    GraphqlAnswer,
    GraphqlInputs,
    Paging,
    RequestInputs,
    Response,
)
from jackfield_http.shown_requests import ShownFile, request_shown
from jackfield_http.unread import Unreadable
from jackfield_http.urls import Url, parse_url, query_string

_HIDDEN = frozenset(
    {
        "set-cookie",
        "www-authenticate",
        "authorization",
        "authentication-info",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
    }
)
"""Header fields of a response that may hold credentials."""
_GRAPHQL = {"Accept": "application/graphql-response+json, application/json;q=0.9"}
_PAGES = Pages.link().pagination("items")

connector = Connector(
    "http",
    title="HTTP",
    version="0.1.0",
    description=(
        "Send any HTTP request: to an API without a connector of its own, a webhook, or a "
        "service of yours."
    ),
    connections=[
        AnyBearer,
        AnyApiKey,
        AnyBasic,
        AnyClientCredentials,
        AnyAuthorizationCode,
        AnyOpenIdConnect,
        AnyMutualTls,
        AnyAwsSigV4,
        Anonymous,
    ],
    icon="data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 "
    "24'><rect width='24' height='24' rx='4' "
    "fill='%23234'/><path d='M6 8h9l-3-3M18 16H9l3 3' stroke='white' stroke-width='2' "
    "fill='none'/></svg>",
    categories=["developer tools"],
    documentation_url="https://github.com/jackfield/jackfield",
    license="Apache-2.0",
)


def _described(asked: RequestInputs) -> Mapping[str, Any] | None:
    """Return the request's description for a dry run; None for a page whose address the server
    supplied.
    """
    pages = None if asked.pages is None else asked.pages.declared()
    if pages is not None and asked.next_token is not None and pages.kind in {"url", "linkHeader"}:
        return None
    path, query, server = asked.url.partition("#")[0], "", None
    if path.startswith("/") and not path.startswith("//"):
        path, _, query = path.partition("?")
    else:
        url = parse_url(path)
        path, query, server = url.path, url.query, f"{url.scheme}://{url.authority}"
    further = query_string({**asked.query, **({} if pages is None else pages.query(asked))})
    query = "&".join(part for part in (query, further) if part)
    shown = request_shown(
        asked.method, path, query, asked.headers, _body(asked, ShownFile.of), server
    )
    given = asked.evidence
    return (
        shown
        if given is None
        else {**shown, "evidence": given.model_dump(mode="json", by_alias=True, exclude_unset=True)}
    )


def _described_graphql(asked: GraphqlInputs) -> Mapping[str, Any] | None:
    """Return the request's description for a dry run."""
    return _described(
        RequestInputs(method="POST", url=asked.url, headers=_GRAPHQL, json_body=_document(asked))
    )


@connector.action(
    "request",
    effect="write",
    request=_described,
    effect_of=lambda asked: asked.real_effect,
    pagination=_PAGES,
    pace_by=("method", "url"),
    borrows_connections=True,
    marker=PLACED,
    evidence=[GIVEN],
    examples=[
        (
            {"url": "/parcels/p1"},
            {"status": 200, "headers": {"content-type": "application/json"}, "body": {"id": "p1"}},
        ),
        (
            {"method": "POST", "url": "/parcels", "json": {"name": "Ada"}},
            {"status": 201, "headers": {}, "body": {"id": "p2"}},
        ),
    ],
    keywords=(
        "call a rest api",
        "get post put a url",
        "webhook",
        "post json",
        "download a url",
        "curl",
        "graphql",
    ),
)
def request(asked: RequestInputs, api: HttpClient) -> Response:
    """Send a request.

    GET, HEAD and OPTIONS are repeated as reads, PUT and DELETE as idempotent; POST and PATCH are
    not if their outcome is unknown. A status that is not expected is an error. Redirects of reads
    are followed; to another server they carry no credentials.
    """
    api = api.of(0)  # over a connection of a connector with several servers: the first
    url = target(api, asked.url)
    options: dict[str, Any] = {
        "headers": dict(asked.headers),
        "expect": asked.expect or None,
        "step": _step(asked.method, asked.url, url),
        "safe": asked.real_effect == "read",
    }
    if asked.failed is not None:
        options["failed"] = asked.failed.declared()
    if asked.idempotency_header is not None:
        options["idempotent"] = asked.idempotency_header
    if asked.pages is not None:
        return _page(asked, asked.pages, api, options)
    with ExitStack() as opened:
        options |= {
            "query": asked.query,
            **_body(asked, lambda file: opened.enter_context(file.open())),
        }
        if asked.response in {"json", "text"}:
            return _response(asked.response, api.request(asked.method, url, **options))
        streamed = opened.enter_context(api.stream(asked.method, url, **options))
        kind = "file" if asked.response == "file" else _kind(streamed.headers)
        found, fault = b"", None
        try:
            content = fetched(streamed, opened, _most(kind))
        except Unreadable as error:
            fault = error
        else:
            if isinstance(content, Download):
                return Response(
                    status=streamed.status, headers=_visible_headers(streamed.headers), file=content
                )
            found = content
    answer = streamed.whole(found, str(options["step"]), fault)
    if asked.response == "auto" and fault is None:
        is_untyped = kind == "file" and not answer.media_type
        kind = (
            "none" if not found else "json" if is_untyped and shape_of(answer) == "json" else kind
        )
    return _response(kind, answer, by_type=asked.response == "auto")


@connector.action(
    "graphql",
    effect="write",
    request=_described_graphql,
    effect_of=lambda asked: effect_of(asked.query, asked.operation_name),
    pace_by=("url",),
    title="Send a GraphQL request",
    no_evidence=(
        "What a request of GraphQL does is the caller's own text: jackfield does not know "
        "where a marker would go."
    ),
    examples=[({"query": "{ viewer { login } }"}, {"data": {"viewer": {"login": "ada"}}})],
)
def graphql(asked: GraphqlInputs, api: HttpClient) -> GraphqlAnswer:
    """Send a GraphQL query or mutation.

    A query is repeated as a read; a mutation with an unknown outcome is never repeated. An answer
    with errors has failed, with the first message. Data along with the errors of a query is
    returned if partial data is accepted. A mutation with both is in doubt: a part was carried out.
    """
    url, effect = target(api, asked.url), effect_of(asked.query, asked.operation_name)
    step = _step("POST", asked.url, url)
    answer = api.request(
        "POST",
        url,
        json=_document(asked),
        step=step,
        safe=effect == "read",
        failed=is_refused,
        headers=_GRAPHQL,
    )
    judge(answer, step, effect, accepts_partial=asked.partial_data)
    return answer.into(GraphqlAnswer)


def _document(asked: GraphqlInputs) -> dict[str, Any]:
    body = {
        "query": asked.query,
        "variables": asked.variables,
        "operationName": asked.operation_name,
    }
    return {name: value for name, value in body.items() if value is not None}


def _body(asked: RequestInputs, content: Callable[[StreamedFile], Any]) -> dict[str, Any]:
    """Return the options for a request's body; ``content`` returns the content of a file."""
    kind = {} if asked.content_type is None else {"content_type": asked.content_type}
    if asked.json_body is not None:
        return {"json": asked.json_body, **kind}
    if asked.form is not None:
        return {"form": asked.form}
    if asked.multipart is not None:
        fields: dict[str, list[Any]] = {}
        for part in asked.multipart:
            fields.setdefault(part.name, []).append(
                part.value if part.file is None else _part(part, part.file, content)
            )
        return {"multipart": fields}
    if asked.file is not None:
        return {
            "content": content(asked.file),
            "content_type": asked.content_type or asked.file.content_type,
        }
    return {} if asked.text is None else {"content": asked.text, **kind}


def _part(part: FormPart, file: StreamedFile, content: Callable[[StreamedFile], Any]) -> Part:
    return Part(content(file), part.filename or file.name or part.name, file.content_type)


def _page(
    asked: RequestInputs, wanted: Paging, api: HttpClient, options: dict[str, Any]
) -> Response:
    try:
        page = wanted.declared().fetch_url(
            api, target(api, asked.url), asked, asked.query, **options
        )
        body = page.answer.json() if page.answer.content else None
        lacks = body is not None and asked.next_token is None and is_absent(wanted.items, body)
        if lacks and (nothing := NoList(wanted.items, body)).lists:
            raise nothing
    except NoList as error:
        if error.lists is None or asked.real_effect != "read" or asked.next_token is not None:
            raise
        found = ", ".join(f"'{place}'" for place in error.lists)
        text = (
            f"{error.message}; it has "
            f"{f'lists at {found}' if found else 'no member that is a list'}"
        )
        hint = f"Set pages.items, such as {error.lists[0] if found else '/items'}."
        raise InvalidInput(
            "1 input is not valid",
            details=[Detail("/pages/items", text)],
            hint=hint,
            sent=Sent.REFUSED,
        ) from None
    return Response(
        status=page.answer.status,
        headers=_visible_headers(page.answer.headers),
        items=page.items,
        next_token=page.next,
    )


def _response(kind: str, answer: Answer, *, by_type: bool = False) -> Response:
    """Return a response. If nothing declares the body's type (``by_type``), a body is unreadable
    only because of its coding.
    """
    try:
        return _shaped(kind, answer)
    except Unreadable as error:
        is_clear = error.by_coding if by_type or kind != "json" else is_json(answer.media_type)
        return answer.left(Response, error, lambda _media: is_clear)


def _shaped(kind: str, answer: Answer) -> Response:
    body = answer.json() if kind in {"json", "items"} else None
    found = Response(
        status=answer.status,
        headers=_visible_headers(answer.headers),
        body=body if kind == "json" else None,
    )
    if kind == "items":
        return found.model_copy(update={"items": body})
    if kind == "text":
        return found.model_copy(update={"text": answer.text})
    if kind == "file":
        return found.model_copy(
            update={
                "file": inline([answer.content], answer.media_type or "application/octet-stream")
            }
        )
    return found


def _kind(headers: Headers) -> str:
    kind = media_type(headers)
    if is_json(kind):
        return "json"
    if stream_reading(kind) is not None:
        return "items"
    textual = kind.startswith("text/") or kind.endswith(
        ("/xml", "+xml", "/javascript", "x-www-form-urlencoded")
    )
    return "text" if textual else "file"


def _most(kind: str) -> int:
    """Return the maximum size of a body in the output, in bytes; a larger one becomes a file, text
    only where files can be stored.
    """
    call = current_call()
    if kind == "text" and call is not None and call.files is not None:
        return MAX_TEXT
    return INLINE if kind == "file" else MAX_ANSWER


def _visible_headers(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _HIDDEN}


def _step(method: str, given: str, url: Url) -> str:
    """Return a request's name in errors: its path on the connection's server, or the host of a
    whole URL.

    The path of a whole URL may be a secret, as for webhooks.
    """
    return f"{method} {given.partition('?')[0][:200] if given.startswith('/') else url.host}"
