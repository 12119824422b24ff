"""The connection type `smtp`: which values it takes, what follows from them, and what is refused
before any connection.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_opening import Opener
from jackfield.catalog import Catalog
from jackfield.connector import Connector, InvalidConnection, describe
from jackfield.schema import CompiledSchema, compile_schema
from jackfield_aws_ses.smtp import Smtp, region_of, smtp_password
from smtp_rig import HOST, MAIL, VPCE, connected
from smtp_server import PASSWORD, USER

LOGIN = {"username": USER, "password": PASSWORD}
KEYS = {"accessKeyId": "AKIAABCDEFGHIJKLWXYZ", "secretAccessKey": "some+secret+key"}
VALUES = {
    "hostname",
    "port",
    "username",
    "password",
    "accessKeyId",
    "secretAccessKey",
    "awsRegion",
    "tlsServerName",
    "heloName",
    "security",
    "sender",
    "tenant",
    "warmup",
}


def _described() -> dict[str, Any]:
    connector = Connector("aws-test", title="Test", version="1.0.0", connections=[Smtp])
    found: dict[str, Any] = describe(connector)["connectionTypes"][0]
    return found


def _schema() -> CompiledSchema:
    return compile_schema(_described()["schema"], noun="value")


def _faults(**values: Any) -> dict[str, str]:
    return {
        fault.path: fault.message for fault in _schema().check({"hostname": HOST, **values}).details
    }


def _model(**values: Any) -> Smtp:
    checked = _schema().check({"hostname": HOST, **values})
    assert checked.details == ()
    return Smtp.model_validate(checked.value)


# The schema


def test_the_type_is_the_contracts() -> None:
    """Key, members, required and secret members are those of the contract; the type belongs to no
    family and serves mail and the doctor.
    """
    row = _described()
    assert (row["key"], row.get("family"), row["auth"]) == ("smtp", None, "basic")
    members = row["schema"]["properties"]
    assert set(members) == VALUES
    assert row["schema"]["required"] == ["hostname"]
    assert {name for name, member in members.items() if member.get("writeOnly")} == {
        "password",
        "secretAccessKey",
    }
    assert (row["serves"]["actions"], row["waives"]) == (["sendEmail", "doctor"], ["awsRegion"])
    manifest = Catalog.installed().find("aws-ses")
    assert manifest.full_name(manifest.connection_types["smtp"]) == "aws-ses/smtp"


@pytest.mark.parametrize(
    "values",
    [
        LOGIN,
        KEYS,
        {**LOGIN, "port": "587"},
        {**KEYS, "port": 465, "security": "tls", "sender": "a@b.test"},
    ],
)
def test_either_pair_will_do(values: dict[str, Any]) -> None:
    """SMTP credentials, or an access key; a form's string is read as the port."""
    assert _faults(**values) == {}


@pytest.mark.parametrize("port", [1025, "2525", 1, 65535])
def test_other_servers_have_other_ports(port: int | str) -> None:
    """Mail servers other than SES's, and test servers, listen where they like (S7)."""
    assert _faults(**LOGIN, port=port) == {}


@pytest.mark.parametrize(
    ("port", "says"),
    [(0, "must be at least 1, not 0"), (65536, "must be at most 65535, not 65536")],
)
def test_what_is_no_port_is_refused(port: int, says: str) -> None:
    """A port is a number from 1 to 65535."""
    assert says in _faults(**LOGIN, port=port)["/port"]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({}, "/username"),
        ({"username": USER}, "/password"),
        ({"password": PASSWORD}, "/username"),
        ({"accessKeyId": "AKIA"}, "/secretAccessKey"),
        ({"username": USER, "secretAccessKey": "s"}, "/password"),
        ({**LOGIN, **KEYS}, "/username"),
        ({**LOGIN, "security": "none"}, "/security"),
        ({**LOGIN, "hostname": "smtp://mail.test"}, "/hostname"),
        ({**LOGIN, "hostname": "mail.test:587"}, "/hostname"),
        ({**LOGIN, "hostname": ""}, "/hostname"),
        ({**LOGIN, "hostname": f"{'a' * 64}.test"}, "/hostname"),
        ({**LOGIN, "tlsServerName": "not a name"}, "/tlsServerName"),
        ({**LOGIN, "awsRegion": "mars-1"}, "/awsRegion"),
        ({**LOGIN, "region": "eu-west-1"}, "/region"),
    ],
)
def test_values_that_do_not_go_are_refused_in_their_place(
    values: dict[str, Any], path: str
) -> None:
    """Half a pair, both pairs, and values of other shapes are faults at the value itself."""
    assert path in _faults(**values)


def test_a_session_token_is_refused_with_the_reason() -> None:
    """Temporary credentials do not work over SMTP: the refusal of the token says so, and quotes
    nothing of it (S4).
    """
    faults = _faults(**KEYS, sessionToken="FwoGZXIvYXdzEXAMPLE")
    assert list(faults) == ["/sessionToken"]
    assert "does not accept temporary credentials over SMTP" in faults["/sessionToken"]
    assert "FwoG" not in json.dumps(faults)


@pytest.mark.parametrize(
    "values",
    [
        {"accessKeyId": "ASIAABCDEFGHIJKLWXYZ", "secretAccessKey": "s"},
        {"username": "ASIAABCD", "password": "p"},
    ],
)
def test_temporary_keys_are_refused_before_any_connection(values: dict[str, str]) -> None:
    """The key of a role's session gives itself away by its id; no try is begun (S4)."""
    with connected({"hostname": "127.0.0.1", "awsRegion": "eu-west-1", **values}) as (
        jackfield,
        clock,
    ):
        result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "inputs": MAIL})
    assert result.error is not None
    assert result.error.code == "invalid_connection"
    assert "does not accept temporary credentials" in str(result.error.hint)
    assert "ASIA" not in result.error.message
    assert (result.meta.attempts, clock.slept) == (0, ())


def test_a_blank_session_token_is_none() -> None:
    """A form that sends every field says nothing by an empty one."""
    assert _model(**KEYS, sessionToken=" ").access_key_id == KEYS["accessKeyId"]


def test_a_role_cannot_sign_in_to_smtp() -> None:
    """A role's values are none of this type (S4)."""
    assert "/roleARN" in _faults(**KEYS, roleARN="arn:aws:iam::123456789012:role/acme-ses")


# What follows from the values


@pytest.mark.parametrize(
    ("values", "tls"),
    [
        ({}, False),
        ({"port": 25}, False),
        ({"port": 587}, False),
        ({"port": 2587}, False),
        ({"port": 465}, True),
        ({"port": 2465}, True),
        ({"port": 1025}, False),
        ({"port": 1025, "security": "tls"}, True),
        ({"port": 465, "security": "starttls"}, False),
        ({"port": 587, "security": "tls"}, True),
        ({"port": 2465, "security": ""}, True),
    ],
)
def test_the_port_says_how_tls_begins(values: dict[str, Any], tls: bool) -> None:
    """465 and 2465 speak TLS from the first byte, unless `security` says otherwise; the default
    port is 2587.
    """
    server = _model(**LOGIN, **values).server
    assert server.tls is tls
    assert server.port == values.get("port", 2587)


def test_names_are_trimmed_and_lowered() -> None:
    """Host names are read as DNS reads them; the certificate's name is the host's, or the one that
    is told.
    """
    assert _model(**{**LOGIN, "hostname": f" {HOST.upper()}\n"}).server.name == HOST
    assert _model(**LOGIN, tlsServerName=" Mail.Example.COM ").server.name == "mail.example.com"


@pytest.mark.parametrize(
    ("hostname", "region"),
    [
        ("email-smtp.us-east-1.amazonaws.com", "us-east-1"),
        ("EMAIL-SMTP.EU-WEST-1.AMAZONAWS.COM", "eu-west-1"),
        ("email-smtp-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("email-smtp.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        (VPCE, "eu-central-1"),
        ("vpce-0a1b-c3d4-us-east-1a.email-smtp.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("mail.example.com", None),
        ("email-smtp", None),
        ("email-smtp.us-east-1", None),
        ("email-smtp.mars-1.amazonaws.com", None),
        ("evil.email-smtp.us-east-1.example.com", None),
        ("vpce-1", None),
        ("127.0.0.1", None),
        ("", None),
    ],
)
def test_the_region_is_in_the_hosts_name(hostname: str, region: str | None) -> None:
    """Public and private endpoints carry their region; other names carry none."""
    assert region_of(hostname) == region


@given(st.text(max_size=60))
def test_no_host_name_is_too_strange(hostname: str) -> None:
    """Whatever text there is, the answer is a region that the name contains, or none."""
    region = region_of(hostname)
    assert region is None or region in hostname.lower()


# The derived password


@pytest.mark.parametrize(
    ("secret", "region", "password"),
    [
        ("some+secret+key", "eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"),
        ("another+secret+key", "eu-central-1", "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh"),
        ("some+secret+key", "us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"),
        ("another+secret+key", "us-west-1", "BKVmjjMDFk/qqw8EROW99bjCS65PF8WKvK5bSr4Y6EqF"),
        (
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "us-east-1",
            "BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9",
        ),
        (
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "eu-central-1",
            "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG",
        ),
    ],
)
def test_passwords_are_derived_as_aws_does(secret: str, region: str, password: str) -> None:
    """The password of an access key is the one that AWS's own scripts and Terraform's provider make
    (S2).
    """
    assert smtp_password(secret, region) == password


@given(
    st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()),
    st.sampled_from(["us-east-1", "eu-west-3"]),
)
def test_derived_passwords_have_one_shape(secret: str, region: str) -> None:
    """Whatever the secret is, the password has 44 characters and begins with B."""
    password = smtp_password(secret, region)
    assert (len(password), password[0]) == (44, "B")


def test_the_region_comes_from_the_host_unless_it_is_told() -> None:
    """Another region gives another password; `awsRegion` goes before the host's name (S2)."""
    with Opener() as opener:
        assert _model(**KEYS).login(opener.context()).password == smtp_password(
            "some+secret+key", "eu-central-1"
        )
    with Opener() as opener:
        told = _model(**KEYS, awsRegion="US-WEST-1 ").login(opener.context())
        assert told.password == smtp_password("some+secret+key", "us-west-1")


def test_a_region_is_asked_for_only_where_a_password_is_derived() -> None:
    """A host of another shape and no region: refused at `/awsRegion` with an access key, fine with
    SMTP credentials (S18).
    """
    with Opener() as opener:
        assert (
            _model(**{**LOGIN, "hostname": "mail.example.com"}).login(opener.context()).password
            == PASSWORD
        )
        with pytest.raises(InvalidConnection) as caught:
            _model(**{**KEYS, "hostname": "mail.example.com"}).open(opener.context())
    assert [detail.path for detail in caught.value.details] == ["/awsRegion"]
    assert "'username' and 'password'" in str(caught.value.hint)


def test_the_derived_password_is_leased_as_a_secret() -> None:
    """It is derived once, and known to the masking of everything that leaves."""
    with Opener() as opener:
        for _ in range(3):
            login = _model(**KEYS).login(opener.context())
        assert opener.leases.minted["smtp-password"] == 1
        assert opener.leases.held["smtp-password"].secrets == (login.password,)


def test_logins_and_clients_hold_back() -> None:
    """Neither repr nor pickle shows who signs in."""
    with Opener() as opener:
        model = _model(**KEYS)
        login, client = model.login(opener.context()), model.open(opener.context())
        assert login.password not in repr(login) + repr(client) + repr(model)
        for item in (login, client, opener.leases.objects["smtp-pool"]):
            with pytest.raises(TypeError):
                pickle.dumps(item)


def test_the_policy_is_the_least() -> None:
    """SMTP asks IAM for nothing but ses:SendRawEmail."""
    needed = _model(**LOGIN).needed_permissions(
        ["ses:SendEmail", "ses:SendRawEmail", "ses:ListIdentities"]
    )
    assert set(needed) == {"ses:SendRawEmail"}
