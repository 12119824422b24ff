"""Service bindings of SAP BTP as connections of SMTP: which binding, which host, whose credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foreign_files import connection, inputs, loaded, problem, write
from jackfield import Jackfield

HOST = "vpce-0a1b2c3d4e5f67890-abcd1234.email-smtp.eu-central-1.vpce.amazonaws.com"
LINK = {"label": "privatelink", "plan": "standard", "name": "link-eu", "tags": ["privatelink"], "credentials": {"hostname": HOST}}
MAIL = {
    "label": "user-provided",
    "name": "mail-cfg",
    "tags": [],
    "credentials": {"username": "AKI", "password": "p", "from": "ops@sender.test", "to": "desk@rcpt.test"},
}


def services(*links: Any, provided: Any = (MAIL,)) -> str:
    """VCAP_SERVICES with these bindings."""
    return json.dumps({"privatelink": list(links), "user-provided": list(provided)})


def link(name: str = "link-eu", **credentials: str) -> dict[str, Any]:
    """A private link."""
    return {**LINK, "name": name, "credentials": credentials or {"hostname": HOST}}


def test_the_sample_is_a_connection(samples: Path) -> None:
    """Host, user and password are the connection's, the sender its default, and the recipient a default input."""
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
        environment={"JACKFIELD_CONNECTIONS": "$VCAP_SERVICES", "VCAP_SERVICES": services(LINK), "JACKFIELD_DATABASE_URL": "none"}
    ) as runtime:
        assert runtime.connections.find("link-eu").type == "aws-ses/smtp"


def test_default_inputs_fill_what_is_not_given(samples: Path) -> None:
    """The recipient that came along is used where the invocation names none; a dry run shows that the rest is whole."""
    mail = {"connector": "aws-ses", "action": "sendEmail", "inputs": {"subject": "s", "text": "hi"}, "dryRun": True}
    with Jackfield(connections=[str(samples / "vcap.json")]) as runtime:
        assert runtime.invoke(mail).unwrap() == {}
        emptied = runtime.invoke({**mail, "inputs": {**mail["inputs"], "to": ""}})  # type: ignore[dict-item]
    assert emptied.error is not None
    assert [detail.path for detail in emptied.error.details] == ["/to"]


def test_s2_a_secret_key_stands_in_for_a_password() -> None:
    """With a secret access key the user name is the key's id; the connection derives the password (S2)."""
    provided = {**MAIL, "credentials": {"username": "AKI", "secret_access_key": "s", "from": "ops@sender.test"}}
    values = connection("$V", V=services(LINK, provided=[provided])).values
    assert dict(values) == {"hostname": HOST, "accessKeyId": "AKI", "secretAccessKey": "s", "sender": "ops@sender.test"}


def test_s4_a_session_token_is_passed_on_to_be_refused() -> None:
    """A token is not dropped: the connection says why it cannot be used (S4)."""
    provided = {**MAIL, "credentials": {"username": "AKI", "password": "p", "session_token": "t"}}
    mail = {"connector": "aws-ses", "action": "sendEmail", "inputs": {"to": "a@b.cd", "sender": "a@b.cd", "subject": "s", "text": "t"}}
    with Jackfield(connections=[json.loads(services(LINK, provided=[provided]))]) as runtime:
        result = runtime.invoke(mail)
    assert result.error is not None
    assert (result.error.code, result.error.details[0].path) == ("invalid_connection", "/sessionToken")
    assert "temporary credentials" in result.error.details[0].message


def test_s12_two_links_are_two_connections_to_choose_from() -> None:
    """With two links an invocation must name one; each is usable under its own name (S12)."""
    both = json.loads(services(link(), link("link-us", hostname=HOST.replace("eu-central-1", "us-east-1"))))
    mail = {"connector": "aws-ses", "action": "sendEmail", "inputs": {"subject": "s", "text": "hi"}, "dryRun": True}
    with Jackfield(connections=[both]) as runtime:
        result = runtime.invoke(mail)
        assert result.error is not None
        assert "'connection' is missing, and 2 connections fit 'aws-ses'" in result.error.details[0].message
        assert result.error.hint == "Name one of link-eu, link-us."
        assert runtime.invoke({**mail, "connection": "link-us"}).status == "succeeded"


def test_two_sets_of_credentials_are_a_connection_each() -> None:
    """Where two services hold credentials, each makes a connection of its own with the link."""
    other = {**MAIL, "name": "mail-two", "credentials": {"username": "AKI2", "password": "p2"}}
    found = loaded("$V", V=services(LINK, provided=[MAIL, other, {**MAIL, "name": "unrelated", "credentials": {"url": "x"}}]))
    assert [(item.name, item.values["username"]) for item in found.files()] == [("link-eu.mail-cfg", "AKI"), ("link-eu.mail-two", "AKI2")]


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
def test_s13_the_host_may_stand_in_several_fields(credentials: dict[str, str], port: str | None) -> None:
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
def test_the_region_may_stand_in_several_fields(credentials: dict[str, str], region: str | None) -> None:
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
    assert [item.name for item in loaded("$V", V=services(other, link("own", hostname="mail.intern.example"))).files()] == ["own"]
    assert "no service binding" in problem("$V", V=services(other))


@pytest.mark.parametrize(
    "wrap", [lambda text: {"VCAP_SERVICES": text}, lambda text: {"system_env_json": {"VCAP_SERVICES": json.loads(text)}}]
)
def test_what_is_printed_around_it_does_not_matter(folder: Path, wrap: Any) -> None:
    """The output of the platform's own tools can be read as it is."""
    assert connection(write(folder, "env.json", json.dumps(wrap(services(LINK))))).name == "link-eu"


def test_a_host_that_is_no_text_is_named(folder: Path) -> None:
    """A private link whose host is of another kind is told by its field; the link beside it is read."""
    found = loaded("$V", V=services(link("odd", hostname=5), LINK))  # type: ignore[arg-type]
    assert found.problems == ("$V: privatelink[0].credentials.hostname: must be a string with the name of a host",)
    assert [item.name for item in found.files()] == ["link-eu"]
    assert problem("$V", V=services(link("odd", uri=["x"]))).startswith("$V: privatelink[0].credentials.uri: must be a string")  # type: ignore[arg-type]


def test_s14_absent_broken_and_without_a_link_are_three_errors() -> None:
    """Each says what is wrong (S14)."""
    assert problem("$VCAP_SERVICES") == "$VCAP_SERVICES: the environment variable 'VCAP_SERVICES' is not set"
    assert problem("$VCAP_SERVICES", VCAP_SERVICES="{nope").startswith("$VCAP_SERVICES: it is not JSON: ")
    without = problem("$VCAP_SERVICES", VCAP_SERVICES='{"xsuaa": [{"label": "xsuaa", "credentials": {}}]}')
    assert without.startswith("$VCAP_SERVICES: no service binding whose tag, label or name starts with 'privatelink' is for an installed")
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
