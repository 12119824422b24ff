"""Servers that speak no HTTP and mean harm: what they send without end, and what no parser takes,
is an error with a code.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import flooding
from jackfield import Result
from raw_server import serving

_MOST_MB = 100
_CONNECTORS = Path(__file__).parents[2] / "connectors"
_SESSIONS = re.compile(
    r"^\s*(?:from|import) "
    r"(?:jackfield\.wire\.sessions|jackfield\.connector\.(?:servers|sessions|timed_socket))\b",
    re.MULTILINE,
)
_NO_PROTOCOL = frozenset(
    {"boto3", "dnspython", "idna", "jsonschema-rs", "python-jsonpath", "pyyaml"}
)
"""Libraries of connectors that read no answers of a connection's server by themselves; boto3's come
over the socket of HTTP connectors.
"""
_TOO_MUCH = "the server sent more than 16,777,216 bytes for one call"
_ANNOUNCED = "the server would send more than 16,777,216 bytes for one call"
_LONG_PACKET = "the server sent a packet of more than 35,000 bytes"
_REFUSED = "cannot be reached or ended the connection"
_GARBLED = "the server's answer cannot be read"
_SAID = {
    ("postgresql", "before"): _REFUSED,
    ("postgresql", "after"): _ANNOUNCED,
    ("imap", "before"): _ANNOUNCED,
    ("sftp", "before"): _LONG_PACKET,
    ("sftp", "in"): _LONG_PACKET,
    ("sftp", "after"): _GARBLED,
    **dict.fromkeys(
        (("aws-ses", step) for step in ("before", "in", "after")), "a response that is not SMTP"
    ),
}
"""What is said where a library refuses it before so much has arrived."""


def _speaks_no_http(folder: Path) -> bool:
    """Return whether a package of connectors has a session's server: by its types' values, its
    modules, or a library that it brings.
    """
    types = [
        one
        for file in folder.glob("*/connector.json")
        for one in json.loads(file.read_text(encoding="utf-8"))["connectionTypes"]
    ]
    needs = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    named = {re.split(r"[\[>=<]", need)[0].lower() for need in needs}
    modules = (file.read_text(encoding="utf-8") for file in folder.glob("jackfield_*/**/*.py"))
    return (
        any("port" in one["schema"]["properties"] for one in types)
        or any(_SESSIONS.search(text) for text in modules)
        or any(name not in _NO_PROTOCOL and not name.startswith("jackfield") for name in named)
    )


def test_each_connector_that_is_no_http_has_a_hostile_server() -> None:
    """A connector with a session of its own is called by the tests below, over a server that means
    harm.
    """
    found = {
        folder.parent.name
        for folder in _CONNECTORS.glob("*/pyproject.toml")
        if _speaks_no_http(folder.parent)
    }
    assert found == {*flooding.CALLS}


@pytest.mark.parametrize("connector", flooding.CALLS)
def test_what_a_server_sends_without_end_takes_no_memory(connector: str) -> None:
    """220 MB before, in and after the sign-in: the call ends with its reason, and the memory of the
    process comes back.
    """
    program = str(Path(flooding.__file__))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, program, connector],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [one["step"] for one in found] == ["warm", "before", "in", "after"]
    for one in found[1:]:
        assert one["status"] == "failed"
        assert _SAID.get((connector, one["step"]), _TOO_MUCH) in one["message"], one
        assert one["peak"] <= _MOST_MB, one


_DEEP_TABLE = b""
for _ in range(9000):
    _DEEP_TABLE = (
        len(_DEEP_TABLE).to_bytes(4, "big") + _DEEP_TABLE
        if not _DEEP_TABLE
        else ((len(_DEEP_TABLE) + 3).to_bytes(4, "big") + b"\x01aF" + _DEEP_TABLE)
    )
_START = b"\0\x0a\0\x0a\0\x09" + _DEEP_TABLE + b"\0\0\0\x05PLAIN\0\0\0\x05en_US"
_MOST, _NO_MEMBERS = b"\xff\xff\xff\xff", b"\0\0\0\0"


def _file_names(count: int, names: bytes) -> bytes:
    """SFTP's answer to the second request: so many names."""
    body = b"\x68" + struct.pack("!II", 2, count) + names
    return struct.pack("!I", len(body)) + body


_HOSTILE: dict[str, tuple[str, str, bytes]] = {
    "redis: lists in each other": ("redis", "after", b"*1\r\n" * 200_000),
    "redis: a long number": ("redis", "after", b":" + b"9" * 5_000_000 + b"\r\n"),
    "redis: lists before the sign-in": ("redis", "before", b"*1\r\n" * 200_000),
    "rabbitmq: tables in each other": (
        "rabbitmq",
        "before",
        b"\x01\0\0" + len(_START).to_bytes(4, "big") + _START + b"\xce",
    ),
    "rabbitmq: no frame": ("rabbitmq", "after", b"\x01\0\1\0\0\0\4\xff\xff\xff\xff\xce"),
    "redis: a list of less than none": ("redis", "after", b"*-5\r\n"),
    "redis: a value of less than none": ("redis", "after", b"$-5\r\n"),
    "mysql: no greeting": ("mysql", "before", b"\x02\0\0\0\x0a\xff"),
    "mysql: 60,000 columns": ("mysql", "after", b"\x03\0\0\1\xfc\x60\xea"),
    "mysql: 2 to the 63rd columns": ("mysql", "after", b"\x09\0\0\1\xfe" + b"\0" * 7 + b"\x80"),
    "mysql: columns that are NULL": ("mysql", "after", b"\x01\0\0\1\xfb"),
    "sftp: a long answer": ("sftp", "after", b""),
    "sftp: more members than the packet has": (
        "sftp",
        "after",
        _file_names(1, b"\0\0\0\1a" + _NO_MEMBERS + b"\x80\0\0\0" + _MOST),
    ),
    "sftp: more extensions than the packet has": ("sftp", "keys", b"\x07" + _MOST),
}


def _call(connector: str, step: str, said: bytes, action: str, inputs: dict[str, Any]) -> Result:
    serve, _, kind, _ = flooding.CALLS[connector]

    def talk(client: socket.socket) -> None:
        with suppress(Exception):
            serve(client, step, said or None)

    with serving(talk) as port, flooding.runtime() as jackfield:
        return jackfield.invoke(
            {
                "connector": connector,
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": 60,
                "connection": {"type": kind, "values": flooding.values_for(connector, port)},
            }
        )


@pytest.mark.parametrize("case", _HOSTILE)
def test_an_answer_that_cannot_be_read_is_told(case: str) -> None:
    """Bytes at which a library raises whatever it raises: never an internal error, and tried
    once.
    """
    connector, step, said = _HOSTILE[case]
    _, action, _, inputs = flooding.CALLS[connector]
    result = _call(connector, step, said, action, inputs)
    assert result.error is not None
    doubtful = connector == "rabbitmq" and step == "after"
    assert (result.status, result.error.code) == (
        "in_doubt" if doubtful and result.status == "in_doubt" else "failed",
        "unavailable",
    )
    assert _GARBLED in result.error.message, result.error
    assert result.meta.attempts == 1


@pytest.mark.parametrize("count", [1_000_001, 10**9, 10**400])
def test_a_list_has_no_more_values_than_a_call_takes(count: int) -> None:
    """A number that a server gives is no size: the values are neither made nor waited for."""
    result = _call("redis", "after", b"*%d\r\n" % count, "getHash", {"key": "a"})
    assert result.error is not None
    assert (result.error.code, result.meta.attempts) == ("rejected", 1)
    assert "more than 1,000,000 values" in result.error.message


@pytest.mark.parametrize("count", [100_001, 0xFFFFFFFF])
def test_a_folder_has_no_more_names_than_a_call_takes(count: int) -> None:
    """A number that a server gives is no size: the names are neither made nor waited for."""
    result = _call(
        "sftp", "after", _file_names(count, b"\0\0\0\1a" + _NO_MEMBERS * 2), "listFiles", {}
    )
    assert result.error is not None
    assert (result.error.code, result.meta.attempts) == ("rejected", 1)
    assert "more than 100,000 names" in result.error.message


_NAMED: dict[str, tuple[str, str, bytes]] = {
    "redis: a value": ("redis", "after", b"$9999999999\r\n"),
    "imap: a literal": ("imap", "after", b"* 1 FETCH (BODY[] {4294967295}\r\n"),
    "imap: a literal in the greeting": ("imap", "before", b"* OK {4294967295}\r\n"),
}


@pytest.mark.parametrize("case", _NAMED)
def test_what_a_server_only_names_is_refused_at_once(case: str) -> None:
    """A length in a header takes neither memory nor the time of the call."""
    connector, step, said = _NAMED[case]
    _, action, _, inputs = flooding.CALLS[connector]
    result = _call(connector, step, said, action, inputs)
    assert result.error is not None
    assert (result.error.code, result.meta.attempts) == ("rejected", 1)
    assert "the server would send more than 16,777,216 bytes for one call" in result.error.message


_ODD_ANSWERS = (
    b":1",
    b":-1",
    b":" + b"9" * 4000,
    b"+OK",
    b"+\xff",
    b"$-1",
    b"$2\r\n\xff\xff",
    b"*-1",
    b"*0",
    b"*1\r\n:1",
    b"*1\r\n$-1",
    b"*1\r\n*0",
    b"*2\r\n$1\r\na\r\n:1",
    b"*2\r\n$1\r\na\r\n*1\r\n:1",
    b"*1\r\n*2\r\n$1\r\n\xff\r\n*0",
    b"*1\r\n*2\r\n$1\r\na\r\n*1\r\n$1\r\na",
    b"*1\r\n*1\r\n$1\r\na",
    b"*1\r\n-ERR x",
    b"%1\r\n:1",
)


def _redis_actions() -> list[Any]:
    manifest = json.loads(
        (_CONNECTORS / "redis" / "jackfield_redis" / "connector.json").read_text(encoding="utf-8")
    )
    return [
        pytest.param(
            one["key"], one["effect"], one["examples"][0]["invocation"]["inputs"], id=one["key"]
        )
        for one in manifest["actions"]
    ]


@pytest.mark.parametrize(("action", "effect", "inputs"), _redis_actions())
def test_an_answer_of_another_type_is_told(
    action: str, effect: str, inputs: dict[str, Any]
) -> None:
    """Whatever Redis is said to answer: the answer of each action is its own or cannot be read, and
    a change is in doubt then.
    """
    for odd in _ODD_ANSWERS:
        result = _call("redis", "after", odd + b"\r\n", action, inputs)
        if result.status != "succeeded":
            assert result.error is not None
            assert (result.status, result.error.code) in {
                ("failed", "unavailable"),
                ("in_doubt", "in_doubt"),
            }, (odd, result.error)
            assert result.status == "failed" or effect == "write", (odd, result.error)
            assert _GARBLED in result.error.message, (odd, result.error)
