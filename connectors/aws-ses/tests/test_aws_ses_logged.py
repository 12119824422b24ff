"""AWS's own log settles doubts about what Amazon SES was to set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trail_stage import TrailStage, trail_stage

WELCOME = {"templateName": "welcome", "subject": "Welcome", "text": "Hello"}


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Iterator[TrailStage]:
    with trail_stage(tmp_path, f"sqlite:///{tmp_path}/j.db") as opened:
        yield opened


def test_a_template_whose_answer_was_lost_is_in_the_event_history(stage: TrailStage) -> None:
    """The record of the request comes minutes later: ``succeeded``, and one request was sent."""
    stage.aws.script = ["cut"]
    lost = stage.call("aws-ses/createTemplate", WELCOME)
    assert lost.status == "in_doubt", lost.error
    stage.look(160.0)
    assert stage.settled(lost.meta.invocation_id) == ("succeeded", "evidence")
    assert [one["operation"] for one in stage.aws.took] == ["CreateEmailTemplate"]


@pytest.mark.parametrize(
    ("more", "settles"), [({}, True), ({"mailFromDomain": "mail.shop.example.com"}, False)]
)
def test_a_record_of_the_first_request_does_not_speak_for_a_second_one(
    stage: TrailStage, more: dict[str, Any], *, settles: bool
) -> None:
    """An identity with a MAIL FROM domain takes two requests, of which the second was never
    sent.
    """
    stage.aws.script = ["cut"]
    lost = stage.call("aws-ses/createIdentity", {"identity": "shop.example.com", **more})
    assert lost.status == "in_doubt", lost.error
    stage.look(160.0)
    assert stage.settled(lost.meta.invocation_id)[0] == ("succeeded" if settles else "in_doubt")
