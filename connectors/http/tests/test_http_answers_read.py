"""Answers as providers send them: what each becomes, by effect, status, framing, media type,
coding, rule of the body and what follows.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from http_rig import TOKEN, attempt
from inmemory import installed
from jackfield import Jackfield
from jackfield.connector import Connector, Field, Inputs, JackfieldError, Output
from jackfield.testing import CLOSE, Answer, Harness, Provider
from jackfield_http import HTTP_ERRORS, BearerToken, HttpClient
from jackfield_http.parsing import MAX_ITEMS, error_body, parsed
from jackfield_market.testing.loopback_provider import Step
from openapi_rig import document, generate, operation
from openapi_rig import installed as generated

JSON, NDJSON, SSE = "application/json", "application/x-ndjson", "text/event-stream"


class Account(BearerToken):
    """An account at Acme."""

    key: ClassVar[str] = "acmeToken"
    title: ClassVar[str] = "Acme Token"


class Strict(Account):
    """An account whose API reports failures with status 200, as Slack does."""

    key: ClassVar[str] = "strict"
    errors: ClassVar[Any] = HTTP_ERRORS.extended({}, failed=lambda body: body.get("ok") is False)


class Wanted(Inputs):
    """A thing to make."""

    name: str = "a"
    pin: str = Field("", title="PIN", sensitive=True)


class Made(Output):
    """What was made."""

    id: int


class Noted(Output):
    """Nothing."""


def make_connector() -> Connector:
    """Actions of an author, one for each thing that can follow an answer."""
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Account, Strict])

    @connector.action("write", effect="write")
    def write(wanted: Wanted, api: HttpClient) -> Made:
        """Make a thing."""
        return api.post("/things", json={"name": wanted.name}).into(Made)

    @connector.action("put", effect="idempotent")
    def put(_wanted: Wanted, api: HttpClient) -> Made:
        """Put a thing."""
        return api.put("/things/a", json={}).into(Made)

    @connector.action("read", effect="read")
    def read(_wanted: Wanted, api: HttpClient) -> Made:
        """Read a thing."""
        return api.get("/things/a").into(Made)

    @connector.action("further", effect="write")
    def further(_wanted: Wanted, api: HttpClient) -> Made:
        """Make a thing, and tell others."""
        made = api.post("/things", json={}).into(Made)
        api.post("/tell", json={})
        return made

    @connector.action("looks", effect="write")
    def looks(_wanted: Wanted, api: HttpClient) -> Made:
        """Make a thing, and look at its ID."""
        made = api.post("/things", json={}).into(Made)
        return Made(id=made.id + 1)

    @connector.action("ignores", effect="write")
    def ignores(_wanted: Wanted, api: HttpClient) -> Noted:
        """Make a thing, and do not read the answer."""
        api.post("/things", json={})
        return Noted()

    @connector.action("waits", effect="write")
    async def waits(_wanted: Wanted, api: HttpClient) -> Made:
        """Make a thing, in a coroutine."""
        return api.post("/things", json={}).into(Made)

    return connector


@contextmanager
def acme(
    folder: Path, *script: Step, kind: str = "acmeToken", database: str = "none"
) -> Iterator[Any]:
    """A function that invokes an action of the connector, over a provider that plays a script."""
    with (
        Provider(list(script)) as provider,
        installed(folder, make_connector()) as catalog,
        Jackfield(catalog=catalog, database_url=database) as jackfield,
    ):
        connection = {"type": kind, "values": {"server": provider.url, "token": TOKEN}}

        def call(action: str, key: str | None = None, **inputs: str) -> Any:
            about = {
                "connector": "acme",
                "action": action,
                "connection": connection,
                "inputs": inputs,
                "timeoutSeconds": 5,
            }
            result = jackfield.invoke(about if key is None else {**about, "idempotencyKey": key})
            return result, provider.requests, jackfield

        yield call


def answer(content: bytes, media: str = JSON, status: int = 200, *, coding: str = "") -> Answer:
    """A response with a body of this media type."""
    return Answer(
        content=content,
        status=status,
        headers={"Content-Type": media, **({"Content-Encoding": coding} if coding else {})},
    )


_BROKEN = answer(b"{oops")
_LATIN = answer('{"id": 7, "name": "René"}'.encode("latin-1"), f"{JSON}; charset=ISO-8859-1")
_NOT_UTF8 = answer(b'{"id": 7, "name": "\xff"}')
_BROTLI = answer(b"\x0b\x02\x80", coding="br")
_MATRIX: dict[str, tuple[str, Step, str, bool]] = {
    # name: action, answer, status of the Result, warned
    "declared charset": ("write", _LATIN, "succeeded", False),
    "declared charset, read": ("read", _LATIN, "succeeded", False),
    "no coding": ("write", answer(b'{"id": 7}', coding="UTF-8"), "succeeded", False),
    "coding none": ("write", answer(b'{"id": 7}', coding="none"), "succeeded", False),
    "two codings": (
        "write",
        answer(gzip.compress(zlib.compress(b'{"id": 7}')), coding="deflate, gzip"),
        "succeeded",
        False,
    ),
    "broken JSON": ("write", _BROKEN, "in_doubt", False),
    "broken JSON, 201": ("write", answer(b"{oops", status=201), "in_doubt", False),
    "broken JSON, idempotent": ("put", _BROKEN, "failed", False),
    "broken JSON, read": ("read", _BROKEN, "failed", False),
    "broken JSON, coroutine": ("waits", _BROKEN, "in_doubt", False),
    "unread, 201": ("write", answer(b"\xff", status=201), "succeeded", True),
    "unread, idempotent": ("put", _NOT_UTF8, "succeeded", True),
    "unread, coroutine": ("waits", _NOT_UTF8, "succeeded", True),
    "other charset than declared": ("write", _NOT_UTF8, "succeeded", True),
    "coding that was not asked for": ("write", _BROTLI, "succeeded", True),
    "coding that was not asked for, read": ("read", _BROTLI, "failed", False),
    "not of its coding": ("write", answer(b'{"id": 7}', coding="gzip"), "succeeded", True),
    "page": ("write", answer(b"<html>", "text/html"), "in_doubt", False),
    "page called JSON": ("write", answer(b"<html>\xff"), "in_doubt", False),
    "page, not read": ("ignores", answer(b" <!-- gateway --><html>"), "in_doubt", False),
    "text, not read": ("ignores", answer(b"ok", "text/html"), "succeeded", False),
    "error, not read": ("ignores", answer(b'{"error": "blocked"}'), "in_doubt", False),
    "error beside more, not read": (
        "ignores",
        answer(b'{"error": "blocked", "id": 7}'),
        "succeeded",
        False,
    ),
    "page, not of its coding": (
        "write",
        answer(b"<html>", "text/html", coding="br"),
        "in_doubt",
        False,
    ),
    "no media type": ("write", answer(b"{oops", ""), "in_doubt", False),
    "no media type, JSON": ("write", answer(b'{"id": 7}', ""), "succeeded", False),
    "empty": ("write", answer(b""), "in_doubt", False),
    "cut": ("write", Answer({"id": 7}, missing=3), "in_doubt", False),
    "cut coding": (
        "write",
        answer(gzip.compress(b'{"id": 7}', mtime=0)[:12], coding="gzip"),
        "in_doubt",
        False,
    ),
    "closed": ("write", CLOSE, "in_doubt", False),
    "refused": ("write", answer(b"{oops", status=400), "failed", False),
    "error of the server": ("write", answer(b"{oops", status=500), "in_doubt", False),
    "redirected": ("write", answer(b"{oops", status=303), "in_doubt", False),
    "a further request": ("further", _NOT_UTF8, "in_doubt", False),
    "a look into it": ("looks", _NOT_UTF8, "in_doubt", False),
    "not read at all": ("ignores", _BROTLI, "succeeded", False),
    "member missing": ("write", answer(b"{}"), "in_doubt", False),
}


@pytest.mark.parametrize("name", [*_MATRIX])
def test_what_an_answer_becomes(tmp_path: Path, name: str) -> None:
    """A write is a success without output only if its answer proves that; what proves less is in
    doubt, and nothing is sent after it.
    """
    action, step, status, warned = _MATRIX[name]
    with acme(tmp_path, *[step] * 8) as call:
        result, requests, _ = call(action)
    assert (
        result.status,
        bool(result.meta.warnings),
        (result.output is None) == (warned or status != "succeeded"),
    ) == (
        status,
        warned,
        True,
    )
    assert len(requests) == 1 or action in ("read", "put")


@pytest.mark.parametrize("step", [_BROKEN, _NOT_UTF8, _BROTLI])
def test_a_rule_for_errors_in_the_body_leaves_a_doubt(tmp_path: Path, step: Answer) -> None:
    """Of an API that reports failures with status 200, a body that cannot be read may be one."""
    with acme(tmp_path, step, kind="strict") as call:
        assert call("write")[0].status == "in_doubt"


def test_the_body_is_kept_as_the_callers_file(tmp_path: Path) -> None:
    """The body is a stored file, as it was sent; a replay returns the same Result."""
    with acme(tmp_path, _BROTLI, database=f"sqlite:///{tmp_path}/j.db") as call:
        result, requests, jackfield = call("write", key="k-1")
        file = result.meta.warnings[0]["file"]
        with jackfield.files.open_by_id("default", file["file"]) as content:
            assert content.read() == b"\x0b\x02\x80"
        again = call("write", key="k-1")[0]
    assert (again.status, again.output, again.meta.replayed, len(requests)) == (
        "succeeded",
        None,
        True,
        1,
    )
    assert again.to_json()["meta"]["warnings"] == result.to_json()["meta"]["warnings"]


@pytest.mark.parametrize("secret", ["an input", "the connection", "no store"])
def test_the_body_is_not_kept(tmp_path: Path, secret: str) -> None:
    """Nothing can be masked in it, so it is not kept where something is secret; nor without a
    database.
    """
    step = answer(b"\xff " + TOKEN.encode()) if secret == "the connection" else _NOT_UTF8
    with acme(
        tmp_path, step, database="none" if secret == "no store" else f"sqlite:///{tmp_path}/j.db"
    ) as call:
        result, _, _ = call("write", **({"pin": "4711-4711"} if secret == "an input" else {}))
    assert (result.status, [set(row) for row in result.meta.warnings]) == (
        "succeeded",
        [{"path", "message"}],
    )


_DECLARED = {
    JSON: {"schema": {"type": "object"}},
    "application/xml": {"schema": {"type": "object"}},
}


def described(
    content: Any, body: Any = None, statuses: tuple[str, ...] = ("200",)
) -> dict[str, Any]:
    """A document with one POST."""
    sent = (
        {}
        if body is None
        else {"requestBody": {"required": True, "content": {JSON: {"schema": body}}}}
    )
    responses = {status: {"description": "", "content": content} for status in statuses}
    path = {"post": operation(operationId="doIt", responses=responses, **sent)}
    return document({"/x": path}, servers=[{"url": "https://api.example.com"}])


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (answer(b"<oops"), "in_doubt"),
        (answer(b"\xff"), "succeeded"),
        (answer(b"\xff", "application/xml"), "succeeded"),
        (answer(b"\xff", "application/xml; charset=foo"), "succeeded"),
        (answer(b"\xff", "text/html"), "in_doubt"),
        (answer(b"\xff", ""), "in_doubt"),
        (answer(b"\xff", status=201), "in_doubt"),
        (answer(b"", status=200), "in_doubt"),
        (answer(b"", status=204), "succeeded"),
        (answer(b"", status=205), "succeeded"),
        (answer(b"{}", status=201), "succeeded"),
    ],
)
def test_what_a_document_declares(tmp_path: Path, step: Answer, status: str) -> None:
    """Of a generated connector, only a media type that the document declares for the status proves
    a success without output.
    """
    made = generate(tmp_path, described(_DECLARED))
    with (
        Provider([step]) as provider,
        generated(tmp_path, made, {"server": provider.url}) as jackfield,
    ):
        result = jackfield.invoke(
            {"connector": "acme", "action": "doIt", "connection": "main", "inputs": {}}
        )
    assert result.status == status
    assert bool(result.meta.warnings) == (status == "succeeded" and result.output is None)


_CHAT = {
    "type": "object",
    "properties": {"model": {"type": "string"}, "stream": {"type": "boolean", "default": True}},
}
_BOTH = {JSON: {"schema": {"type": "object"}}, NDJSON: {"schema": {"type": "object"}}}


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("flag", [None, False, True])
def test_json_is_asked_for_in_place_of_a_stream(
    tmp_path: Path, flag: bool | None, *, is_open: bool
) -> None:
    """Where one response is JSON or a stream, the body's flag is sent as false and the report says
    so; an input that has it wins.
    """
    made = generate(tmp_path, described(_BOTH, {**_CHAT, "additionalProperties": is_open}))
    inputs: dict[str, Any] = {"model": "m", **({} if flag is None else {"stream": flag})}
    step = answer(b'{"a": 1}\n\n{"a": 2}\n', NDJSON) if flag else answer(b'{"done": true}')
    with (
        Provider([step]) as provider,
        generated(tmp_path, made, {"server": provider.url}) as jackfield,
    ):
        called = {
            "connector": "acme",
            "action": "doIt",
            "connection": "main",
            "inputs": {"body": inputs} if is_open else inputs,
        }
        output = jackfield.invoke(called).unwrap()
        assert json.loads(provider.requests[0].body) == {"model": "m", "stream": bool(flag)}
    assert output == ({"items": [{"a": 1}, {"a": 2}]} if flag else {"done": True})
    report = json.loads(next((tmp_path / "made").rglob("*report.json")).read_text(encoding="utf-8"))
    assert [note["cause"] for note in report["notes"]] == ["stream sent as false"]


def test_streams_are_items(tmp_path: Path, harness: Harness) -> None:
    """Event streams and JSON Lines are bounded lists, generated and in 'http.request'."""
    events = answer(
        b'event: a\nid: 1\ndata: {"x": 1}\n\n: pause\n\ndata: two\ndata: lines\r\n\r\ndata: '
        b"[DONE]\n\n",
        SSE,
    )
    wanted = [{"event": "a", "id": "1", "data": {"x": 1}}, {"data": "two\nlines"}]
    made = generate(tmp_path, described({SSE: {"schema": {"type": "string"}}}))
    with (
        Provider([events]) as provider,
        generated(tmp_path, made, {"server": provider.url}) as jackfield,
    ):
        assert jackfield.invoke(
            {"connector": "acme", "action": "doIt", "connection": "main", "inputs": {}}
        ).unwrap() == {"items": wanted}
    harness.serve(events, answer(b'{"a": 1}\r\n{"a": 2}', "application/jsonl"))
    assert [harness.invoke("request", {"url": "/x"}).unwrap()["items"] for _ in range(2)] == [
        wanted,
        [{"a": 1}, {"a": 2}],
    ]
    with pytest.raises(ValueError, match="more than"):
        parsed(b"1\n" * (MAX_ITEMS + 1), "lines")


@pytest.mark.parametrize(
    ("step", "inputs", "status"),
    [
        (answer(b"{oops"), {"response": "json"}, "in_doubt"),
        (answer(b"{oops"), {}, "in_doubt"),
        (_NOT_UTF8, {"response": "json"}, "succeeded"),
        (answer(b"<p>", ""), {}, "in_doubt"),
        (answer(b"<p>"), {"response": "file"}, "in_doubt"),
        (answer(b"<p>", "text/html"), {"headers": {"Accept": "text/html"}}, "succeeded"),
        (answer(b'{"errors": ["blocked"]}'), {}, "in_doubt"),
        (answer(b'{"message": "made"}'), {}, "succeeded"),
        (answer(b"<p>", "text/html"), {"response": "json"}, "in_doubt"),
        (_BROTLI, {}, "succeeded"),
        (_BROTLI, {"response": "text"}, "succeeded"),
        (_BROTLI, {"response": "file"}, "succeeded"),
        (_BROTLI, {"failed": {"member": "/errors"}}, "in_doubt"),
        (_NOT_UTF8, {"response": "json", "failed": {"member": "/errors"}}, "in_doubt"),
        (Answer(status=204), {"response": "json"}, "succeeded"),
        (Answer(status=205), {"response": "json"}, "succeeded"),
        (answer(b""), {"response": "json"}, "in_doubt"),
        (answer(b" \r\n"), {"response": "json"}, "in_doubt"),
        (answer(b'{"a":1}', "json"), {}, "succeeded"),
    ],
)
def test_any_request(harness: Harness, step: Answer, inputs: dict[str, Any], status: str) -> None:
    """The same conditions hold for 'http.request', where the caller declares what the answer is."""
    server = harness.serve(step)
    result = harness.invoke("request", {"method": "POST", "url": "/x", "json": {}, **inputs})
    assert (result.status, len(server.requests)) == (status, 1)


@pytest.mark.parametrize("media", ["json", "*/*", ""])
def test_a_media_type_that_is_none(harness: Harness, media: str) -> None:
    """It says nothing, so JSON is read as JSON, as without one."""
    harness.serve(answer(b'{"a": 1}', media))
    assert harness.invoke("request", {"url": "/x"}).unwrap()["body"] == {"a": 1}


@pytest.mark.parametrize(
    ("content", "coding"),
    [
        (gzip.compress(b'{"a": 1}', mtime=0) + b"\0" * 8, "gzip"),
        (gzip.compress(b'{"a": 1}', mtime=0), "gzip;q=1.0"),
    ],
)
def test_codings_as_they_are_sent(harness: Harness, content: bytes, coding: str) -> None:
    """Parameters of a coding mean nothing, and zeros after compressed content are none of it."""
    harness.serve(
        Answer(content=content, headers={"Content-Type": JSON, "Content-Encoding": coding})
    )
    assert harness.invoke("request", {"url": "/x"}).unwrap()["body"] == {"a": 1}


def test_no_content_of_an_idempotent_request(harness: Harness) -> None:
    """A DELETE that was answered with 204 is sent once, although JSON was asked for: there is
    none.
    """
    server = harness.serve(Answer(status=204))
    output = harness.invoke(
        "request", {"method": "DELETE", "url": "/x", "response": "json"}
    ).unwrap()
    assert (output["status"], "body" in output, len(server.requests)) == (204, False, 1)


_SOAP = (
    b"<s:Envelope xmlns:s='u'><s:Body><s:Fault><faultcode>C</faultcode>"
    b"<faultstring>No such id</faultstring></s:Fault></s:Body></s:Envelope>"
)


@pytest.mark.parametrize(
    ("content", "media", "code", "message"),
    [
        (
            (
                b'[{"message": "Session expired", "errorCode": "INVALID_SESSION_ID"}, '
                b'{"message": "b"}]'
            ),
            JSON,
            "INVALID_SESSION_ID",
            "Session expired",
        ),
        (b'["too long", "too old"]', JSON, None, "too long"),
        (b"[]", JSON, None, None),
        (b'{"Message": "No", "Code": "E1"}', JSON, "E1", "No"),
        ('{"message": "né"}'.encode("latin-1"), f"{JSON}; charset=latin1", None, "né"),
        (
            b"<?xml version='1.0'?><Error><Code>E1</Code><Message>No &lt;id&gt;</Message></Error>",
            "application/xml",
            "E1",
            "No <id>",
        ),
        (
            b"<errors><error code='E2'><message>No</message></error></errors>",
            "text/xml",
            "E2",
            "No",
        ),
        (_SOAP, "text/xml", "C", "No such id"),
        (
            b"<!DOCTYPE a [<!ENTITY x 'aaa'>]><Error><Message>&x;</Message></Error>",
            "application/xml",
            None,
            None,
        ),
        (b"<a>" * 5000, "application/xml", None, None),
        (b"the id\x00 is\r\nnot known", "text/plain", None, "the id  is  not known"),
        (b"x" * 5000, "text/plain; charset=utf-8", None, "x" * 300),
        (b"<html><body>Bad gateway</body></html>", "text/html", None, None),
        (
            b"No such object: acme/a.txt",
            "text/html; charset=UTF-8",
            None,
            "No such object: acme/a.txt",
        ),
        (b"Oops <br> no", "text/html", None, None),
        (b"\x00\x01\x02", "application/octet-stream", None, None),
        (b'{"errorMessages": ["No such issue"], "errors": {}}', JSON, None, "No such issue"),
        (
            b'{"statusCode": 400, "message": ["a must be", "b"], "error": "Bad Request"}',
            JSON,
            "Bad Request",
            "a must be",
        ),
        (b'{"error": {"code": "-1", "message": {"lang": "en", "value": "No"}}}', JSON, "-1", "No"),
        (
            b'{"detail": [{"field": "/to", "value": "x", "description": "No address"}]}',
            JSON,
            None,
            "No address",
        ),
        (b'{"error": [{"message": "No"}]}', JSON, None, "No"),
        (b'{"Fault": {"Error": [{"Message": "No", "code": "610"}]}}', JSON, "610", "No"),
        (b'{"errcode": 40001, "errmsg": "invalid"}', JSON, "40001", "invalid"),
        (
            b'{"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}',
            JSON,
            None,
            "field required",
        ),
        (
            b'{"error": "Bad Request", "errorCode": 400, "errorDescription": "the name is taken"}',
            JSON,
            "Bad Request",
            "the name is taken",
        ),
        (b"<e><msg>No</msg></e>", "application/xml", None, "No"),
    ],
)
def test_errors_keep_their_words(
    content: bytes, media: str, code: str | None, message: str | None
) -> None:
    """Lists, XML and text tell code and message, bounded; a page and a bomb tell nothing."""
    with (
        Provider([answer(content, media, 400)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    said = found.value.provider
    assert said is not None
    assert (said.code, said.message) == (code, message)


def test_the_rest_of_the_first_error_is_in_its_details() -> None:
    """Members of the first item of a list stay beside its code and message."""
    content = b'[{"message": "No", "errorCode": "E", "fields": ["Name"]}]'
    with (
        Provider([answer(content, JSON, 400)]) as provider,
        attempt(provider.url) as (api, _),
        pytest.raises(JackfieldError) as found,
    ):
        api.get("/x")
    assert found.value.provider is not None
    assert found.value.provider.details == {"fields": ["Name"]}
    assert error_body(b"", JSON) is None


@pytest.mark.parametrize(
    "charset",
    [
        "iso-8859-1",
        "windows-1252",
        "shift_jis",
        "gb18030",
        "utf-16",
        '"ISO-8859-15"',
        "us-ascii",
        "unknown",
    ],
)
def test_charsets(charset: str) -> None:
    """JSON is read in the charset that the media type declares, UTF-8 if that is none of the
    web's.
    """
    text, codec = {"shift_jis": "日本", "gb18030": "汉字"}.get(charset, "né"), charset.strip('"')
    codec = "utf-8" if charset in {"unknown", "us-ascii"} else codec
    step = answer(
        json.dumps({"name": text}, ensure_ascii=False).encode(codec), f"{JSON}; charset={charset}"
    )
    with Provider([step]) as provider, attempt(provider.url) as (api, _):
        assert api.get("/x").json("/name") == text


@pytest.mark.parametrize("number", ["1e400", "-1e+0400", "1" * 400 + ".0", "1" * 250 + "e99"])
def test_a_number_that_no_float_holds_is_no_json(number: str) -> None:
    """However it is written: as infinity it could not be sent on."""
    with pytest.raises(ValueError, match=re.escape(number[:20])):
        parsed(f'{{"a": {number}}}'.encode())
    assert parsed(b'{"a": ' + b"1" * 400 + b"}") == {"a": int("1" * 400)}
