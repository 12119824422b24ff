"""An endpoint that answers without end does not fill the memory of the process (security finding 9)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from aws_opening import KEY_ID, SECRET, Opener
from jackfield.connector import MAX_ANSWER, JackfieldError, Sent, Unavailable, bounded_answer
from jackfield.connector.context import entered
from jackfield_aws import AWS_ERRORS, ApiKeySecret, bounded
from raw_server import read_request, serving

pytestmark = pytest.mark.usefixtures("direct")

_PIECE = b" " * 65536
_TIMES = 2 * MAX_ANSWER // len(_PIECE)
HEADS = {
    "length": b"Content-Length: %d" % (len(_PIECE) * _TIMES),
    "chunked": b"Transfer-Encoding: chunked",
    "until it closes": b"Connection: close",
}


def _talk(head: bytes, sent: list[int]) -> Callable[[socket.socket], None]:
    """Answer a request with 64 MiB of blanks."""
    piece = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE) if b"chunked" in head else _PIECE

    def talk(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s\r\n\r\n" % head)
            for _ in range(_TIMES):
                connection.sendall(piece)
                sent.append(len(_PIECE))

    return talk


@pytest.mark.parametrize("how", HEADS)
def test_s9_an_answer_without_end_is_refused_while_it_is_read(opener: Opener, how: str) -> None:
    """After 32 MiB the answer is refused and its connection closed, before any parser sees it; the next call connects anew."""
    sent: list[int] = []
    with serving(_talk(HEADS[how], sent)) as port:
        values: dict[str, Any] = {"accessKeyId": KEY_ID, "secretAccessKey": SECRET, "endpoint": f"http://127.0.0.1:{port}"}
        clients = ApiKeySecret.model_validate(values).open(opener.context(awsRegion="eu-west-1"))
        for _ in range(2):
            with entered(opener.context(seconds=30).call):
                with pytest.raises(Exception) as raised:  # noqa: PT011 (whatever botocore raises)
                    clients.client("sesv2").get_account()
                error = AWS_ERRORS(raised.value, clients)
            assert isinstance(error, JackfieldError)
            assert (error.code, error.sent, error.repeatable) == ("unavailable", Sent.UNKNOWN, False)
            assert "larger than 33,554,432 bytes" in error.message
    assert sum(sent) < 2 * 1.5 * MAX_ANSWER
    assert len(bounded._WATCH) == 0


def test_s9_any_connector_can_bound_its_answers() -> None:
    """The rule is one function of the author's API: what fits passes, what does not is refused at once."""
    assert b"".join(bounded_answer([b"ab", b"c"], limit=3)) == b"abc"
    with pytest.raises(Unavailable, match="larger than 3 bytes"):
        list(bounded_answer([b"ab", b"cd"], limit=3))
