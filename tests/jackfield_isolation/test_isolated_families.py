"""An installed connector that claims the family, the type or the alias of another one: it gets none
of its credentials unasked.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isolated import install, isolating
from jackfield_store.runtime import Jackfield
from plugboard import make_connector, plugged

SOURCE = '''
"""Mail."""
from typing import ClassVar
from jackfield.connector import ConnectionType, Connector, Field, Inputs, Minted, OpenContext, Output, Step

class Client:
    def __init__(self, password, session):
        self.password = password
        self.session = session

class Login(ConnectionType):
    """A login."""
    key: ClassVar[str] = "login"
    family: ClassVar[str] = "mail"
    title: ClassVar[str] = "Login"
    auth: ClassVar[str] = "apiKey"
    password: str = Field(title="Password", secret=SECRET)

    def open(self, context: OpenContext) -> Client:
        return Client(self.password, context.lease("session", lambda: Minted({"by": "NAME"}, None, ())).value["by"])

    def test(self, context: OpenContext):
        yield Step("looked", "Look", True, message="NAME looked at " + "-".join(self.password))

ALIASES = {"thand": {"mail": {"operations": {"notify": "send"}, "kind": "mail", "connections": [
    {"type": TYPE, "values": {"password": "password"}}], "defaults": DEFAULTS}}}
connector = Connector("NAME", title="Mail", version="1.0.0", connections=[Login], aliases=ALIASES)

class Letter(Inputs):
    """What to send."""

class Sent(Output):
    """What came of it."""
    findings: list[dict[str, str]] = []
    by: str = ""
    session: str = ""

@connector.action("send")
def send(letter: Letter, client: Client) -> Sent:
    """Send it."""
    return Sent(by="NAME with " + "-".join(client.password), session=client.session)

@connector.action("doctor", effect="read")
def doctor(letter: Letter, client: Client) -> Sent:
    """Examine it."""
    texts = {name: "NAME examined " + "-".join(client.password) for name in ("code", "severity", "message", "evidence", "cure")}
    return Sent(findings=[texts, {"severity": "error"}])
'''


def source(
    name: str, kind: str = '"mail/login"', *, secret: bool = True, defaults: str = "{}"
) -> str:
    """The source of a connector of the family."""
    return (
        SOURCE.replace("NAME", name)
        .replace("SECRET", str(secret))
        .replace("TYPE", kind)
        .replace("DEFAULTS", defaults)
    )


@contextmanager
def running(folder: Path, *sources: Path, database: str = "none") -> Iterator[Jackfield]:
    """A runtime with the connector ``mailer`` in this process, and what is installed in
    ``home``.
    """
    make_connector(folder / "plugs", "mailer", source("mailer"))
    environment = {
        **os.environ,
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": database,
    }
    with (
        plugged(folder / "plugs"),
        Jackfield(connections=[str(one) for one in sources], environment=environment) as jackfield,
    ):
        yield jackfield


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Jackfield]:
    """Such a runtime with a database, and an installed connector that sorts before ``mailer`` and
    claims what is its.
    """
    install(tmp_path / "home", "a-claimant", source("a-claimant", secret=False))
    with running(tmp_path, database=f"sqlite:///{tmp_path / 'jackfield.db'}") as jackfield:
        yield jackfield


def test_a_family_is_tested_and_sealed_by_the_connectors_of_this_environment(
    runtime: Jackfield,
) -> None:
    """A connector from a marketplace that declared `family: aws`, and sorted first, decided which
    values were secrets: they were stored and shown in clear. The test of each connection handed it
    their values.
    """
    shown = runtime.connections.add("acme", "mail/login", {"password": "hush-4711"})
    assert shown["values"] == {"password": "***"}
    for steps in (
        shown["lastTest"]["steps"],
        runtime.connections.test("acme")["lastTest"]["steps"],
    ):
        assert [step["message"].partition(" ")[0] for step in steps] == ["mailer"]
    examined = runtime.diagnose("acme")
    assert [finding["message"].partition(" ")[0] for finding in examined["findings"]] == ["mailer"]


def test_a_shared_connection_goes_to_an_installed_connector_only_by_name(
    runtime: Jackfield,
) -> None:
    """A call that named no connection gave the only one of the family to the installed connector.
    Who names both has decided it.
    """
    runtime.connections.add("acme", "mail/login", {"password": "hush-4711"})
    refused = runtime.invoke({"connector": "a-claimant", "action": "send", "inputs": {}})
    assert refused.error is not None
    assert (refused.error.code, refused.error.details[0].path) == (
        "invalid_invocation",
        "/connection",
    )
    assert "only by name" in refused.error.details[0].message
    assert (
        runtime.invoke({"connector": "mailer", "action": "send", "inputs": {}}).status
        == "succeeded"
    )
    assert (
        runtime.invoke(
            {"connector": "a-claimant", "action": "send", "connection": "acme", "inputs": {}}
        ).status
        == "succeeded"
    )


@pytest.mark.parametrize("first", ["a-claimant", "mailer"])
def test_a_lease_of_an_installed_connector_is_its_own(runtime: Jackfield, first: str) -> None:
    """Whoever named both once let the installed connector lease under the key of the family's
    sessions: from then on the others signed in with the credentials that it had chosen, and it had
    those that they had leased.
    """
    runtime.connections.add("acme", "mail/login", {"password": "hush-4711"}, test=False)
    for key in (first, *({"a-claimant", "mailer"} - {first})):
        sent = runtime.invoke(
            {"connector": key, "action": "send", "connection": "acme", "inputs": {}}
        )
        assert sent.unwrap()["session"] == key


def test_a_connection_of_its_own_is_found_as_before(tmp_path: Path) -> None:
    """An installed connector whose type is its own gets the only connection that fits."""
    install(
        tmp_path / "home",
        "alone",
        source("alone").replace('    family: ClassVar[str] = "mail"\n', ""),
    )
    with isolating(
        tmp_path / "home", {"mine": {"type": "alone/login", "values": {"password": "hush-4711"}}}
    ) as jackfield:
        assert (
            jackfield.invoke({"connector": "alone", "action": "send", "inputs": {}}).status
            == "succeeded"
        )


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A document of another system that names the alias."""
    place = tmp_path / "providers.json"
    entry = {
        "name": "desk",
        "provider": "mail",
        "enabled": True,
        "config": {"password": "hush-4711"},
    }
    place.write_text(json.dumps({"providers": {"desk": entry}}), encoding="utf-8")
    return place


def test_an_alias_of_another_connector_cannot_be_taken(
    tmp_path: Path, document: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An installed connector that sorted before `aws-ses` and declared `bindings.aws.ses` got the
    keys of the operator's components.
    """
    install(
        tmp_path / "home",
        "a-thief",
        source("a-thief", '"a-thief/login"').replace('    family: ClassVar[str] = "mail"\n', ""),
    )
    with (
        caplog.at_level(logging.WARNING, "jackfield.connections"),
        running(tmp_path, document) as jackfield,
    ):
        assert [row["type"] for row in jackfield.connections.list().items] == ["mail/login"]
    assert "the connector 'a-thief': 'mail' of thand is already an alias of 'mailer'" in caplog.text


def test_an_alias_reads_no_variable_of_the_host(
    tmp_path: Path, document: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The defaults of an alias named any variable of the environment, the master key too: its value
    became one of the connection's.
    """
    made = source("reader", defaults='{"password": ["$JACKFIELD_MASTER_KEY", "$HOME"]}')
    install(tmp_path / "home", "reader", made.replace('"thand": {"mail"', '"thand": {"post"'))
    document.write_text(
        document.read_text("utf-8")
        .replace("hush-4711", "")
        .replace('"provider": "mail"', '"provider": "post"'),
        "utf-8",
    )
    with (
        caplog.at_level(logging.WARNING, "jackfield.connections"),
        running(tmp_path, document) as jackfield,
    ):
        assert not jackfield.connections.list().items
    assert "reads the variable '$JACKFIELD_MASTER_KEY'" in caplog.text
