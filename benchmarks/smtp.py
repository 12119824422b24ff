"""Sending over SMTP: a pool of connections against a new connection for each message. Run as a program it is the server."""

from __future__ import annotations

import contextlib
import json
import logging
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Line, paired
from benchmarks.scenes import MAIL
from jackfield import Jackfield

_HOST, _PORT = "127.83.71.67", 2587  # an address of its own, since the port is not free to choose
_USER, _PASSWORD = "AKIAIOSFODNN7EXAMPLE", "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG"
_MESSAGES = 1000
_SINGLE = 200
_THREADS = 8
_ROUNDS = 3


def lines() -> Iterator[Line]:
    """All lines about SMTP."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as bundle, _runtime(bundle) as jackfield:
        trust = ssl.create_default_context(cafile=bundle)

        def pooled() -> float:
            return _rate(_MESSAGES, lambda: jackfield.invoke(_invocation()).unwrap())

        def single() -> float:
            return _rate(_SINGLE, lambda: _connect_and_send(trust))

        ratio, ours, theirs = paired(pooled, single, _ROUNDS)
        what = "messages a second over SMTP with TLS, 1,000 over one pool against a new smtplib connection each"
        yield Line(what, f"{ratio:.1f}× ({ours:.0f}/s / {theirs:.0f}/s)", "≥ 2×", ratio >= 2)
        yield _in_threads(jackfield)


def _in_threads(jackfield: Jackfield) -> Line:
    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(lambda _: jackfield.invoke(_invocation()), range(_MESSAGES)))
    sent = {(result.output or {}).get("MessageId") for result in results if result.status == "succeeded"}
    return Line(f"1,000 messages over SMTP from {_THREADS} threads", f"{len(sent)} accepted, each once", "1,000", len(sent) == _MESSAGES)


def _invocation() -> dict[str, Any]:
    inputs = {name: value for name, value in MAIL.items() if name != "awsRegion"}
    return {"connector": "aws-ses", "action": "sendEmail", "connection": "link", "inputs": inputs}


def _runtime(bundle: str) -> Jackfield:
    values = {"hostname": _HOST, "username": _USER, "password": _PASSWORD}
    connection = {"link": {"type": "aws-ses/smtp", "values": values}}
    return Jackfield(connections=[connection], database_url="none", environment={"AWS_CA_BUNDLE": bundle})


def _rate(count: int, function: Any) -> float:  # a call
    started = time.perf_counter()
    for _ in range(count):
        function()
    return count / (time.perf_counter() - started)


def _connect_and_send(trust: ssl.SSLContext) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = MAIL["sender"], ", ".join(MAIL["to"]), MAIL["subject"]
    message.set_content(str(MAIL["text"]))
    with smtplib.SMTP(_HOST, _PORT, local_hostname="[127.0.0.1]") as smtp:
        smtp.starttls(context=trust)
        smtp.login(_USER, _PASSWORD)
        smtp.send_message(message)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """The server in a process of its own, so that its work is not ours; the file with its authority's certificate."""
    command = [sys.executable, "-m", "benchmarks.smtp", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield json.loads(child.stdout.readline())
        child.stdin.close()


def _serve(folder: Path) -> None:
    from authority import Authority
    from smtp_server import SmtpServer

    logging.getLogger("mail.log").setLevel(logging.ERROR)
    issuer = Authority(folder)
    with SmtpServer(issuer.serving(_HOST), users={_USER: _PASSWORD}, host=_HOST, port=_PORT):
        print(json.dumps(str(issuer.bundle)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
