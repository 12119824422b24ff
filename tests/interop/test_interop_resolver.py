"""A command whose machine asks dnsmasq, or a name server that is not there or says nothing: whose
fault it is, and when the call ends.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from waiting import until

pytestmark = pytest.mark.interop
_AT = "127.0.0.53"
_SILENT = "could not be looked up: the resolver did not answer"


@contextmanager
def _dnsmasq() -> Iterator[None]:
    """A name server that knows ``known.example`` alone."""
    if shutil.which("dnsmasq") is None:
        pytest.skip("dnsmasq is not installed: make interop installs it")
    about = [
        "--no-resolv",
        "--no-hosts",
        "--address=/known.example/127.0.0.1",
        "--address=/example/",
        "--bind-interfaces",
    ]
    command = [
        "dnsmasq",
        "--keep-in-foreground",
        "--user=root",
        f"--listen-address={_AT}",
        "--port=53",
        *about,
    ]
    with subprocess.Popen(command) as process:
        try:
            until(lambda: process.poll() is not None or _answers())
            assert process.poll() is None
            yield
        finally:
            process.terminate()


def _answers() -> bool:
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0\5known\7example\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.sendto(question, (_AT, 53))
            return bool(asking.recv(512))
        except OSError:
            return False


@contextmanager
def _nobody() -> Iterator[None]:
    """No name server."""
    yield


@contextmanager
def _silent() -> Iterator[None]:
    """A name server that says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((_AT, 53))
        yield


SERVERS: dict[str, tuple[Callable[[], object], str, str]] = {
    "a name that it knows": (_dnsmasq, "known.example", "'known.example:9' refused the connection"),
    "a name that does not exist": (
        _dnsmasq,
        "unknown.example",
        "the host 'unknown.example' does not resolve to an address",
    ),
    "nobody there": (_nobody, "known.example", f"the host 'known.example' {_SILENT}"),
    "silent": (_silent, "known.example", f"the host 'known.example' {_SILENT}"),
}


@pytest.mark.parametrize("server", SERVERS)
def test_whose_fault_it_is(server: str, tmp_path: Path) -> None:
    """The sentence names the host or the resolver, and the command ends with its deadline."""
    if os.geteuid() != 0:
        pytest.skip("a name server of one's own needs root")
    begins, host, said = SERVERS[server]
    (tmp_path / "resolv.conf").write_text(f"nameserver {_AT}\noptions timeout:30 attempts:1\n")
    connection = {"type": "http/anonymous", "values": {"server": f"http://{host}:9"}}
    call = {
        "connector": "http",
        "action": "request",
        "connection": connection,
        "inputs": {"url": "/"},
        "timeoutSeconds": 5,
    }
    (tmp_path / "call.json").write_text(json.dumps(call))
    command = [
        sys.executable,
        "-m",
        "jackfield",
        "invoke",
        "--file",
        str(tmp_path / "call.json"),
        "--json",
    ]
    inside = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec "$@"',
        "sh",
        *command,
    ]
    with begins():  # type: ignore[attr-defined]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=25, check=False)
    assert said in done.stdout + done.stderr
