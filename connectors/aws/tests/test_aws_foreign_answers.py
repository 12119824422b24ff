"""What a proxy or an emulator answers in place of AWS is not AWS's word: neither a refusal, nor a
missing resource, nor a success.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aws_opening import client_error
from aws_paged import Pages
from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.connector import Sent
from jackfield.connector.meanings import is_page
from jackfield_aws import AWS_ERRORS
from jackfield_aws.endpoints import names_loopback
from moto_rig import EVERYTHING, Rig, offer

PAGES = (
    (
        "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not "
        "Found</h1>\n<p>The requested URL was not found.</p>"
    ),
    "<html><head><title>Blocked</title></head><body><h1>Blocked</h1><hr/></body></html>",
    "\r\n <!-- proxy 7 --> <HTML><BODY>Access Denied",
    "<h1>Bad Gateway</h1>",
    "<!---->" * 60 + "<!-- a-b -- c --><p>Access Denied",
)
WRITES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sns/publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:news", "Message": "x"}),
    (
        "sqs/sendMessage",
        {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/q", "MessageBody": "x"},
    ),
    ("apigateway/createRestApi", {"name": "r"}),
    ("route53/createHostedZone", {"Name": "example.com", "CallerReference": "r"}),
    ("ec2/allocateAddress", {}),
)
"""A write of each protocol: query, JSON, REST with JSON, REST with XML, EC2."""


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Any]]:
    environment = offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING})
    with Pages() as server, Jackfield(database_url="none", environment=environment) as jackfield:
        yield Rig(jackfield, server.url), server


def _answering(server: Any, status: int, body: str, kind: str = "text/html; charset=utf-8") -> None:
    server.asked, server.answers = (
        [],
        [{"status_code": status, "headers": {"Content-Type": kind}, "body": body}],
    )


@pytest.mark.parametrize(
    ("action", "inputs", "status"),
    [  # every second status of each write, the others of the next one
        pytest.param(
            action,
            inputs,
            status,
            id=f"{action}-{status}",
            marks=() if (place + turn) % 2 == 0 else pytest.mark.campaign,
        )
        for place, (action, inputs) in enumerate(WRITES)
        for turn, status in enumerate([200, 400, 403, 410, 500, 503])
    ],
)
def test_m4_a_page_leaves_a_write_in_doubt(
    stand: tuple[Rig, Any], action: str, inputs: dict[str, Any], status: int
) -> None:
    """A page of HTML says nothing about the request, whatever its status; no markup of it is
    shown.
    """
    rig, server = stand
    for page in PAGES:
        _answering(server, status, page)
        found = rig.result(action, **inputs)
        assert found.error is not None, page
        assert (found.status, found.error.code, len(server.asked)) == ("in_doubt", "in_doubt", 1), (
            page
        )
        assert "<" not in str(found.error.to_json())
        assert f"a page of HTML with HTTP status {status}" in found.error.message


def test_m4_a_page_of_an_emulator_that_has_no_such_path_is_a_refusal(
    stand: tuple[Rig, Any],
) -> None:
    """An endpoint of one's own on this machine answers 404 with a page for what it lacks: nothing
    was executed, and nothing is repeated.
    """
    rig, server = stand
    for page in PAGES:
        for action, inputs in (*WRITES[:2], ("sqs/listQueues", {})):
            _answering(server, 404, page)
            found = rig.result(action, **inputs)
            assert found.error is not None, page
            assert (found.status, found.error.code, len(server.asked)) == (
                "failed",
                "rejected",
                1,
            ), page
            assert found.error.message.startswith("the endpoint does not implement ")
            assert found.error.provider is not None
            assert found.error.provider.http_status == 404


@pytest.mark.parametrize(
    ("endpoint", "environment", "expected"),
    [
        ("http://127.0.0.1:5000", {}, True),
        ("http://localhost:4566", {"AWS_ENDPOINT_URL": "https://proxy.example"}, True),
        (None, {"AWS_ENDPOINT_URL": "http://[::1]:5000"}, True),
        (
            None,
            {
                "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
                "AWS_ENDPOINT_URL_SQS": "https://sqs.example",
            },
            False,
        ),
        ("https://vpce.example", {}, False),
        (None, {}, False),
    ],
)
def test_m4_only_an_endpoint_on_this_machine_is_an_emulator(
    endpoint: str | None, environment: dict[str, str], expected: bool
) -> None:
    """A page from anywhere else may be a proxy's, whose 404 says nothing about the request."""
    assert names_loopback(endpoint, environment) is expected


@pytest.mark.parametrize("body", ['{"Messages": [', "OK", "<xml/>"])
def test_m4_a_success_that_is_no_json_is_none(stand: tuple[Rig, Any], body: str) -> None:
    """What is not the protocol of the service never becomes an empty output: it is part of an
    answer, or another's.
    """
    rig, server = stand
    _answering(server, 200, body, "application/x-amz-json-1.0")
    found = rig.result("sqs/sendMessage", **WRITES[1][1])
    assert (found.status, found.output) == ("in_doubt", None)


def test_m4_a_file_that_is_html_is_a_file(stand: tuple[Rig, Any]) -> None:
    """A body that is the caller's own data is not judged."""
    rig, server = stand
    _answering(server, 200, PAGES[1])
    assert rig.output("s3/getObject", Bucket="b", Key="index.html")["Body"][
        "contentType"
    ].startswith("text/html")


def test_m4_a_page_never_ends_a_waiter(stand: tuple[Rig, Any]) -> None:
    """A waiter for the end of a resource does not take a proxy's 404 for it."""
    rig, server = stand
    _answering(server, 404, PAGES[0])
    found = rig.result(
        "dynamodb/describeTable", TableName="t", waitUntil="tableNotExists", timeout=0.5
    )
    assert found.status == "failed"


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (501, "rejected")])
def test_m4_a_status_that_means_the_same_from_anybody_counts(status: int, code: str) -> None:
    """Too many requests and not implemented say that nothing was executed, but their page is not
    shown.
    """
    error = AWS_ERRORS.explain(client_error(str(status), PAGES[0], status))
    assert error is not None
    assert (error.code, error.sent) == (code, Sent.REFUSED)
    assert "<" not in str(error.to_json())


def test_m4_the_health_dashboard_is_about_aws_alone(stand: tuple[Rig, Any]) -> None:
    """A 5xx of an endpoint of one's own names that endpoint; AWS's names the dashboard."""
    rig, server = stand
    _answering(server, 500, "{}", "application/x-amz-json-1.0")
    own = rig.result("sqs/sendMessage", **WRITES[1][1])
    aws = AWS_ERRORS.explain(client_error("InternalFailure", "", 500), region="eu-west-1")
    elsewhere = AWS_ERRORS.explain(client_error("InternalFailure", "", 500), elsewhere=True)
    assert own.error is not None
    assert aws is not None
    assert elsewhere is not None
    assert "the endpoint failed to run SendMessage" in own.error.message
    assert "See the AWS Health Dashboard for eu-west-1." in str(aws.hint)
    assert "Health" not in str(elsewhere.hint)


def test_m4_a_page_instead_of_sts_is_no_refusal(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A role is not refused by a proxy that answers in place of STS."""
    with FakeAws(
        script=[
            {
                "do": "body",
                "status": 403,
                "body": PAGES[1],
                "contentType": "text/html",
                "always": True,
            }
        ]
    ) as aws:
        environment = {
            **offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING}),
            "AWS_ENDPOINT_URL_STS": aws.url,
        }
        with Jackfield(database_url="none", environment=environment) as jackfield:
            values = {
                "roleARN": "arn:aws:iam::123456789012:role/r",
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "secretAccessKey": "s-4711",
            }
            connection = {"type": "awsAssumeRole", "values": {**values, "region": "eu-west-1"}}
            invocation = {
                "connector": "aws.sqs",
                "action": "listQueues",
                "connection": connection,
                "inputs": {},
                "timeoutSeconds": 1,
            }
            found = jackfield.invoke(invocation)
    assert found.error is not None
    assert found.error.code in ("unavailable", "timeout")
    assert "<" not in str(found.error.to_json())


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0"?><ErrorResponse/>',
        "<Error><Code>x</Code></Error>",
        "{}",
        "",
        "plain",
        "a <html>",
        "<!---->" * 60 + "x",
        "<!--" * 400,
    ],
)
def test_m4_documents_of_aws_are_no_pages(text: str) -> None:
    """XML and JSON of AWS are what they are, even under the type of HTML, which emulators give
    them.
    """
    assert not is_page(text)


@pytest.mark.parametrize("page", PAGES)
def test_m4_pages_are_recognised(page: str) -> None:
    """A page shows itself by its first element, after comments, white space and a byte order
    mark.
    """
    assert is_page(page)
    assert is_page("\ufeff" + page)
