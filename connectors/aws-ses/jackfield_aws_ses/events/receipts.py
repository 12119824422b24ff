"""Notifications of Amazon SES's receipt rules about incoming mail, as events, and the receipt rule
that stores mail in a bucket. Source: its developer guide, contents of notifications for email
receiving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict

from jackfield.connector import Conflict, Field, Malformed, Output, TriggerEvent, strict_json
from jackfield.kernel.dataclass import dataclass
from jackfield_aws import AwsClients
from jackfield_aws_ses.events.notices import is_notice
from jackfield_aws_ses.events.setting_up import passing, region_of
from jackfield_aws_ses.events.values import addresses, moment, objects, text, texts
from jackfield_aws_ses.provider import ask

_VERDICTS = ("spam", "virus", "spf", "dkim", "dmarc")
_EXISTS, _NO_SET = ("AlreadyExists",), ("RuleSetDoesNotExist",)


class StoredMail(Output):
    """Place of a message in Amazon S3."""

    bucket_name: str = Field(alias="bucketName", description="The bucket.")
    object_key: str = Field(
        alias="objectKey",
        description="The key: 'aws.s3/getObject' fetches the message, with its attachments.",
    )


class ReceivedMail(Output):
    """Mail that arrived. The sender's statements are not proven: see the verdicts."""

    model_config = ConfigDict(extra="allow")

    message_id: str = Field(
        alias="messageId", description="ID that SES assigned to the message when it arrived."
    )
    recipients: tuple[str, ...] = Field(description="Recipients that the receipt rule was for.")
    sender: str | None = Field(None, description="Sender of the envelope: where bounces go.")
    from_: tuple[str, ...] = Field((), alias="from", description="From header.")
    to: tuple[str, ...] = Field((), description="To header.")
    cc: tuple[str, ...] = Field((), description="Cc header.")
    subject: str | None = Field(None, description="Subject.")
    verdicts: Mapping[str, str] = Field(
        description=(
            "What SES found: spam, virus, spf, dkim, dmarc, each PASS, FAIL, GRAY, "
            "PROCESSING_FAILED or DISABLED."
        )
    )
    dmarc_policy: str | None = Field(
        None,
        alias="dmarcPolicy",
        description="If DMARC failed, what the domain wants: NONE, QUARANTINE, REJECT.",
    )
    action: str | None = Field(
        None, description="What the receipt rule did: S3, SNS, Lambda, Bounce …"
    )
    s3: StoredMail | None = Field(
        None, description="Where the message is stored, if the action is S3."
    )
    content: str | None = Field(None, description="The message itself, if the action is SNS.")
    encoding: str | None = Field(None, description="Encoding of the content: UTF8 or BASE64.")
    headers: tuple[Mapping[str, str], ...] = Field(
        (), description="Header fields in their order, each with name and value."
    )
    headers_truncated: bool | None = Field(
        None,
        alias="headersTruncated",
        description="True: SES left header fields out (above 10 KB).",
    )


def mail_of_text(message: str) -> list[TriggerEvent]:
    """Return the event in the text of an SNS message; empty for a notice. SES gives notifications
    no ID, so the event's key consists of message, recipients and place of storage.

    :raises Malformed: if it is no notification of a receipt.
    """
    record = None if is_notice(message) else strict_json(message)
    if record is None or is_notice(record):
        return []
    if not isinstance(record, Mapping) or record.get("notificationType") != "Received":
        raise Malformed
    mail, receipt = _object(record, "mail"), _object(record, "receipt")
    message_id, action, common = (
        text(mail, "messageId"),
        _object(receipt, "action"),
        _object(mail, "commonHeaders"),
    )
    if message_id is None:
        raise Malformed
    recipients = addresses(receipt.get("recipients")) or addresses(mail.get("destination"))
    bucket, key = text(action, "bucketName"), text(action, "objectKey")
    verdicts = {name: text(_object(receipt, f"{name}Verdict"), "status") for name in _VERDICTS}
    data = ReceivedMail.model_validate(
        {
            "messageId": message_id,
            "recipients": recipients,
            "sender": text(mail, "source"),
            "subject": text(common, "subject"),
            **{name: texts(common.get(name)) for name in ("from", "to", "cc")},
            "dmarcPolicy": text(receipt, "dmarcPolicy"),
            "verdicts": {name: found for name, found in verdicts.items() if found},
            "action": text(action, "type"),
            "s3": {"bucketName": bucket, "objectKey": key} if bucket and key else None,
            "content": text(record, "content"),
            "encoding": text(action, "encoding"),
            "headers": [
                {name: str(one.get(name, "")) for name in ("name", "value")}
                for one in objects(mail.get("headers"))
            ],
            "headersTruncated": mail.get("headersTruncated") is True,
        }
    )
    place = (text(action, "type"), bucket, key)
    made_of = "\n".join(
        [message_id, *sorted(one.lower() for one in recipients), *(part or "" for part in place)]
    )
    return [TriggerEvent(data, made_of, at=moment(mail.get("timestamp")))]


def _object(about: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = about.get(name)
    return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True, slots=True)
class ReceiptRule:
    """Receipt rule that stores mail in a bucket and publishes to the topic. Without ``bucket`` no
    rule is created: the owner's rules publish to their topic.
    """

    name: str
    region: str | None
    topic_arn: str | None
    rule_set: str | None
    bucket: str | None
    prefix: str | None = None
    recipients: Sequence[str] = ()

    @property
    def source(self) -> str | None:
        """End of the rule's ARN; None without a bucket."""
        return (
            None
            if self.bucket is None
            else f"receipt-rule-set/{self.rule_set}:receipt-rule/{self.name}"
        )

    def prepare(self, aws: AwsClients) -> None:
        """Do nothing: a policy may name a rule that does not exist yet."""

    def publish(self, aws: AwsClients, topic_arn: str) -> None:
        """Create the rule as the first of its set, or correct it."""
        if self.bucket is None:
            return
        stores = {
            "BucketName": self.bucket,
            "TopicArn": topic_arn,
            **({"ObjectKeyPrefix": self.prefix} if self.prefix else {}),
        }
        rule: dict[str, Any] = {
            "Name": self.name,
            "Enabled": True,
            "ScanEnabled": True,
            "Actions": [{"S3Action": stores}],
        }
        if self.recipients:
            rule["Recipients"] = list(self.recipients)
        wanted = {"RuleSetName": self.rule_set, "Rule": rule}
        if not passing(_EXISTS, aws, region_of(aws, self), "create_receipt_rule", wanted, "ses"):
            ask(aws, region_of(aws, self), "update_receipt_rule", wanted, service="ses")

    def withdraw(self, aws: AwsClients) -> None:
        """Remove the rule, if it was created."""
        if self.rule_set is not None:
            named = {"RuleSetName": self.rule_set, "RuleName": self.name}
            passing(_NO_SET, aws, region_of(aws, self), "delete_receipt_rule", named, "ses")


def active_rule_set(aws: AwsClients, region: str | None) -> str:
    """Return the name of the region's active rule set.

    :raises Conflict: if there is none.
    """
    found = ask(aws, region, "describe_active_receipt_rule_set", {}, service="ses").get("Metadata")
    if not found:
        hint = (
            "Create one and set it as active: SES console > Email receiving, or "
            "create-receipt-rule-set and set-active-receipt-rule-set."
        )
        raise Conflict("the region has no active receipt rule set", hint=hint)
    return str(found["Name"])
