"""Trigger: mail that arrives at Amazon SES (``mailReceived``), as receipt rules publish it over
SNS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import WithJsonSchema

from jackfield.connector import Conflict, Detail, Field, Hook, HookRequest, Received, Unfinished
from jackfield_aws import AwsClients
from jackfield_aws.notifications import fetch_certificate
from jackfield_aws_ses.connector import connector
from jackfield_aws_ses.events.receipts import (
    ReceiptRule,
    ReceivedMail,
    active_rule_set,
    mail_of_text,
)
from jackfield_aws_ses.events.topics import (
    PERMISSIONS,
    received,
    register,
    remove,
    topic_field,
    verified,
)
from jackfield_aws_ses.provider import Watched

_RECIPIENT = {"type": "string", "pattern": "^[^\\s@]{0,64}@?[A-Za-z0-9.-]{1,253}$"}
Recipients = Annotated[
    tuple[str, ...],
    WithJsonSchema({"type": "array", "items": _RECIPIENT, "maxItems": 500, "uniqueItems": True}),
]
_EXAMPLE = {
    "messageId": "d6iitobk75ur44p8kdnnp7g2n800",
    "recipients": ["support@example.com"],
    "sender": "ada@example.org",
    "from": ["Ada <ada@example.org>"],
    "to": ["support@example.com"],
    "subject": "My order",
    "verdicts": {"spam": "PASS", "virus": "PASS", "spf": "PASS", "dkim": "PASS", "dmarc": "PASS"},
    "action": "S3",
    "s3": {"bucketName": "acme-mail", "objectKey": "inbox/d6iitobk75ur44p8kdnnp7g2n800"},
}


class InboundWatch(Watched):
    """Incoming mail: stored in a bucket by a receipt rule of jackfield, or published to a topic by
    your own rules.
    """

    bucket_name: str | None = Field(
        None,
        title="Bucket",
        trim=True,
        blank="absent",
        schema={"pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"},
        expects="the name of a bucket",
        description=(
            "Bucket to store messages in, by a receipt rule that is made in the active rule "
            "set. Its policy must let SES write."
        ),
    )
    object_key_prefix: str | None = Field(
        None,
        title="Object Key Prefix",
        blank="absent",
        schema={"maxLength": 512},
        examples=["inbox/"],
        description="Beginning of the keys of messages in the bucket.",
    )
    recipients: Recipients = Field(
        (),
        title="Recipients",
        examples=[["support@example.com", "example.org"]],
        description=(
            "Addresses and domains of the receipt rule. By default all of the account's "
            "verified domains."
        ),
    )
    topic_arn: str | None = topic_field(
        "In place of a bucket: a topic to which receipt rules of your own publish. Topic and "
        "rules stay as they are."
    )

    def rules(self) -> Iterable[Detail]:
        """Yield the fault of inputs with both or neither of bucket and topic, and of inputs that
        need a bucket.
        """
        if (self.bucket_name is None) == (self.topic_arn is None):
            yield Detail("/bucketName", "is required unless 'topicArn' is given, and excludes it")
        elif self.bucket_name is None and (self.object_key_prefix or self.recipients):
            place = "/objectKeyPrefix" if self.object_key_prefix else "/recipients"
            yield Detail(
                place,
                "is for the receipt rule that is made with 'bucketName': your own rules have "
                "theirs",
            )

    def rule(self, hook: Hook, rule_set: str | None) -> ReceiptRule:
        """Return a subscription's receipt rule. Its name depends only on the path of the hook's
        URL, not on the server's address.
        """
        name = f"jackfield-mail-{hashlib.sha256(hook.url.rpartition('/')[2].encode()).hexdigest()[:16]}"
        return ReceiptRule(
            name,
            self.aws_region,
            self.topic_arn,
            rule_set,
            self.bucket_name,
            self.object_key_prefix,
            self.recipients,
        )


mail_received = connector.webhook(
    "mailReceived",
    verify=verified,
    inputs=InboundWatch,
    event=ReceivedMail,
    permissions={
        "aws:iam": [
            *PERMISSIONS,
            "ses:DescribeActiveReceiptRuleSet",
            "ses:CreateReceiptRule",
            "ses:UpdateReceiptRule",
            "ses:DeleteReceiptRule",
        ]
    },
    examples=[{"title": "A question about an order", "events": [_EXAMPLE]}],
    setup=(
        "The region must receive mail for the domain: an MX record, an active receipt rule "
        "set, and a bucket that SES may write to."
    ),
)
mail_received.fetch(fetch_certificate)


@mail_received.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """Report incoming mail: sender, recipients, SES's verdicts (spam, virus, SPF, DKIM, DMARC), and
    the place of the stored message.
    """
    return received(request, hook, mail_of_text)


@mail_received.enable
def enable(hook: Hook, aws: AwsClients) -> Mapping[str, Any] | Unfinished:
    """Create the topic, subscribe the URL, and create the receipt rule in the active rule set."""
    watch = hook.inputs
    if watch.bucket_name is None:
        return register(hook, aws, watch.rule(hook, None))
    active = active_rule_set(aws, watch.aws_region)
    rule_set = hook.remote.get("ruleSet", active)
    if rule_set != active:
        text = f"the receipt rule is in the rule set '{rule_set}', and the active one is '{active}'"
        raise Conflict(
            text,
            hint=(
                "Set that one as active, or disable and enable this subscription: the rule "
                "moves to the active set."
            ),
        )
    return register(hook, aws, watch.rule(hook, rule_set), ruleSet=rule_set)


@mail_received.disable
def disable(hook: Hook, aws: AwsClients) -> None:
    """Remove the receipt rule, then subscription and topic. Stored messages stay."""
    remove(hook, aws, hook.inputs.rule(hook, hook.remote.get("ruleSet")))
