"""Operations that hand out credentials: the reviewed table names what exists, and a new operation that may be one must be judged."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aws_credential_members import telling_members
from jackfield_aws.virtual import models
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.index import Index

_TELLING = re.compile(
    r"^(Get|Create|Assume|Generate|BatchGet|Request|Rotate|Regenerate|Exchange|List|Describe)\w*"
    r"(Credentials?|AuthorizationToken|SecretValue|SessionToken|AccessToken|AuthToken|AccessKey|Api[Kk]ey|APIKey|PasswordData|DataKey"
    r"|FederationToken)(For\w+|WithIAM)?$|^AssumeR|PresignedU(rl|RL)|EmbedUrl|^Decrypt|StreamingURL|LoginUrl|LoginToken"
    r"|UnlockCode|OneTime|(Upload|Grid|Experience)Ur(l|ls)$|^Get\w*Dashboard(For\w+|Url)$|Upload(Links?|JobPath)$|^Start\w*AttachmentUpload$"
    r"|^StartAttachedFileUpload$|^CreateUpload(Url)?$"
)
_HARMLESS = {
    ("bedrock-agentcore-control", "RotatePaymentConnectorCredentials"),  # answers with the connector, not with the credentials
    ("chime-sdk-voice", "ListVoiceConnectorTerminationCredentials"),  # user names
    ("codebuild", "ListSourceCredentials"),  # ARNs and types
    ("cognito-idp", "ListWebAuthnCredentials"),  # public keys
    ("iam", "ListServiceSpecificCredentials"),  # user names
}
"""Operations with a telling name whose answer holds no secret, each looked up in AWS's documentation."""


@pytest.fixture(name="index", scope="module")
def _index() -> Index:
    return Index()


def test_the_table_names_operations_that_exist(index: Index) -> None:
    """A typing error in the table would offer what it means to withhold."""
    missing = {service: names - {name for name, _, _ in index.rows(service)} for service, names in HANDS_OUT.items()}
    assert {service: names for service, names in missing.items() if names} == {}


def test_operations_with_a_telling_name_are_judged(index: Index) -> None:
    """What is named like a hand-out of credentials is in the table, or reviewed as harmless: a newer botocore brings more."""
    telling = {(service, name) for service in index.services for name, _, _ in index.rows(service) if _TELLING.search(name)}
    assert {pair for pair in telling if pair[1] not in HANDS_OUT.get(pair[0], ())} == _HARMLESS


def test_operations_whose_answers_have_telling_members_are_judged(index: Index) -> None:
    """Of 19,791 answers, each with a member that sounds like a credential is of an operation in the table, or of a shape that was reviewed;
    and no reviewed shape is left over."""
    found: dict[str, set[str]] = {}
    for service in index.services:
        model = models.service_model(service)
        judged = [name for name in models.operations(service) if name not in HANDS_OUT.get(service, ())]
        found[service] = set(telling_members(model.operation_model(name).output_shape for name in judged))
    lines = Path(__file__).with_name("reviewed_members.txt").read_text(encoding="utf-8").splitlines()
    reviewed: dict[str, set[str]] = {}
    for service, *members in (line.split() for line in lines if line and not line.startswith("#")):
        reviewed.setdefault(service, set()).update(members)
    assert {service: members for service, members in found.items() if members} == reviewed
