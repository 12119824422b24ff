"""Sends from several processes over one account, whose endpoint throttles beyond its rate, which is
to be kept and used.

The suite runs it small (``connectors/aws-ses/tests/test_aws_ses_pacing.py``). In full, by hand (12
minutes at 14 a second)::

    PYTHONPATH=.:tests/support python tests/campaigns/pace_campaign.py sqlite 10000 14
    PYTHONPATH=.:tests/support python tests/campaigns/pace_campaign.py postgresql 1500 14

Each process is a runtime of its own with the connection in a file; they share the database, and
nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_aws import FakeAwsProcess
from postgres import own_database

__all__ = ["Figures", "run"]

_PROCESSES = 4
_THREADS = 8
_TIMEOUT = 900


@dataclass(frozen=True)
class Figures:
    """Figures of one campaign. ``most`` is the largest number of requests in any second at the
    endpoint, throttled ones included.
    """

    sent: int
    distinct: int
    failed: Counter[str]
    throttled: int
    most: int
    seconds: float
    used: float


def run(url: str, count: int, rate: int, *, processes: int = _PROCESSES) -> Figures:
    """Send ``count`` mails over an account that takes ``rate`` a second."""
    options: dict[str, Any] = {
        "rates": {"SendEmail": rate},
        "quota": {"maxSendRate": rate, "max24HourSend": 10 * count},
    }
    with ExitStack() as stack:
        aws = stack.enter_context(FakeAwsProcess(**options))
        home = stack.enter_context(tempfile.TemporaryDirectory())
        values = {
            "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
            "secretAccessKey": "s" * 40,
            "region": "eu-west-1",
            "endpoint": aws.url,
        }
        Path(home, "connections.json").write_text(
            json.dumps({"acme": {"type": "aws/apiKeySecret", "values": values}})
        )
        shares = [count // processes + (number < count % processes) for number in range(processes)]
        children = [
            stack.enter_context(_child(url, home, number, share))
            for number, share in enumerate(shares)
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        outcomes = Counter(
            json.loads(line)
            for child in _let_go(children)
            for line in child.communicate(timeout=_TIMEOUT)[0].splitlines()
        )
        state = aws.state()
    requests = sorted(
        request["at"] for request in state["requests"] if request["operation"] == "SendEmail"
    )
    accepted = [message["subject"] for message in state["messages"]]
    if not requests:
        raise RuntimeError(str(outcomes))
    seconds = requests[-1] - requests[0]
    failed = Counter(
        {outcome: number for outcome, number in outcomes.items() if outcome != "succeeded"}
    )
    return Figures(
        sent=len(accepted),
        distinct=len(set(accepted)),
        failed=failed,
        throttled=len(requests) - len(accepted),
        most=max(
            sum(1 for at in requests[place : place + 2 * rate] if at - first < 1)
            for place, first in enumerate(requests)
        ),
        seconds=seconds,
        used=(len(requests) - 1) / seconds / rate,
    )


def _let_go(children: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    return children


@contextmanager
def _child(url: str, home: str, number: int, count: int) -> Iterator[subprocess.Popen[str]]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "JACKFIELD_"))
    }
    environment = {
        **kept,
        "JACKFIELD_DATABASE_URL": url,
        "JACKFIELD_HOME": home,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "support")
    command = [sys.executable, __file__, "child", home, str(number), str(count)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _send(home: str, number: int, count: int) -> None:
    from jackfield import Jackfield

    inputs = {
        "to": ["ada@example.com"],
        "sender": "noreply@example.com",
        "text": "Hello",
        "subject": "Hello",
    }
    invocation = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme",
        "inputs": inputs,
        "timeoutSeconds": 120,
    }

    def send(item: int) -> str:
        result = jackfield.invoke(
            {**invocation, "inputs": {**inputs, "subject": f"{number} {item}"}}
        )
        return (
            result.status
            if result.error is None
            else f"{result.error.code}: {result.error.message}"
        )

    with (
        Jackfield(connections=json.loads(Path(home, "connections.json").read_text())) as jackfield,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        jackfield.invoke({**invocation, "dryRun": True})
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for outcome in threads.map(send, range(count)):
            sys.stdout.write(json.dumps(outcome) + "\n")


def main(arguments: list[str]) -> None:
    """Run a campaign and print its figures; or be one of its processes."""
    if arguments[0] == "child":
        _send(arguments[1], int(arguments[2]), int(arguments[3]))
        return
    with tempfile.TemporaryDirectory() as folder, own_database(arguments[0], Path(folder)) as url:
        began = time.monotonic()
        figures = run(url, int(arguments[1]), int(arguments[2]))
        sys.stdout.write(f"{figures}\n{time.monotonic() - began:.1f} s in all\n")


if __name__ == "__main__":
    main(sys.argv[1:])
