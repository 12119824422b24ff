"""The connector ``http``: one action for any request, as careful as its method demands."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from jackfield import Jackfield
from jackfield.kernel.exact import exact_json, read_float
from jackfield.testing import RESET, Answer, Harness, Provider, Request, refused, throttled
from ports import free_port


def echo(_number: int, request: Request) -> Answer:
    """What the server has seen."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Answer(
        {
            "method": request.method,
            "path": request.path,
            "headers": headers,
            "body": request.body.decode("latin-1"),
        }
    )


def anonymous(**values: Any) -> dict[str, Any]:
    """A connection without credentials."""
    return {"type": "http/anonymous", "values": values}


@pytest.mark.parametrize(
    ("inputs", "content_type", "body"),
    [
        ({"json": {"a": [1]}}, "application/json", '{"a":[1]}'),
        (
            {"form": {"a": "1 2", "b": ["x", "y"]}},
            "application/x-www-form-urlencoded",
            "a=1+2&b=x&b=y",
        ),
        ({"text": "<a/>", "contentType": "application/xml"}, "application/xml", "<a/>"),
        ({"file": "data:image/png;base64,UE5H"}, "image/png", "PNG"),
        (
            {"json": {}, "contentType": "application/vnd.acme+json"},
            "application/vnd.acme+json",
            "{}",
        ),
    ],
)
def test_bodies(harness: Harness, inputs: dict[str, Any], content_type: str, body: str) -> None:
    """Each kind of body arrives with its media type, and the credentials with it."""
    harness.serve(echo)
    seen = harness.invoke("request", {"method": "POST", "url": "/v1/x", **inputs}).unwrap()["body"]
    assert (seen["method"], seen["path"], seen["headers"]["content-type"], seen["body"]) == (
        "POST",
        "/v1/x",
        content_type,
        body,
    )
    assert seen["headers"]["authorization"] == "Bearer ***"


@pytest.mark.parametrize(
    "number",
    [
        "3.14159265358979323846",
        "-12345678901234567890.5",
        "1.5e-400",
        "9" * 40,
        "0.10000000000000000555111512312578270211815",
    ],
)
def test_numbers_keep_their_digits(harness: Harness, number: str) -> None:
    """A number of more digits than a double keeps, or too small for one, is sent as it was given,
    and returned as the server has it.
    """
    server = harness.serve(
        Answer(
            content=f'{{"n": [{number}]}}'.encode(), headers={"Content-Type": "application/json"}
        )
    )
    inputs = json.loads(
        f'{{"query": {{"n": {number}}}, "json": {{"n": [{number}]}}}}', parse_float=read_float
    )
    output = harness.invoke("request", {"method": "POST", "url": "/x", **inputs}).unwrap()
    assert server.requests[0].body.decode() == f'{{"n":[{number}]}}'
    assert parse_qs(urlsplit(server.requests[0].path).query) == {"n": [number]}
    assert exact_json(output["body"], json.JSONEncoder()) == f'{{"n": [{number}]}}'


@pytest.mark.parametrize("number", ["1e400", "-" + "9" * 500 + ".0", "9" * 5000])
def test_a_number_that_nothing_holds_is_no_answer(harness: Harness, number: str) -> None:
    """It is not taken for infinite, nor for another number: the body counts as one that is no
    JSON.
    """
    harness.serve(
        Answer(content=f'{{"n": {number}}}'.encode(), headers={"Content-Type": "application/json"})
    )
    result = harness.invoke(
        "request", {"method": "GET", "url": "/x", "response": "json"}, timeoutSeconds=4
    )
    assert result.status == "failed"


def test_multipart(harness: Harness) -> None:
    """Fields and files go out in one body."""
    server = harness.serve(Answer(status=204))
    parts = [
        {"name": "title", "value": "Milk"},
        {"name": "photo", "file": "data:image/png;base64,UE5H", "filename": "m.png"},
    ]
    result = harness.invoke("request", {"method": "POST", "url": "/x", "multipart": parts}).unwrap()
    assert result == {"status": 204, "headers": result["headers"]}
    assert (
        b'name="photo"; filename="m.png"\r\nContent-Type: image/png\r\n\r\nPNG\r\n'
        in server.requests[0].body
    )


@pytest.mark.parametrize(
    ("answer", "how", "member", "value"),
    [
        (Answer({"a": 1}), "auto", "body", {"a": 1}),
        (Answer(content=b"hi", headers={"Content-Type": "text/plain"}), "auto", "text", "hi"),
        (
            Answer(content=b"\x00", headers={"Content-Type": "image/png"}),
            "auto",
            "file",
            {"data": "AA==", "contentType": "image/png"},
        ),
        (Answer({"a": 1}), "text", "text", '{"a": 1}'),
        (
            Answer({"a": 1}),
            "file",
            "file",
            {"data": b64encode(b'{"a": 1}').decode(), "contentType": "application/json"},
        ),
    ],
)
def test_responses(harness: Harness, answer: Answer, how: str, member: str, value: Any) -> None:
    """The body comes back as JSON, text or a file."""
    harness.serve(answer)
    output = harness.invoke("request", {"url": "/x", "response": how}).unwrap()
    assert (output[member], output["status"]) == (value, 200)


def test_credentials_of_responses_are_left_out(harness: Harness) -> None:
    """A cookie that the server sets is not part of the output."""
    harness.serve(Answer(headers={"Set-Cookie": "sid=4711", "X-Seen": "yes"}))
    headers = harness.invoke("request", {"url": "/x"}).unwrap()["headers"]
    assert ("set-cookie" in headers, headers["x-seen"]) == (False, "yes")


def test_expected_statuses(harness: Harness) -> None:
    """A status that is expected is a success, any other an error."""
    harness.serve(refused(404))
    assert harness.invoke("request", {"url": "/x", "expect": [200, 404]}).unwrap()["status"] == 404
    error = harness.invoke("request", {"url": "/x"}).error
    assert error is not None
    assert error.code == "not_found"


@pytest.mark.parametrize(
    ("status", "headers", "code", "hint"),
    [
        (304, {"ETag": "1"}, "conflict", "use the copy that you have"),
        (308, {"Range": "bytes=0-99"}, "rejected", "let 'expect' name the status"),
        (305, {"Location": "http://elsewhere.example/"}, "rejected", "redirects to another one"),
    ],
)
def test_what_is_no_redirection(
    harness: Harness, status: int, headers: dict[str, str], code: str, hint: str
) -> None:
    """A condition that holds, and an unfinished upload, which names no other place, are not told as
    redirections.
    """
    harness.serve(Answer(content=b"", status=status, headers=headers))
    error = harness.invoke("request", {"url": "/x"}).error
    assert error is not None
    assert (error.code, hint in str(error.hint)) == (code, True), error


def test_attempts_that_found_nobody_count(harness: Harness) -> None:
    """``attempts`` are those of the message: connections that were refused are among them, although
    nothing was sent.
    """
    connection = anonymous(server=f"http://127.0.0.1:{free_port()}")
    result = harness.invoke(
        "request", {"method": "POST", "url": "/x", "json": {}}, connection=connection
    )
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "unavailable")
    assert result.error.message.endswith(f"refused the connection, {result.meta.attempts} attempts")
    assert result.meta.attempts > 1


@pytest.mark.parametrize(
    ("inputs", "effect"),
    [
        ({"method": "GET"}, "read"),
        ({"method": "GET", "effect": "idempotent"}, "idempotent"),
        ({"method": "PUT", "json": {}}, "idempotent"),
        ({"method": "POST", "json": {}}, "write"),
    ],
)
def test_the_journal_knows_what_a_request_does(
    tmp_path: Path, inputs: dict[str, Any], effect: str
) -> None:
    """By the effect of its request, not by the action's, a call ends whose process is killed: a GET
    leaves no doubt, and frees its key.
    """
    with (
        Provider(lambda _number, _request: Answer({})) as provider,
        Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/journal.db") as jackfield,
    ):
        connection = anonymous(server=provider.url)
        called = {
            "connector": "http",
            "action": "request",
            "connection": connection,
            "inputs": {"url": "/x", **inputs},
        }
        result = jackfield.invoke({**called, "idempotencyKey": "k"})
        assert jackfield.journal is not None
        (entry,), _ = jackfield.journal.entries(cursor=None, limit=50)
    assert (result.status, entry.effect) == ("succeeded", effect)


_EFFECTS: list[Any] = [
    ({"method": "GET"}, refused(503), "succeeded", 2),
    ({"method": "GET"}, RESET, "succeeded", 2),
    ({"method": "PUT", "json": {}}, RESET, "succeeded", 2),
    ({"method": "DELETE"}, refused(500), "succeeded", 2),
    ({"method": "POST", "json": {}}, RESET, "in_doubt", 1),
    ({"method": "PATCH", "json": {}}, refused(500), "in_doubt", 1),
    ({"method": "GET", "effect": "write"}, RESET, "in_doubt", 1),
    ({"method": "PUT", "effect": "write"}, refused(503), "in_doubt", 1),
    ({"method": "POST", "json": {}}, refused(429), "succeeded", 2),
    ({"method": "GET", "effect": "idempotent"}, RESET, "succeeded", 2),
]


def test_effects(harness: Harness, subtests: pytest.Subtests) -> None:
    """The method decides what is repeated, unless the caller knows that the request is less
    harmless.
    """
    for inputs, step, status, sent in _EFFECTS:
        with subtests.test(inputs=inputs, step=step, status=status, sent=sent):
            server = harness.serve(step, Answer({}))
            result = harness.invoke("request", {"url": "/x", **inputs})
            assert (result.status, len(server.requests)) == (status, sent)


_REFUSED: list[Any] = [
    ({"method": "POST", "effect": "read"}, "/effect"),
    ({"method": "POST", "effect": "idempotent"}, "/effect"),
    ({"method": "DELETE", "effect": "read"}, "/effect"),
    ({"json": {}, "text": "x"}, "/text"),
    ({"headers": {"Authorization": "Bearer x"}}, "/headers/Authorization"),
    ({"headers": {"cookie": "a=b"}}, "/headers/cookie"),
    ({"headers": {"Host": "evil"}}, "/headers/Host"),
    ({"headers": {"Transfer_Encoding": "chunked"}}, "/headers/Transfer_Encoding"),
    ({"headers": {"Proxy_Authorization": "x"}}, "/headers/Proxy_Authorization"),
    ({"headers": {"Content-Length": "0"}}, "/headers/Content-Length"),
    ({"headers": {"X-A": "a\r\nX-B: c"}}, "/headers/X-A"),
    ({"headers": {"X/A": "\x00"}}, "/headers/X~1A"),
    ({"method": "POST", "pages": {"kind": "linkHeader"}}, "/pages"),
    ({"method": "POST", "multipart": [{"name": "a"}]}, "/multipart/0"),
    ({"pages": {"kind": "token", "parameter": "t", "next": "next"}}, "/pages"),
    ({"pages": {"kind": "page"}}, "/pages"),
    ({"method": "POST", "idempotencyHeader": "Host"}, "/idempotencyHeader"),
    ({"idempotencyHeader": "a b"}, "/idempotencyHeader"),
    ({"method": "POST", "text": "x", "contentType": "a\r\nb"}, "/contentType"),
    ({"method": "TRACE"}, "/method"),
    ({"method": "CONNECT"}, "/method"),
    ({"url": "http://evil.example/x"}, "/url"),
    ({"url": "//evil.example/x"}, "/url"),
    ({"url": "https://{host}/x"}, "/url"),
    ({"url": "/../admin"}, "/url"),
    ({"url": "/a/%2e%2e/b"}, "/url"),
    ({"url": "/a\r\nX: y"}, "/url"),
    ({"url": "/a b"}, "/url"),
    ({"url": "file:///etc/passwd"}, "/url"),
    ({"url": "x"}, "/url"),
    ({"url": "http://ada:pw@{host}/"}, "/url"),
    ({"url": "http://{host}\\@evil.example/"}, "/url"),
    ({"url": "http://{host}.evil.example/"}, "/url"),
    ({"url": "@evil/"}, "/url"),
]


def test_requests_that_are_refused(harness: Harness, subtests: pytest.Subtests) -> None:
    """What is not allowed is refused at its place, before anything is sent."""
    for inputs, path in _REFUSED:
        with subtests.test(inputs=inputs, path=path):
            server = harness.serve(Answer({}))
            url = str(inputs.get("url", "/x")).replace("{host}", server.url.removeprefix("http://"))
            result = harness.invoke("request", {**inputs, "url": url})
            assert result.error is not None
            assert (
                result.error.code,
                [detail.path for detail in result.error.details],
                server.requests,
            ) == ("invalid_input", [path], [])


_INTERNAL: list[Any] = [
    "http://127.0.0.1:{port}/",
    "http://[::1]/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0x7f.1:{port}/",
    "http://2130706433:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://192.168.0.1/",
    "http://localhost:{port}/",
]


def test_internal_addresses(harness: Harness, subtests: pytest.Subtests) -> None:
    """A caller's URL reaches public addresses only, also over an operator's connection."""
    for url in _INTERNAL:
        with subtests.test(url=url):
            server = harness.serve(Answer({}))
            result = harness.invoke(
                "request",
                {"url": url.replace("{port}", server.url.rpartition(":")[2])},
                connection=anonymous(),
            )
            assert result.error is not None
            assert (result.error.code, server.requests) == ("invalid_connection", [])


def test_hosts_that_an_operator_allows(harness: Harness) -> None:
    """An operator's connection may name hosts of its own network; the server's redirects still lead
    to no other.
    """
    server = harness.serve(
        lambda _number, request: (
            Answer({"ok": 1})
            if request.path == "/x"
            else Answer(status=302, headers={"Location": "http://10.0.0.1/"})
        )
    )
    connection = anonymous(allowedHosts=["127.0.0.1"])
    assert harness.invoke("request", {"url": f"{server.url}/x"}, connection=connection).unwrap()[
        "body"
    ] == {"ok": 1}
    result = harness.invoke("request", {"url": f"{server.url}/away"}, connection=connection)
    assert result.error is not None
    assert result.error.code == "invalid_connection"


def test_an_anonymous_connection_to_one_server(harness: Harness) -> None:
    """With a server, a connection without credentials is limited to it, path included."""
    server = harness.serve(echo)
    connection = anonymous(server=f"{server.url}/v1?tenant=7")
    seen = harness.invoke(
        "request", {"url": "/x?a=1", "query": {"b": 2}}, connection=connection
    ).unwrap()["body"]
    assert (seen["path"], "authorization" in seen["headers"]) == ("/v1/x?tenant=7&a=1&b=2", False)
    assert (
        harness.invoke("request", {"url": f"{server.url}/v2/x"}, connection=connection).status
        == "failed"
    )
    assert (
        harness.invoke("request", {"url": f"{server.url}/v1/x"}, connection=connection).status
        == "succeeded"
    )


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(401, "unauthenticated", "no credentials"), (403, "forbidden", "permission")],
)
def test_a_server_that_wants_credentials_is_told_from_wrong_ones(
    harness: Harness, status: int, code: str, said: str
) -> None:
    """Nobody checks credentials that are not there: another type of connection has some."""
    server = harness.serve(Answer({}, status=status))
    token = {"type": "http/bearer", "values": {"server": server.url, "token": "t-4711-secret"}}
    for connection, expected in (
        (anonymous(server=server.url), said),
        (token, "of the connection"),
    ):
        error = harness.invoke("request", {"url": "/x"}, connection=connection).error
        assert error is not None
        assert (error.code, expected in (error.hint or "")) == (code, True), error.hint


def test_pages(harness: Harness) -> None:
    """A list is fetched page by page, or as a whole."""

    def script(number: int, _request: Request) -> Answer:
        return Answer({"data": [number] if number < 4 else []})

    server = harness.serve(script)
    inputs = {
        "url": "/x",
        "query": {"q": "y"},
        "pages": {"kind": "page", "items": "/data", "parameter": "page"},
    }
    result = harness.invoke("request", {**inputs, "fetchAll": True})
    assert (result.unwrap()["items"], result.meta.complete) == ([1, 2, 3], True)
    assert [request.path for request in server.requests] == [
        f"/x?q=y&page={number}" for number in range(1, 5)
    ]
    harness.serve(script)
    assert harness.invoke("request", inputs).meta.next == {"nextToken": "2"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"data": [1]}, "invalid_input"),
        ({"data": [1], "items": None}, None),
        ({"total": 0}, None),
        ({"items": [], "tags": []}, None),
    ],
)
def test_a_pointer_that_names_nothing_is_no_empty_list(
    harness: Harness, body: Any, code: str | None
) -> None:
    """A misspelt 'pages.items' was an empty list, in silence. A provider may leave an empty list
    out, or send null.
    """
    harness.serve(Answer(body))
    result = harness.invoke(
        "request",
        {
            "url": "/x",
            "pages": {"kind": "token", "items": "/items", "parameter": "p", "next": "/next"},
        },
    )
    assert (result.error.code if result.error else None) == code
    assert code is None or "'/data'" in str(result.error and result.error.details[0].message)


def test_errors_name_the_path_of_a_request(harness: Harness) -> None:
    """A path on the connection's server says which request failed; of a whole URL, as those of
    webhooks, only the host is told.
    """
    server = harness.serve(
        Answer({}, 404),
        Answer({}, 404),
        Answer(content=b"none", headers={"Content-Type": "text/html"}),
    )
    for url, told in (
        ("/parcels/7?key=hidden", "'GET /parcels/7'"),
        (f"{server.url}/services/hidden", "'GET 127.0.0.1'"),
    ):
        error = harness.invoke("request", {"url": url}).error
        assert error is not None
        assert (told in error.message, "hidden" in error.message) == (True, False)
    garbled = harness.invoke(
        "request", {"url": "/page", "response": "json", "method": "POST"}
    ).error
    assert "the response to 'POST /page' is not JSON" in str(garbled)


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"data": [1], "total": 1}, "'/data'"),
        ({"page": {"rows": [1], "tags": []}}, "'/page/rows', '/page/tags'"),
        ({"total": 1}, None),
    ],
)
def test_a_list_that_is_looked_for_in_the_wrong_place(
    harness: Harness, body: Any, members: str | None
) -> None:
    """Without 'items', an object was 'unavailable', to be sent again: it is the caller who says
    where its list is.
    """
    server = harness.serve(Answer(body))
    inputs = {"url": "/x", "pages": {"kind": "page", "parameter": "page"}, "fetchAll": True}
    error = harness.invoke("request", inputs).error
    assert error is not None
    assert (error.code, error.retryable, len(server.requests)) == ("invalid_input", False, 1)
    assert [detail.path for detail in error.details] == ["/pages/items"]
    assert (members or "no member that is a list") in error.details[0].message
    assert "pages.items" in (error.hint or "")
    harness.serve(Answer(body))
    assert harness.invoke("request", {**inputs, "effect": "write"}).status == "in_doubt"


ITEMS = [{"id": f"i{number}"} for number in range(8)]


def listing(style: str) -> Any:
    """A server that pages in one style, three items at a time."""

    def script(_number: int, request: Request) -> Answer:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        start = int(query.get("cursor", "0"))
        if style in ("page", "number"):
            start = 3 * (int(query["page"]) - 1)
        elif style == "offset":
            start = int(query["skip"])
        elif style == "lastId" and "after" in query:
            start = 1 + int(query["after"][1:])
        found, more = ITEMS[start : start + 3], start + 3 < len(ITEMS)
        here = f"/v1/items?cursor={start + 3}"
        if style in ("linkHeader", "link"):
            return Answer(found, headers={"Link": f'<{here}>; rel="next"'} if more else {})
        following = {"token": start + 3, "url": here}.get(style) if more else None
        return Answer({"data": found, "next": following, "has_more": more})

    return script


@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        ({"kind": "token", "items": "/data", "parameter": "cursor", "next": "/next"}, 3),
        ({"kind": "page", "items": "/data", "parameter": "page"}, 4),
        ({"kind": "number", "items": "/data", "parameter": "page", "more": "/has_more"}, 3),
        ({"kind": "offset", "items": "/data", "parameter": "skip"}, 4),
        ({"kind": "linkHeader"}, 3),
        ({"kind": "link"}, 3),
        ({"kind": "url", "items": "/data", "next": "/next"}, 3),
        (
            {
                "kind": "lastId",
                "items": "/data",
                "parameter": "after",
                "next": "/id",
                "more": "/has_more",
            },
            3,
        ),
    ],
)
def test_every_kind_of_list(harness: Harness, pages: dict[str, Any], requests: int) -> None:
    """A list is complete, or says where it goes on: merged into the next call, ``meta.next``
    reaches the rest one page at a time.
    """
    server, inputs = harness.serve(listing(pages["kind"])), {"url": "/v1/items", "pages": pages}
    result = harness.invoke("request", {**inputs, "fetchAll": True})
    assert (result.unwrap()["items"], result.meta.complete, len(server.requests)) == (
        ITEMS,
        True,
        requests,
    )
    server = harness.serve(listing(pages["kind"]))
    found, going_on = list[Any](), dict[str, Any]()
    while True:
        result = harness.invoke("request", {**inputs, **going_on})
        found += result.unwrap()["items"]
        if result.meta.complete:
            break
        going_on = dict(result.meta.next or {})
        assert going_on
    assert (found, len(server.requests)) == (ITEMS, requests)


def test_objects_in_a_query_or_a_form(harness: Harness) -> None:
    """An object is sent as JSON, not as Python writes it."""
    server = harness.serve(Answer({}))
    harness.invoke(
        "request",
        {"method": "POST", "url": "/x", "query": {"q": {"a": None}}, "form": {"f": [{"b": True}]}},
    ).unwrap()
    assert (unquote(server.requests[0].path), unquote(server.requests[0].body.decode())) == (
        '/x?q={"a":null}',
        'f={"b":true}',
    )


def test_a_provider_that_sends_a_secret_back(harness: Harness) -> None:
    """A secret is masked in a provider's code and in its request ID, too."""
    secret = "tok-4711-secret"
    headers = {"X-Request-Id": f"for {secret}"}
    server = harness.serve(
        Answer({"error": f"bad key {secret}"}, 401, headers),
        Answer({"id": secret}, headers=headers),
    )
    connection = {"type": "http/bearer", "values": {"server": server.url, "token": secret}}
    for status in ("failed", "succeeded"):
        result = harness.invoke(
            "request", {"method": "POST", "url": "/x", "json": {}}, connection=connection
        )
        assert (result.status, secret in json.dumps(result.to_json()), result.meta.request_id) == (
            status,
            False,
            "for ***",
        )


def test_an_idempotency_key(harness: Harness) -> None:
    """The invocation's key goes out in the field that the server reads; the request is a write all
    the same.
    """
    server = harness.serve(refused(429), Answer({}))
    inputs = {"method": "POST", "url": "/x", "json": {}, "idempotencyHeader": "X-Once"}
    assert harness.invoke("request", inputs, idempotencyKey="k-7").status == "succeeded"
    assert {
        value
        for request in server.requests
        for name, value in request.headers.items()
        if name.lower() == "x-once"
    } == {"k-7"}


@pytest.mark.parametrize(
    ("values", "path", "header"),
    [
        ({"place": "query", "keyName": "key"}, "/x?key=k-4711", None),
        ({"place": "cookie", "keyName": "sid"}, "/x", ("cookie", "sid=k-4711")),
        ({"keyName": "X-Key"}, "/x", ("x-key", "k-4711")),
    ],
)
def test_api_keys(
    harness: Harness, values: dict[str, str], path: str, header: tuple[str, str] | None
) -> None:
    """The user says where the key belongs."""
    server = harness.serve(Answer({}))
    connection = {
        "type": "http/apiKey",
        "values": {"server": server.url, "apiKey": "k-4711", **values},
    }
    harness.invoke("request", {"url": "/x"}, connection=connection).unwrap()
    sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert server.requests[0].path == path
    assert header is None or sent[header[0]] == header[1]


def test_large_files_are_streamed(harness: Harness) -> None:
    """A file of more than 1 MiB is stored while it is received; a stored file is sent from the
    storage, also as a part of a form.
    """
    size = 3_000_000
    server = harness.serve(
        lambda _number, request: (
            Answer(content=b"x" * size, headers={"Content-Type": "image/png"})
            if request.method == "GET"
            else Answer({})
        )
    )
    for how in ("file", "auto"):
        found = harness.invoke("request", {"url": "/x", "response": how}).unwrap()["file"]
        assert (found["size"], found["contentType"], "expiresAt" in found) == (
            size,
            "image/png",
            True,
        )
    stored = {"file": found["file"]}
    for body in ({"file": stored}, {"multipart": [{"name": "a", "file": stored}]}):
        assert (
            harness.invoke("request", {"method": "PUT", "url": "/x", **body}).status == "succeeded"
        )
    assert server.requests[-2].body == b"x" * size
    assert b"x" * size in server.requests[-1].body


def test_a_broken_download_is_repeated(harness: Harness) -> None:
    """A response that breaks off while it is stored is requested again, since nothing was
    changed.
    """
    harness.serve(Answer(content=b"x" * 2_000_000, missing=1), Answer(content=b"y" * 2_000_000))
    result = harness.invoke("request", {"url": "/x", "response": "file"})
    assert (result.unwrap()["file"]["size"], result.meta.attempts) == (2_000_000, 2)


@pytest.mark.parametrize("kind", ["oauth2AuthorizationCode", "openIdConnect"])
def test_an_account_must_be_connected_first(harness: Harness, kind: str) -> None:
    """Over a connection that a person has to approve, nothing is sent before; an inline one keeps
    no approval.
    """
    server = harness.serve(Answer({}))
    values = {
        "server": server.url,
        "authorizationUrl": f"{server.url}/auth",
        "tokenUrl": f"{server.url}/token",
        "clientId": "web",
    }
    values |= {"issuer": server.url} if kind == "openIdConnect" else {}
    result = harness.invoke(
        "request", {"url": "/x"}, connection={"type": f"http/{kind}", "values": values}
    )
    assert result.error is not None
    assert (result.error.code, "keeps no approval" in result.error.message, server.requests) == (
        "invalid_connection",
        True,
        [],
    )


def test_w2_a_throttle_of_one_url_slows_no_other(harness: Harness) -> None:
    """A 429 with a long 'Retry-After' for one URL holds calls of it, and of no other URL or method
    over the connection.
    """
    harness.serve(
        lambda _number, request: (
            throttled(3600)
            if (request.method, request.path) == ("GET", "/slow")
            else Answer({"a": 1})
        )
    )
    calls = [("GET", "/slow"), ("GET", "/fine"), ("PUT", "/slow"), ("GET", "/slow")]
    results = [
        harness.invoke("request", {"method": method, "url": url}, timeoutSeconds=20)
        for method, url in calls
    ]
    seen = [(result.error and result.error.code, result.meta.attempts) for result in results]
    assert seen == [("rate_limited", 1), (None, 1), (None, 1), ("rate_limited", 0)]


def test_s24_a_large_answer_becomes_a_file(harness: Harness) -> None:
    """JSON and text that are too large for an output are stored while they are received, as other
    files are.
    """
    size = 33 * 1024 * 1024
    harness.serve(Answer(content=b"x" * size, headers={"Content-Type": "text/plain"}))
    result = harness.invoke("request", {"url": "/x"})
    (file,) = result.files
    assert (file.size, file.content_type, {*result.unwrap()}) == (
        size,
        "text/plain",
        {"status", "headers", "file"},
    )


def test_a_long_text_is_a_file_unless_text_is_asked_for(harness: Harness) -> None:
    """A text of more than 4 MiB is stored while it is received, as it would take many times its
    size in an output.
    """
    harness.serve(
        lambda _number, request: Answer(
            content=b"x" * int(request.path[1:]), headers={"Content-Type": "text/plain"}
        )
    )
    found = [
        harness.invoke("request", inputs).unwrap()
        for inputs in ({"url": f"/{4 << 20}"}, {"url": f"/{(4 << 20) + 1}"})
    ]
    assert [{*output} - {"status", "headers"} for output in found] == [{"text"}, {"file"}]
    assert (
        len(harness.invoke("request", {"url": f"/{5 << 20}", "response": "text"}).unwrap()["text"])
        == 5 << 20
    )


def test_s24_an_answer_that_is_too_large_is_not_worth_a_repeat(harness: Harness) -> None:
    """Whoever insists on text is told how to get a file, and that the same request will fail
    again.
    """
    harness.serve(Answer(content=b"x" * (33 * 1024 * 1024), headers={"Content-Type": "text/plain"}))
    error = harness.invoke("request", {"url": "/x", "response": "text"}).error
    assert error is not None
    assert (error.code, error.retryable, "'response': 'file'" in str(error.hint)) == (
        "unavailable",
        False,
        True,
    )


def test_s25_a_file_of_any_size_is_sent_as_a_stream(harness: Harness, tmp_path: Path) -> None:
    """The body is read from the disk while it is sent: more than an invocation may hold goes
    out.
    """
    size, seen = 80 * 1024 * 1024, list[int]()

    def count(_number: int, request: Request) -> Answer:
        seen.append(len(request.body))
        return Answer({})

    harness.serve(count)
    with (tmp_path / "big.iso").open("wb") as made:
        made.truncate(size)
    harness.invoke("request", {"method": "PUT", "url": "/x", "file": tmp_path / "big.iso"}).unwrap()
    assert seen == [size]
