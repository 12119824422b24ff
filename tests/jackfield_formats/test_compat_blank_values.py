"""Blanks in a file of another system are no key: a call over their connection is refused before
anything is sent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_aws import FakeAws
from http_stand import clean
from jackfield import Jackfield

BLANKS = {"spaces": "   ", "tab": "\\t", "zero-width space": "\\u200b", "no-break space": "\\u00a0"}
"""As JSON and YAML escape them."""
FILES = {
    "thand-static.yaml": ("thand-sample-secret", "alerts", "/secretAccessKey"),
    "dapr-component.yaml": ("dapr-sample-secret", "outbox", "/secretAccessKey"),
    "vcap.json": ("BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG", "link-eu", "/password"),
    "prismatic-instance.json": ("prismatic-key-secret", "Mail-by-key", "/secretAccessKey"),
}
"""Files of Thand, Dapr, SAP and Prismatic: the secret in them, the connection that they have, and
where the fault is.
"""
MAIL = {
    "awsRegion": "eu-west-1",
    "sender": "a@sender.test",
    "to": "c@rcpt.test",
    "subject": "x",
    "text": "y",
}


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("sample", FILES)
def test_blanks_are_no_key(aws: FakeAws, samples: Path, sample: str, blank: str) -> None:
    """The fault is at the value of the connection's type."""
    secret, name, place = FILES[sample]
    text = (samples / sample).read_text()
    call = {"connector": "aws-ses", "action": "sendEmail", "connection": name, "inputs": MAIL}
    path = samples / f"blank-{sample}"
    path.write_text(
        text.replace(secret, BLANKS[blank] if sample.endswith("json") else f'"{BLANKS[blank]}"')
    )
    with Jackfield(
        connections=str(path), environment=clean(samples / "home", AWS_ENDPOINT_URL=aws.url)
    ) as runtime:
        error = runtime.invoke(call).error
    assert error is not None
    assert (error.code, place in [item.path for item in error.details], secret in text) == (
        "invalid_connection",
        True,
        True,
    )
