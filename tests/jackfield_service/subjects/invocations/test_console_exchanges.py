"""The page of a doubt shows what was sent: each request and response without secrets, and its line
of curl.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browsing import Visitor
from console_rig import Console
from fake_aws import FakeAws
from nursery import connection, mail

pytest_plugins = ["browser"]


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """The fake AWS."""
    with FakeAws() as fake:
        yield fake


def doubtful(console: Console, aws: FakeAws) -> str:
    """The id of a mail of which nobody knows whether it was sent."""
    runtime = console.host.runtime("default")
    given = connection(aws.url)["acme-ses"]
    runtime.connections.add("acme-ses", given["type"], given["values"])
    aws.script([{"operation": "SendEmail", "do": "reset"}])
    result = runtime.invoke({**mail("order-1"), "trace": True})
    assert result.status == "in_doubt", result.to_json()
    return result.meta.invocation_id


def test_a_doubt_shows_what_was_sent(visitor: Visitor, aws: FakeAws) -> None:
    """Method, URL, header fields, body and a line of curl stand on the page, in every look; the
    secret does not.
    """
    identifier = doubtful(visitor.console, aws)
    page = visitor.page
    visitor.go(f"/invocations/{identifier}")
    sent = page.locator("#sent")
    text = sent.inner_text()
    assert "POST" in text
    assert "/v2/email/outbound-emails" in text
    assert "no response" in text
    assert "Authorization: ***" in text
    assert "Hello Ada" in text
    sent.get_by_text("As curl", exact=True).click()
    assert (
        "curl -X POST"
        in sent.get_by_role("region", name="The request as a command line of curl").inner_text()
    )
    assert "secret-of-the-nursery" not in page.content()
    assert visitor.judged(thoroughly=True) == []
    visitor.check()
