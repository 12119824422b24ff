"""The HTTP API: a no-op against a bare Starlette application, a send against bare boto3 threads, memory over many requests."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Line, endpoint, paired
from benchmarks.scenes import KEYS, MAIL, boto_client, boto_mail

_MANIFEST = ROOT / "tests" / "connectors" / "echo" / "jackfield_echo" / "connector.json"
_ROUNDS = 5
_SECONDS = 3.0
_REQUESTS = 50_000


def lines() -> Iterator[Line]:
    """All lines about the HTTP API."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _no_op(Path(folder))
        yield from _sends(Path(folder), 1)
        yield from _sends(Path(folder), 2)


def _no_op(folder: Path) -> Iterator[Line]:
    from http_stand import process

    (folder / "no-op").mkdir()
    with process(folder / "no-op") as ours, _bare() as theirs:
        made = ours.client.post("/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t"}})
        assert made.status == 201, made.body
        body = json.dumps({"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "hello"}})
        for connections, goal in ((64, 0.5), (1, 0.15)):
            yield _against_bare(ours, theirs, connections, goal, body)
        yield _memory(ours, body)


def _against_bare(ours: Any, theirs: int, connections: int, goal: float, body: str) -> Line:
    tails: list[float] = []

    def mine() -> float:
        found = _load(ours.port, connections, ours.token, body)
        tails.append(found["p99"])
        return float(found["rate"])

    ratio, rate, other = paired(mine, lambda: float(_load(theirs, connections, "none", body)["rate"]), _ROUNDS)
    plural = "s" if connections > 1 else ""
    what = f"requests a second of a no-op action, journalled, against bare Starlette, {connections} connection{plural}"
    p99 = sorted(tails)[len(tails) // 2] * 1000
    return Line(what, f"{ratio:.2f}× ({rate:.0f}/s / {other:.0f}/s; p99 {p99:.1f} ms)", f"≥ {goal}×", ratio >= goal)


def _memory(ours: Any, body: str) -> Line:
    def until(count: int) -> None:
        done = 0
        while done < count:
            done += int(_load(ours.port, 64, ours.token, body, 5.0)["count"])

    until(_REQUESTS // 5)
    before = ours.rss()
    until(_REQUESTS)
    grown = (ours.rss() - before) / 1024**2
    return Line(
        f"memory after {_REQUESTS:,} requests more",
        f"{ours.rss() / 1024**2:.0f} MiB, grown by {grown:.1f} MiB",
        "flat (≤ 10 MiB)",
        grown <= 10,
    )


def _sends(folder: Path, workers: int) -> Iterator[Line]:
    from http_stand import process

    (folder / f"sends-{workers}").mkdir()
    with (
        endpoint(latency=0.02, blind=True) as aws,
        process(folder / f"sends-{workers}", "--workers", str(workers)) as ours,
    ):
        values = {**KEYS, "endpoint": aws.url}
        made = ours.client.post("/v1/connections?test=false", {"name": "acme", "type": "aws/apiKeySecret", "values": values})
        assert made.status == 201, made.body
        body = json.dumps({"connector": "aws-ses", "action": "sendEmail", "connection": "acme", "inputs": MAIL})
        theirs = boto_mail(boto_client("sesv2", aws.url, retries={"total_max_attempts": 1}))
        tails: list[float] = []

        def mine() -> float:
            found = _load(ours.port, 64, ours.token, body)
            tails.append(found["p99"])
            return float(found["rate"])

        ratio, rate, other = paired(mine, lambda: _threads(theirs, 64, _SECONDS), _ROUNDS)
        p99 = sorted(tails)[len(tails) // 2] * 1000
        how = "" if workers == 1 else f", {workers} worker processes"
        what = f"sendEmail over HTTP at 20 ms, 64 at once{how}, against 64 threads of bare boto3"
        goal, met = ("≥ 0.9×", ratio >= 0.9) if workers == 1 else ("for scale", None)
        yield Line(what, f"{ratio:.2f}× ({rate:.0f}/s / {other:.0f}/s; p99 {p99:.0f} ms)", goal, met)


def _threads(call: Callable[[], object], count: int, seconds: float) -> float:
    """Calls a second from so many threads."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: call(), range(count)))
        started = time.perf_counter()

        def work(_number: int) -> int:
            done = 0
            while time.perf_counter() - started < seconds:
                call()
                done += 1
            return done

        return sum(pool.map(work, range(count))) / (time.perf_counter() - started)


def _load(port: int, connections: int, token: str, body: str, seconds: float = _SECONDS) -> dict[str, Any]:
    arguments = [str(port), str(connections), str(seconds), "/v1/invocations", token, body]
    done = subprocess.run([sys.executable, "-m", "benchmarks.load", *arguments], check=True, capture_output=True, text=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    assert not found["faults"], found["fault"]
    return found


@contextlib.contextmanager
def _bare() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.bare", str(_MANIFEST)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        found = re.search(r":(\d+)$", child.stderr.readline().strip())
        assert found is not None
        try:
            yield int(found[1])
        finally:
            child.send_signal(signal.SIGTERM)
