"""What the curation of Slack adds to its document: failures with status 200, tokens in a header, blocks as JSON, pages by cursor."""

from __future__ import annotations

import json

import pytest

from jackfield.testing import RESET, Answer, Harness

CHANNEL = "C012AB3CD"


def test_a_message_with_blocks_is_sent(harness: Harness) -> None:
    """The body is JSON with blocks as a list, and the token is in the header field."""
    server = harness.serve(Answer({"ok": True, "channel": CHANNEL, "ts": "1.2"}))
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*Hello*"}}]
    result = harness.invoke("postMessage", {"channel": CHANNEL, "text": "Hello", "blocks": blocks})
    assert result.unwrap() == {"ok": True, "channel": CHANNEL, "ts": "1.2"}
    request = server.requests[0]
    assert (request.path, json.loads(request.body)["blocks"]) == ("/chat.postMessage", blocks)
    assert request.headers["Authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("error", "code", "requests"),
    [
        ("ratelimited", "succeeded", 2),
        ("channel_not_found", "not_found", 1),
        ("not_in_channel", "forbidden", 1),
        ("missing_scope", "forbidden", 1),
        ("token_revoked", "unauthenticated", 1),
        ("msg_too_long", "rejected", 1),
        ("fatal_error", "in_doubt", 1),
    ],
)
def test_a_failure_with_status_200_is_one(harness: Harness, error: str, code: str, requests: int) -> None:
    """'ok: false' is mapped by its error; a throttled message is sent again, one that may have been sent is in doubt."""
    server = harness.serve(Answer({"ok": False, "error": error}, headers={"Retry-After": "0"}), Answer({"ok": True}))
    result = harness.invoke("postMessage", {"channel": CHANNEL, "text": "Hello"})
    assert (result.error.code if result.error else result.status, len(server.requests)) == (code, requests)
    if result.error is not None:
        assert result.error.provider is not None
        assert result.error.provider.code == error


def test_pages_are_followed_by_the_cursor(harness: Harness) -> None:
    """Messages of all pages come together; the empty cursor of the last page ends the list."""
    first = {"ok": True, "messages": [{"ts": "2.0"}], "response_metadata": {"next_cursor": "bmV4dA=="}}
    last = {"ok": True, "messages": [{"ts": "1.0"}], "response_metadata": {"next_cursor": ""}}
    server = harness.serve(Answer(first), Answer(last))
    result = harness.invoke("listMessages", {"channel": CHANNEL, "fetchAll": True})
    assert ([item["ts"] for item in result.unwrap()["messages"]], result.meta.complete) == (["2.0", "1.0"], True)
    assert server.requests[1].path.endswith("cursor=bmV4dA%3D%3D")
    assert result.unwrap()["response_metadata"] == {"next_cursor": ""}


def test_ids_of_messages_keep_their_zeros(harness: Harness) -> None:
    """An ID of a message looks like a number and is none: the zeros at its end belong to it."""
    server = harness.serve(Answer({"ok": True}), Answer({"ok": True, "messages": []}))
    message = {"channel": CHANNEL, "ts": "1503435956.000200"}
    harness.invoke("deleteMessage", message).unwrap()
    harness.invoke("listReplies", message).unwrap()
    assert "1503435956.000200" in server.requests[0].body.decode()
    assert "ts=1503435956.000200" in server.requests[1].path


def test_a_read_is_repeated_and_a_message_is_not(harness: Harness) -> None:
    """After a reset a list is read again, and a message is in doubt."""
    server = harness.serve(RESET, Answer({"ok": True, "members": []}))
    assert (harness.invoke("listUsers", {}).status, len(server.requests)) == ("succeeded", 2)
    server = harness.serve(RESET, Answer({"ok": True}))
    assert harness.invoke("postMessage", {"channel": CHANNEL, "text": "Hello"}).status == "in_doubt"
    assert len(server.requests) == 1


HELLO = {"channel": CHANNEL, "text": "Hello"}


@pytest.mark.parametrize("reply", [{**HELLO, "threadTs": "1.2"}, {**HELLO, "thread_ts": "1.2"}, {"body": {**HELLO, "thread_ts": "1.2"}}])
def test_a_reply_is_sent_in_any_of_its_forms(harness: Harness, reply: dict[str, object]) -> None:
    """Inputs are in camelCase; Slack's own names and the one input `body` of version 0.1 are understood, too."""
    server = harness.serve(Answer({"ok": True}))
    harness.invoke("postMessage", reply).unwrap()
    assert json.loads(server.requests[0].body) == {**HELLO, "thread_ts": "1.2"}
