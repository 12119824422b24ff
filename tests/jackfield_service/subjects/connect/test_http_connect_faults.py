"""Whoever is at fault is told: the person of what he has entered, the platform of what is its own,
and nobody is sent to mend another's.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from clocks import FakeClock
from fake_aws import FakeAws, Role, User
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.errors import JackfieldError, Unavailable
from jackfield.testing import Answer, Provider, Request
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.connect.operations import connecting
from jackfield_service.subjects.connect.principals import lets_in
from plugboard import make_connector, plugged

BASE = "/v1/workspaces/acme-1/connect-sessions"
ROLE = "arn:aws:iam::123456789012:role/acme"
USER = "arn:aws:iam::111122223333:user/shop"
KEY = "AKIAIOSFODNN7EXAMPLE"
NO_POLICY = "because no identity-based policy allows the sts:AssumeRole action"
BLOCKED = {
    "en": "Shop GmbH has a problem on its side",
    "de": "Shop GmbH hat ein Problem auf der eigenen Seite",
}
UNREACHED = {
    "en": "could not be reached from Shop GmbH",
    "de": "war von Shop GmbH aus nicht zu erreichen",
}
REFERENCE = re.compile(r"(?:Reference|Nummer): ([2-9A-Z]{4}-[2-9A-Z]{4})")
USERS = {KEY: User(secret="s3cret", arn=USER)}
FAILING = '''
from typing import ClassVar

from jackfield.kernel import errors
from jackfield.connector import Connector, ConnectionType, Field, Inputs, Output

class Token(ConnectionType):
    """A token whose text is the code of an error."""

    key: ClassVar[str] = "token"
    title: ClassVar[str] = "Token"
    token: str = Field(title="Token", description="The token.", secret=True)

    def open(self, context):
        """Open."""
        return self.token

    def test(self, context):
        """Fail with the error of this code, in words that no file of texts has."""
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and getattr(kind, "code", None) == self.token]
        said = errors.Provider("quux", "Le mot de passe est faux", 400)
        raise kinds[0]("frobnication refused: Le mot de passe est faux", hint="Frobnicate the widget.", provider=said)
        yield

connector = Connector("failing", title="Failing", version="1.0.0", connections=[Token])

class Nothing(Inputs):
    """Nothing."""

class Something(Output):
    """Something."""

@connector.action("ask", effect="read")
def ask(inputs: Nothing, client) -> Something:
    """Ask."""
    return Something()
'''


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant, and a connector whose tests fail."""
    folder: Path = tmp_path_factory.mktemp("faults")
    make_connector(folder / "packages", "failing", FAILING)
    with (
        plugged(folder / "packages"),
        standing(folder, replace(SETTINGS), clock=FakeClock()) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform("token-4711")


def begin(stand: Stand, platform: Client, locale: str = "en", **body: Any) -> tuple[str, Person]:
    """A session, and somebody who has begun it."""
    asked = {
        "verify": "link",
        "user": "ada",
        "locale": locale,
        "theme": {"name": "Shop GmbH"},
        **body,
    }
    answer = platform.post(BASE, asked)
    assert answer.status == 201, answer.body
    return answer.json["id"], Person(stand.port).go(answer.json["url"]).begin()


def submit(person: Person, locale: str = "en", **values: str) -> Person:
    """Enter values."""
    return person.press("Continue" if locale == "en" else "Weiter", **values)


def events(stand: Stand, platform: Client, session: str) -> list[dict[str, Any]]:
    """Data of the events of what the platform has to mend in a session."""
    token = platform.post("/v1/workspaces/acme-1/tokens", {"scope": "read", "name": "reader"}).json[
        "token"
    ]
    found = (
        Client(stand.port, token).get("/v1/events?types=connect.blocked&limit=100").json["items"]
    )
    return [item["data"] for item in found if item["data"]["session"] == session]


def key_at(server: str, **values: Any) -> dict[str, Any]:
    """A session for a key of a server that the platform names."""
    return {
        "types": ["http/apiKey"],
        "defaults": {"values": {"server": server, "testPath": "/me", **values}},
    }


def role_of(aws: FakeAws, principal: str, secret: str = "s3cret") -> dict[str, Any]:
    """A session for a role, with a key of the platform."""
    values = {
        "accessKeyId": KEY,
        "secretAccessKey": secret,
        "stsEndpoint": aws.url,
        "endpoint": aws.url,
        "externalId": "acme:4711",
    }
    return {
        "types": ["aws-ses/awsAssumeRole"],
        "principal": principal,
        "defaults": {"values": values, "locked": [*values]},
    }


def shown_blocked(
    stand: Stand, platform: Client, session: str, person: Person, locale: str
) -> dict[str, Any]:
    """What the platform knows of a failure of which the person sees that it is the platform's: by
    the reference on the page, in the session and in one event.
    """
    blocked: dict[str, Any] = platform.get(f"{BASE}/{session}").json["blocked"]
    assert (UNREACHED if blocked["code"] in ("unavailable", "timeout") else BLOCKED)[
        locale
    ] in person.said
    assert not re.search(
        r"What to do|Was zu tun ist|DNS|proxy|server's URL|Prüfen Sie|Check the|Access Key ID",
        person.said,
    )
    found = REFERENCE.search(person.said)
    assert found is not None, person.said
    told = events(stand, platform, session)
    assert [(data["reference"], data["code"]) for data in told] == [(found[1], blocked["code"])]
    assert (blocked["reference"], "words" in str(told), blocked["message"] in str(told)) == (
        found[1],
        False,
        False,
    )
    return blocked


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize(
    ("server", "values", "code"),
    [
        ("https://127.0.0.1:1", {}, "unavailable"),
        ("https://nowhere.invalid", {}, "unavailable"),
        ("{url}", {"proxy": "http://127.0.0.1:1"}, "unavailable"),
        ("{url}/moved", {}, "unavailable"),
        ("{url}/gone", {}, "not_found"),
    ],
    ids=["refused", "name", "proxy", "moved", "gone"],
)
def test_the_network_and_the_server_are_the_platforms(
    stand: Stand,
    platform: Client,
    caplog: pytest.LogCaptureFixture,
    locale: str,
    server: str,
    values: dict[str, Any],
    code: str,
) -> None:
    """The person reads that nothing he has entered is wrong, and a reference that stays the same
    however often he tries; the platform gets the error by it, once: in the session, as an event and
    in the log.
    """

    def answer(_number: int, request: Request) -> Answer:
        return (
            Answer({}, 302, {"Location": "/moved"}) if "moved" in request.path else Answer({}, 404)
        )

    caplog.set_level(logging.WARNING, "jackfield.connect")
    with Provider(answer) as provider:
        session, person = begin(
            stand, platform, locale, **key_at(server.format(url=provider.url), **values)
        )
        submit(person, locale, apiKey="a-very-secret-key")
        blocked = shown_blocked(stand, platform, session, person, locale)
        assert (blocked["code"], blocked["step"]) == (code, "open")
        submit(person, locale)
        assert shown_blocked(stand, platform, session, person, locale) == blocked
    assert caplog.text.count(blocked["reference"]) == 1
    assert "a-very-secret-key" not in caplog.text + str(blocked)


@pytest.mark.parametrize(
    ("status", "said", "what"),
    [
        (401, "did not accept these credentials: bad key", "Check that you have copied"),
        (403, "bad key", "more permissions"),
        (503, "is not available now: bad key", "try again later"),
        (429, "bad key", "Send fewer requests"),
    ],
)
def test_a_key_is_the_persons_and_an_outage_the_providers(
    stand: Stand, platform: Client, status: int, said: str, what: str
) -> None:
    """What the provider says of a key, or of itself, is shown, marked as the provider's words; the
    platform has nothing to mend.
    """
    with Provider(lambda _number, _request: Answer({"message": "bad key"}, status)) as provider:
        session, person = begin(stand, platform, **key_at(provider.url))
        submit(person, apiKey="k-4711")
    assert (said in person.said, what in person.said, "on its side:" in person.said) == (
        True,
        True,
        False,
    )
    assert '<q translate="no">bad key</q>' in person.text
    assert (BLOCKED["en"] in person.said, events(stand, platform, session)) == (False, [])
    assert "blocked" not in platform.get(f"{BASE}/{session}").json


def test_a_server_that_the_person_names_is_his(stand: Stand, platform: Client) -> None:
    """Where the session asks him for the server, an address that does not exist is his to mend."""
    session, person = begin(
        stand,
        platform,
        types=["http/apiKey"],
        fields=["server"],
        defaults={"values": {"testPath": "/me"}},
    )
    submit(person, apiKey="k-4711", server="https://nowhere.invalid")
    assert (
        BLOCKED["en"] in person.said,
        "What to do" in person.said,
        events(stand, platform, session),
    ) == (False, True, [])


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize(
    ("secret", "arn", "refusal", "side"),
    [
        ("other", ROLE, None, "platform"),
        ("s3cret", f"{ROLE}x", None, "user"),
        ("s3cret", ROLE, NO_POLICY, "platform"),
    ],
    ids=["key", "role", "policy"],
)
def test_the_key_that_assumes_a_role_is_the_platforms(
    stand: Stand,
    platform: Client,
    locale: str,
    secret: str,
    arn: str,
    refusal: str | None,
    side: str,
) -> None:
    """A key that AWS does not take, and one that may assume no role, are the platform's to mend; a
    role that does not trust it is the person's. Connections with a key of the person's say so of
    the key.
    """
    refuses = {
        "do": "status",
        "operation": "AssumeRole",
        "always": True,
        "status": 403,
        "code": "AccessDenied",
    }
    script = [
        {
            **refuses,
            "message": (
                f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: "
                f"{ROLE} {refusal}"
            ),
        }
    ]
    roles = {ROLE: Role(external_id="acme:4711")}
    with FakeAws(
        roles=roles, users=USERS, script=script if refusal else [], verify_signatures=True
    ) as aws:
        session, person = begin(stand, platform, locale, **role_of(aws, USER, secret))
        submit(person, locale, roleARN=arn, region="eu-west-1")
        if side == "platform":
            assert (
                shown_blocked(stand, platform, session, person, locale)["code"] == "unauthenticated"
            )
        else:
            assert (
                BLOCKED[locale] in person.said,
                f"{arn}" in person.said,
                events(stand, platform, session),
            ) == (False, True, [])
            assert not re.search(
                "AWS accepts the sign-in|AWS nimmt die Anmeldung an", person.said
            ), "the key is nothing of the person's"


OTHER = "arn:aws:iam::111122223333:user/other"


@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_principal_of_another_key_is_the_platforms(
    stand: Stand, platform: Client, locale: str
) -> None:
    """The session names another user than its key's. Where the role does not let the key in, the
    owner has followed the page, and reads of no second policy; the platform learns both ARNs.
    """
    with FakeAws(
        roles={ROLE: Role(external_id="acme:4711", trust=frozenset({OTHER}))}, users=USERS
    ) as aws:
        session, person = begin(stand, platform, locale, **role_of(aws, OTHER))
        submit(person, locale, roleARN=ROLE, region="eu-west-1")
        blocked = shown_blocked(stand, platform, session, person, locale)
    assert (blocked["code"], USER in blocked["message"], OTHER in blocked["message"]) == (
        "invalid_connection",
        True,
        True,
    )
    assert (USER in blocked["hint"], USER in person.said, OTHER in person.said) == (
        True,
        False,
        True,
    )


def test_a_role_that_lets_another_key_in_is_connected_with_a_warning(
    stand: Stand, platform: Client
) -> None:
    """The owner's trust policy is wider than what the page shows: connected, and the session and
    the doctor say what does not fit.
    """
    with FakeAws(roles={ROLE: Role(external_id="acme:4711")}, users=USERS) as aws:
        session, person = begin(
            stand, platform, connection="wide", actions=["sendEmail"], **role_of(aws, OTHER)
        )
        submit(person, roleARN=ROLE, region="eu-west-1").press("Connect")
        shown = platform.get(f"{BASE}/{session}").json
        found = stand.host.runtime("acme-1").diagnose("wide")["findings"]
    assert (shown["status"], [item["path"] for item in shown["warnings"]]) == (
        "granted",
        ["/principal"],
    )
    said = [item["message"] for item in found if item["code"] == "principal_of_another_key"]
    assert (len(said), USER in said[0], OTHER in said[0]) == (1, True, True)


@pytest.mark.parametrize(
    ("principal", "identity", "lets"),
    [
        (USER, USER, True),
        (USER, OTHER, False),
        ("111122223333", USER, True),
        ("222222222222", USER, False),
        ("arn:aws:iam::111122223333:root", USER, True),
        ("arn:aws:iam::222222222222:root", USER, False),
        ("arn:aws:iam::111122223333:role/a/b", "arn:aws:iam::111122223333:role/b", True),
        ("arn:aws:iam::111122223333:role/b", "arn:aws:iam::111122223333:user/b", False),
        (USER, "somebody", True),
        ("arn:aws:iam::111122223333:user/a/shop", USER, False),
    ],
)
def test_whom_a_principal_lets_in(principal: str, identity: str, lets: bool) -> None:
    """A user or role, or a whole account; a session's role is known without its path."""
    assert lets_in(principal, identity) is lets


def test_what_a_step_depends_on_is_data(stand: Stand) -> None:
    """A failed step names the error's code, the provider's words and the values on which it
    depends, also where connections are tested.
    """
    with FakeAws(roles={ROLE: Role()}, users=USERS) as aws:
        values = {
            "accessKeyId": KEY[:-1] + "X",
            "secretAccessKey": "other",
            "stsEndpoint": aws.url,
            "endpoint": aws.url,
            "roleARN": ROLE,
        }
        found = stand.host.runtime("acme-1").connections.test_draft("aws/awsAssumeRole", values)
    step = found["lastTest"]["steps"][0]
    assert (step["code"], step["values"]) == (
        "unauthenticated",
        ["accessKeyId", "secretAccessKey", "sessionToken"],
    )
    assert step["provider"]["httpStatus"] == 403


CODES = sorted(
    {
        kind.code
        for kind in JackfieldError.__subclasses__()
        if kind.code not in ("unknown_connector", "unknown_action")
    }
)


@pytest.mark.parametrize("code", CODES)
def test_an_error_without_a_text_is_said_by_its_code(
    stand: Stand, platform: Client, code: str
) -> None:
    """On a German page, words of ours that have no German text stand below as the English wording,
    and those of the provider are marked; what the person reads first is German. What is the
    platform's says nothing else.
    """
    session, person = begin(
        stand,
        platform,
        "de",
        types=["failing/token"],
        labels={"failing/token": {"title": "Losung"}},
    )
    submit(person, "de", token=code)
    if BLOCKED["de"] in person.said:
        assert "frobnication" not in person.said
        assert (
            platform.get(f"{BASE}/{session}").json["blocked"]["message"]
            == "frobnication refused: Le mot de passe est faux"
        )
        return
    german = re.sub(r'<p lang="en">.*?</p>', "", person.text)
    assert (
        "Wortlaut auf Englisch" in person.said,
        "frobnication" in person.said,
        "robnicat" in german,
    ) == (True, True, False), person.said
    assert '<q translate="no">Le mot de passe est faux</q>' in person.text
    assert "Was zu tun ist" in person.said


def test_a_page_that_cannot_be_shown_is_the_platforms(
    stand: Stand,
    platform: Client,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as while the database is away: the person quotes the session, and the log has the
    cause.
    """
    session, person = begin(stand, platform, "de", types=["echo/token"])
    monkeypatch.setattr(
        Connecting,
        "form",
        Mock(side_effect=Unavailable("the database is away", hint="Look at PostgreSQL.")),
    )
    with caplog.at_level(logging.WARNING, "jackfield.connect"):
        person.go(f"/connect/session/{session}")
    assert (BLOCKED["de"] in person.said, f"Nummer: {session}" in person.said) == (True, True)
    assert not re.search("database|PostgreSQL", person.said)
    assert "the database is away (unavailable)" in caplog.text


def test_one_test_runs_at_a_time(stand: Stand, platform: Client) -> None:
    """Whoever presses again while a test runs sees that it does, and so does whoever loads the
    page; the provider is asked once.
    """
    asked, go = threading.Event(), threading.Event()
    seen: list[str] = []

    def answer(_number: int, request: Request) -> Answer:
        seen.append(request.path)
        asked.set()
        assert go.wait(60)
        return Answer({"id": 7, "email": "ada@acme.example"})

    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(Provider(answer))
        session, person = begin(stand, platform, **key_at(provider.url))
        again = Person(stand.port, dict(person.cookies), person.page, visited=list(person.visited))
        first = threading.Thread(target=lambda: submit(person, apiKey="k-4711"), name="first")
        stack.callback(first.join)
        stack.callback(go.set)
        first.start()
        assert asked.wait(60)
        submit(again, apiKey="k-4711")
        assert (
            "The test is running" in again.said,
            "ada@acme.example" in again.said,
            "Continue" in again.said,
        ) == (True, False, False)
        state = again.go(f"/connect/session/{session}/state").page
        assert state is not None
        running = state.json["state"]
        assert "The test is running" in again.go(f"/connect/session/{session}").said
        go.set()
        first.join()
        assert again.go(f"/connect/session/{session}/state").page.json["state"] != running  # type: ignore[union-attr]
    assert ("Signed in as ada@acme.example." in person.said, seen) == (True, ["/me"])
    assert "Signed in as ada@acme.example." in again.go(f"/connect/session/{session}").said


def test_a_test_whose_process_has_ended_holds_nobody_up(stand: Stand, platform: Client) -> None:
    """After the time that a test takes at most, it can be run again."""
    with Provider(lambda _number, _request: Answer({"id": 7})) as provider:
        session, person = begin(stand, platform, **key_at(provider.url))
        sessions = connecting(stand.host, "acme-1")
        sessions.trials.held(sessions.find(session))
        assert "The test is running" in person.go(f"/connect/session/{session}").said
        stand.host.clock.advance(120)  # type: ignore[attr-defined]
        assert (
            "Signed in as "
            in submit(person.go(f"/connect/session/{session}"), apiKey="k-4711").said
        )


def test_a_session_in_which_nothing_can_be_done_is_refused(stand: Stand, platform: Client) -> None:
    """Without types, those are offered that a user can fill in; where there is none, the session is
    refused, and says what is missing. A search that finds nothing leads back to all.
    """
    answer = platform.post(BASE, {"verify": "link", "types": []})
    assert answer.status == 201
    person = Person(stand.port).go(answer.json["url"]).begin()
    address = next(path for path in person.visited if "/session/" in path)
    assert "Show all" in person.go(f"{address}?q=quux").said


def test_an_unknown_type_says_how_many_there_are(stand: Stand, platform: Client) -> None:
    """The hint names the first ones, and counts the rest."""
    answer = platform.post(BASE, {"verify": "link", "types": ["echo/nothing"]})
    hint, count = answer.json["hint"], len(stand.host.runtime("acme-1").connections.kinds.all())
    named = hint.removeprefix("Known types: ").partition(" and ")
    assert (answer.status, len(named[0].split(", ")), named[2]) == (
        400,
        20,
        f"{count - 20} more.",
    ), hint


def test_a_workspace_with_nothing_to_offer_refuses_the_session(
    stand: Stand, platform: Client
) -> None:
    """Where the rules of the workspace leave connectors whose server the platform has to name, a
    session without types and values is refused, and says what is missing; with the server, it is
    offered.
    """
    workspace = "/v1/workspaces/acme-8"
    assert platform.call("PUT", workspace, {"rules": {"allow": ["http/*"]}}).status == 201
    answer = platform.post(f"{workspace}/connect-sessions", {"verify": "link"})
    assert (answer.status, answer.json["details"][0]["path"]) == (400, "/types"), answer.body
    assert "defaults.values" in answer.json["hint"]
    named = {"verify": "link", "defaults": {"values": {"server": "https://api.example.com"}}}
    answer = platform.post(f"{workspace}/connect-sessions", named)
    assert answer.status == 201, answer.body
    assert "Bearer Token" in Person(stand.port).go(answer.json["url"]).begin().said


def fields_at_fault(person: Person) -> dict[str, str]:
    """What a form says of each field that is marked, by the field's name: the text that describes
    it.
    """
    found = {}
    for tag in re.findall(
        r"<(?:input|textarea|select)\b[^>]*aria-invalid=\"true\"[^>]*>", person.text
    ):
        name, described = (
            re.findall(rf'\b{attribute}="([^"]*)"', tag)[0]
            for attribute in ("name", "aria-describedby")
        )
        texts = [
            re.findall(rf'id="{one}"[^>]*>([^<]*)<', person.text)
            for one in described.split()
            if one.endswith("-fault")
        ]
        found[name.removeprefix("value.")] = texts[0][0]
    return found


@pytest.mark.parametrize("typed", ["", "  "])
def test_a_refused_key_is_not_tried_again(stand: Stand, platform: Client, typed: str) -> None:
    """Its field is empty and required; who enters nothing is asked for it, and the provider is not.
    Another key is tried.
    """
    said = Answer({"message": "bad key"}, 401)
    with Provider(
        lambda _number, request: Answer({}) if "k-4712" in str(request.headers) else said
    ) as provider:
        _, person = begin(stand, platform, **key_at(provider.url))
        submit(person, apiKey="k-4711")
        field = re.findall(r'<input[^>]*name="value.apiKey"[^>]*>', person.text)[0]
        assert ("required" in field, "Entered" in field, "tried again" in person.said) == (
            True,
            False,
            False,
        )
        asked = len(provider.requests)
        submit(person, apiKey=typed)
        assert (fields_at_fault(person), len(provider.requests)) == (
            {"apiKey": "Enter a value."},
            asked,
        )
        submit(person, apiKey="k-4712")
        assert ("did not accept" in person.said, len(provider.requests)) == (False, asked + 1)


@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_refused_field_is_marked(stand: Stand, platform: Client, locale: str) -> None:
    """A test that names the values it has refused, or that refuses the only secret, marks these
    fields, with what was refused. Where it could be several, no field is marked, and the summary
    can take the focus.
    """
    summary = 'role="alert" tabindex="-1"'
    with Provider(lambda _number, _request: Answer({"message": "bad key"}, 401)) as provider:
        _, person = begin(stand, platform, locale, **key_at(provider.url))
        submit(person, locale, apiKey="k-4711")
        said, cure = {
            "en": ("127.0.0.1 did not accept this key.", "Check that you have copied everything"),
            "de": ("127.0.0.1 hat diesen Schlüssel nicht akzeptiert.", "Prüfen Sie, ob"),
        }[locale]
        assert fields_at_fault(person)["apiKey"].startswith(f"{said} {cure}")
        defaults = {"values": {"server": provider.url, "testPath": "/me"}}
        _, person = begin(stand, platform, locale, types=["http/basic"], defaults=defaults)
        submit(person, locale, username="ada", password="wrong")
        assert (fields_at_fault(person), summary in person.text) == ({}, True)
    with Provider(lambda _number, _request: Answer({}, 503)) as provider:
        _, person = begin(stand, platform, locale, **key_at(provider.url))
        submit(person, locale, apiKey="k-4711")
        assert (fields_at_fault(person), summary in person.text) == ({}, True)
    keys = {"accessKeyId": KEY, "secretAccessKey": "s3cret", "externalId": "acme:4711"}
    with FakeAws(
        roles={ROLE: Role(external_id="another")}, users={KEY: User(secret="s3cret", arn=USER)}
    ) as aws:
        values = {**keys, "stsEndpoint": aws.url, "endpoint": aws.url}
        asked = {
            "types": ["aws-ses/awsAssumeRole"],
            "principal": USER,
            "defaults": {"values": values, "locked": [*values]},
        }
        _, person = begin(stand, platform, locale, **asked)
        submit(person, locale, roleARN=ROLE, region="eu-west-1")
        assert [*fields_at_fault(person)] == ["roleARN"]
        heading = {"en": "2. Enter the role", "de": "2. Die ARN der Rolle eingeben"}[locale]
        cured = person.text.index('class="notice warn"')
        entered = person.text.index("value.roleARN")
        assert person.text.index(heading) < entered < cured, (
            "what is wrong is read at the field before what to do"
        )
        assert cured < person.text.index("</form>", cured) < person.text.index(summary), (
            "told once, and folded"
        )


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "SignatureDoesNotMatch",
            "Signature expired: 20310131T120000Z is now earlier than 20310131T121000Z",
        ),
        (
            "SignatureDoesNotMatch",
            "Signature not yet current: 20310131T120000Z is still later than 20310131T115500Z",
        ),
        ("RequestExpired", "Request has expired"),
    ],
)
def test_a_wrong_clock_is_the_platforms(
    tmp_path: Path, locale: str, code: str, message: str
) -> None:
    """Also where the person connects with a key of his own: the server's clock is nothing that he
    could set, and his key is not wrong.
    """
    script = [
        {
            "do": "status",
            "operation": "GetCallerIdentity",
            "always": True,
            "status": 403,
            "code": code,
            "message": message,
        }
    ]
    with (
        FakeAws(users=USERS, script=script) as aws,
        standing(tmp_path, SETTINGS, clock=FakeClock(), AWS_ENDPOINT_URL=aws.url) as stand,
    ):
        platform = stand.platform("token-4711")
        session, person = begin(stand, platform, locale, types=["aws-ses/apiKeySecret"])
        submit(person, locale, accessKeyId=KEY, secretAccessKey="s3cret", region="eu-west-1")
        blocked, shown = (
            platform.get(f"{BASE}/{session}").json["blocked"],
            REFERENCE.search(person.said),
        )
        told = [(data["reference"], data["code"]) for data in events(stand, platform, session)]
        assert shown is not None
        assert ("clock" in blocked["hint"], told) == (True, [(shown[1], blocked["code"])])
        said = re.search(r"clock|Uhr|NTP|ignature|What to do|Was zu tun ist", person.said)
        assert (BLOCKED[locale] in person.said, said, fields_at_fault(person)) == (True, None, {})


@pytest.mark.parametrize(
    ("token", "told"),
    [
        ("key\u201317", "it has '\u2013' as its character 4, which a key cannot have."),
        (
            "k\u200b-1",
            "it has the invisible character U+200B as its character 2, which a key cannot have.",
        ),
        ("k\r\nX", "it has a line break as its character 2, which a key cannot have."),
        ("\u2022" * 8, "it is what is shown in place of the key: copy the key itself."),
        ("Bearer k-1", "it begins with 'Bearer', which is added when it is sent: leave it out."),
        ("Authorization: k-1", "it has a space, which a token cannot have."),
    ],
)
def test_a_key_that_cannot_be_sent_says_why_at_its_field(
    stand: Stand, token: str, told: str
) -> None:
    """A person cannot see it in the field of a password: the character, its place and what to do
    are named, in whole sentences.
    """
    values = {"server": "http://127.0.0.1:9", "testPath": "/me"}
    body = {"verify": "link", "types": ["http/bearer"], "defaults": {"values": values}}
    page = (
        Person(stand.port)
        .go(stand.platform().post(BASE, body).json["url"])
        .begin()
        .press("Continue", token=token)
    )
    fault = re.search(r'id="field-token-fault">([^<]*)', page.text)
    assert fault is not None, page.said
    assert (
        unescape(fault[1])
        == f"The value cannot be sent: {told} Copy the value again, and nothing around it."
    )
    assert "Store" not in page.said


@pytest.mark.parametrize("token", ["\ufeffk-1\u200b", " k-1\r\n", "\u00a0k-1\u200e"])
def test_what_is_copied_with_a_key_is_cut_off(stand: Stand, token: str) -> None:
    """White space and invisible characters around a key and an address, whichever way they came
    in.
    """
    with Provider([Answer({"id": "7"})] * 2) as provider:
        values = {"server": f"\u200b{provider.url} ", "testPath": "/me"}
        body = {"verify": "link", "types": ["http/bearer"], "defaults": {"values": values}}
        page = (
            Person(stand.port)
            .go(stand.platform().post(BASE, body).json["url"])
            .begin()
            .press("Continue", token=token)
        )
        assert "Signed in as " in page.said
        assert provider.requests[0].headers["Authorization"] == "Bearer k-1"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("[API settings](https://people.example/keys)", "API settings"),
        ("<https://people.example/keys>", "people.example/keys"),
    ],
)
def test_a_fault_is_told_once_at_its_field(stand: Stand, written: str, words: str) -> None:
    """Beside it is where the key is found; what the test found out is folded. Before that, the page
    says what the key is for, where it is kept, and how it ends.
    """
    labels = {"http/bearer": {"setup": f"Open {written}, and copy the key."}}
    with Provider([Answer({"message": "no"}, status=401)] * 2) as provider:
        values = {"server": provider.url, "testPath": "/me"}
        body = {
            "verify": "link",
            "types": ["http/bearer"],
            "defaults": {"values": values},
            "labels": labels,
        }
        page = Person(stand.port).go(stand.platform().post(BASE, body).json["url"]).begin()
        for told in (
            "will act in this account",
            "stores what you enter encrypted",
            "You can end it at any time",
        ):
            assert told in page.said
        page.press("Continue", token="k-4711-of-somebody")
    assert (
        'You find it here: <a href="https://people.example/keys" target="_blank" '
        f'rel="noopener noreferrer">{words}</a>'
    ) in page.text
    seen = re.sub(r"<details.*?</details>", "", page.text, flags=re.DOTALL)
    assert (
        seen.count("did not accept"),
        "The test failed" in seen,
        "The test failed" in page.said,
    ) == (1, False, True)
