"""Evidence of writes that manage resources of Amazon SES, in CloudTrail's Event history."""

from __future__ import annotations

from jackfield.connector import Marker, RecordEvidence
from jackfield_aws.virtual.trail import PARTLY, evidence_of

BY_AGENT = Marker(agent=True)
"""Place of an attempt's marker in the request: CloudTrail records the User-Agent."""


def logged(operation: str, *partly: str) -> tuple[RecordEvidence, ...]:
    """Return the evidence of a write of API v2. A call with one of the inputs ``partly`` has none,
    since it sends further requests.
    """
    return evidence_of("sesv2", operation, partly=(*PARTLY, *partly))
