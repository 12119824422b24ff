"""Sending over SMTP: a pool of connections against a new connection for each message. Run as a
program it is the server.
"""

from __future__ import annotations

import contextlib
import json
import logging
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Answer, Line, Scene, compared, per_second
from benchmarks.scenes import MAIL
from jackfield import Jackfield

_HOST, _PORT = "127.83.71.67", 2587  # an address of its own, since the port is not free to choose
_USER, _PASSWORD = "AKIAIOSFODNN7EXAMPLE", "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG"
_MESSAGES = 1000
_THREADS = 8


def lines() -> Iterator[Line]:
    """All lines about SMTP."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as bundle:
        found = compared(
            *(Scene(scene, (bundle,), Answer.rate) for scene in (send_pooled, send_alone)),
            show=per_second,
        )
        yield found.line(
            "messages a second over SMTP with TLS, over one pool against a new smtplib "
            "connection each",
            at_least=2,
        )
        with _runtime(bundle) as jackfield:
            yield _in_threads(jackfield)


@contextlib.contextmanager
def send_pooled(bundle: str) -> Iterator[Callable[[], object]]:
    """Send through jackfield."""
    with _runtime(bundle) as jackfield:
        yield lambda: jackfield.invoke(_invocation()).unwrap()


@contextlib.contextmanager
def send_alone(bundle: str) -> Iterator[Callable[[], object]]:
    """Send over a new connection each."""
    trust = ssl.create_default_context(cafile=bundle)
    yield lambda: _connect_and_send(trust)


def _in_threads(jackfield: Jackfield) -> Line:
    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(lambda _: jackfield.invoke(_invocation()), range(_MESSAGES)))
    sent = {
        (result.output or {}).get("MessageId") for result in results if result.status == "succeeded"
    }
    return Line(
        f"1,000 messages over SMTP from {_THREADS} threads",
        f"{len(sent)} accepted, each once",
        "1,000",
        len(sent) == _MESSAGES,
    )


def _invocation() -> dict[str, Any]:
    inputs = {name: value for name, value in MAIL.items() if name != "awsRegion"}
    return {"connector": "aws-ses", "action": "sendEmail", "connection": "link", "inputs": inputs}


def _runtime(bundle: str) -> Jackfield:
    values = {"hostname": _HOST, "username": _USER, "password": _PASSWORD}
    connection = {"link": {"type": "aws-ses/smtp", "values": values}}
    return Jackfield(
        connections=[connection], database_url="none", environment={"AWS_CA_BUNDLE": bundle}
    )


def _connect_and_send(trust: ssl.SSLContext) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        MAIL["sender"],
        ", ".join(MAIL["to"]),
        MAIL["subject"],
    )
    message.set_content(str(MAIL["text"]))
    with smtplib.SMTP(_HOST, _PORT, local_hostname="[127.0.0.1]") as smtp:
        smtp.starttls(context=trust)
        smtp.login(_USER, _PASSWORD)
        smtp.send_message(message)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """The server in a process of its own, so that its work is not ours; the file with its
    authority's certificate.
    """
    command = [sys.executable, "-m", "benchmarks.smtp", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
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
