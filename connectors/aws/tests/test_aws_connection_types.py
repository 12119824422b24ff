"""The connection types are what docs/reference/connectors/aws-ses.md pins: names, marks and rules,
as JSON Schema.
"""

from __future__ import annotations

import pickle
from typing import Any

import jsonschema
import pytest

from aws_opening import EXTERNAL_ID, KEY_ID, ROLE_ARN, SECRET, TOKEN
from jackfield.connector import ConnectionType, Connector, describe
from jackfield_aws import ApiKeySecret, AwsAssumeRole, AwsDefault, AwsRolesAnywhere
from jackfield_aws.virtual.source import AwsSource

ROLE = {"roleARN": ROLE_ARN}
PAIR = {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}
COMMON = {"region", "endpoint", "sessionToken", "sender", "tenant", "warmup"}
OF_S3 = {"s3Addressing", "s3Checksums"}


def _described(kind: type[ConnectionType]) -> dict[str, Any]:
    connector = Connector("aws-test", title="Test", version="1.0.0", connections=[kind])
    found: dict[str, Any] = describe(connector)["connectionTypes"][0]
    return found


def _faults(kind: type[ConnectionType], values: dict[str, Any]) -> int:
    return len(
        list(jsonschema.Draft202012Validator(_described(kind)["schema"]).iter_errors(values))
    )


@pytest.mark.parametrize(
    ("kind", "key", "fields", "required"),
    [
        (
            AwsAssumeRole,
            "awsAssumeRole",
            {
                "roleARN",
                "accessKeyId",
                "secretAccessKey",
                "externalId",
                "durationSeconds",
                "sessionPolicy",
                "stsEndpoint",
            },
            ["roleARN"],
        ),
        (
            ApiKeySecret,
            "apiKeySecret",
            {"accessKeyId", "secretAccessKey"},
            ["accessKeyId", "secretAccessKey"],
        ),
        (AwsDefault, "awsDefault", {"profile", "disableImds", "preferRole"}, []),
        (
            AwsRolesAnywhere,
            "awsRolesAnywhere",
            {
                "certificate",
                "privateKey",
                "trustAnchorArn",
                "profileArn",
                "roleARN",
                "durationSeconds",
                "rolesAnywhereEndpoint",
            },
            ["certificate", "privateKey", "trustAnchorArn", "profileArn", "roleARN"],
        ),
    ],
)
def test_types_have_the_contracts_names(
    kind: type[ConnectionType], key: str, fields: set[str], required: list[str]
) -> None:
    """Key, family, members and required members are those of the contract, and no more."""
    row = _described(kind)
    assert (row["key"], row["family"], row["auth"]) == (key, "aws", "aws")
    assert set(row["schema"]["properties"]) == fields | (
        COMMON - {"sessionToken"} if kind is AwsRolesAnywhere else COMMON | OF_S3
    )
    assert row["schema"].get("required", []) == required
    assert row["schema"]["additionalProperties"] is False
    assert kind.reports_begin


@pytest.mark.parametrize(
    ("service", "offers"), [("s3", True), ("sesv2", False), ("dynamodb", False)]
)
def test_what_one_service_uses_the_others_accept_and_do_not_offer(
    service: str, offers: bool
) -> None:
    """A connection of the family serves all connectors, so each accepts the settings of S3; only
    ``aws.s3`` offers them.
    """
    manifest = AwsSource().manifest(f"aws.{service}")
    for row in manifest.raw["connectionTypes"]:
        members = row["schema"]["properties"]
        found = {
            name for name in OF_S3 & set(members) if not members[name]["x-jackfield"].get("hidden")
        }
        assert found == (OF_S3 if offers and row["key"] != "awsRolesAnywhere" else set()), row[
            "key"
        ]
        assert manifest.connection_types[row["key"]].schema == row["schema"]


@pytest.mark.parametrize("kind", [ApiKeySecret, AwsDefault])
def test_an_endpoint_names_its_own_regions(kind: type[ConnectionType]) -> None:
    """Without an endpoint, a region is one of AWS's; so is the region in which a role is
    assumed.
    """
    needed = PAIR if kind is ApiKeySecret else {}
    assert _faults(kind, {**needed, "region": "garage", "endpoint": "https://s3.example.com"}) == 0
    assert _faults(kind, {**needed, "region": "garage"}) == 1
    assert (
        _faults(AwsAssumeRole, {**ROLE, "region": "garage", "endpoint": "https://s3.example.com"})
        == 1
    )


def test_secrets_and_masks_are_marked() -> None:
    """Secrets are write-only passwords, the key id shows its last four, the External ID stays out
    of logs.
    """
    members = _described(AwsAssumeRole)["schema"]["properties"]
    secret = {
        name
        for name, member in members.items()
        if member.get("writeOnly") and member.get("format") == "password"
    }
    assert secret == {"secretAccessKey", "sessionToken"}
    assert members["accessKeyId"]["x-jackfield"]["mask"] == "last4"
    assert members["externalId"]["x-jackfield"]["sensitive"] is True
    assert all(
        members[name]["x-jackfield"]["trim"]
        for name in ("roleARN", "accessKeyId", "secretAccessKey", "externalId", "region")
    )
    assert members["externalId"]["x-jackfield"]["blank"] == "absent"


def test_titles_are_what_people_know() -> None:
    """The fields and types carry the titles that users of comparable connectors know."""
    members = _described(AwsAssumeRole)["schema"]["properties"]
    assert [
        members[name]["title"]
        for name in ("roleARN", "accessKeyId", "secretAccessKey", "externalId")
    ] == [
        "Role ARN",
        "Access Key ID",
        "Secret Access Key",
        "External ID",
    ]
    assert _described(AwsAssumeRole)["title"] == "AWS Role ARN"
    kinds = (AwsAssumeRole, ApiKeySecret, AwsDefault, AwsRolesAnywhere)
    assert all(
        member["title"] and member["description"]
        for kind in kinds
        for member in _described(kind)["schema"]["properties"].values()
    )


@pytest.mark.parametrize(
    "values",
    [
        ROLE,
        ROLE | PAIR,
        ROLE | PAIR | {"sessionToken": TOKEN},
        ROLE
        | {
            "externalId": "ab",
            "durationSeconds": 900,
            "region": "eu-west-1",
            "sessionPolicy": True,
            "sender": "a@example.com",
        },
        ROLE
        | {
            "externalId": "a" * 1224,
            "durationSeconds": 43200,
            "sessionPolicy": {"Version": "2012-10-17", "Statement": []},
        },
        ROLE
        | {
            "endpoint": "http://127.0.0.1:4566",
            "stsEndpoint": "https://sts.eu-west-1.amazonaws.com/path",
        },
        ROLE | {"accessKeyId": "k", "secretAccessKey": "s"},
        ROLE | {"accessKeyId": "k ß\u2026", "secretAccessKey": "s ß\u2026"},
    ],
)
def test_good_values_pass(values: dict[str, Any]) -> None:
    """Values within AWS's limits are taken; keys may be any text."""
    assert _faults(AwsAssumeRole, values) == 0
    AwsAssumeRole.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"roleARN": "arn:aws:iam::1:role/x"},
        ROLE | {"accessKeyId": KEY_ID},
        ROLE | {"secretAccessKey": SECRET},
        ROLE | {"sessionToken": TOKEN},
        ROLE | {"externalId": "a"},
        ROLE | {"externalId": "a" * 1225},
        ROLE | {"externalId": "with blank"},
        ROLE | {"externalId": "ünïcode"},
        ROLE | {"durationSeconds": 899},
        ROLE | {"durationSeconds": 43201},
        ROLE | {"durationSeconds": 900.5},
        ROLE | {"region": "US-EAST-1"},
        ROLE | {"region": "foo"},
        ROLE | {"endpoint": "ftp://example.com"},
        ROLE | {"endpoint": "https://user:password@example.com"},
        ROLE | {"endpoint": "https://example.com/\x01"},
        ROLE | {"accessKeyId": "AKIA\nEXAMPLE", "secretAccessKey": "s"},
        ROLE | {"accessKeyId": "k", "secretAccessKey": "s\r\ns"},
        ROLE | PAIR | {"sessionToken": "FwoG\tZXIv"},
        ROLE | {"stsEndpoint": "example.com"},
        ROLE | {"stsEndpoint": "https://"},
        ROLE | {"sessionPolicy": "yes"},
        ROLE | {"unknown": 1},
    ],
)
def test_bad_values_fail(values: dict[str, Any]) -> None:
    """Half a key pair, values beyond AWS's limits and unknown members break the schema."""
    assert _faults(AwsAssumeRole, values) > 0


def test_guides_explain_the_setup() -> None:
    """Each type brings a guide; the role's shows trust policy, External ID condition and least
    privilege.
    """
    guides = {
        kind.key: _described(kind)["setup"]
        for kind in (AwsAssumeRole, ApiKeySecret, AwsDefault, AwsRolesAnywhere)
    }
    assert all(
        "ses:SendEmail" in guide and '"Version": "2012-10-17"' in guide for guide in guides.values()
    )
    assert '"sts:ExternalId"' in guides["awsAssumeRole"]
    assert guides["awsAssumeRole"].startswith("Sign in")


def test_policies_are_offered_for_printing() -> None:
    """A role's connection knows its three policies, External ID included; the others know the
    identity's.
    """
    role = AwsAssumeRole.model_validate(ROLE | {"externalId": EXTERNAL_ID})
    policies = role.policies(["ses:SendEmail"], "arn:aws:iam::111122223333:user/ada")
    assert policies["trustPolicy"]["Statement"][0]["Condition"] == {
        "StringEquals": {"sts:ExternalId": EXTERNAL_ID}
    }
    assert policies["assumePolicy"]["Statement"][0]["Resource"] == ROLE_ARN
    assert role.policies([])["trustPolicy"]["Statement"][0]["Principal"]["AWS"].startswith("<")
    expected = {"identityPolicy": policies["identityPolicy"]}
    assert ApiKeySecret.model_validate(PAIR).policies(["ses:SendEmail"]) == expected
    assert AwsDefault().policies(["ses:SendEmail"]) == expected


def test_types_say_whether_they_read_the_host() -> None:
    """Ambient identities are told from keys in the values, so that a runtime can forbid them to
    tenants.
    """
    assert AwsAssumeRole.model_validate(ROLE).reads_host
    assert not AwsAssumeRole.model_validate(ROLE | PAIR).reads_host
    assert not ApiKeySecret.model_validate(PAIR).reads_host
    assert AwsDefault().reads_host


def test_values_show_no_secret() -> None:
    """Neither repr, str nor pickle of a connection's values gives anything away."""
    values = AwsAssumeRole.model_validate(
        ROLE | PAIR | {"sessionToken": TOKEN, "externalId": EXTERNAL_ID}
    )
    shown = f"{values!r} {values}"
    assert not any(secret in shown for secret in (KEY_ID, SECRET, TOKEN, EXTERNAL_ID))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(values)
