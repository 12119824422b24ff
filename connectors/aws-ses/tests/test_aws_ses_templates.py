"""Templates over the simulator: requests that break the service's model are refused there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Result
from rig import Rig, key_values

STORED = {"TemplateName": "welcome", "TemplateContent": {"Subject": "Hi {{name}}", "Text": "Hello"}}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A runtime and the fake."""
    with Rig(tmp_path, values=key_values()) as found:
        yield found


def call(rig: Rig, action: str, **inputs: Any) -> Result:
    """Invoke an action of aws-ses in eu-west-1."""
    given = {"awsRegion": "eu-west-1", **inputs}
    return rig.jackfield.invoke(
        {"connector": "aws-ses", "action": action, "connection": "acme", "inputs": given}
    )


def test_each_action_makes_one_request(rig: Rig) -> None:
    """Create, read, update, render and delete ask for their operation with the provider's member
    names, and return its answer.
    """
    text = {"subject": "Hi {{name}}", "text": "Hello"}
    assert call(rig, "createTemplate", templateName="welcome", **text).output == {}
    assert call(rig, "updateTemplate", templateName="welcome", **text).output == {}
    assert call(rig, "getTemplate", templateName="welcome").output == STORED
    rendered = call(rig, "renderTemplate", templateName="welcome", templateData={"name": "Ada"})
    assert rendered.output == {"RenderedTemplate": "Subject: Hi Ada\r\n\r\nHello"}
    assert call(rig, "deleteTemplate", templateName="welcome").output == {}
    content = {
        "TemplateName": "welcome",
        "TemplateContent": {"Subject": "Hi {{name}}", "Text": "Hello"},
    }
    assert [(request.operation, request.parameters) for request in rig.aws.requests] == [
        ("CreateEmailTemplate", content),
        ("UpdateEmailTemplate", content),
        ("GetEmailTemplate", {"TemplateName": "welcome"}),
        ("TestRenderEmailTemplate", {"TemplateName": "welcome", "TemplateData": '{"name": "Ada"}'}),
        ("DeleteEmailTemplate", {"TemplateName": "welcome"}),
    ]


def test_the_list_is_fetched_page_by_page(rig: Rig) -> None:
    """With 'fetchAll' every page is fetched, the token passed on, and no token is left."""
    for name in ("a", "b"):
        call(rig, "createTemplate", templateName=name, subject="s", text="t")
    rig.aws.reset()
    found = call(rig, "listTemplates", fetchAll=True, pageSize=1)
    assert found.output is not None
    assert [row["TemplateName"] for row in found.output["TemplatesMetadata"]] == ["a", "b"]
    first, second = (request.parameters for request in rig.aws.requests)
    assert (found.meta.complete, first, set(second)) == (
        True,
        {"PageSize": 1},
        {"PageSize", "NextToken"},
    )


@pytest.mark.parametrize(
    ("action", "status", "name", "message", "code"),
    [
        ("createTemplate", 400, "AlreadyExistsException", "exists", "conflict"),
        ("createTemplate", 400, "LimitExceededException", "too many", "quota_exceeded"),
        ("createTemplate", 503, "ServiceUnavailableException", "down", "in_doubt"),
        (
            "updateTemplate",
            404,
            "NotFoundException",
            "Template welcome does not exist.",
            "not_found",
        ),
        ("updateTemplate", 400, "BadRequestException", "bad", "rejected"),
    ],
)
def test_refusals_have_codes_and_hints(
    rig: Rig, action: str, status: int, name: str, message: str, code: str
) -> None:
    """The codes of the service's model; a template that cannot be found names the region; a create
    that got no answer is in doubt.
    """
    rig.aws.script([{"do": "status", "status": status, "code": name, "message": message}])
    found = call(rig, action, templateName="welcome", subject="s", text="t")
    assert found.error is not None
    assert (found.error.code, bool(found.error.hint)) == (code, True)
    assert code != "not_found" or "eu-west-1" in str(found.error.hint)


def test_wrong_inputs_send_nothing(rig: Rig) -> None:
    """A template without a body, and data that is too large, are refused before anything is
    sent.
    """
    for action, inputs, path in (
        ("createTemplate", {"subject": "s"}, "/text"),
        ("renderTemplate", {"templateData": {"name": "x" * 262_144}}, "/templateData"),
    ):
        found = call(rig, action, templateName="welcome", **inputs)
        assert found.error is not None
        assert (found.error.code, [item.path for item in found.error.details]) == (
            "invalid_input",
            [path],
        )
    assert rig.aws.requests == []
