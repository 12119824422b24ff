"""Which fields the page of a connect session shows, for every connection type that is installed,
and what it refuses.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers.actor import Actor
from jackfield.connections.audience import audience_of
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.shapes import shapes
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.subjects.connect.operations import connecting
from jackfield_service.subjects.connect.session import MEMBERS
from jackfield_store.management.oauth_clients import oauth_clients
from plugboard import make_connector, plugged

SERVER = {"server": "https://a.example"}
CODE = "http/oauth2AuthorizationCode"
BASE = "/v1/workspaces/acme-1/connect-sessions"
SHOWN = {
    "http/apiKey": {"apiKey"},
    "http/basic": {"username", "password"},
    "http/bearer": {"token"},
    "http/mutualTls": {"certificate", "privateKey"},
    "http/oauth2ClientCredentials": {"clientId", "clientSecret"},
    "http/oauth2AuthorizationCode": set(),
    "http/awsSigV4": {"accessKeyId", "secretAccessKey", "roleARN"},
    "github/accessToken": {"token"},
    "github/oauth": set(),
    "slack/botToken": {"token"},
    "stripe/secretKey": {"token"},
    "aws-ses/awsAssumeRole": {"roleARN", "region"},
    "aws-ses/apiKeySecret": {"accessKeyId", "secretAccessKey", "region"},
    "sftp/login": {
        "hostname",
        "port",
        "username",
        "hostKey",
        "password",
        "privateKey",
        "passphrase",
    },
    "aws-ses/smtp": {"hostname", "port", "username", "password", "security"},
}


NAMED = '''
"""A system whose accounts have values that are called as the settings of others are."""
from jackfield.connector import ConnectionType, Connector, Field


class Login(ConnectionType):
    """An account."""
    key = "login"
    title = "Login"
    test_path: str = Field(title="Test path", description="The path of your test, as the system shows it.")
    proxy_username: str = Field(title="Proxy's user", description="Whom you sign in for.")
    hall: str | None = Field(None, title="Hall", description="Where the system stands.", audience="operator")

    def open(self, context):
        return self


connector = Connector("named", title="Named", version="1.0.0", description="Names.", connections=[Login])
'''


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder: Path = tmp_path_factory.mktemp("audiences")
    make_connector(folder / "packages", "named", NAMED)
    with plugged(folder / "packages"), standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


def begin(platform: Client, **body: Any) -> dict[str, Any]:
    """Begin a session that needs no confirmation."""
    answer = platform.post(BASE, {"verify": "link", **body})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


USER = "arn:aws:iam::111122223333:user/shop"
KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret"}


def fields_of(person: Person) -> set[str]:
    """Names of the values that a page asks for."""
    return set(re.findall(r'name="value\.([^"]+)"', person.text))


def values_of(stand: Stand, name: str) -> dict[str, Any]:
    """Values of the platform's for all that a type requires and a person does not know."""
    kind = stand.host.runtime("acme-1").connections.kinds.find(name)
    known = {"server": "https://api.example.com", "region": "eu-west-1", "clientId": "c"}
    authorizes = bool(kind.about.authorizes)
    asked = [
        field
        for field in kind.schema.get("required", ())
        if audience_of(kind.schema, field, authorizes=authorizes) != "user"
    ]
    return {field: known.get(field, "https://login.example.com/x") for field in asked}


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_the_page_asks_for_what_a_person_knows(stand: Stand, platform: Client, name: str) -> None:
    """Of each curated type the fields that the provider shows to its customer: no address, client,
    proxy, certificate or policy.
    """
    sessions = connecting(stand.host, "acme-1")
    role = {"principal": USER} if name.endswith("/awsAssumeRole") else {}
    begun = begin(
        platform,
        types=[name],
        defaults={"values": {**values_of(stand, name), **(KEYS if role else {})}},
        **role,
    )
    found = sessions.choose(sessions.find(begun["id"]), name)
    assert sessions.form(found)[0]["properties"].keys() == SHOWN[name]


def test_a_session_widens_what_is_asked_for(stand: Stand, platform: Client) -> None:
    """By fields of the platform's, prefilled with its values."""
    widened = begin(
        platform,
        types=["http/bearer"],
        fields=["server", "testPath"],
        defaults={"values": {"server": "https://a.example"}},
    )
    page = Person(stand.port).go(widened["url"]).begin()
    assert (fields_of(page), 'value="https://a.example"' in page.text) == (
        {"server", "testPath", "token"},
        True,
    )
    without = (
        Person(stand.port)
        .go(begin(platform, types=["http/bearer"], fields=["server"])["url"])
        .begin()
    )
    assert fields_of(without) == {"server", "token"}


@pytest.mark.parametrize(
    ("asked", "faults"),
    [
        ({"types": ["http/bearer"]}, {"/defaults/values/server"}),
        ({"types": ["slack/botToken", "github/oauth"]}, {"/defaults/values/clientId"}),
        (
            {"types": ["http/bearer"], "defaults": {"values": {"server": 5}}},
            {"/defaults/values/server"},
        ),
        (
            {"types": ["http/bearer"], "defaults": {"values": {**SERVER, "testPath": "me"}}},
            {"/defaults/values/testPath"},
        ),
        (
            {"types": ["github/oauth"], "defaults": {"values": {"oauthClient": "unheard"}}},
            {"/defaults/values/oauthClient"},
        ),
        (
            {"types": [CODE], "defaults": {"values": {"oauthClient": "crm"}}},
            {"/defaults/values/server"},
        ),
        (
            {
                "types": [CODE],
                "defaults": {"values": {"oauthClient": "crm", "server": "https://b.example"}},
            },
            {"/defaults/values/server"},
        ),
        (
            {"types": [CODE], "defaults": {"values": {"oauthClient": "crm", "clientId": "c"}}},
            {"/defaults/values/clientId"},
        ),
        (
            {
                "types": [CODE],
                "defaults": {"values": {"oauthClient": "crm", "server": "https://crm.example"}},
            },
            set(),
        ),
        (
            {"types": [CODE], "fields": ["server"], "defaults": {"values": {"oauthClient": "crm"}}},
            set(),
        ),
        ({"types": ["http/bearer"], "fields": ["server"]}, set()),
    ],
)
def test_mistakes_of_the_platform_are_the_platforms(
    stand: Stand, platform: Client, asked: dict[str, Any], faults: set[str]
) -> None:
    """What its user could not cure on the page is refused when the session is created: a client
    that nobody has registered, a server that is missing or not one of the client's, a value that is
    not valid.
    """
    storage = stand.host.storage
    with contextlib.suppress(InvalidInvocation):
        values = {
            "clientId": "c",
            "clientSecret": "s",
            **dict.fromkeys(("authorizationUrl", "tokenUrl"), "https://crm.example/x"),
        }
        oauth_clients(storage, "default", SystemClock(), Actor("cli", "ada"), "operator").add(
            "crm", [], values
        )
    answer = platform.post(BASE, {"verify": "link", **asked})
    assert (answer.status, {fault["path"] for fault in answer.json.get("details", ())}) == (
        400 if faults else 201,
        faults,
    )
    assert not faults or "defaults.values" in answer.json["hint"]


def test_the_operators_fields_never_appear(stand: Stand, platform: Client) -> None:
    """A session that names one is refused with its place, where it names one type; of several, it
    is not shown for any.
    """
    for place, name in enumerate(("server", "proxy", "nothing")):
        answer = platform.post(
            BASE,
            {"verify": "link", "types": ["http/bearer"], "fields": ["server", "proxy", "nothing"]},
        )
        refused = {item["path"] for item in answer.json["details"]}
        assert (answer.status, f"/fields/{place}" in refused) == (400, name != "server")
    schema = stand.host.runtime("acme-1").connections.kinds.find("http/bearer").schema
    operators = {name for name in schema["properties"] if audience_of(schema, name) == "operator"}
    assert operators > {"proxy", "proxyUsername", "caCertificate", "certificate"}
    begun = begin(platform, types=["http/bearer", "http/basic"], fields=["server", *operators])
    person = Person(stand.port).go(begun["url"]).begin().press("Bearer Token")
    assert not fields_of(person) & operators


@pytest.mark.parametrize("name", ["proxy", "testPath", "server", "unheard"])
def test_what_nobody_has_asked_for_is_refused(stand: Stand, platform: Client, name: str) -> None:
    """A form of one's own with another field is refused by the field's name, and nothing is tested
    or kept.
    """
    begun = begin(
        platform, types=["http/bearer"], defaults={"values": {"server": "https://api.example.com"}}
    )
    person = Person(stand.port).go(begun["url"]).begin()
    csrf = person.text.split('name="csrf" value="')[1].split('"')[0]
    form = {
        "csrf": csrf,
        "step": "submit",
        "value.token": "t-4711",
        f"value.{name}": "http://evil.example",
    }
    person.send(f"/connect/session/{begun['id']}", form)
    assert f"{name}: is not asked for here" in person.said
    kept = connecting(stand.host, "acme-1").find(begun["id"])
    assert (kept.status, kept.values, kept.trial) == ("opened", {}, {})


def test_a_page_does_not_say_that_a_test_has_passed_which_sent_nothing(
    stand: Stand, platform: Client
) -> None:
    """Without a test path, the person reads that nothing was tried, and the connection is untested;
    with one, its failure.
    """
    server = {"server": "https://api.example.com"}
    begun = begin(platform, types=["http/bearer"], defaults={"values": server})
    person = Person(stand.port).go(begun["url"]).begin().press("Continue", token="t-4711")
    assert "It has not been tried yet." in person.said
    assert "passed" not in person.said
    person.press("Connect")
    assert (
        platform.get("/v1/workspaces/acme-1/connections").json["items"][0]["status"] == "untested"
    )


def test_a_region_is_asked_for_unless_there_is_a_default(stand: Stand, platform: Client) -> None:
    """Most actions of SES need one, which the connection fills: without the platform's, the person
    is not told that it is optional. With the platform's, or for a family of connectors, it is.
    """
    for name, values, needed in (
        ("aws-ses/apiKeySecret", {}, True),
        ("aws-ses/apiKeySecret", {"region": "eu-west-1"}, False),
        ("aws/apiKeySecret", {}, False),
    ):
        begun = begin(platform, types=[name], defaults={"values": values})
        person = Person(stand.port).go(begun["url"]).begin()
        assert ("AWS Region (optional)" not in person.said) is needed
        person.press("Continue", accessKeyId="AKIAIOSFODNN7EXAMPLE", secretAccessKey="s" * 40)
        assert ("Enter a value." in person.said) is needed


def test_a_secret_that_is_there_is_not_optional(stand: Stand, platform: Client) -> None:
    """After a test that failed, the page keeps the key, and does not call it optional; it calls the
    provider by its server's name, and the user by the name that the platform gave.
    """
    asked = {
        "user": "user-4711",
        "userName": "Ada",
        "types": ["http/bearer"],
        "defaults": {"values": {"server": "https://127.0.0.1:1", "testPath": "/me"}},
    }
    person = Person(stand.port).go(begin(platform, **asked)["url"])
    assert ("Ada" in person.said, "4711" in person.said) == (True, False)
    person.begin().press("Continue", token="t-4711")
    assert ("Connect 127.0.0.1" in person.said, "could not be reached" in person.said) == (
        True,
        True,
    )
    assert ("Token (optional)" in person.said, "Token" in person.said) == (False, True)
    assert "HTTP" not in person.said


def test_types_that_a_person_cannot_fill_in_are_not_offered(stand: Stand, platform: Client) -> None:
    """Unless the session brings what they require."""
    sessions = connecting(stand.host, "acme-1")
    offered = {name for name, _ in sessions.offered(sessions.find(begin(platform)["id"]))}
    assert {"github/accessToken", "slack/botToken"} <= offered
    assert "aws/awsAssumeRole" not in offered
    servers = {"sftp/login", "imap/login", "postgresql/password"}
    assert not servers & offered, "whose server the person would have to name"
    assert {
        name for name, _ in sessions.offered(sessions.find(begin(platform, types=[*servers])["id"]))
    } == servers
    assumed = begin(platform, principal=USER, defaults={"values": KEYS})
    assert "aws/awsAssumeRole" in {
        name for name, _ in sessions.offered(sessions.find(assumed["id"]))
    }
    assert not {name for name in offered if name.startswith("http/")} | ({"github/oauth"} & offered)
    brought = {"values": {"clientId": "c", "server": "https://api.example.com"}}
    named = begin(platform, types=["github/oauth", "http/bearer"], defaults=brought)
    assert {name for name, _ in sessions.offered(sessions.find(named["id"]))} == {
        "github/oauth",
        "http/bearer",
    }


def test_stored_values_that_are_not_shown_stay(stand: Stand, platform: Client) -> None:
    """Who connects again enters a token; the server, its certificate authority and the test path
    are those that are stored.
    """
    values = {
        "server": "https://127.0.0.1:1",
        "token": "old",
        "proxyUsername": "p",
        "testPath": "/me",
        "headerName": "X",
        "headerValue": "y",
    }
    stand.host.runtime("acme-1").connections.add("again", "http/bearer", values, test=False)
    begun = begin(platform, mode="reauth", connection="again")
    person = Person(stand.port).go(begun["url"]).begin()
    assert fields_of(person) == {"token"}
    person.press("Continue", token="new")
    assert connecting(stand.host, "acme-1").find(begun["id"]).values == {**values, "token": "new"}


def test_a_field_without_a_declaration_is_read_by_its_marks() -> None:
    """Each rule with a field that another one would give to somebody else; a name alone decides
    nothing.
    """
    marks: dict[str, dict[str, Any]] = {
        "site": {"destination": True, "audience": "user"},
        "url": {"destination": True},
        "old": {"hidden": True},
        "seen": {"hidden": True},
        "tenant": {"fixed": True},
        "limit": {"audience": "operator"},
        "wrong": {"audience": "nobody"},
    }
    plain = (
        "clientId",
        "clientSecret",
        "certificate",
        "proxyUsername",
        "testPath",
        "scopes",
        "token",
    )
    properties = {
        **{name: {"x-jackfield": mark} for name, mark in marks.items()},
        **{name: {} for name in plain},
    }
    schema = {"properties": properties, "required": ["seen"]}
    found = {name: audience_of(schema, name) for name in properties}
    assert found == {
        "site": "user",
        "url": "platform",
        "old": "operator",
        "seen": "user",
        "tenant": "platform",
        "limit": "operator",
        "wrong": "user",
        **dict.fromkeys(plain, "user"),
    }
    approved = {name for name in plain if audience_of(schema, name, authorizes=True) == "platform"}
    assert approved == {"clientId", "clientSecret", "scopes"}


def test_a_fields_name_decides_nothing(platform: Client, stand: Stand) -> None:
    """A connector's own person is asked for a test path and a proxy's user where that is what its
    account has; what its author has declared as the operator's, a session cannot ask for.
    """
    sessions = connecting(stand.host, "acme-1")
    found = sessions.choose(
        sessions.find(begin(platform, types=["named/login"])["id"]), "named/login"
    )
    assert sessions.form(found)[0]["properties"].keys() == {"testPath", "proxyUsername"}
    refused = platform.post(BASE, {"verify": "link", "types": ["named/login"], "fields": ["hall"]})
    assert [fault["path"] for fault in refused.json["details"]] == ["/fields/0"]


def test_what_is_made_from_a_document_declares_who_fills_it_in(stand: Stand) -> None:
    """GitHub's connector is made from its document: the client that a platform registers is marked,
    what a person has is not.
    """
    fields = (
        stand.host.runtime("acme-1").connections.kinds.find("github/oauth").schema["properties"]
    )
    declared = {
        name: (field.get("x-jackfield") or {}).get("audience") for name, field in fields.items()
    }
    assert {declared[name] for name in ("clientId", "clientSecret", "scopes")} == {"platform"}


def test_the_document_has_every_member_of_a_session() -> None:
    """What the page takes, typed clients can write: the document is as wide as what is checked."""
    assert set(shapes(OPERATIONS)["NewConnectSession"]["properties"]) == MEMBERS
