"""Every refusal of AWS has a code, a provider's answer and what to do, by look-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.retries.standard as botocore_retries
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from aws_opening import KEY_ID, SECRET, TOKEN, Opener, client_error
from fake_aws import FakeAws
from jackfield.connector import (
    Forbidden,
    InvalidInput,
    JackfieldError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield.connector.context import entered
from jackfield_aws import AWS_ERRORS, ApiKeySecret, AwsErrors, Row
from jackfield_aws.rows import AWS_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED = (
    "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: ses:SendEmail on "
    "resource: arn:aws:ses:eu-west-1:1:identity/x"
)


def _explained(error: Exception, errors: AwsErrors = AWS_ERRORS, **more: Any) -> JackfieldError:
    found = errors.explain(error, region="eu-west-1", **more)
    assert found is not None
    return found


_SUFFIXES = ["", "Exception"]


def test_every_row_is_found(subtests: pytest.Subtests) -> None:
    """Each row answers to its code with and without Exception, says what AWS said, and fills its
    hint in.
    """
    for key, row in AWS_ROWS.items():
        for suffix in _SUFFIXES:
            with subtests.test(key=key, suffix=suffix):
                code, message = (
                    (key, "Because.")
                    if isinstance(key, str)
                    else (key[0], f"because {key[1].upper()} so")
                )
                error = _explained(
                    client_error(code + suffix, message, 400), permissions=["ses:SendEmail"]
                )
                assert type(error) is row.kind
                assert error.sent is row.sent
                assert error.stale_credentials is row.stale
                assert message in error.message
                assert error.provider is not None
                assert error.provider.to_json() == {
                    "code": code + suffix,
                    "message": message,
                    "httpStatus": 400,
                    "requestId": "r-1",
                }
                assert (error.hint is None) == (row.hint is None)
                assert "{" not in (error.hint or "")


def test_a_plain_proxys_refusal_is_not_awss() -> None:
    """An endpoint over http is asked for through the proxy itself, whose 407 has the form of an
    answer.
    """
    error = _explained(client_error("", "", 407))
    assert (
        error.code,
        error.sent,
        "the proxy refused" in error.message,
        "AWS" in error.message,
    ) == (
        "unavailable",
        Sent.NOTHING,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("code", "status", "kind", "sent"),
    [
        ("ThrottlingException", 400, RateLimited, Sent.REFUSED),
        ("Throttling", 503, RateLimited, Sent.REFUSED),
        ("SlowDown", 503, RateLimited, Sent.REFUSED),
        ("BrandNew", 429, RateLimited, Sent.REFUSED),
        ("BadRequestException", 429, RateLimited, Sent.REFUSED),
        ("LimitExceededException", 400, QuotaExceeded, Sent.REFUSED),
        ("BrandNew", 500, Unavailable, Sent.UNKNOWN),
        ("AccessDenied", 503, Unavailable, Sent.UNKNOWN),
        ("", 502, Unavailable, Sent.UNKNOWN),
        ("502", 502, Unavailable, Sent.UNKNOWN),
        ("RequestTimeout", 400, Unavailable, Sent.REFUSED),
        ("BrandNew", 401, Unauthenticated, Sent.REFUSED),
        ("BrandNew", 403, Forbidden, Sent.REFUSED),
        ("BrandNew", 404, NotFound, Sent.REFUSED),
        ("BrandNew", 400, Rejected, Sent.REFUSED),
        ("BrandNew", 418, Rejected, Sent.REFUSED),
        ("SlowDownWrite", 503, RateLimited, Sent.REFUSED),
        ("BrandNew", 301, Unavailable, Sent.UNKNOWN),
        ("BadRequestException", 302, Unavailable, Sent.UNKNOWN),
    ],
)
def test_code_and_status_together_decide(
    code: str, status: int, kind: type[JackfieldError], sent: Sent
) -> None:
    """What is no explicit refusal, a 5xx or a redirect, stays in doubt whatever the code; an
    unknown code goes by its status.
    """
    error = _explained(client_error(code, "Text", status))
    assert (type(error), error.sent) == (kind, sent)


def test_botocores_throttling_codes_are_known() -> None:
    """What botocore would have retried as a throttle is one here, but for a limit that waiting does
    not lift.
    """
    codes = set(botocore_retries.ThrottledRetryableChecker._THROTTLED_ERROR_CODES) - {
        "LimitExceededException"
    }
    assert {type(_explained(client_error(code))) for code in codes} == {RateLimited}


def test_a_denial_names_action_principal_and_region() -> None:
    """The hint names the IAM action, the resource and the principal that AWS named, else what the
    connector needs.
    """
    error = _explained(client_error("AccessDeniedException", DENIED, 403))
    said = (
        "Allow ses:SendEmail on arn:aws:ses:eu-west-1:1:identity/x for "
        "arn:aws:iam::123456789012:user/ada in IAM"
    )
    assert error.hint == f"{said}, in the region eu-west-1."
    quoted = (
        DENIED.replace(
            " arn:aws:iam::123456789012:user/ada ", " `arn:aws:iam::123456789012:user/ada' "
        )
        .replace(": ses:SendEmail", " `ses:SendEmail'")
        .replace(": arn:aws:ses:eu-west-1:1:identity/x", " `arn:aws:ses:eu-west-1:1:identity/x'")
    )
    assert said in (_explained(client_error("AccessDenied", quoted, 403)).hint or "")
    nowhere = DENIED.partition(" on resource")[0]
    assert "Allow ses:SendEmail for arn:" in (
        _explained(client_error("AccessDenied", nowhere, 403)).hint or ""
    )
    assert "ses:A, ses:B" in (
        _explained(client_error("AccessDenied", "No.", 403), permissions=["ses:A", "ses:B"]).hint
        or ""
    )
    assert "the IAM action of SendEmail" in (
        _explained(client_error("AccessDenied", "No.", 403)).hint or ""
    )


def test_a_denial_without_a_name_asks_for_what_the_action_needs() -> None:
    """Where AWS names no action, the hint names those of the action that was called, and of the
    connector only outside of one.
    """
    with Opener(permissions=("ses:ListIdentities", "ses:SendEmail", "ses:SendRawEmail")) as opener:
        context = opener.context(awsRegion="eu-west-1")
        clients = ApiKeySecret.model_validate(
            {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}
        ).open(context)
        context.call.permissions = {"aws:iam": ("ses:SendEmail", "ses:SendRawEmail")}
        outside = AWS_ERRORS(client_error("AccessDenied", "No.", 403), clients)
        with entered(context.call):
            inside = AWS_ERRORS(client_error("AccessDenied", "No.", 403), clients)
    assert outside is not None
    assert inside is not None
    assert (outside.hint or "").startswith(
        "Allow ses:ListIdentities, ses:SendEmail, ses:SendRawEmail for "
    )
    assert (inside.hint or "").startswith("Allow ses:SendEmail, ses:SendRawEmail for ")


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("because no identity-based policy allows the ses:SendEmail action", "Allow ses:SendEmail"),
        ("because no session policy allows the ses:SendEmail action", "sessionPolicy"),
        ("because no permissions boundary allows the ses:SendEmail action", "permissions boundary"),
        (
            "with an explicit deny in an identity-based policy",
            "explicitly denies ses:SendEmail on arn:aws:ses:eu-west-1:1:identity/x",
        ),
        ("with an explicit deny in a service control policy", "service control policy"),
    ],
)
def test_a_denial_says_which_policy_denies(reason: str, hint: str) -> None:
    """AWS's reason decides what is to be done."""
    assert hint in (_explained(client_error("AccessDenied", f"{DENIED} {reason}", 403)).hint or "")


def test_xml_answers_to_a_json_service_are_read() -> None:
    """Where the code is only the status, the real one is found inside the message."""
    text = f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{DENIED}</Message></Error></ErrorResponse>"
    error = _explained(client_error("403", text, 403))
    assert isinstance(error, Forbidden)
    assert error.provider is not None
    assert (error.provider.code, error.provider.message) == ("AccessDenied", DENIED)
    assert error.message == f"AWS refused SendEmail: {DENIED}"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 10:00:30 GMT",
                "date": "Fri, 20 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        (
            {
                "retry-after": "Fri, 20 Nov 2026 09:00:00 GMT",
                "date": "Fri, 20 Nov 2026 10:00:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_honoured(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After counts as seconds or as a date, and never as nonsense."""
    assert (
        _explained(client_error("Throttling", "Rate exceeded", headers=headers)).retry_after
        == seconds
    )


def test_an_expired_token_is_stale_only_where_it_can_be_renewed() -> None:
    """Static keys that expired are refused for good."""
    for code in ("ExpiredToken", "ExpiredTokenException"):
        assert _explained(client_error(code, "Expired", 403)).stale_credentials
        assert not _explained(client_error(code, "Expired", 403), renewable=False).stale_credentials


def test_a_canonical_request_is_not_repeated() -> None:
    """AWS quotes the signed headers, session token included, to a wrong signature: they are cut
    off.
    """
    said = (
        "The signature does not match.\n\nThe Canonical String for this request should have "
        f"been\n'x-amz-security-token:{TOKEN}'"
    )
    error = _explained(client_error("SignatureDoesNotMatch", said, 403))
    assert isinstance(error, Unauthenticated)
    assert TOKEN not in f"{error} {error.to_json()}"
    assert error.message.endswith("does not match.")


def test_a_connector_adds_its_rows_in_one_line_each() -> None:
    """New rows go before old ones, a phrase before its code, and the old map stays as it was."""
    ours = AWS_ERRORS.extended(
        {
            "MessageRejected": Row(Rejected, "Read what SES says of {operation}."),
            ("MessageRejected", "not verified"): Row(
                Rejected, "Verify the identity in {region}.", "SES does not know the sender"
            ),
            ("Throttling", "Daily message quota"): Row(QuotaExceeded),
            "BadRequestException": Row(InvalidInput, path="/to"),
        }
    )
    assert (
        _explained(client_error("MessageRejected", "Spam"), ours).hint
        == "Read what SES says of SendEmail."
    )
    unverified = _explained(client_error("MessageRejected", "Email address is NOT VERIFIED."), ours)
    assert unverified.message == "SES does not know the sender: Email address is NOT VERIFIED."
    assert unverified.hint == "Verify the identity in eu-west-1."
    assert isinstance(
        _explained(client_error("ThrottlingException", "Daily message quota exceeded.", 429), ours),
        QuotaExceeded,
    )
    assert isinstance(
        _explained(client_error("TooManyRequestsException", "Rate", 429), ours), RateLimited
    )
    assert [
        detail.path for detail in _explained(client_error("BadRequest", "No."), ours).details
    ] == ["/to"]
    assert isinstance(_explained(client_error("BadRequest", "No.")), Rejected)


def test_our_own_errors_pass_and_others_are_unknown() -> None:
    """An error that has a code already keeps it; what is not botocore's is not explained."""
    ours = InvalidInput("no")
    assert AWS_ERRORS.explain(ours) is ours
    assert AWS_ERRORS.explain(KeyError("SendRawEmailResult")) is None
    assert AWS_ERRORS(RuntimeError(), None) is None


@given(st.text(max_size=40), st.text(max_size=200), st.integers(100, 599))
@example("", "", 304)
@example("", "", 507)
def test_any_answer_comes_to_anclient_error(code: str, message: str, status: int) -> None:
    """Whatever AWS answers, it comes to an error; a 4xx, 501 or 507 never to one in doubt, nor a
    304, whose condition held; anything else never to a refusal but of a throttle.

    A proxy that answers 407 has passed nothing on.
    """
    error = _explained(client_error(code, message, status))
    assert error.message
    if status == 407:
        assert error.sent is Sent.NOTHING
    elif 400 <= status < 500 or status in (304, 501, 507):
        assert error.sent is Sent.REFUSED
    else:
        assert error.sent is Sent.UNKNOWN


@pytest.mark.parametrize(
    "answer", [("RequestTimeout", 400), ("RequestTimeoutException", 408), ("BrandNew", 408)]
)
def test_a_request_that_did_not_arrive_whole_is_sent_again(answer: tuple[str, int]) -> None:
    """AWS refuses a request that it did not receive in time: nothing was done, so it is
    repeated.
    """
    error = _explained(client_error(answer[0], "Text", answer[1]))
    assert (error.code, error.retryable, error.repeatable, error.sent) == (
        "unavailable",
        True,
        True,
        Sent.REFUSED,
    )


_SAID = (
    "Rate exceeded for stream s under account 123456789012.",
    "Too Many Requests",
    "The request rate is too high",
    "You have been throttled.",
    "You have exceeded the maximum request rate",
    "Request limit exceeded.",
    "Please reduce your request rate.",
)
_GENERAL = (
    "LimitExceededException",
    "ClientException",
    "BadRequestException",
    "ServiceQuotaExceededException",
    "BrandNew",
)
_THROTTLES = (
    "throttlingException",
    "THROTTLING",
    "RequestLimitExceeded",
    "slowDown",
    "ProvisionedThroughputExceededException",
)


@pytest.mark.parametrize("message", _SAID)
@pytest.mark.parametrize("code", _GENERAL)
def test_a_message_that_tells_of_a_throttle_outranks_a_general_code(
    code: str, message: str
) -> None:
    """Kinesis throttles under the code of a quota, ECS and Batch under that of wrong content:
    nothing was done, and it is repeated.
    """
    error = _explained(client_error(code, message, 400))
    assert (type(error), error.sent, error.repeatable) == (RateLimited, Sent.REFUSED, True)


@pytest.mark.parametrize(
    "message",
    [
        "Limit exceeded for streams.",
        "You have exceeded the number of shards.",
        "Limit reached: 50 rates",
    ],
)
def test_a_real_quota_stays_one(message: str) -> None:
    """A quota that waiting does not lift is no throttle, and a failure on AWS's side stays in doubt
    whatever its message says.
    """
    assert isinstance(
        _explained(client_error("LimitExceededException", message, 400)), QuotaExceeded
    )
    assert _explained(client_error("InternalFailure", "Rate exceeded", 500)).sent is Sent.UNKNOWN


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("code", _THROTTLES)
def test_a_throttling_code_is_a_refusal_whatever_its_status(code: str, status: int) -> None:
    """EC2 throttles with 503, streams of events write their codes with a small letter: nothing was
    done in either.
    """
    error = _explained(client_error(code, "No.", status))
    assert (type(error), error.sent) == (RateLimited, Sent.REFUSED)


def test_a_token_in_use_is_no_refusal() -> None:
    """TransactionInProgress says that a request with this token runs: it may be an earlier attempt
    of the call itself.
    """
    assert (
        _explained(client_error("TransactionInProgressException", "No.", 400)).sent is Sent.UNKNOWN
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-amz-retry-after": "2500"}, 2.5),
        ({"x-amz-retry-after": "2500", "retry-after": "9"}, 2.5),
        ({"x-amz-retry-after": "soon", "retry-after": "9"}, 9.0),
        ({"x-amz-retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
    ],
)
def test_the_time_to_wait_is_the_services(headers: dict[str, str], seconds: float | None) -> None:
    """``x-amz-retry-after`` is in milliseconds and goes before ``Retry-After``."""
    about = {"HTTPStatusCode": 429, "HTTPHeaders": headers}
    error = ClientError(
        {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": about}, "SendEmail"
    )
    assert _explained(error).retry_after == seconds


@pytest.mark.parametrize(
    "answer",
    [{}, {"Error": {}}, {"message": "Forbidden", "ResponseMetadata": {"HTTPStatusCode": 403}}],
)
def test_an_answer_without_members_is_read(answer: dict[str, Any]) -> None:
    """A refusal that lacks code, message or metadata still comes to an error."""
    assert _explained(ClientError(answer, "SendEmail")).sent is Sent.REFUSED


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[FakeAws]:
    with FakeAws(users={KEY_ID: {"secret": SECRET, "allow": []}}, verify_signatures=True) as aws:
        yield aws


@pytest.mark.parametrize("service", ["ses", "sesv2"])
@pytest.mark.parametrize(
    ("values", "fault", "code"),
    [
        ({}, None, "forbidden"),
        ({"secretAccessKey": "wrong"}, None, "unauthenticated"),
        ({"accessKeyId": "AKIAUNKNOWN"}, None, "unauthenticated"),
        ({"sessionToken": TOKEN}, None, "unauthenticated"),
        ({}, {"code": "Throttling"}, "rate_limited"),
        ({}, {"status": 429}, "rate_limited"),
        ({}, {"status": 500}, "unavailable"),
        ({}, {"status": 404}, "not_found"),
    ],
)
def test_both_apis_come_to_the_same_codes(
    aws: FakeAws, service: str, values: dict[str, Any], fault: dict[str, Any] | None, code: str
) -> None:
    """Version 1 and 2 of SES word a refusal differently, and mean the same."""
    aws.reset()
    aws.script([{"do": "status", **fault}] if fault else [])
    with Opener({"AWS_ENDPOINT_URL": aws.url}) as opener:
        context = opener.context(awsRegion="eu-west-1")
        clients = ApiKeySecret.model_validate(
            {"accessKeyId": KEY_ID, "secretAccessKey": SECRET} | values
        ).open(context)
        with entered(context.call), pytest.raises(ClientError) as raised:
            clients.client(service).list_identities() if service == "ses" else clients.client(
                service
            ).get_account()
        error = AWS_ERRORS(raised.value, clients)
    assert error is not None
    if fault == {"status": 404} and service == "ses":
        code = "rejected"  # version 1 has no such status: the fake words it as a ValidationError
    assert error.code == code
    assert error.provider is not None
    assert error.provider.request_id
