"""Successes of changes: what the files declare is one with any status of success, and what
gateways, caches and portals answer in a provider's place is none.
"""

from __future__ import annotations

import pytest

from other_answers import doubts, told_by_others
from shelved import manifest_of, services

CANNOT_BE_TOLD = {
    "activecampaign/removeFromAutomation": "it is answered by any object",
    "bamboohr/decideTimeOff": "what its document says of its content is nothing",
    "harvest/deleteTimeEntry": "no page says what it is answered with",
    "sharepoint/updateItem": "it is answered by the columns of a list, which may have any name",
    "supabase/callFunction": "a function of the database answers anything",
}
"""Actions that declare a 200 and nothing of its content: any JSON, or any text, is a success."""


@pytest.mark.parametrize("key", [*services()])
def test_what_is_declared_is_a_success(key: str) -> None:
    """Each change succeeds with the answer of its example, whichever status of success it has."""
    assert doubts(manifest_of(key)) == []


@pytest.mark.parametrize("key", [*services()])
def test_what_others_answer_is_no_success(key: str) -> None:
    """No change succeeds by an answer of something else, but for those of which nobody can tell."""
    of_service = {action for action in CANNOT_BE_TOLD if action.startswith(f"{key}/")}
    assert told_by_others(manifest_of(key)) == of_service
