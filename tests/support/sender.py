"""A process that sends one mail from each of many threads at once, when its parent says go.

Run as ``python sender.py URL-OF-AWS URL-OF-DATABASE THREADS``: it says ``warm``, waits for a line
on its standard input, sends, and answers with the Results' statuses as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/acme-ses"
_KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "secret-of-the-sender",
    "region": "eu-west-1",
}
_MAIL = {
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello Ada",
}


def role(url: str) -> dict[str, Any]:
    """A connection that assumes a role at the fake AWS."""
    values = {
        **_KEYS,
        "roleARN": ROLE,
        "externalId": "acme-4711",
        "endpoint": url,
        "stsEndpoint": url,
    }
    return {"acme-ses": {"type": "aws-ses/awsAssumeRole", "values": values}}


def started(
    aws_url: str, database_url: str, threads: int, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """The process, which may not be warm yet."""
    command = [sys.executable, __file__, aws_url, database_url, str(threads)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment)
    )


def _main(aws_url: str, database_url: str, threads: str) -> None:
    from jackfield_store.runtime import Jackfield

    count = int(threads)
    barrier = threading.Barrier(count)
    invocation = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme-ses",
        "inputs": _MAIL,
    }
    with (
        Jackfield(connections=[role(aws_url)], database_url=database_url) as jackfield,
        ThreadPoolExecutor(count) as pool,
    ):

        def send(_number: int) -> str:
            barrier.wait()
            return jackfield.invoke(invocation).status

        jackfield.open()
        sys.stdout.write("warm\n")
        sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.write(json.dumps(list(pool.map(send, range(count)))) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
