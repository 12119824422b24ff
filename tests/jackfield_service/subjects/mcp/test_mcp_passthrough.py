"""Token passthrough: what a client shows ``/mcp`` is for jackfield, and goes to no provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from http_stand import SETTINGS, Stand, standing
from jackfield.testing import Answer, Provider
from mcp_talk import called, remote


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server of its own, on which callers may reach this machine."""
    with standing(tmp_path, SETTINGS) as found:
        yield found


def test_security_2_the_callers_token_reaches_no_provider(stand: Stand) -> None:
    """A provider gets the connection's token only, whatever the client sends beside its own: as a
    bearer, a session or a cookie.
    """
    client = stand.client()
    with Provider(lambda *_: Answer({"ok": True})) as provider:
        for kind, values in {"bearer": {"token": "of-the-connection"}, "anonymous": {}}.items():
            body = {
                "name": kind,
                "type": f"http/{kind}",
                "values": {"server": provider.url, **values},
            }
            made = client.post("/v1/connections?test=false", body)
            assert made.status == 201, made.body
            server = remote(
                stand.port,
                client.token,
                Mcp_Session_Id="session-of-mine",
                Cookie="c=cookie-of-mine",
            )
            inputs = {
                "connector": "http",
                "action": "request",
                "connection": kind,
                "inputs": {"method": "GET", "url": "/"},
            }
            found = called(server, "execute_action", **inputs).structured_content
            assert found is not None
            assert found["status"] == "succeeded", found
        sent = [str(sorted(request.headers.items())) for request in provider.requests]
    assert len(sent) == 2
    assert ["of-the-connection" in text for text in sent] == [True, False]
    assert client.token is not None
    assert not [
        text
        for text in sent
        if any(word in text for word in (client.token, "session-of-mine", "cookie-of-mine"))
    ]
