"""Thand's providers as connections: the five forms of the document, credentials, substitution, and
what is wrong with an entry.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.jackfield_formats.foreign_files import connection, inputs, loaded, problem, write

from jackfield import Jackfield
from jackfield.cli.main import main
from jackfield.testing import Answer, Provider

MISSING = "missing email configuration field(s): "


def provider(
    folder: Path,
    config: dict[str, Any] | None = None,
    *,
    file: str = "a.yaml",
    key: str = "mail-eu",
    **entry: Any,
) -> Path:
    """A file with one provider; ``entry`` and ``config`` go over what a usual one has, ``None``
    takes a member away.
    """
    usual = {
        "platform": "ses",
        "from": "alerts@sender.test",
        "region": "eu-west-1",
        **(config or {}),
    }
    whole = {
        "name": "Ops mail",
        "description": "alerts",
        "provider": "email",
        "enabled": True,
        "config": usual,
        **entry,
    }
    whole["config"] = {
        member: value for member, value in whole["config"].items() if value is not None
    }
    found = {member: value for member, value in whole.items() if value is not None}
    return write(folder, file, yaml.safe_dump({"version": "1.0", "providers": {key: found}}))


KEYS = {"access_key_id": "k1", "secret_access_key": "s1"}


@pytest.mark.parametrize(
    ("sample", "kind", "values"),
    [
        ("thand-iam-role.yaml", "aws/awsDefault", {"region": "us-east-1", "preferRole": "true"}),
        ("thand-direct.yaml", "aws/awsDefault", {"region": "us-east-1", "preferRole": "true"}),
        ("thand-profile.yaml", "aws/awsDefault", {"region": "us-west-2", "profile": "rota"}),
        (
            "thand-static.yaml",
            "aws/apiKeySecret",
            {
                "region": "eu-west-1",
                "accessKeyId": "AKITHANDSAMPLE",
                "secretAccessKey": "thand-sample-secret",
            },
        ),
        (
            "thand-endpoint.yaml",
            "aws/apiKeySecret",
            {
                "region": "us-east-1",
                "endpoint": "http://localhost:4566",
                "accessKeyId": "test",
                "secretAccessKey": "test",
            },
        ),
    ],
)
def test_each_form_of_the_document_is_read(
    samples: Path, sample: str, kind: str, values: dict[str, str]
) -> None:
    """A role of the machine, the direct type, a profile, static keys, an endpoint of one's own."""
    found = connection(samples / sample)
    assert (found.type, dict(found.values)) == (kind, {**values, "sender": "alerts@sender.test"})


def test_t2_the_environment_is_put_in(folder: Path) -> None:
    """A value that is one expression is evaluated over the environment, with a default behind
    //.
    """
    path = provider(
        folder,
        {"from": '${ .MAIL_FROM // "alerts@sender.test" }', "platform": None},
        provider="email.ses",
    )
    assert connection(path).values["sender"] == "alerts@sender.test"
    assert connection(path, MAIL_FROM="ops@sender.test").values["sender"] == "ops@sender.test"


def test_expressions_inside_a_text_are_put_in(folder: Path) -> None:
    """An expression in the middle of a text counts too, as the document shows it; what is none
    stays as it is.
    """
    path = provider(folder, {"from": "${ .NAME } <ops@sender.test>", "profile": "x${HOME}"})
    found = connection(path, NAME="Ops")
    assert (found.values["sender"], found.values["profile"]) == (
        "Ops <ops@sender.test>",
        "x${HOME}",
    )


def test_t4_the_platform_is_smtp_where_none_is_named(folder: Path) -> None:
    """A provider of mail in general without a platform lacks what SMTP needs, and is told why SMTP
    was meant.
    """
    assert problem(provider(folder, {"platform": None})) == (
        f"a.yaml: providers.mail-eu: {MISSING}[host port user pass] ('platform' defaults to smtp)"
    )
    assert "config.platform: must be one of ses, smtp" in problem(
        provider(folder, {"platform": "acs"})
    )


def test_smtp_of_ses_is_a_connection_too(folder: Path) -> None:
    """The other platform is our SMTP connection."""
    config = {
        "platform": "smtp",
        "host": "email-smtp.eu-west-1.amazonaws.com",
        "port": 587,
        "user": "AKI",
        "pass": "p",
        "region": None,
    }
    found = connection(provider(folder, config))
    assert found.type == "aws-ses/smtp"
    assert dict(found.values) == {
        "hostname": config["host"],
        "port": 587,
        "username": "AKI",
        "password": "p",
        "sender": "alerts@sender.test",
    }


@pytest.mark.parametrize("sender", [None, "", "${ .UNSET }"])
def test_t5_a_sender_is_needed_and_others_stay_usable(folder: Path, sender: str | None) -> None:
    """Without a sender the entry is left out, with the field's name; the others are there."""
    path = provider(folder, {"from": sender})
    found = loaded(path, provider(folder, key="other", file="b.yaml"))
    assert found.problems == (f"a.yaml: providers.mail-eu: {MISSING}[from]",)
    assert [item.name for item in found.files()] == ["other"]


@pytest.mark.parametrize(
    ("entry", "there"),
    [
        ({"enabled": None}, False),
        ({"enabled": False}, False),
        ({"enabled": "true"}, True),
        ({"capabilities": {"notifier": {"enabled": False}}}, False),
        ({"capabilities": {"notifier": {"enabled": True}}}, True),
        ({"capabilities": {"authorizer": True}}, True),
    ],
)
def test_t6_only_what_is_enabled_is_there(folder: Path, entry: dict[str, Any], there: bool) -> None:
    """A provider must say that it is enabled, and may say that it does not notify."""
    found = loaded(provider(folder, **entry))
    assert (len(found.files()), found.problems) == (int(there), ())


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"enabled": False},
            "a.yaml: providers.mail-eu exists, but not enabled: set 'enabled: true'",
        ),
        (
            {"enabled": None},
            "a.yaml: providers.mail-eu exists, but not enabled: set 'enabled: true'",
        ),
        (
            {"capabilities": {"notifier": {"enabled": False}}},
            (
                "a.yaml: providers.mail-eu exists, but its capabilities.notifier.enabled is "
                "false: set it to true"
            ),
        ),
    ],
)
def test_a_disabled_provider_is_told_where_it_is_wanted(
    folder: Path, entry: dict[str, Any], says: str
) -> None:
    """A call over a provider that is switched off says so, and where; its name counts as well as
    its key.
    """
    known = loaded(provider(folder, **entry))
    assert str(known.unknown("mail-eu")).startswith(f"no connection is named 'mail-eu': {says}")
    assert says in str(known.unknown("Ops mail"))
    assert says not in str(known.unknown("other"))


@pytest.mark.parametrize("file", ["a.yaml", "."])
def test_an_import_says_what_is_disabled(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    """An import of a file whose providers are switched off stores nothing, and says why."""
    provider(folder, enabled=False)
    assert main(["connections", "import", file]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert (
        "a.yaml: providers.mail-eu exists, but not enabled: set 'enabled: true'; it is not imported"
        in err
    )


def test_a_placeholder_of_the_document_is_named(folder: Path) -> None:
    """The example with static credentials, pasted as it stands, says which values are still to be
    filled in.
    """
    path = provider(
        folder,
        {"access_key_id": "<your-access-key-id>", "secret_access_key": "<your-secret-access-key>"},
    )
    assert problem(path) == (
        "a.yaml: providers.mail-eu: 'access_key_id' is still the placeholder "
        "<your-access-key-id>: replace it by the value"
    )


@pytest.mark.parametrize("config", [{"configuration_set": "reports", "tags": {"team": "ops"}}])
def test_a_configuration_set_is_an_option_of_the_provider(
    folder: Path, config: dict[str, Any]
) -> None:
    """Opens and clicks are tracked by a configuration set, which goes with every mail of the
    provider.
    """
    assert inputs(connection(provider(folder, config))) == {
        "configurationSetName": "reports",
        "tags": {"team": "ops"},
    }


SMTP = {
    "platform": "smtp",
    "host": "localhost",
    "port": 1025,
    "user": "u",
    "pass": "p",
    "region": None,
}


def test_smtp_may_be_any_server(folder: Path) -> None:
    """Another mail server, or a test server, may listen on any port; how TLS begins may be said."""
    found = connection(
        provider(
            folder,
            {**SMTP, "security": "tls", "tls_server_name": "mail.test", "tls_skip_verify": False},
        )
    )
    assert (found.values["hostname"], found.values["port"]) == ("localhost", 1025)
    assert (found.values["security"], found.values["tlsServerName"]) == ("tls", "mail.test")


def test_smtp_without_verification_is_refused(folder: Path) -> None:
    """The certificate of a server is always verified; the refusal says how to trust one's own."""
    assert "'tls_skip_verify': a certificate is always verified" in problem(
        provider(folder, {**SMTP, "tls_skip_verify": True})
    )


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"profile": "p", **KEYS}, "aws/apiKeySecret"),
        ({"profile": "p", **KEYS, "credentials_order": "code"}, "aws/awsDefault"),
        ({"profile": "p"}, "aws/awsDefault"),
        ({"role_arn": "arn:aws:iam::123456789012:role/x", **KEYS}, "aws/awsAssumeRole"),
        ({"role_arn": "arn:aws:iam::123456789012:role/x"}, "aws/awsAssumeRole"),
    ],
)
def test_t7_credentials_are_taken_in_the_documented_order(
    folder: Path, config: dict[str, str], kind: str
) -> None:
    """Static keys go before a profile, as documented; credentials_order: code turns that round, as
    in the original's code.
    """
    found = connection(provider(folder, config))
    assert found.type == kind
    assert ("profile" in found.values) == (kind == "aws/awsDefault")


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "AKIROLE"),
        ({"credentials_order": "code"}, "AKIENV"),
        ({"profile": "rota"}, "AKIROTA"),
        (KEYS, "k1"),
    ],
)
def test_the_role_of_the_machine_goes_before_its_environment(
    folder: Path, aws: Any, monkeypatch: pytest.MonkeyPatch, config: dict[str, str], key: str
) -> None:
    """Keys, profile, role, environment, as documented; credentials_order: code has the environment
    before the role, as the program.
    """
    write(
        folder,
        "aws-config",
        "[profile rota]\naws_access_key_id = AKIROTA\naws_secret_access_key = s\n",
    )
    role = json.dumps(
        {
            "AccessKeyId": "AKIROLE",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": "2099-01-01T00:00:00Z",
        }
    )
    with container_role(role) as url:
        variables = {
            "ACCESS_KEY_ID": "AKIENV",
            "SECRET_ACCESS_KEY": "s",
            "CONFIG_FILE": str(folder / "aws-config"),
        }
        for name, value in {**variables, "CONTAINER_CREDENTIALS_FULL_URI": url}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        users = {name: {"secret": "s"} for name in ("AKIENV", "AKIROTA")}
        aws.configure(
            users={
                **users,
                "k1": {"secret": "s1"},
                "AKIROLE": {"secret": "s", "session_token": "t"},
            }
        )
        mail = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "inputs": {"to": "kim@rcpt.test", "subject": "s", "text": "t"},
        }
        with Jackfield(
            connections=[str(provider(folder, config))], database_url="none"
        ) as jackfield:
            assert jackfield.invoke(mail).unwrap()
    assert aws.messages[0].access_key_id == key


@contextmanager
def container_role(text: str) -> Iterator[str]:
    """The endpoint at which a container gets its role's credentials."""
    with Provider(Answer(content=text.encode())) as found:
        yield f"{found.url}/role"


def test_t8_half_a_key_is_the_machine_s_identity_and_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One half of a key pair is not used, and the log says so."""
    assert connection(provider(folder, {"access_key_id": "k1"})).type == "aws/awsDefault"
    assert "providers.mail-eu: not used: config.access_key_id" in caplog.text


def test_t9_the_region_is_us_east_1_whatever_the_environment(folder: Path) -> None:
    """The default region is fixed, as documented."""
    path = provider(folder, {"region": None})
    assert connection(path, AWS_REGION="eu-west-3").values["region"] == "us-east-1"


def test_t16_a_broken_entry_spoils_itself_only(folder: Path) -> None:
    """The entry at fault is named, and the one beside it is used."""
    good = yaml.safe_load(provider(folder).read_text())["providers"]["mail-eu"]
    path = write(
        folder,
        "a.yaml",
        yaml.safe_dump(
            {"version": "1.0", "providers": {"bad": {"provider": "email"}, "good": good}}
        ),
    )
    found = loaded(path)
    assert [item.name for item in found.files()] == ["good"]
    assert found.problems == (
        "a.yaml: providers.bad: name: must be a string of 1 to 100 characters",
    )


def test_t17_of_a_key_in_two_files_the_first_is_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The files' order decides, and the log names both."""
    provider(folder, {"from": "first@sender.test"}, file="a.yaml")
    provider(folder, {"from": "second@sender.test"}, file="b.yaml")
    assert connection(folder).values["sender"] == "first@sender.test"
    assert "b.yaml: providers.mail-eu is given already, in a.yaml" in caplog.text


def test_t18_tokens_are_used_and_imds_is_not_asked(folder: Path) -> None:
    """A session token goes along with its keys; imds_disable is for the machine's identity, also as
    a text.
    """
    keys = connection(provider(folder, {**KEYS, "session_token": "t1", "imds_disable": True}))
    assert keys.values["sessionToken"] == "t1"
    ambient = connection(provider(folder, {"imds_disable": "true"}))
    assert ambient.values["disableImds"] == "true"


def test_t18_the_token_signs_and_the_machine_is_not_asked(
    folder: Path, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail is sent with the token; without an identity nothing is sent and no metadata service is
    asked.
    """
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    aws.configure(users={"k1": {"secret": "s1", "session_token": "t1"}})
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {"to": "kim@rcpt.test", "subject": "s", "text": "t"},
    }
    with Jackfield(
        connections=[str(provider(folder, {**KEYS, "session_token": "t1"}))]
    ) as jackfield:
        assert jackfield.invoke(mail).unwrap()
    assert aws.requests[0].headers["x-amz-security-token"] == "t1"
    with Jackfield(connections=[str(provider(folder, {"imds_disable": "true"}))]) as jackfield:
        result = jackfield.invoke(mail)
    assert result.error is not None
    assert result.error.code == "invalid_connection"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": None}, "name: must be a string of 1 to 100 characters"),
        ({"name": "x" * 101}, "name: must be a string of 1 to 100 characters"),
        ({"provider": None}, "provider: must be a type such as email.ses"),
        ({"provider": "-x"}, "provider: must be a type such as email.ses"),
        (
            {"provider": "slack"},
            (
                "provider: no installed connector supports the type 'slack'; known: email, "
                "email.ses, email.smtp"
            ),
        ),
        ({"description": "x" * 501}, "description: must be a string of at most 500 characters"),
        ({"description": 5}, "description: must be a string"),
        ({"enabled": 1}, "enabled: must be true or false"),
        (
            {"config": {"platform": "${ .X | explode_everything }"}},
            "config.platform: the expression '.X | explode_everything' cannot be read",
        ),
        (
            {"config": {"from": "${ .X | nosuch }"}},
            (
                "config.from: the expression '.X | nosuch' cannot be read: nosuch/0 is not "
                "defined at column 6"
            ),
        ),
        (
            {"config": {"platform": "${ .X + 1 }"}},
            "config.platform: the expression '.X + 1': a text and a number cannot be added",
        ),
    ],
)
def test_a_fault_names_file_entry_and_field(folder: Path, entry: dict[str, Any], says: str) -> None:
    """What is wrong is told with its place."""
    told = problem(provider(folder, **entry), X="text")
    assert told.startswith("a.yaml: providers.mail-eu: ")
    assert says in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("providers: []", "a.yaml: providers: must be an object of providers by key"),
        ("providers: {x: 5}", "a.yaml: providers.x: must be an object"),
        (
            "providers: {x: {name: n, provider: email.ses, enabled: true, config: [a]}}",
            "a.yaml: providers.x: config: must be an object",
        ),
        (
            (
                "providers: {'日': {name: n, provider: email.ses, enabled: true, config: {from: "
                "a@b.cd}}}"
            ),
            "its name has no letter",
        ),
    ],
)
def test_wrong_kinds_are_told(folder: Path, text: str, says: str) -> None:
    """Members of the wrong kind are named."""
    assert says in problem(write(folder, "a.yaml", text))


def test_types_and_versions_are_read_as_they_come(folder: Path) -> None:
    """The type's case does not count, and neither does the version."""
    path = write(
        folder, "a.yaml", provider(folder, provider="Email.SES").read_text().replace("'1.0'", "1.0")
    )
    assert connection(path).type == "aws/awsDefault"


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    """Have warnings of this package captured."""
    caplog.set_level(logging.INFO, "jackfield.connections")
