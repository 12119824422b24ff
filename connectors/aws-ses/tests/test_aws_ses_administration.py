"""The requests of actions around sending: configuration sets, event destinations, contacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rig import Rig


def invoke(rig: Rig, action: str, inputs: dict[str, Any]) -> Any:
    """The Result of an action over the connection of the rig."""
    return rig.jackfield.invoke(
        {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": inputs}
    )


def test_a_configuration_set_is_updated_by_section(tmp_path: Path) -> None:
    """Only the sections with a value are changed, each by its own operation; an empty list of
    reasons is a value.
    """
    inputs = {
        "awsRegion": "eu-west-1",
        "configurationSetName": "a",
        "sendingEnabled": False,
        "suppressedReasons": [],
        "engagementMetrics": "ENABLED",
        "trackingDomain": "t.example.com",
        "maxDeliverySeconds": 300,
    }
    with Rig(tmp_path) as rig:
        invoke(
            rig, "createConfigurationSet", {"awsRegion": "eu-west-1", "configurationSetName": "a"}
        )
        rig.aws.reset()
        assert invoke(rig, "updateConfigurationSet", inputs).status == "succeeded"
        asked = {
            request.operation: request.parameters
            for request in rig.aws.requests
            if request.service == "sesv2"
        }
    name = {"ConfigurationSetName": "a"}
    assert asked == {
        "PutConfigurationSetTrackingOptions": {**name, "CustomRedirectDomain": "t.example.com"},
        "PutConfigurationSetDeliveryOptions": {**name, "MaxDeliverySeconds": 300},
        "PutConfigurationSetSendingOptions": {**name, "SendingEnabled": False},
        "PutConfigurationSetSuppressionOptions": {**name, "SuppressedReasons": []},
        "PutConfigurationSetVdmOptions": {
            **name,
            "VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}},
        },
    }


def test_a_change_of_nothing_is_refused(tmp_path: Path) -> None:
    """An update of a configuration set without any option is refused; no request would be sent for
    it.
    """
    with Rig(tmp_path) as rig:
        found = invoke(
            rig, "updateConfigurationSet", {"awsRegion": "eu-west-1", "configurationSetName": "a"}
        )
    assert found.error is not None
    assert (found.error.code, found.error.details[0].path) == ("invalid_input", "/sendingEnabled")


@pytest.mark.parametrize(
    ("places", "path"),
    [
        ({}, "/snsTopicArn"),
        (
            {
                "snsTopicArn": "arn:aws:sns:eu-west-1:1:t",
                "eventBusArn": "arn:aws:events:eu-west-1:1:event-bus/default",
            },
            "/eventBusArn",
        ),
        (
            {"firehoseStreamArn": "arn:aws:firehose:eu-west-1:1:deliverystream/s"},
            "/firehoseRoleArn",
        ),
    ],
)
def test_an_event_destination_has_one_place(
    tmp_path: Path, places: dict[str, Any], path: str
) -> None:
    """None or several places, or a stream without its role, are refused before anything is sent."""
    inputs = {
        "awsRegion": "eu-west-1",
        "configurationSetName": "a",
        "eventDestinationName": "b",
        "matchingEventTypes": ["BOUNCE"],
        **places,
    }
    with Rig(tmp_path) as rig:
        found = invoke(rig, "createEventDestination", inputs)
        assert rig.aws.calls() == []
    assert found.error is not None
    assert [detail.path for detail in found.error.details] == [path]


def test_contacts_are_filtered_and_paged(tmp_path: Path) -> None:
    """All pages of the contacts of a topic are merged; each request carries the filter."""
    pages = [
        {"Contacts": [{"EmailAddress": "a@x.io"}], "NextToken": "t"},
        {"Contacts": [{"EmailAddress": "b@x.io"}]},
    ]
    inputs = {
        "awsRegion": "eu-west-1",
        "contactListName": "l",
        "filteredStatus": "OPT_IN",
        "topicName": "news",
        "fetchAll": True,
    }
    with Rig(tmp_path, answers={"ListContacts": pages}) as rig:
        found = invoke(rig, "listContacts", inputs)
        asked = [
            request.parameters
            for request in rig.aws.requests
            if request.operation == "ListContacts"
        ]
    assert [row["EmailAddress"] for row in found.output["Contacts"]] == ["a@x.io", "b@x.io"]
    wanted = {
        "FilteredStatus": "OPT_IN",
        "TopicFilter": {"TopicName": "news", "UseDefaultIfPreferenceUnavailable": True},
    }
    assert [parameters["Filter"] for parameters in asked] == [wanted, wanted]
