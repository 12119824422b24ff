"""Operations that hand out credentials: the reviewed table names what exists, and a new operation
that may be one must be judged.
"""

from __future__ import annotations

import re

import pytest

from jackfield_aws.s3.names import own_rows
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
    # answers with the connector, not with the credentials
    ("bedrock-agentcore-control", "RotatePaymentConnectorCredentials"),
    ("chime-sdk-voice", "ListVoiceConnectorTerminationCredentials"),  # user names
    ("codebuild", "ListSourceCredentials"),  # ARNs and types
    ("cognito-idp", "ListWebAuthnCredentials"),  # public keys
    ("iam", "ListServiceSpecificCredentials"),  # user names
}
"""Operations with a telling name whose answer holds no secret, each looked up in AWS's
documentation.
"""


@pytest.fixture(name="index", scope="module")
def _index() -> Index:
    return Index()


def test_the_table_names_operations_that_exist(index: Index) -> None:
    """A typing error in the table would offer what it means to withhold."""
    known = {
        service: {name for name, _, _ in (*index.rows(service), *own_rows(service))}
        for service in HANDS_OUT
    }
    missing = {service: names - known[service] for service, names in HANDS_OUT.items()}
    assert {service: names for service, names in missing.items() if names} == {}


def test_operations_with_a_telling_name_are_judged(index: Index) -> None:
    """What is named like a hand-out of credentials is in the table, or reviewed as harmless: a
    newer botocore brings more.
    """
    telling = {
        (service, name)
        for service in index.services
        for name, _, _ in index.rows(service)
        if _TELLING.search(name)
    }
    assert {pair for pair in telling if pair[1] not in HANDS_OUT.get(pair[0], ())} == _HARMLESS
