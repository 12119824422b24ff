"""The simulator of ``jackfield demo --serve`` keeps what actions create: every documented action
works on it, in the order of a life.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clocks import FakeClock
from dns_server import DnsServer
from jackfield import Jackfield, Result
from jackfield.catalog import Catalog, EntryPoint
from jackfield_aws_ses_simulator.embedded import EmbeddedAws
from ses_lives import age

CATALOG = Catalog([EntryPoint("aws-ses", "jackfield_aws_ses:connector", "jackfield-aws-ses")])
ACTIONS: dict[str, dict[str, Any]] = {
    action["key"]: action for action in CATALOG.find("aws-ses").raw["actions"]
}
AROUND = {"ses:AssumeRole", "ses:GetAccount"}
"""Asked for opening a connection and for the pace of sending, whatever the action."""


class Simulated:
    """A runtime connected to the simulator by the role, both on one clock."""

    def __init__(self, aws: EmbeddedAws, jackfield: Jackfield, clock: FakeClock) -> None:
        self.aws, self.jackfield, self.clock = aws, jackfield, clock

    def call(self, action: str, **inputs: Any) -> Result:
        """Invoke an action of aws-ses in the simulator's region."""
        connection = {"type": "awsAssumeRole", "values": self.aws.connection_values()}
        asked = {
            "connector": "aws-ses",
            "action": action,
            "connection": connection,
            "timeoutSeconds": 900,
        }
        return self.jackfield.invoke({**asked, "inputs": {"awsRegion": self.aws.region, **inputs}})

    def output(self, action: str, **inputs: Any) -> dict[str, Any]:
        """The output of a success."""
        found = self.call(action, **inputs)
        assert found.status == "succeeded", (action, found.error)
        return dict(found.output or {})

    def code(self, action: str, **inputs: Any) -> str | None:
        """The code of a failure."""
        error = self.call(action, **inputs).error
        return error.code if error is not None else None


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    """A simulator of the test's own."""
    clock = FakeClock()
    with (
        EmbeddedAws(clock=clock.time) as aws,
        Jackfield(
            connections=[], database_url="none", catalog=CATALOG, clock=clock, environment={}
        ) as jackfield,
    ):
        yield Simulated(aws, jackfield, clock)


OF_CLOUDWATCH = {"GetMetricData"}


def permission(operation: str) -> str:
    """The permission that an operation needs."""
    return f"{'cloudwatch' if operation in OF_CLOUDWATCH else 'ses'}:{operation}"


def test_every_documented_action_works(
    simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each action of the manifest succeeds with its documented example, asks only for what its
    permissions name, and leaves nothing.

    What sets up an account, its events and its DNS asks other services, too, and has tests of its
    own.
    """
    with DnsServer({}) as dns:
        monkeypatch.setenv("JACKFIELD_DNS_SERVERS", dns.address)
        for key in (
            action["key"]
            for action in sorted(ACTIONS.values(), key=age)
            if not action["key"].startswith(("setUp", "tearDown"))
        ):
            for example in ACTIONS[key]["examples"]:
                before = len(simulated.aws.calls)
                simulated.output(key, **example["invocation"]["inputs"])
                asked = {
                    permission(call.operation) for call in simulated.aws.calls[before:]
                } - AROUND
                assert asked <= set(ACTIONS[key].get("permissions", {}).get("aws:iam", ())), key
    assert len(ACTIONS) >= 51
    for key in (
        "listTemplates",
        "listConfigurationSets",
        "listContactLists",
        "listCustomVerificationTemplates",
    ):
        (rows,) = (
            value
            for value in simulated.output(key, fetchAll=True).values()
            if isinstance(value, list)
        )
        assert rows == [], key


def test_an_identity_verifies_after_a_while(simulated: Simulated) -> None:
    """A new domain is pending with the DKIM records to publish, sends nothing yet, and is verified
    later; MAIL FROM likewise.
    """
    mail = {"to": "ada@example.com", "sender": "a@new.example", "subject": "Hello", "text": "Hello"}
    made = simulated.output(
        "createIdentity", identity="new.example", mailFromDomain="bounce.new.example"
    )
    assert (made["DkimAttributes"]["Status"], made["VerifiedForSendingStatus"]) == (
        "PENDING",
        False,
    )
    assert len([row for row in made["dnsRecords"] if row["type"] == "CNAME"]) == 3
    for name in ("New.example", "Example.com"):
        assert simulated.code("createIdentity", identity=name) == "conflict"
    assert simulated.code("sendEmail", **mail) == "rejected"
    assert "new.example" in simulated.output("listIdentities", identityType="Domain")["Identities"]
    simulated.clock.advance(60)
    found = simulated.output("getIdentity", identity="new.example")
    assert (found["DkimAttributes"]["Status"], found["VerificationStatus"]) == (
        "SUCCESS",
        "SUCCESS",
    )
    assert found["MailFromAttributes"]["MailFromDomainStatus"] == "SUCCESS"
    assert simulated.output("sendEmail", **mail)["MessageId"] == simulated.aws.sent[0].message_id
    simulated.output("deleteIdentity", identity="new.example")
    assert simulated.code("getIdentity", identity="new.example") == "not_found"
    assert simulated.code("sendEmail", **mail) == "rejected"


def test_a_template_is_rendered(simulated: Simulated) -> None:
    """Mail from a template has the data's values; data that lacks one cannot be rendered, and mail
    from it is accepted and never sent.
    """
    template = {"templateName": "hello", "subject": "Hi {{name}}", "html": "<p>{{ who.city }}</p>"}
    data = {"name": "Ada", "who": {"city": "London"}}
    mail = {"sender": "noreply@example.com", "templateName": "hello", "to": "ada@example.com"}
    simulated.output("createTemplate", **template)
    assert simulated.code("createTemplate", **template) == "conflict"
    rendered = simulated.output("renderTemplate", templateName="hello", templateData=data)[
        "RenderedTemplate"
    ]
    assert rendered == "Subject: Hi Ada\r\n\r\n<p>London</p>"
    assert (
        simulated.code("renderTemplate", templateName="hello", templateData={"name": "Ada"})
        == "rejected"
    )
    simulated.output("sendTemplatedEmail", **mail, templateData={"name": "Ada"})
    simulated.output("sendTemplatedEmail", **mail, templateData=data)
    assert [(message.subject, message.html) for message in simulated.aws.sent] == [
        ("Hi Ada", "<p>London</p>")
    ]
    simulated.output("updateTemplate", **{**template, "subject": "{{#if name}}Hi{{/if}}"})
    refused = simulated.call("renderTemplate", templateName="hello", templateData=data).error
    assert refused is not None
    assert refused.provider is not None
    assert "The simulator does not implement {{#if name}}" in str(refused.provider)
    assert simulated.code("sendTemplatedEmail", **{**mail, "templateName": "other"}) == "not_found"


def test_each_destination_of_a_bulk_request_has_its_outcome(simulated: Simulated) -> None:
    """The entry's data goes before the default; an entry that cannot be addressed is refused
    alone.
    """
    simulated.output("createTemplate", templateName="hello", subject="Hi {{name}}", text="{{shop}}")
    destinations = [
        {"to": ["ada@example.com"], "templateData": {"name": "Ada"}},
        {"to": ["bob@example..com"]},
        {"to": ["eve@example.com"]},
    ]
    common = {
        "sender": "noreply@example.com",
        "templateName": "hello",
        "templateData": {"name": "friend", "shop": "X"},
    }
    found = simulated.output(
        "sendBulkEmail", **common, destinations=[destinations[0], destinations[2]]
    )
    assert (found["accepted"], [message.subject for message in simulated.aws.sent]) == (
        2,
        ["Hi Ada", "Hi friend"],
    )
    assert (
        simulated.code(
            "sendBulkEmail",
            **{**common, "sender": "ceo@unverified.example"},
            destinations=destinations[:1],
        )
        == "rejected"
    )


def test_a_configuration_set_decides_on_mail(simulated: Simulated) -> None:
    """Mail names a set that exists and is not paused; the destinations of its events go with it."""
    mail = {
        "to": "a@x.io",
        "sender": "noreply@example.com",
        "subject": "s",
        "text": "t",
        "configurationSetName": "receipts",
    }
    destination = {
        "configurationSetName": "receipts",
        "eventDestinationName": "bounces",
        "matchingEventTypes": ["BOUNCE"],
    }
    topic = {"snsTopicArn": "arn:aws:sns:eu-west-1:123456789012:bounces"}
    assert simulated.code("sendEmail", **mail) == "not_found"
    assert simulated.code("createEventDestination", **destination, **topic) == "not_found"
    simulated.output("createConfigurationSet", configurationSetName="receipts", tlsPolicy="REQUIRE")
    simulated.output("createEventDestination", **destination, **topic)
    simulated.output("sendEmail", **mail)
    simulated.output(
        "updateConfigurationSet",
        configurationSetName="receipts",
        sendingEnabled=False,
        suppressedReasons=["BOUNCE"],
    )
    found = simulated.output("getConfigurationSet", configurationSetName="receipts")
    assert (found["DeliveryOptions"], found["SendingOptions"]) == (
        {"TlsPolicy": "REQUIRE"},
        {"SendingEnabled": False},
    )
    assert simulated.code("sendEmail", **mail) == "forbidden"
    listed = simulated.output("listEventDestinations", configurationSetName="receipts")[
        "EventDestinations"
    ]
    assert [(row["Name"], row["SnsDestination"]) for row in listed] == [
        ("bounces", {"TopicArn": topic["snsTopicArn"]})
    ]
    simulated.output("deleteConfigurationSet", configurationSetName="receipts")
    simulated.output("createConfigurationSet", configurationSetName="receipts")
    assert (
        simulated.output("listEventDestinations", configurationSetName="receipts")[
            "EventDestinations"
        ]
        == []
    )


def test_contacts_follow_their_topics(simulated: Simulated) -> None:
    """A contact has the topic's default until it chooses, lists are filtered by it, and come in
    pages.
    """
    news = {"name": "news", "displayName": "News", "defaultSubscriptionStatus": "OPT_OUT"}
    simulated.output("createContactList", contactListName="readers", topics=[news])
    people = {"ada": "OPT_IN", "bob": "OPT_OUT", "eve": None}
    for name, status in people.items():
        chosen = (
            {"topicPreferences": [{"topicName": "news", "subscriptionStatus": status}]}
            if status
            else {}
        )
        simulated.output(
            "createContact", contactListName="readers", address=f"{name}@example.com", **chosen
        )
    found = simulated.output(
        "listContacts",
        contactListName="readers",
        filteredStatus="OPT_OUT",
        topicName="news",
        fetchAll=True,
        pageSize=1,
    )
    assert [row["EmailAddress"] for row in found["Contacts"]] == [
        "bob@example.com",
        "eve@example.com",
    ]
    simulated.output(
        "updateContact", contactListName="readers", address="ada@example.com", unsubscribeAll=True
    )
    found = simulated.output(
        "listContacts", contactListName="readers", filteredStatus="OPT_IN", topicName="news"
    )
    assert found["Contacts"] == []
    assert (
        simulated.code("createContact", contactListName="writers", address="ada@example.com")
        == "not_found"
    )


def test_the_suppression_list_is_filtered(simulated: Simulated) -> None:
    """Addresses are listed by reason and time, and gone once deleted."""
    simulated.output("putSuppressedRecipient", address="a@x.io", reason="BOUNCE")
    simulated.clock.advance(3600)
    simulated.output("putSuppressedRecipient", address="b@x.io", reason="COMPLAINT")
    since = simulated.output("getSuppressedRecipient", address="b@x.io")["SuppressedDestination"][
        "LastUpdateTime"
    ]

    def listed(**inputs: Any) -> list[str]:
        found = simulated.output("listSuppressedRecipients", **inputs)[
            "SuppressedDestinationSummaries"
        ]
        return [row["EmailAddress"] for row in found]

    assert (listed(), listed(reasons=["BOUNCE"]), listed(startDate=since)) == (
        ["a@x.io", "b@x.io"],
        ["a@x.io"],
        ["b@x.io"],
    )
    simulated.output("deleteSuppressedRecipient", address="a@x.io")
    assert simulated.code("getSuppressedRecipient", address="a@x.io") == "not_found"


def test_statistics_count_what_was_sent(simulated: Simulated) -> None:
    """Each quarter of an hour with mail has a point."""
    mail = {
        "to": "ada@example.com",
        "sender": "noreply@example.com",
        "subject": "Hello",
        "text": "Hello",
    }
    assert simulated.output("getSendStatistics")["SendDataPoints"] == []
    for _ in range(2):
        simulated.output("sendEmail", **mail)
    simulated.clock.advance(1800)
    simulated.output("sendEmail", **mail)
    points = simulated.output("getSendStatistics")["SendDataPoints"]
    assert sorted(point["DeliveryAttempts"] for point in points) == [1, 2]


def test_what_it_lacks_is_said(simulated: Simulated) -> None:
    """An operation that the simulator does not know is a refusal that says so, not an answer that
    was made up.
    """
    with Jackfield(
        connections=[], database_url="none", clock=simulated.clock, environment={}
    ) as jackfield:
        values = {**simulated.aws.connection_values()}
        asked = {
            "connector": "aws.sesv2",
            "action": "createDedicatedIpPool",
            "connection": {"type": "awsAssumeRole", "values": values},
        }
        found = jackfield.invoke(
            {**asked, "inputs": {"PoolName": "p", "awsRegion": simulated.aws.region}}
        )
    assert found.error is not None
    assert "The simulator does not implement CreateDedicatedIpPool." in str(found.error.provider)
