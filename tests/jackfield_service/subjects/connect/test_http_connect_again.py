"""Connecting again keeps what the platform has locked: a restriction does not disappear because
nobody could enter it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from fake_aws import FakeAws, Role, User
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Provider
from jackfield_service.subjects.connect.operations import connecting

BASE = "/v1/workspaces/acme-1/connect-sessions"
ROLE = {
    "roleARN": "arn:aws:iam::123456789012:role/jackfield",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "s3cret-key",
    "region": "eu-west-1",
    "sessionPolicy": {"Version": "2012-10-17", "Statement": []},
    "sender": "noreply@example.com",
    "warmup": {"perDay": [200, 500]},
}
USER = "arn:aws:iam::111122223333:user/shop"
USERS_KEY = "AKIAIOSFODNN7EXAMPLE"
ROLE_KEYS = {"accessKeyId": USERS_KEY, "secretAccessKey": "s3cret"}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder: Path = tmp_path_factory.mktemp("again")
    with standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


def again(
    stand: Stand,
    platform: Client,
    kind: str,
    values: dict[str, Any],
    locked: list[str],
    **entered: str,
) -> tuple[str, Person]:
    """Connect a stored connection again, with some of its values locked and none given; return the
    session's ID and the person.
    """
    connections = stand.host.runtime("acme-1").connections
    if "main" in [row["name"] for row in connections.list().items]:
        connections.remove("main")
    connections.add("main", kind, values, test=False)
    asked = {
        "mode": "reauth",
        "user": "ada",
        "returnTo": "https://shop.example/",
        "connection": "main",
        "defaults": {"locked": locked},
    }
    asked["fields"] = ["server"] if "server" in entered else []
    begun = platform.post(BASE, asked)
    assert begun.status == 201, begun.body
    person = Person(stand.port).go(begun.json["url"]).begin()
    assert not any(f"value.{name}" in person.text for name in locked)
    return begun.json["id"], person.press("Continue", **entered)


@pytest.mark.parametrize("locked", ["testPath", "server"])
def test_a_locked_value_of_a_key_is_kept(stand: Stand, platform: Client, locked: str) -> None:
    """The person enters a new token and finishes, also where the destination of the token is
    locked; the test goes where it went.
    """
    with Provider(lambda _number, _request: Answer({})) as provider:
        values = {"server": provider.url, "token": "old-token", "testPath": "/me"}
        other = {"server": provider.url} if locked != "server" else {}
        session, person = again(
            stand, platform, "http/bearer", values, [locked], token="new-token", **other
        )
        person.press("Connect")
        proof = parse_qs(urlsplit(person.onward()).query)["proof"][0]
        assert (
            platform.post(f"{BASE}/{session}:confirm", {"proof": proof, "user": "ada"}).status
            == 200
        )
    kept = stand.host.runtime("acme-1").connections.show("main")["values"]
    assert kept["server"] == provider.url
    assert kept["testPath"] == "/me"


@pytest.mark.parametrize("locked", ["sessionPolicy", "sender", "warmup"])
def test_a_locked_restriction_of_a_role_is_kept(
    stand: Stand, platform: Client, locked: str
) -> None:
    """What is tested, and later stored, restricts the role as before."""
    session, _ = again(
        stand,
        platform,
        "aws-ses/awsAssumeRole",
        ROLE,
        [locked],
        roleARN=str(ROLE["roleARN"]),
        region="eu-west-1",
    )
    assert connecting(stand.host, "acme-1").find(session).values.get(locked) == ROLE[locked]


def at_role(stand: Stand, platform: Client, **body: Any) -> tuple[dict[str, Any], Person]:
    """A session for a role, and the person who has opened it."""
    keys = {"accessKeyId": USERS_KEY, "secretAccessKey": "s3cret"}
    defaults = {"values": {**keys, **body.pop("values", {})}, "locked": [*keys]}
    asked = {
        "verify": "link",
        "types": ["aws-ses/awsAssumeRole"],
        "connection": "mail",
        "principal": USER,
        "defaults": defaults,
        **body,
    }
    begun = platform.post(BASE, {name: value for name, value in asked.items() if value is not None})
    assert begun.status == 201, begun.body
    return begun.json, Person(stand.port).go(begun.json["url"]).begin()


def external_id(person: Person) -> str:
    """The External ID that a page shows."""
    found = re.search(r'aria-label="External ID"[^>]*><code>([^<]+)<', person.text)
    assert found is not None, person.said
    return found[1]


def template_of(person: Person) -> dict[str, Any]:
    """The template that a page offers."""
    address = next(path for path in person.visited if "/session/" in path)
    found: dict[str, Any] = json.loads(
        Person(person.port, dict(person.cookies)).go(f"{urlsplit(address).path}/template").text
    )
    return found


def statements(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Statements of the role's policy."""
    found: list[dict[str, Any]] = template["Resources"]["Role"]["Properties"]["Policies"][0][
        "PolicyDocument"
    ]["Statement"]
    return found


def test_the_template_is_the_way_and_others_are_folded(stand: Stand, platform: Client) -> None:
    """The command and the work by hand are a press away; no option of the command is broken over
    two lines, and the field's example is the role that the template makes.
    """
    _, person = at_role(stand, platform, actions=["sendEmail"], theme={"name": "The Shop"})
    folds = re.findall(r"<summary>([^<]*)</summary>", person.text)
    assert [
        folds.index(text)
        for text in (
            "You may not create roles? Ask your administrator",
            "Look at the template",
            "Or with the AWS CLI",
        )
    ] == [0, 1, 2], folds
    assert "Or by hand, in the IAM console" in folds
    assert "<span>--template-file</span> <span>The-Shop-mail.json</span>" in person.text
    assert ("role/The-Shop-mail" in person.text, "role/acme-ses" in person.text) == (True, False)


@pytest.mark.parametrize(
    ("partition", "console"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_a_role_is_explained_to_whoever_has_made_none(
    stand: Stand, platform: Client, partition: str, console: str
) -> None:
    """Each step in its order, with what to copy; what the role allows and nothing else, what is
    kept, and how it ends. What a platform has not named is in the permissions, which are shown.
    """
    principal = USER.replace("arn:aws:", f"arn:{partition}:")
    _, person = at_role(
        stand, platform, actions=["sendEmail"], theme={"name": "The Shop"}, principal=principal
    )
    steps = (
        "Download the template",
        "Upload a template file",
        "The-Shop-mail",
        "Tick ",
        "copy the value of “RoleArn”",
    )
    places = [person.said.partition("With a template")[2].index(step) for step in steps]
    assert (places, f"https://{console}/cloudformation/home?region=" in person.text) == (
        sorted(places),
        True,
    )
    by_hand = person.said.partition("Or by hand")[2]
    hand = (
        "AWS account of The Shop: 111122223333",
        "Custom trust policy",
        "Create inline policy",
        "top of the role",
    )
    assert [text for text in hand if text not in by_hand] == []
    assert (
        "The role allows The Shop nothing but this: ses:SendEmail, ses:SendRawEmail; and "
        "ses:GetAccount, to test the connection."
    ) in person.said
    assert (
        "No password and no key of yours is stored" in person.said,
        "delete the stack or the role" in person.said,
    ) == (True, True)
    assert (
        "only what its permissions list"
        in at_role(stand, platform, theme={"name": "The Shop"})[1].said
    )


def test_a_name_has_one_external_id(stand: Stand, platform: Client) -> None:
    """Every session for a connection that is not made yet asks for the same one, so a role that was
    made for an earlier session fits. Another name, and another tenant, have others; what the
    platform gives counts.
    """
    first, second = (external_id(at_role(stand, platform)[1]) for _ in range(2))
    assert (first == second, re.fullmatch(r"jf-[A-Za-z0-9_-]{32}", first) is not None) == (
        True,
        True,
    )
    assert external_id(at_role(stand, platform, connection="other")[1]) != first
    assert (
        '<option value="eu-west-1">Europe (Ireland) (eu-west-1)</option>'
        in at_role(stand, platform)[1].text
    )
    assert (
        external_id(at_role(stand, platform, values={"externalId": "acme:4711"})[1]) == "acme:4711"
    )
    assert platform.call("PUT", "/v1/workspaces/acme-2", {}).status == 201
    asked = {
        "verify": "link",
        "types": ["aws-ses/awsAssumeRole"],
        "connection": "mail",
        "principal": USER,
        "defaults": {"values": ROLE_KEYS},
    }
    there = platform.post("/v1/workspaces/acme-2/connect-sessions", asked).json["url"]
    assert external_id(Person(stand.port).go(there).begin()) != first


def test_a_role_is_connected_again(stand: Stand, platform: Client) -> None:
    """With the External ID, the documents and the words of its first session, which that of today
    need not repeat. The role keeps its name, so that the stack that made it is updated. What
    today's session names counts, and is checked.
    """
    arn = "arn:aws:iam::123456789012:role/The-Shop-mail"
    first = external_id(at_role(stand, platform)[1])
    with FakeAws(
        roles={arn: Role(external_id=first)}, users={USERS_KEY: User(secret="s3cret", arn=USER)}
    ) as aws:
        urls = {"stsEndpoint": aws.url, "endpoint": aws.url}
        labels = {"aws-ses/awsAssumeRole": {"title": "Mail of your company"}}
        _, person = at_role(
            stand,
            platform,
            actions=["sendEmail"],
            theme={"name": "The Shop"},
            labels=labels,
            values=urls,
        )
        made = template_of(person)
        person.press("Continue", roleARN=arn, region="eu-west-1").press("Connect")
        assert "is connected" in person.said
        again = {
            "mode": "reauth",
            "principal": None,
            "types": None,
            "defaults": None,
            "allConnections": True,
        }
        person = at_role(stand, platform, **again)[1]
        assert "Connect Mail of your company again" in person.said
        assert (external_id(person), statements(template_of(person))) == (first, statements(made))
        assert template_of(person)["Resources"]["Role"]["Properties"]["RoleName"] == "The-Shop-mail"
        assert "--stack-name The-Shop-mail " in person.said
        person.press("Continue", roleARN=arn, region="eu-west-1").press("Connect")
        assert "is connected" in person.said
        person = at_role(stand, platform, **again, actions=["listIdentities"])[1]
        assert [row["Action"] for row in statements(template_of(person))] == [
            ["ses:ListIdentities"],
            ["ses:GetAccount"],
        ]
        managed = at_role(stand, platform, **{**again, "mode": "manage", "connection": None})[1]
        # Amazon SES's picture
        assert (
            "Mail of your company" in managed.said,
            '<img src="data:image/' in managed.text,
        ) == (True, True)
        assert external_id(managed.press("Connect again")) == first
        assert (
            external_id(
                at_role(
                    stand,
                    platform,
                    **{**again, "defaults": {"values": {"externalId": "acme:4711"}}},
                )[1]
            )
            == "acme:4711"
        )
    asked = {"verify": "link", "mode": "reauth", "connection": "mail"}
    for wrong, path in (
        ({"actions": ["sendMail"]}, "/actions/0"),
        ({"principal": "*"}, "/principal"),
        (
            {"defaults": {"values": {"externalId": "a"}}},
            "/defaults/values/externalId",
        ),
    ):
        answer = platform.post(BASE, {**asked, **wrong})
        assert (answer.status, answer.json["details"][0]["path"]) == (400, path), answer.body


def test_a_role_that_no_session_has_made_is_connected_again(stand: Stand, platform: Client) -> None:
    """Nothing is remembered with it: without a principal, the page shows its External ID and
    permissions alone, and a session that names what it will call is asked for one.
    """
    connections = stand.host.runtime("acme-1").connections
    connections.add(
        "made", "aws-ses/awsAssumeRole", {**ROLE, "externalId": "of-the-role"}, test=False
    )
    again = {
        "mode": "reauth",
        "principal": None,
        "types": None,
        "defaults": None,
        "connection": "made",
    }
    person = at_role(stand, platform, **again)[1]
    assert external_id(person) == "of-the-role"
    assert (
        "Permissions of the role" in person.said,
        "Download the template" in person.said,
        "Trust policy" in person.said,
    ) == (
        True,
        False,
        False,
    )
    answer = platform.post(
        BASE, {"verify": "link", "mode": "reauth", "connection": "made", "actions": ["sendEmail"]}
    )
    assert (answer.status, [one["path"] for one in answer.json["details"]]) == (400, ["/principal"])
    person = at_role(stand, platform, **{**again, "principal": USER}, actions=["sendEmail"])[1]
    assert template_of(person)["Resources"]["Role"]["Properties"]["RoleName"] == "jackfield"
