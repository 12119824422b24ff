"""What is made of checked inputs fits SES's own model, so that botocore need not look at each mail
again.
"""

from base64 import b64encode
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jackfield.catalog import Catalog
from jackfield.schema import CompiledSchema, compile_schema
from jackfield_aws_ses.inputs import Email
from jackfield_aws_ses.sending import request

PROPERTY = settings(deadline=None, database=None)
LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=60)
TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
WORD = st.text("abcXYZ019_-", min_size=1, max_size=12)
MAILBOX = st.sampled_from(
    [
        "ada@x.io",
        "Ada <ada@x.io>",
        '"Lovelace, Ada" <ada@bücher.example>',
        "Äda <a.b+c@x.io>",
        "bob@x.io (Bob)",
    ]
)
MAILBOXES = st.lists(MAILBOX, max_size=4) | st.lists(MAILBOX, max_size=3).map("; ".join)
FILE = st.one_of(
    TEXT,
    st.binary(max_size=40).map(lambda octets: {"data": b64encode(octets).decode()}),
    st.just({"data": "aGVsbG8=", "contentType": "application/pdf"}),
    st.just("data:text/plain;base64,aGVsbG8="),
)
PAIR = st.fixed_dictionaries({"key": WORD, "value": WORD})
EMAIL = st.fixed_dictionaries(
    {
        "awsRegion": st.just("eu-west-1"),
        "sender": MAILBOX,
        "subject": LINE,
        "to": MAILBOXES,
        "text": TEXT,
    },
    optional={
        "cc": MAILBOXES,
        "bcc": MAILBOXES,
        "replyTo": MAILBOXES,
        "html": TEXT,
        "returnPath": MAILBOX,
        "configurationSetName": WORD,
        "attachments": st.dictionaries(WORD.map("{}.txt".format) | LINE, FILE, max_size=3),
        "tags": st.dictionaries(WORD | LINE, WORD | LINE, max_size=3) | st.lists(PAIR, max_size=3),
        "headers": st.dictionaries(WORD.map("X-{}".format) | LINE, LINE | TEXT, max_size=20),
        "identityArn": st.just("arn:aws:ses:eu-west-1:123456789012:identity/x.io"),
        "listUnsubscribe": st.sampled_from(
            ["https://x.io/u", "mailto:u@x.io", "<https://x.io/u>, <mailto:u@x.io>"]
        ),
    },
)
FULL = {
    "awsRegion": "eu-west-1",
    "sender": "a@x.io",
    "subject": "s",
    "to": ["b@x.io"],
    "cc": "c@x.io",
    "bcc": "d@x.io",
    "replyTo": "e@x.io",
    "text": "t",
    "html": "h",
    "returnPath": "r@x.io",
    "configurationSetName": "c",
    "attachments": {"a.txt": "a"},
    "tags": {"k": "v"},
    "headers": {"X-A": "b"},
    "identityArn": "arn:aws:ses:eu-west-1:123456789012:identity/x.io",
    "listUnsubscribe": "https://x.io/u",
}


@pytest.fixture(name="schema", scope="module")
def _schema() -> CompiledSchema:
    return compile_schema(Catalog.installed().find("aws-ses").actions["sendEmail"].inputs)


@pytest.fixture(name="model", scope="module")
def _model() -> Any:
    return get_session().get_service_model("sesv2").operation_model("SendEmail").input_shape


def test_what_is_made_of_checked_inputs_fits_the_model(schema: CompiledSchema, model: Any) -> None:
    """Whatever the schema and the rules let through, botocore would let through as well: every
    member is one of the model's.
    """
    seen: set[str] = set()

    @PROPERTY
    @given(EMAIL)
    @example(FULL)
    @example({**FULL, "headers": {f"X-{number}": "v" for number in range(16)}})
    def holds(inputs: dict[str, Any]) -> None:
        checked = schema.check(inputs)
        if checked.details:
            return
        email = Email.model_validate(checked.value)
        if list(email.rules()):
            return
        made = request(email, email.composed)
        report = ParamValidator().validate(made, model)
        assert not report.has_errors(), report.generate_report()
        seen.update(made, made["Content"])

    holds()
    members = {
        "Destination",
        "ReplyToAddresses",
        "EmailTags",
        "ConfigurationSetName",
        "FeedbackForwardingEmailAddress",
    }
    assert {"Simple", "Raw", "FromEmailAddress", "FromEmailAddressIdentityArn", *members} <= seen


def test_the_validator_would_see_a_fault(model: Any) -> None:
    """The check above is one: a misspelt member, and one of the wrong type, are faults."""
    wrongs: tuple[dict[str, Any], ...] = (
        {"Contents": {}},
        {"Content": {}, "ReplyToAddresses": "ada@x.io"},
    )
    assert all(ParamValidator().validate(wrong, model).has_errors() for wrong in wrongs)
