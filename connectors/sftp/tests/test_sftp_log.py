"""The log of a process whose SSH server is a stranger: it has nothing of what the server has
sent.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from raw_server import serving


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_server_that_says_too_much(tmp_path: Path, form: str) -> None:
    """100 lines of 60 kB that are no protocol leave a short error, and nothing of theirs in the
    log.
    """
    reached = []

    def talk(connection: socket.socket) -> None:
        reached.append(1)
        for _ in range(101):
            connection.sendall(b"stranger\x1b[31m" * 4_600 + b"\r\n")
        connection.recv(65536)

    with serving(talk) as port:
        values = {
            "hostname": "127.0.0.1",
            "port": port,
            "username": "ada",
            "password": "p-4711",
            "hostKey": f"SHA256:{'A' * 43}",
        }
        (tmp_path / "connections.yaml").write_text(
            json.dumps({"connections": {"files": {"type": "sftp/login", "values": values}}})
        )
        settings = {
            "JACKFIELD_CONNECTIONS": str(tmp_path / "connections.yaml"),
            "JACKFIELD_HOME": str(tmp_path),
            "JACKFIELD_LOG": form,
        }
        words = [sys.executable, "-m", "jackfield", "invoke", "sftp", "listFiles", "path=/"]
        found = subprocess.run(
            words,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (found.returncode != 0, bool(reached)) == (True, True), found.stdout + found.stderr
    assert "stranger" not in found.stderr
    assert "paramiko" not in found.stderr
    assert len(found.stderr) < 5_000


_EMBEDDED = """
import json, logging, sys
from jackfield import Jackfield
if sys.argv[2] != "none":
    logging.basicConfig(level=sys.argv[2])
with Jackfield(database_url="none") as jackfield:
    print(jackfield.invoke(json.loads(sys.argv[1])).status)
"""
"""A host that embeds the library, and logs as it is used to, or has never thought of it."""
_SAID = {
    "lines": b"stranger\x1b[31m says no\r\n" * 101,
    "version": b"SSH-1.0-stranger\x1b[31m\r\n",
    "goodbye": b"SSH-2.0-stranger\r\n"
    + bytes([0, 0, 0, 44, 10, 1, 0, 0, 0, 2, 0, 0, 0, 20])
    + b"stranger\x1b[31m says !!"
    + bytes(16),
}


@pytest.mark.parametrize("level", ["none", "DEBUG"])
@pytest.mark.parametrize("said", _SAID)
def test_a_host_that_embeds_the_library(said: str, level: str) -> None:
    """Nothing of what an SSH server has sent is in the host's log."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(_SAID[said])
        connection.recv(65536)

    with serving(talk) as port:
        values = {
            "hostname": "127.0.0.1",
            "port": port,
            "username": "ada",
            "password": "p-4711",
            "hostKey": f"SHA256:{'A' * 43}",
        }
        call = {
            "connector": "sftp",
            "action": "listFiles",
            "inputs": {},
            "connection": {"type": "sftp/login", "values": values},
        }
        words = [sys.executable, "-c", _EMBEDDED, json.dumps(call), level]
        found = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert found.stdout == "failed\n", found.stderr
    assert ("stranger" not in found.stderr, "Traceback" not in found.stderr) == (True, True), (
        found.stderr
    )
