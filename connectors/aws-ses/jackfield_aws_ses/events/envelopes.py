"""Envelopes of records of Amazon SES: a message of SNS, an event of EventBridge, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Malformed, TriggerEvent, strict_json
from jackfield_aws_ses.events.notices import SOURCE, is_notice
from jackfield_aws_ses.events.record import read_record


def events_of_text(text: str) -> list[TriggerEvent]:
    """Return the events in the text of an SNS message: a record, or an EventBridge event around
    one. A notice has no events.

    :raises Malformed: if the text has none of these forms.
    """
    return [] if is_notice(text) else events_of(strict_json(text))


def events_of(found: Any) -> list[TriggerEvent]:
    """Return the events in a record, or in an EventBridge event around one. A notice has no events.

    :raises Malformed: if the value has none of these forms, or comes from another service.
    """
    if is_notice(found):
        return []
    if isinstance(found, Mapping) and "detail-type" in found:
        if found.get("source") != SOURCE:
            raise Malformed
        found = found.get("detail")
    return read_record(found)
