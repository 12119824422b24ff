"""Dapr over HTTP: what a sidecar's callers send and get, against a real endpoint of AWS."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import SidecarClient, component, sidecar

from fake_aws import FakeAws
from jackfield.invocation import MAX_VALUES
from jackfield_dapr.sidecar import Answer, DaprApi, answer
from jackfield_dapr.sidecar.payload import PayloadError, from_octets

ERROR = "error invoking output binding outbox: "


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_d1_d2_a_component_and_its_request_send_one_mail(
    samples: Path, aws: FakeAws, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request sends to its own recipients, with the secrets of the file, the configured
    subject, and its HTML; no Bcc at all.
    """
    monkeypatch.setenv("DESK_ADDRESS", "desk@rcpt.test")
    only = samples / "only"
    only.mkdir()
    shutil.copy(samples / "dapr-secrets.yaml", only)
    with sidecar(only, app_id="billing") as running:
        reply = running.send(
            {"emailTo": "a@rcpt.test;b@rcpt.test", "emailCc": "c@rcpt.test"}, method=method
        )
    assert (reply.status, reply.body) == (204, b"")
    (message,) = aws.messages
    assert (message.source, message.to, message.cc, message.bcc) == (
        "ops@sender.test",
        ("a@rcpt.test", "b@rcpt.test"),
        ("c@rcpt.test",),
        (),
    )
    assert (message.content.subject, message.content.html, message.content.text) == (
        "Report billing",
        "<p>late</p>",
        None,
    )
    assert (message.kind, message.content.charsets["html"], message.access_key_id) == (
        "simple",
        "UTF-8",
        "AKIDAPRFILE",
    )
    assert "BccAddresses" not in json.dumps(dict(aws.requests[0].parameters))
    assert reply.headers["metadata.messageid"] == message.message_id


def test_the_component_and_the_request_of_the_document_work(samples: Path, aws: FakeAws) -> None:
    """All documented fields at once, and the documented request over them: To is its own, Bcc stays
    configured.
    """
    aws.configure(
        users={
            "AKIDAPRSAMPLE": {
                "secret": "dapr-sample-secret",
                "session_token": "dapr-sample-session",
            }
        }
    )
    only = samples / "only"
    only.mkdir()
    shutil.copy(samples / "dapr-component.yaml", only)
    with sidecar(only) as running:
        assert (
            running.ask(
                "POST", "/v1.0/bindings/outbox", (samples / "dapr-request.json").read_bytes()
            ).status
            == 204
        )
    (message,) = aws.messages
    assert (message.to, message.cc, message.bcc) == (
        ("night@rcpt.test",),
        ("lead@rcpt.test",),
        ("archive@rcpt.test",),
    )
    assert (message.content.subject, message.content.html) == ("Late report", "The report is late.")
    assert aws.requests[0].headers["x-amz-security-token"] == "dapr-sample-session"


@pytest.mark.parametrize("name", ["EMAILTO", "EmailTo", "emailto"])
def test_d3_names_of_properties_count_whatever_their_case(
    dapr: SidecarClient, aws: FakeAws, name: str
) -> None:
    """A property of the request is known in any spelling."""
    assert dapr.send({name: "z@rcpt.test"}).status == 204
    assert aws.messages[0].to == ("z@rcpt.test",)


def test_d4_an_empty_property_takes_the_configured_one_away(
    dapr: SidecarClient, aws: FakeAws
) -> None:
    """An empty subject in the request is no subject, and is refused before anything is sent."""
    reply = dapr.send({"subject": ""})
    assert reply.status == 500
    assert reply.json == {
        "errorCode": "ERR_INVOKE_OUTPUT_BINDING",
        "message": ERROR
        + "SES binding error: subject property not supplied in configuration- or request-metadata",
    }
    assert aws.received == 0


def test_a_property_of_null_is_an_empty_one(folder: Path, aws: FakeAws) -> None:
    """A null among the metadata takes a configured value away, as an empty text does."""
    (folder / "a.yaml").write_text(component(emailCc="cc@rcpt.test"))
    with sidecar(folder) as running:
        body = {
            "operation": "create",
            "data": "x",
            "metadata": {"emailCc": None, "emailTo": "z@rcpt.test"},
        }
        assert running.ask("POST", "/v1.0/bindings/outbox", body).status == 204
        without = running.ask(
            "POST", "/v1.0/bindings/outbox", {**body, "metadata": {"subject": None}}
        )
    assert (without.status, "subject property not supplied" in without.message) == (500, True)
    assert [(message.to, message.cc) for message in aws.messages] == [(("z@rcpt.test",), ())]


@pytest.mark.parametrize("empty", [";", " ; ", ";;"])
def test_a_list_of_separators_has_no_recipient(folder: Path, aws: FakeAws, empty: str) -> None:
    """Recipients of which nothing is left are not supplied, so the email does not go to those of
    the copy alone.
    """
    (folder / "a.yaml").write_text(component(emailCc="cc@rcpt.test"))
    body = {"operation": "create", "data": "x", "metadata": {"emailTo": empty}}
    with sidecar(folder) as running:
        reply = running.ask("POST", "/v1.0/bindings/outbox", body)
    assert (reply.status, "emailTo property not supplied" in reply.message) == (500, True)
    assert aws.received == 0


@pytest.mark.parametrize(
    ("name", "first"), [("emailFrom", "emailFrom"), ("emailTo", "emailTo"), ("subject", "subject")]
)
def test_needed_properties_are_asked_for_in_order(
    dapr: SidecarClient, name: str, first: str
) -> None:
    """The first property that nobody gives is named: sender, recipient, subject."""
    later = {"emailFrom": "", "emailTo": "", "subject": ""}
    cleared = {
        key: value
        for key, value in later.items()
        if list(later).index(key) >= list(later).index(name)
    }
    assert f"SES binding error: {first} property not supplied" in dapr.send(cleared).message


def test_d5_copies_are_optional_and_to_stays(folder: Path, aws: FakeAws) -> None:
    """Without Cc and Bcc there are none; with them, To is kept; an empty one takes away the
    configured one.
    """
    (folder / "a.yaml").write_text(component())
    (folder / "b.yaml").write_text(
        component("copied", emailCc="cc@rcpt.test", emailBcc="bcc@rcpt.test")
    )
    with sidecar(folder) as running:
        assert [running.send(name=name).status for name in ("outbox", "copied")] == [204, 204]
        assert running.send({"emailCc": ""}, name="copied").status == 204
    plain, copied, cleared = aws.messages
    assert (plain.to, plain.cc, plain.bcc) == (("desk@rcpt.test",), (), ())
    assert (copied.to, copied.cc, copied.bcc) == (
        ("desk@rcpt.test",),
        ("cc@rcpt.test",),
        ("bcc@rcpt.test",),
    )
    assert (cleared.to, cleared.cc, cleared.bcc) == (("desk@rcpt.test",), (), ("bcc@rcpt.test",))


@pytest.mark.parametrize("given", ["a@rcpt.test;", " a@rcpt.test ;; ", ";a@rcpt.test"])
def test_d6_d7_items_of_lists_are_trimmed_and_empty_ones_left_out(
    dapr: SidecarClient, aws: FakeAws, given: str
) -> None:
    """Semicolons part a list; blanks around the items and empty items do not count."""
    assert dapr.send({"emailTo": given}).status == 204
    assert aws.messages[0].to == ("a@rcpt.test",)


def test_d6_strictly_an_empty_item_is_a_recipient(folder: Path, aws: FakeAws) -> None:
    """In strict reading the list is parted as the original does, and the empty recipient is
    refused.
    """
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder, strict=True) as running:
        reply = running.send({"emailTo": "a@rcpt.test;"})
    assert reply.status == 500
    assert "Sending email failed" in reply.message
    assert aws.received == 0


def test_d7_strictly_blanks_around_an_item_do_not_reach_ses_either(
    folder: Path, aws: FakeAws
) -> None:
    """The list is parted as the original does, but an address is an address: the raw request has it
    without the blank, as SES reads it.
    """
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder, strict=True) as running:
        assert running.send({"emailTo": "a@rcpt.test; b@rcpt.test"}).status == 204
    assert aws.requests[0].parameters["Destination"] == {
        "ToAddresses": ["a@rcpt.test", "b@rcpt.test"]
    }


@pytest.mark.parametrize("data", [{"a": 1}, [1], 5, True, None])
def test_d8_data_that_is_no_text_is_refused(
    dapr: SidecarClient, aws: FakeAws, data: object
) -> None:
    """JSON data of other kinds cannot be the body of a mail."""
    reply = dapr.send(data=data)
    assert reply.status == 500
    assert reply.message == ERROR + "SES binding error. Can't unquote data field: invalid syntax"
    assert aws.received == 0


def test_data_may_be_an_object_of_inputs(dapr: SidecarClient, aws: FakeAws) -> None:
    """What the original cannot say, an object of our inputs can: a text beside the HTML,
    attachments, Reply-To.
    """
    body = {
        "text": "late",
        "html": "<p>late</p>",
        "attachments": {"report.txt": "rows"},
        "replyTo": "help@sender.test",
    }
    assert dapr.send(data=body).status == 204
    (message,) = aws.messages
    assert (message.content.text, message.content.html, message.reply_to) == (
        "late",
        "<p>late</p>",
        ("help@sender.test",),
    )
    assert [item.name for item in message.content.attachments] == ["report.txt"]


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("outbox", {"data": "x"}, "operation field is missing from request"),
        (
            "outbox",
            {"operation": "delete", "data": "x"},
            "binding outbox does not support operation delete. supported operations:create",
        ),
        ("nope", {"operation": "create", "data": "x"}, "couldn't find output binding nope"),
    ],
)
def test_d11_what_cannot_be_called_says_so_in_dapr_s_words(
    dapr: SidecarClient, name: str, body: object, text: str
) -> None:
    """A missing or unknown operation, and an unknown binding."""
    reply = dapr.ask("POST", f"/v1.0/bindings/{name}/", body)
    assert (reply.status, reply.json["errorCode"]) == (500, "ERR_INVOKE_OUTPUT_BINDING")
    assert reply.message == f"error invoking output binding {name}: {text}"


@pytest.mark.parametrize(
    "body",
    [
        b"{nope",
        b"",
        b"[]",
        b"5",
        b'{"operation":5}',
        b'{"operation":false}',
        b'{"metadata":{"emailTo":5}}',
        b'{"metadata":[]}',
        b'{"metadata":""}',
        b'{"a":NaN}',
        b"\xff",
        b"[" * 5000,
    ],
)
def test_d12_a_body_that_is_none_is_malformed(dapr: SidecarClient, body: bytes) -> None:
    """What is not JSON of the right shape is refused as Dapr does it."""
    reply = dapr.ask("POST", "/v1.0/bindings/outbox", body)
    assert (reply.status, reply.json["errorCode"]) == (400, "ERR_MALFORMED_REQUEST")
    assert reply.message.startswith("failed deserializing HTTP body: ")


def test_a_body_has_a_price_before_it_is_parsed(dapr: SidecarClient, aws: FakeAws) -> None:
    """A body of more values than an invocation may have is malformed, whatever they are; so are the
    octets of a gRPC request.
    """
    many = (
        b'{"operation": "create", "metadata": {}, "data": ['
        + b",".join([b"[]"] * MAX_VALUES)
        + b"]}"
    )
    reply = dapr.ask("POST", "/v1.0/bindings/outbox", many)
    assert (reply.status, reply.json["errorCode"]) == (400, "ERR_MALFORMED_REQUEST")
    assert "more than 250,000 values" in reply.message
    with pytest.raises(PayloadError, match="more than 250,000 values"):
        from_octets(b'{"to": [' + b",".join([b"[]"] * MAX_VALUES) + b"]}", ("to",), strict=False)
    assert aws.requests == []


def test_names_of_members_count_whatever_their_case(dapr: SidecarClient, aws: FakeAws) -> None:
    """The body's own members are read as Go reads them; unknown ones do not count."""
    reply = dapr.ask(
        "POST", "/v1.0/bindings/outbox", {"Operation": "create", "DATA": "x", "other": 1}
    )
    assert reply.status == 204
    assert aws.messages[0].content.html == "x"


def test_d16_components_of_other_applications_are_not_there(folder: Path, aws: FakeAws) -> None:
    """A component with scopes is loaded for these applications only."""
    (folder / "outbox.yaml").write_text(component(scopes="billing"))
    with sidecar(folder, app_id="other") as running:
        assert running.send().message == ERROR + "couldn't find output binding outbox"
    with sidecar(folder, app_id="billing") as running:
        assert running.send().status == 204


def test_d18_a_token_is_asked_for_but_not_of_health_checks(folder: Path, aws: FakeAws) -> None:
    """With DAPR_API_TOKEN every call needs it; the two health paths do not."""
    (folder / "outbox.yaml").write_text(component())
    call = {"operation": "create", "data": "x"}
    with sidecar(folder, token="t0ken") as running:
        for headers in ({}, {"dapr-api-token": "other"}, {"dapr-api-token": "t0ken2"}):
            reply = running.ask("POST", "/v1.0/bindings/outbox", call, headers)
            assert (reply.status, reply.body) == (401, b"invalid api token")
            assert running.ask("GET", "/v1.0/metadata", None, headers).status == 401
        assert [
            running.ask("GET", path).status for path in ("/v1.0/healthz", "/v1.0/healthz/outbound")
        ] == [204, 204]
        assert (
            running.ask("POST", "/v1.0/bindings/outbox", call, {"Dapr-Api-Token": "t0ken"}).status
            == 204
        )
    assert aws.received == 1


@pytest.mark.parametrize(
    "about",
    [
        "Content-Length: 60000000",
        "Transfer-Encoding: chunked",
        "Content-Length: 9\r\nExpect: 100-continue",
    ],
)
def test_a_body_is_not_read_from_whoever_may_not_call(folder: Path, about: str) -> None:
    """Without the token the answer is there before any of the body was sent, or asked for, and it
    is seen by those who go on sending.
    """
    (folder / "outbox.yaml").write_text(component())
    with (
        sidecar(folder, token="t0ken") as running,
        socket.create_connection(("127.0.0.1", running.http_port), timeout=60) as connection,
    ):
        connection.sendall(
            f"POST /v1.0/bindings/outbox HTTP/1.1\r\nHost: x\r\n{about}\r\n\r\n".encode()
        )
        answer = connection.recv(65536)
        with contextlib.suppress(ConnectionError):
            for _ in range(10):
                connection.sendall(b"x" * 65536)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"invalid api token")


def test_a_body_is_asked_for_from_whoever_may_call(dapr: SidecarClient) -> None:
    """A caller who waits to be asked for the body (100-continue) is, and then answered."""
    body = json.dumps({"operation": "create", "data": "x"}).encode()
    lines = (
        "POST /v1.0/bindings/outbox HTTP/1.1",
        "Host: x",
        "Expect: 100-continue",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    with socket.create_connection(("127.0.0.1", dapr.http_port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 204 ")


def test_d19_a_refusal_of_the_provider_is_told_in_its_words(folder: Path, aws: FakeAws) -> None:
    """An unverified sender is SES's MessageRejected, as the original tells it; our code goes along
    as metadata.
    """
    aws.configure(identities=["example.com"])
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder) as running:
        reply = running.send()
    assert reply.status == 500
    assert reply.message.startswith(
        ERROR + "SES binding error. Sending email failed: MessageRejected: "
    )
    assert reply.headers["metadata.code"] == "rejected"


def test_two_spellings_of_one_property_are_refused(dapr: SidecarClient, aws: FakeAws) -> None:
    """Where it cannot be told which recipient is meant, nobody gets the mail."""
    reply = dapr.send({"emailTo": "a@rcpt.test", "EmailTo": "b@rcpt.test"})
    assert (
        reply.message
        == ERROR + "the metadata contains 'emailTo' and 'EmailTo', which are the same property"
    )
    assert aws.received == 0


def test_strictly_two_spellings_mean_no_metadata_at_all(folder: Path, aws: FakeAws) -> None:
    """In strict reading the request's metadata are then ignored, as in the original."""
    (folder / "outbox.yaml").write_text(component())
    with sidecar(folder, strict=True) as running:
        assert running.send({"emailTo": "a@rcpt.test", "EmailTo": "b@rcpt.test"}).status == 204
    assert aws.messages[0].to == ("desk@rcpt.test",)


def test_health_says_which_application_it_is_for(folder: Path, aws: FakeAws) -> None:
    """A health check may ask for an application."""
    with sidecar(folder, app_id="billing") as running:
        assert running.ask("GET", "/v1.0/healthz?appid=billing").status == 204
        reply = running.ask("GET", "/v1.0/healthz?appid=other")
    assert (reply.status, reply.json["errorCode"]) == (500, "ERR_HEALTH_APPID_NOT_MATCH")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1.0/healthz", "ERR_HEALTH_NOT_READY"),
        ("/v1.0/healthz/outbound", "ERR_OUTBOUND_HEALTH_NOT_READY"),
    ],
)
def test_health_fails_while_it_stops(path: str, code: str) -> None:
    """A sidecar that stops is not healthy any more."""
    api = DaprApi({}, lambda _invocation: pytest.fail("nothing is invoked"))
    api.stopping.set()
    reply = answer(api, "GET", path, {}, b"")
    assert reply.status == 500
    assert json.loads(reply.body)["errorCode"] == code


def test_metadata_list_the_components(dapr: SidecarClient) -> None:
    """Whoever asks is told which components are there."""
    found = dapr.ask("GET", "/v1.0/metadata").json
    assert found["components"] == [
        {
            "name": "outbox",
            "type": "bindings.aws.ses",
            "version": "v1",
            "capabilities": ["OUTPUT_BINDING"],
        }
    ]
    assert {"id", "runtimeVersion", "enabledFeatures"} <= found.keys()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1.0/bindings/outbox", 405),
        ("POST", "/v1.0/metadata", 405),
        ("POST", "/v1.0/healthz", 405),
        ("GET", "/", 404),
        ("POST", "/v1.0/bindings/", 404),
        ("GET", "/v1.0/state/x", 404),
    ],
)
def test_other_paths_and_methods_are_refused(
    dapr: SidecarClient, method: str, path: str, status: int
) -> None:
    """What a bindings sidecar has not is 404, what it has by another method 405."""
    assert dapr.ask(method, path).status == status


def test_the_protocol_is_a_function_without_a_server() -> None:
    """The HTTP API answers without any server, so that other servers can mount it."""
    api = DaprApi({}, lambda _invocation: pytest.fail("nothing is invoked"))
    assert answer(api, "GET", "/v1.0/healthz/outbound", {}, b"") == Answer(204)
