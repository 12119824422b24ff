"""IMAP: whatever somebody searches for is one text to the server, and never grammar."""

from __future__ import annotations

import re
import socket

import pytest

from jackfield import Jackfield
from raw_server import serving

_SPECIALS = '(){%*"\\] '
"""Characters that no atom has (RFC 9051, section 9: atom-specials)."""
_TEXTS = [
    *_SPECIALS.strip(),
    *(f"a{one}b" for one in _SPECIALS),
    "{10}",
    "{10+}",
    "~{10}",
    "(ALL)",
    "ALL",
    "NIL",
    "OR",
    "1:*",
    "plain",
]
_KEYS = {
    "from": "FROM",
    "to": "TO",
    "subject": "SUBJECT",
    "text": "TEXT",
    "messageId": "HEADER MESSAGE-ID",
}


class Listening:
    """A server that knows an empty mailbox, and keeps what it is asked for."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def __call__(self, client: socket.socket) -> None:
        """Serve one client."""
        client.sendall(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n")
        with client.makefile("rb") as lines:
            for line in lines:
                self.heard.append(line)
                tag, command = line.split()[:2]
                if command == b"AUTHENTICATE" and len(line.split()) == 3:
                    client.sendall(b"+ \r\n")
                    lines.readline()
                said = {
                    b"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
                    b"EXAMINE": b"* OK [UIDVALIDITY 7] v\r\n* 0 EXISTS\r\n",
                }
                client.sendall(
                    said.get(command, b"* SEARCH\r\n" if b"SEARCH" in line else b"")
                    + tag
                    + b" OK done\r\n"
                )


@pytest.mark.parametrize("key", _KEYS)
def test_each_value_is_quoted(key: str) -> None:
    """Each special character alone and within a text, and texts that are grammar; nothing waits for
    more of them.
    """
    server = Listening()
    with serving(server) as port, Jackfield(database_url="none") as jackfield:
        values = {
            "hostname": "127.0.0.1",
            "port": port,
            "username": "ada",
            "password": "secret",
            "tls": "disable",
        }
        for text in _TEXTS:
            server.heard.clear()
            result = jackfield.invoke(
                {
                    "connector": "imap",
                    "action": "searchMessages",
                    "inputs": {key: text},
                    "timeoutSeconds": 60,
                    "connection": {"type": "login", "values": values},
                }
            )
            assert result.unwrap()["messages"] == []
            (line,) = (line for line in server.heard if b"SEARCH" in line)
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            assert re.fullmatch(rb"\S+ UID SEARCH NOT DELETED (.*)\r\n", line), line
            assert line.endswith(f'DELETED {_KEYS[key]} "{quoted}"\r\n'.encode()), line
