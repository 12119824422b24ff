"""The parsers of the fake AWS endpoint: forms, addresses, HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_aws import FakeAws
from jackfield_aws_ses_simulator.aws.mailboxes import split_mailboxes
from jackfield_aws_ses_simulator.aws.query import parse_form
from jackfield_aws_ses_simulator.aws.refusals import Refusal
from jackfield_aws_ses_simulator.aws.sending import check_mailboxes

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(_TEXT.filter(bool), _TEXT))
def test_forms_read_as_the_standard_library_does(form: dict[str, str]) -> None:
    """Every form is read back as it was encoded."""
    encoded = urlencode(form)
    assert parse_form(encoded.encode()) == dict(parse_qsl(encoded, keep_blank_values=True)) == form


@given(_TEXT)
def test_large_values_read_the_same(text: str) -> None:
    """A large value, which is decoded another way, comes out the same as a small one."""
    value = "+/=\n%2B" * 1000 + text
    assert parse_form(urlencode({"a": value}).encode()) == {"a": value}


@given(
    st.lists(
        st.from_regex(r'("[a-z, <>]*" )?<[a-z]+@[a-z]+\.io>|[a-z]+@[a-z]+\.io', fullmatch=True),
        min_size=1,
    )
)
def test_lists_of_mailboxes_split_at_their_commas(mailboxes: list[str]) -> None:
    """Mailboxes joined by commas split into the same mailboxes, whatever their quoted names
    hold.
    """
    assert split_mailboxes(", ".join(mailboxes)) == mailboxes
    assert check_mailboxes(", ".join(mailboxes)) == len(mailboxes)


@given(st.text())
def test_address_checks_never_fail_otherwise(text: str) -> None:
    """Any text is either an address or refused with SES's error, and without a domain it is
    refused.
    """
    refused = False
    try:
        check_mailboxes(text)
    except Refusal:
        refused = True
    assert refused or "@" in text


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "Missing final"),
        ("a@", "Missing final"),
        ("dörte@x.io", "Local address"),
        ("a b@x.io", "Local address"),
        ("a@x..io", "dot-dot"),
        ("a@.x.io", "starts with dot"),
        ("a@x.io.", "ends with dot"),
        ("d@straße.de", "illegal character"),
    ],
)
def test_bad_addresses(address: str, message: str) -> None:
    """Each kind of bad address has its text."""
    with pytest.raises(Refusal) as raised:
        check_mailboxes(address)
    assert message in raised.value.message


@given(st.binary(max_size=200))
def test_http_rubbish_never_harms(data: bytes) -> None:
    """Bytes that are no request are answered with 400 or a closed connection, and the fake goes
    on.
    """
    with FakeAws() as aws:
        host, port = aws.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(data + b"\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            answer = sock.makefile("rb").read()
        assert answer[:9] in (b"", b"HTTP/1.1 ")


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[]",
        b'{"Content": {"Simple": 5}}',
        b'{"Content": {"Raw": {"Data": "?"}}}',
        b"{}",
    ],
)
def test_misshapen_bodies_are_refused(body: bytes) -> None:
    """A v2 body that is no JSON or has the wrong shape is refused with 400."""
    with FakeAws() as aws:
        assert _exchange(aws, "POST", "/v2/email/outbound-emails", body)[0] == 400
        assert (aws.received, aws.accepted) == (1, 0)


def test_unknown_operations_and_unsigned_calls() -> None:
    """Unsigned requests are told by path and Action; an operation that does not exist is refused in
    its protocol's form.
    """
    with FakeAws() as aws:
        assert _exchange(aws, "GET", "/v2/email/account", b"")[0] == 200
        assert b"<Arn>" in _exchange(aws, "POST", "/", b"Action=GetCallerIdentity")[1]
        assert _exchange(aws, "POST", "/v2/email/nothing", b"{}")[0] == 404
        assert (
            b"Invalid type for parameter PageSize"
            in _exchange(aws, "GET", "/v2/email/templates?PageSize=many", b"")[1]
        )
        assert (
            b"The simulator does not implement Nothing."
            in _exchange(aws, "POST", "/", b"Action=Nothing")[1]
        )
        assert aws.calls() == [
            "sesv2:GetAccount",
            "sts:GetCallerIdentity",
            "sesv2:Unknown",
            "sesv2:ListEmailTemplates",
            "ses:Nothing",
        ]
        aws.configure(users={})
        assert (
            b"MissingAuthenticationToken"
            in _exchange(aws, "POST", "/", b"Action=GetCallerIdentity")[1]
        )


def test_chunked_bodies_and_keep_alive() -> None:
    """Chunked bodies are read, 100-continue is answered, and one connection serves many
    requests.
    """
    body = json.dumps(
        {
            "FromEmailAddress": "a@x.io",
            "Destination": {"ToAddresses": ["b@x.io"]},
            "Content": {"Simple": {}},
        }
    ).encode()
    with (
        FakeAws() as aws,
        closing(http.client.HTTPConnection(aws.url.removeprefix("http://"))) as connection,
    ):
        for headers in ({}, {"Expect": "100-continue"}):
            connection.request(
                "POST",
                "/v2/email/outbound-emails",
                iter([body[:7], body[7:]]),
                headers,
                encode_chunked=True,
            )
            assert connection.getresponse().read().startswith(b'{"MessageId"')
        assert (aws.accepted, aws.connections) == (2, 1)


def _exchange(aws: FakeAws, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(aws.url.removeprefix("http://"))) as connection:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
