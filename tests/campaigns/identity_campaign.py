"""Callers of a source of credentials that hangs, over HTTP, beside the callers of another
connection: issue 44.

``make campaign identity`` runs it. By hand, with other numbers of callers::

    export PYTHONPATH=.:tests/support:connectors/aws/tests
    python tests/campaigns/identity_campaign.py 20 100 300

A source gives no answer for 8 seconds to so many calls over one connection, or over 40. Meanwhile
200 mails go over a connection with keys. The campaign fails if the 99th percentile of these is more
than twice that of the same mails alone (the slower of two rounds, and at least 25 ms: less is
noise), if one fails, if a waiting call has not ended a second after its deadline, is in doubt or
was sent, or if its idempotency key does not work afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from http_stand import Client, process
from identity_sources import ROLE, environment_of, identity_stand

_MAIL = {"to": "ada@example.com", "sender": "n@example.com", "subject": "s", "text": "t"}
_DEADLINE, _LATE, _LEAST = 8.0, 1.0, 0.025
_CALLERS, _CALLS, _CONNECTIONS = 4, 200, 40
_SOURCES = ("web identity", "container", "process", "sso")
_KINDS = {"own": "aws/awsDefault", "role": "aws/awsAssumeRole"}
_OUT = {"timeout", "unavailable"}


def _connections(folder: Path) -> str:
    keys = {"accessKeyId": "AKIAOTHER", "secretAccessKey": "s", "region": "eu-west-1"}
    found: dict[str, Any] = {"keys": {"type": "aws/apiKeySecret", "values": keys}}
    for number in range(_CONNECTIONS):
        found[f"own-{number}"] = {"type": _KINDS["own"], "values": {"region": "eu-west-1"}}
        found[f"role-{number}"] = {
            "type": _KINDS["role"],
            "values": {"roleARN": f"{ROLE}-{number}", "region": "eu-west-1"},
        }
    path = folder / "connections.json"
    path.write_text(json.dumps({"connections": found}), encoding="utf-8")
    return str(path)


def _send(
    client: Client, connection: str, key: str, seconds: float = 60.0
) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    call = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": connection,
        "inputs": _MAIL,
        "idempotencyKey": key,
    }
    result = client.post("/v1/invocations", {**call, "timeoutSeconds": seconds}).json
    return time.perf_counter() - began, result


def _percentile(client: Client, name: str) -> float:
    """Send mails over the connection with keys, and return the 99th percentile of their seconds."""
    with ThreadPoolExecutor(_CALLERS) as callers:
        found = list(
            callers.map(lambda number: _send(client, "keys", f"{name}-{number}"), range(_CALLS))
        )
    wrong = [result for _, result in found if result["status"] != "succeeded"]
    assert not wrong, wrong[0]
    return sorted(seconds for seconds, _ in found)[_CALLS * 99 // 100]


def _tried(source: str, kind: str, many: int, spread: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.mkfifo(folder / "silence")
        with identity_stand(folder) as stand:
            settings: dict[str, Any] = environment_of(source, stand) | {
                "HOME": name,
                "JACKFIELD_CONNECTIONS": _connections(folder),
            }
            cache = folder / ".aws" / "sso" / "cache"
            cache.mkdir(parents=True)
            for found in folder.glob("*.json"):
                shutil.copy(found, cache)
            with process(folder, **settings) as server:
                client = Client(server.port, server.token, timeout=60.0)
                _percentile(client, "warm")
                alone = max(_percentile(client, f"alone-{number}") for number in range(2))
                stand.mood, sent = "silence", stand.sent
                with ThreadPoolExecutor(many) as callers:
                    waiting = [
                        callers.submit(
                            _send, client, f"{kind}-{number % spread}", f"w-{number}", _DEADLINE
                        )
                        for number in range(many)
                    ]
                    time.sleep(1.0)
                    beside = _percentile(client, "beside")
                    ended = [one.result() for one in waiting]
                assert stand.sent == sent + _CALLS, "a waiting call was sent"
                stand.mood = ""
                _, again = _send(client, f"{kind}-0", "w-0")
                assert again["status"] == "succeeded", again
    codes = Counter(
        (result["status"], result["error"]["code"], result["meta"]["attempts"])
        for _, result in ended
    )
    latest = max(seconds for seconds, _ in ended)
    assert {(status, code in _OUT, attempts) for status, code, attempts in codes} == {
        ("failed", True, 0)
    }, codes
    about = f"{source:14} {kind:5} {many:4} callers, {spread:3} connections"
    _say(
        f"{about}: p99 {1000 * alone:6.1f} ms alone, {1000 * beside:6.1f} ms beside, the latest "
        f"after {latest:.1f} s"
    )
    return "" if beside <= max(_LEAST, 2 * alone) and latest <= _DEADLINE + _LATE else about


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Try each source with each number of callers, and all over many connections once."""
    numbers = [int(text) for text in sys.argv[1:]] or [20, 100, 300]
    cases = [(_SOURCES[0], kind, many, 1) for kind in _KINDS for many in numbers]
    cases += [(source, "own", numbers[-1], _CONNECTIONS) for source in _SOURCES]
    cases += [(_SOURCES[0], "role", numbers[-1], _CONNECTIONS)]
    missed = [told for case in cases if (told := _tried(*case))]
    _say(f"{len(cases) - len(missed)} of {len(cases)} within the goal")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
