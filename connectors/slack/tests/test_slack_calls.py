"""What the curation of Slack adds to its document: failures with status 200, tokens in a header,
blocks as JSON, pages by cursor.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from jackfield.testing import RESET, Answer, Harness, Provider, Request

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


_FAILURES: list[Any] = [
    ("ratelimited", "succeeded", 2),
    ("channel_not_found", "not_found", 1),
    ("not_in_channel", "forbidden", 1),
    ("missing_scope", "forbidden", 1),
    ("token_revoked", "unauthenticated", 1),
    ("msg_too_long", "rejected", 1),
    ("fatal_error", "in_doubt", 1),
]


def test_a_failure_with_status_200_is_one(harness: Harness, subtests: pytest.Subtests) -> None:
    """'ok: false' is mapped by its error; a throttled message is sent again, one that may have been
    sent is in doubt.
    """
    for error, code, requests in _FAILURES:
        with subtests.test(error=error, code=code, requests=requests):
            server = harness.serve(
                Answer({"ok": False, "error": error}, headers={"Retry-After": "0"}),
                Answer({"ok": True}),
            )
            result = harness.invoke("postMessage", {"channel": CHANNEL, "text": "Hello"})
            assert (result.error.code if result.error else result.status, len(server.requests)) == (
                code,
                requests,
            )
            if result.error is not None:
                assert result.error.provider is not None
                assert result.error.provider.code == error


def test_a_missing_scope_is_named(harness: Harness) -> None:
    """Slack names the scope beside its error; the Result has it, without what only repeats that the
    call failed.
    """
    harness.serve(
        Answer(
            {
                "ok": False,
                "error": "missing_scope",
                "needed": "chat:write",
                "provided": "users:read",
            }
        )
    )
    error = harness.invoke("postMessage", {"channel": CHANNEL, "text": "Hello"}).error
    assert error is not None
    assert error.provider is not None
    assert error.provider.details == {"needed": "chat:write", "provided": "users:read"}


def test_pages_are_followed_by_the_cursor(harness: Harness) -> None:
    """Messages of all pages come together; the empty cursor of the last page ends the list."""
    first = {
        "ok": True,
        "messages": [{"ts": "2.0"}],
        "response_metadata": {"next_cursor": "bmV4dA=="},
    }
    last = {"ok": True, "messages": [{"ts": "1.0"}], "response_metadata": {"next_cursor": ""}}
    server = harness.serve(Answer(first), Answer(last))
    result = harness.invoke("listMessages", {"channel": CHANNEL, "fetchAll": True})
    assert ([item["ts"] for item in result.unwrap()["messages"]], result.meta.complete) == (
        ["2.0", "1.0"],
        True,
    )
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


@pytest.mark.parametrize(
    "reply",
    [
        {**HELLO, "threadTs": "1.2"},
        {**HELLO, "thread_ts": "1.2"},
        {"body": {**HELLO, "thread_ts": "1.2"}},
    ],
)
def test_a_reply_is_sent_in_any_of_its_forms(harness: Harness, reply: dict[str, object]) -> None:
    """Inputs are in camelCase; Slack's own names and the one input `body` of version 0.1 are
    understood, too.
    """
    server = harness.serve(Answer({"ok": True}))
    harness.invoke("postMessage", reply).unwrap()
    assert json.loads(server.requests[0].body) == {**HELLO, "thread_ts": "1.2"}


STORED = Answer(content=b"OK - 3", headers={"Content-Type": "text/plain"})


class Storage:
    """A fake of Slack's upload: it gives an address on another server, takes the content there, and
    shares the file at the end.
    """

    def __init__(self, harness: Harness, end: Any = None, *stored: Any) -> None:
        self.end = end or Answer({"ok": True, "files": [{"id": "F1", "title": "Report"}]})
        self.storage = Provider(stored or [STORED])
        self.api = harness.serve(self._answer)

    def _answer(self, _number: int, request: Request) -> Any:
        if request.path == "/files.getUploadURLExternal":
            return Answer(
                {"ok": True, "upload_url": f"{self.storage.url}/upload/v1/abc?t=1", "file_id": "F1"}
            )
        return self.end


PDF = {"data": "UERG", "contentType": "application/pdf"}
UPLOAD = {
    "file": PDF,
    "filename": "r.pdf",
    "title": "Report",
    "channel": CHANNEL,
    "threadTs": "1.20",
}


def test_a_file_is_uploaded_in_three_steps(harness: Harness) -> None:
    """One action asks for the address, sends the content there without credentials, and shares the
    file.
    """
    fake = Storage(harness)
    with fake.storage:
        result = harness.invoke("uploadFile", {**UPLOAD, "initialComment": "Here"})
    assert result.unwrap()["files"] == [{"id": "F1", "title": "Report"}]
    first, last = fake.api.requests
    assert dict(parse_qsl(first.body.decode())) == {"filename": "r.pdf", "length": "3"}
    sent = fake.storage.requests[0]
    assert (sent.method, sent.path, sent.body) == ("POST", "/upload/v1/abc?t=1", b"PDF")
    assert "authorization" not in {name.lower() for name in sent.headers}
    assert json.loads(last.body) == {
        "files": [{"id": "F1", "title": "Report"}],
        "channel_id": CHANNEL,
        "initial_comment": "Here",
        "thread_ts": "1.20",
    }


@pytest.mark.parametrize(
    ("end", "status", "completed"),
    [
        (RESET, "in_doubt", 1),
        (Answer({"ok": False, "error": "channel_not_found"}), "failed", 1),
        (Answer({"ok": False, "error": "fatal_error"}), "in_doubt", 1),
    ],
)
def test_only_the_last_step_of_an_upload_can_be_in_doubt(
    harness: Harness, end: Any, status: str, completed: int
) -> None:
    """Before the last step nothing can be seen, so a failure there is repeated; the last one is
    sent once.
    """
    fake = Storage(harness, end)
    with fake.storage:
        result = harness.invoke("uploadFile", UPLOAD)
    assert result.status == status
    assert (
        sum(request.path == "/files.completeUploadExternal" for request in fake.api.requests)
        == completed
    )


def test_an_upload_whose_storage_fails_is_begun_again(harness: Harness) -> None:
    """The storage breaks once: the upload is repeated from its beginning, and the file is shared
    once.
    """
    fake = Storage(harness, None, RESET, STORED)
    with fake.storage:
        assert harness.invoke("uploadFile", UPLOAD).status == "succeeded"
    assert [request.path for request in fake.api.requests].count(
        "/files.completeUploadExternal"
    ) == 1
    assert fake.storage.requests[-1].body == b"PDF"


def test_channels_and_users_are_choices(harness: Harness) -> None:
    """Forms list channels and users by their names."""
    harness.serve(
        Answer(
            {
                "ok": True,
                "channels": [{"id": "C1", "name": "general"}],
                "response_metadata": {"next_cursor": "x"},
            }
        ),
        Answer({"ok": True, "channels": [{"id": "C2", "name": "random"}]}),
    )
    fields = {
        action["key"]: action["inputs"]["properties"] for action in harness.manifest.raw["actions"]
    }
    assert fields["postMessage"]["channel"]["x-jackfield"]["options"] == "channels"
    assert fields["getUser"]["user"]["x-jackfield"]["options"] == "users"
    assert harness.options("channels") == [
        {"value": "C1", "label": "general"},
        {"value": "C2", "label": "random"},
    ]
    harness.serve(
        Answer({"ok": True, "members": [{"id": "U1", "name": "ada", "real_name": "Ada Lovelace"}]})
    )
    assert harness.options("users") == [{"value": "U1", "label": "Ada Lovelace · ada"}]
