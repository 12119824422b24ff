"""Service bindings of SAP BTP as connections of SMTP: which binding, which host, whose
credentials.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_formats.foreign_files import connection, inputs, loaded, problem, write

from jackfield import Jackfield
from jackfield.catalog import Catalog
from plugboard import declare, plugged
from shell import Shell
from smtp_rig import connected
from smtp_server import resolving

pytest_plugins = ["shell_fixture"]
pytestmark = pytest.mark.above_sql

HOST = "vpce-0a1b2c3d4e5f67890-abcd1234.email-smtp.eu-central-1.vpce.amazonaws.com"
LINK = {
    "label": "privatelink",
    "plan": "standard",
    "name": "link-eu",
    "tags": ["privatelink"],
    "credentials": {"hostname": HOST},
}
MAIL = {
    "label": "user-provided",
    "name": "mail-cfg",
    "tags": [],
    "credentials": {
        "username": "AKI",
        "password": "p",
        "from": "ops@sender.test",
        "to": "desk@rcpt.test",
    },
}


def services(*links: Any, provided: Any = (MAIL,)) -> str:
    """VCAP_SERVICES with these bindings."""
    return json.dumps({"privatelink": list(links), "user-provided": list(provided)})


def link(name: str = "link-eu", **credentials: str) -> dict[str, Any]:
    """A private link."""
    return {**LINK, "name": name, "credentials": credentials or {"hostname": HOST}}


def test_the_sample_is_a_connection(samples: Path) -> None:
    """Host, user and password are the connection's, the sender its default, and the recipient a
    default input.
    """
    found = connection(samples / "vcap.json")
    assert (found.name, found.type) == ("link-eu", "aws-ses/smtp")
    assert dict(found.values) == {
        "hostname": HOST,
        "username": "AKIAIOSFODNN7EXAMPLE",
        "password": "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG",
        "sender": "ops@sender.test",
    }
    assert inputs(found) == {"to": "desk@rcpt.test"}


def test_the_variable_itself_is_a_source() -> None:
    """JACKFIELD_CONNECTIONS may name the variable with a dollar sign before it."""
    found = connection("$VCAP_SERVICES", VCAP_SERVICES=services(LINK))
    assert (found.name, found.source) == ("link-eu", "$VCAP_SERVICES")
    with Jackfield(
        environment={
            "JACKFIELD_CONNECTIONS": "$VCAP_SERVICES",
            "VCAP_SERVICES": services(LINK),
            "JACKFIELD_DATABASE_URL": "none",
        }
    ) as runtime:
        assert runtime.connections.find("link-eu").type == "aws-ses/smtp"


def test_default_inputs_fill_what_is_not_given(samples: Path) -> None:
    """The recipient that came along is used where the invocation names none; a dry run shows that
    the rest is whole.
    """
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {"subject": "s", "text": "hi"},
        "dryRun": True,
    }
    with Jackfield(connections=[str(samples / "vcap.json")]) as runtime:
        assert runtime.invoke(mail).unwrap() == {}
        emptied = runtime.invoke({**mail, "inputs": {**mail["inputs"], "to": ""}})  # type: ignore[dict-item]
    assert emptied.error is not None
    assert [detail.path for detail in emptied.error.details] == ["/to"]


def test_s2_a_secret_key_stands_in_for_a_password() -> None:
    """With a secret access key the user name is the key's id; the connection derives the password
    (S2).
    """
    provided = {
        **MAIL,
        "credentials": {"username": "AKI", "secret_access_key": "s", "from": "ops@sender.test"},
    }
    values = connection("$V", V=services(LINK, provided=[provided])).values
    assert dict(values) == {
        "hostname": HOST,
        "accessKeyId": "AKI",
        "secretAccessKey": "s",
        "sender": "ops@sender.test",
    }


def test_s4_a_session_token_is_passed_on_to_be_refused() -> None:
    """A token is not dropped: the connection says why it cannot be used (S4)."""
    provided = {**MAIL, "credentials": {"username": "AKI", "password": "p", "session_token": "t"}}
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {"to": "a@b.cd", "sender": "a@b.cd", "subject": "s", "text": "t"},
    }
    with Jackfield(connections=[json.loads(services(LINK, provided=[provided]))]) as runtime:
        result = runtime.invoke(mail)
    assert result.error is not None
    assert (result.error.code, result.error.details[0].path) == (
        "invalid_connection",
        "/sessionToken",
    )
    assert "temporary credentials" in result.error.details[0].message


def test_s12_two_links_are_two_connections_to_choose_from() -> None:
    """With two links an invocation must name one; each is usable under its own name (S12)."""
    both = json.loads(
        services(link(), link("link-us", hostname=HOST.replace("eu-central-1", "us-east-1")))
    )
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {"subject": "s", "text": "hi"},
        "dryRun": True,
    }
    with Jackfield(connections=[both]) as runtime:
        result = runtime.invoke(mail)
        assert result.error is not None
        assert (
            "'connection' is missing, and 2 connections fit 'aws-ses'"
            in result.error.details[0].message
        )
        assert result.error.hint == "Set 'connection' to one of link-eu, link-us."
        assert runtime.invoke({**mail, "connection": "link-us"}).status == "succeeded"


def test_two_sets_of_credentials_are_a_connection_each() -> None:
    """Where two services hold credentials, each makes a connection of its own with the link."""
    other = {**MAIL, "name": "mail-two", "credentials": {"username": "AKI2", "password": "p2"}}
    found = loaded(
        "$V",
        V=services(
            LINK, provided=[MAIL, other, {**MAIL, "name": "unrelated", "credentials": {"url": "x"}}]
        ),
    )
    assert [(item.name, item.values["username"]) for item in found.files()] == [
        ("link-eu.mail-cfg", "AKI"),
        ("link-eu.mail-two", "AKI2"),
    ]


@pytest.mark.parametrize(
    ("credentials", "port"),
    [
        ({"host": HOST}, None),
        ({"uri": HOST}, None),
        ({"uri": f"smtp://{HOST}"}, None),
        ({"uri": f"smtps://user:pass@{HOST}:465/x?y"}, "465"),
        ({"hostname": f"{HOST}:2465"}, "2465"),
        ({"hostname": HOST, "uri": "smtp://other.example.com", "port": "587"}, "587"),
    ],
)
def test_s13_the_host_may_stand_in_several_fields(
    credentials: dict[str, str], port: str | None
) -> None:
    """hostname, host or uri, with or without a scheme and a port (S13)."""
    values = connection("$V", V=services(link(**credentials))).values
    assert (values["hostname"], values.get("port")) == (HOST, port)


@pytest.mark.parametrize(
    ("credentials", "region"),
    [
        ({"hostname": HOST, "serviceName": "com.amazonaws.us-east-1.email-smtp"}, "us-east-1"),
        ({"hostname": HOST, "serviceName": "com.amazonawsus-east-1.email-smtp"}, "us-east-1"),
        ({"hostname": HOST, "region": "eu-west-1"}, "eu-west-1"),
        ({"hostname": HOST, "serviceName": "other"}, None),
    ],
)
def test_the_region_may_stand_in_several_fields(
    credentials: dict[str, str], region: str | None
) -> None:
    """The name of the service says the region, with or without the dot that the document lost."""
    assert connection("$V", V=services(link(**credentials))).values.get("awsRegion") == region


@pytest.mark.parametrize(
    "binding",
    [
        {**LINK, "label": "other", "tags": ["PrivateLink"]},
        {**LINK, "label": "privatelink-beta", "tags": []},
        {**LINK, "label": "other", "tags": [], "name": "privatelink-mail"},
        {**LINK, "label": "other", "tags": [], "credentials": {"uri": f"privatelink://{HOST}"}},
    ],
)
def test_a_link_is_told_by_tag_label_name_or_scheme(binding: Any) -> None:
    """Any of them may say that it is a private link, whatever its case."""
    assert connection("$V", V=json.dumps({"some": [binding]})).values["hostname"] == HOST


def test_links_to_other_services_are_none() -> None:
    """A private link to another service of AWS is not one for mail; a host of one's own may be."""
    other = link("s3", hostname="vpce-1.s3.eu-central-1.vpce.amazonaws.com")
    assert [
        item.name
        for item in loaded(
            "$V", V=services(other, link("own", hostname="mail.intern.example"))
        ).files()
    ] == ["own"]
    assert "no service binding" in problem("$V", V=services(other))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: {"VCAP_SERVICES": text},
        lambda text: {"system_env_json": {"VCAP_SERVICES": json.loads(text)}},
    ],
)
def test_what_is_printed_around_it_does_not_matter(folder: Path, wrap: Any) -> None:
    """The output of the platform's own tools can be read as it is."""
    assert connection(write(folder, "env.json", json.dumps(wrap(services(LINK))))).name == "link-eu"


def test_a_host_that_is_no_text_is_named(folder: Path) -> None:
    """A private link whose host is of another kind is told by its field; the link beside it is
    read.
    """
    found = loaded("$V", V=services(link("odd", hostname=5), LINK))  # type: ignore[arg-type]
    assert found.problems == (
        "$V: privatelink[0].credentials.hostname: must be a string with the name of a host",
    )
    assert [item.name for item in found.files()] == ["link-eu"]
    assert problem("$V", V=services(link("odd", uri=["x"]))).startswith(  # type: ignore[arg-type]
        "$V: privatelink[0].credentials.uri: must be a string"
    )


def test_s14_absent_broken_and_without_a_link_are_three_errors() -> None:
    """Each says what is wrong (S14)."""
    assert (
        problem("$VCAP_SERVICES")
        == "$VCAP_SERVICES: the environment variable 'VCAP_SERVICES' is not set"
    )
    assert problem("$VCAP_SERVICES", VCAP_SERVICES="{nope").startswith(
        "$VCAP_SERVICES: it is not JSON: "
    )
    without = problem(
        "$VCAP_SERVICES", VCAP_SERVICES='{"xsuaa": [{"label": "xsuaa", "credentials": {}}]}'
    )
    assert without.startswith(
        "$VCAP_SERVICES: no service binding whose tag, label or name starts with 'privatelink' "
        "is for an installed"
    )
    assert without.endswith("there are: xsuaa")
    assert "there are: none" in problem("$VCAP_SERVICES", VCAP_SERVICES="{}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "must be an object"),
        ('{"a": 5}', "a: must be a list of service bindings"),
        ('{"a": [5]}', "a[0]: must be an object with 'credentials'"),
        ('{"a": [{"credentials": 5}]}', "a[0].credentials: must be an object"),
        ('{"VCAP_SERVICES": "{"}', "VCAP_SERVICES: it is not JSON"),
        (services({**LINK, "name": "日"}), "its name has no letter"),
        (services({**LINK, "name": ".."}), "its name has no letter"),
    ],
)
def test_wrong_kinds_are_told(text: str, says: str) -> None:
    """What is not of the right kind is told with its place."""
    assert says in problem("$VCAP_SERVICES", VCAP_SERVICES=text)


def test_004_a_link_without_credentials_says_what_to_bind_and_how_to_add_them(
    folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A binding gives a host only: using and importing it say so, and an import can add the values
    (004, binding gives hostname only).
    """
    text = services(LINK, provided=[])
    mail = {"connector": "aws-ses", "action": "sendEmail", "connection": "link-eu", "dryRun": True}
    path = write(folder, "vcap.json", text)
    declare(
        folder / "site",
        "jackfield-aws-ses",
        "jackfield.connectors",
        {"aws-ses": "jackfield_aws_ses:connector"},
    )
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", f"sqlite:///{folder}/own.db")
    with plugged(folder / "site"):
        refused = shell.run("connections", "import", str(path), "--no-test")
        values = write(
            folder,
            "values.json",
            '{"username": "AKI", "password": "p", "sender": "ops@sender.test"}',
        )
        added = shell.run("connections", "import", str(path), "--no-test", "--values", str(values))
        shown = shell.run("connections", "show", "link-eu").json
        both = shell.run("connections", "import", "-", "--values", "-")
        with Jackfield(connections=[json.loads(text)], database_url="none") as runtime:
            error = runtime.invoke(
                {
                    **mail,
                    "inputs": {"to": "a@b.cd", "sender": "a@b.cd", "subject": "s", "text": "t"},
                }
            ).error
    assert error is not None
    assert error.code == "invalid_connection"
    assert error.message.endswith(": the service binding has no credentials")
    assert "cf create-user-provided-service" in str(error.hint)
    assert (refused.code, refused.json[0]["result"]) == (2, "refused")
    assert "--values" in refused.json[0]["error"]["hint"]
    assert "the service binding has no credentials" in refused.err
    assert (added.code, added.json[0]["result"], shown["values"]["hostname"]) == (0, "added", HOST)
    assert (both.code, "cannot both be stdin" in both.err) == (2, True)


@pytest.mark.parametrize("wrap", [lambda item: item, lambda item: {"VCAP_SERVICES": item}])
def test_004_creation_parameters_alone_are_told(folder: Path, wrap: Any) -> None:
    """They create the link; the binding is what to bring (004, sample: creation parameters)."""
    path = write(
        folder,
        "parameters.json",
        json.dumps(wrap({"serviceName": "com.amazonaws.us-east-1.email-smtp"})),
    )
    assert "parameters.json: these parameters create a private link" in problem(path)
    assert "the JSON of VCAP_SERVICES" in problem(path)


@pytest.mark.parametrize(
    ("credentials", "values"),
    [
        ({"smtp_username": "AKI", "smtp_password": "p"}, {"username": "AKI", "password": "p"}),
        ({"SMTP_USERNAME": "AKI", "SMTP_PASSWORD": "p"}, {"username": "AKI", "password": "p"}),
        (
            {"AWS_ACCESS_KEY_ID": "AKI", "AWS_SECRET_ACCESS_KEY": "s"},
            {"accessKeyId": "AKI", "secretAccessKey": "s"},
        ),
        (
            {"username": "AKI", "AWS_SECRET_ACCESS_KEY": "s"},
            {"accessKeyId": "AKI", "secretAccessKey": "s"},
        ),
    ],
)
def test_004_names_in_the_user_provided_service(
    credentials: dict[str, str], values: dict[str, str]
) -> None:
    """The names of SES's console and of AWS's variables are read (004, names in the user-provided
    service).
    """
    found = connection(
        "$V", V=services(LINK, provided=[{**MAIL, "credentials": credentials}])
    ).values
    assert dict(found) == {"hostname": HOST, **values}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n    ...\n    "privatelink": []\n}', "the '...' of an abridged sample stands there"),
        (
            '{"privatelink": [{"credentials": {"hostname": "h", }}]}',
            "remove the comma before the '}'",
        ),
        ('{"privatelink": [1, ]}', "remove the comma before the ']'"),
        ('{"privatelink": [}', "it is not JSON: "),
    ],
)
def test_004_the_sample_as_it_is_pasted_says_what_to_remove(
    folder: Path, text: str, says: str
) -> None:
    """The dots and the last comma of the document's sample are told where they stand (004, sample:
    binding credentials).
    """
    assert says in problem(write(folder, "pasted.json", text))


def test_004_another_region_than_the_endpoints_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F7: the host decides over SMTP, and a contradicting ``awsRegion`` is in the log, with both
    regions (004, endpoint and its region).
    """
    mail = {"connector": "aws-ses", "action": "sendEmail", "connection": "link-eu", "dryRun": True}
    inputs = {"to": "a@b.cd", "sender": "a@b.cd", "subject": "s", "text": "t"}
    with (
        Jackfield(connections=[json.loads(services(LINK))], database_url="none") as runtime,
        caplog.at_level("WARNING", "jackfield.aws_ses"),
    ):
        assert (
            runtime.invoke({**mail, "inputs": {**inputs, "awsRegion": "eu-central-1"}}).status
            == "succeeded"
        )
        assert caplog.records == []
        assert (
            runtime.invoke({**mail, "inputs": {**inputs, "awsRegion": "eu-west-1"}}).status
            == "succeeded"
        )
    assert (
        "sends through the SMTP endpoint of eu-central-1, not in eu-west-1 as requested by "
        "'awsRegion'"
    ) in caplog.text


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (
            "vpce-0a1-ab12-us-east-1a.email-smtp.us-east-1.vpce.amazonaws.com",
            "Use the regional name vpce-0a1-ab12.email-smtp.us-east-1.vpce.amazonaws.com.",
        ),
        (
            "vpce-0a1-ab12.email-smtp.us-east-1.vpce.amazonaws.com",
            "it resolves in its own VPC or over its private link",
        ),
        ("email-smtp.us-east-1.amazonaws.com", None),
    ],
)
def test_004_a_private_name_that_is_not_found_says_the_limits(host: str, says: str | None) -> None:
    """Zones and regions are the reason why the name of an endpoint does not exist (004, limitation:
    zones and regions).
    """
    values = {"hostname": host, "username": "AKI", "password": "p"}
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {"to": "a@b.cd", "sender": "a@b.cd", "subject": "s", "text": "t"},
    }
    with connected(values) as (runtime, _), resolving({host: None}):
        error = runtime.invoke(mail).error
    assert error is not None
    assert error.code == "unavailable"
    assert (
        (says in str(error.hint))
        if says
        else str(error.hint) == "Check 'hostname', and this machine's DNS."
    )


def test_004_the_guide_says_both_limits_of_private_links() -> None:
    """No endpoint policies, and zones: the guide of the connection says both (004, the two
    limitations).
    """
    guide = Catalog.installed().find("aws-ses").connection_types["smtp"].setup
    assert "VPC endpoint policies do not apply to SES" in guide
    assert "https://docs.aws.amazon.com/ses/latest/dg/send-email-set-up-vpc-endpoints.html" in guide
