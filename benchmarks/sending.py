"""sendEmail through the executor against bare boto3."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.measure import Line, cpu_each, endpoint, in_threads, paired
from benchmarks.scenes import KEYS, MAIL, ROLE, boto_client, boto_mail, invocation, role_connection, runtime, static_connection

_ROUNDS = 9
_CALLS = 250


def lines() -> Iterator[Line]:
    """All lines about sending a text."""
    yield from _cpu()
    yield _against_fresh_clients()
    yield _cold_threads()


def _cpu() -> Iterator[Line]:
    with endpoint(blind=True) as aws, runtime(static_connection(aws.url)) as jackfield:
        theirs = boto_mail(boto_client("sesv2", aws.url))

        def ours() -> None:
            jackfield.invoke(invocation()).unwrap()

        for call in (ours, theirs):
            cpu_each(call, 50)
        ratio, mine, other = paired(lambda: cpu_each(ours, _CALLS), lambda: cpu_each(theirs, _CALLS), _ROUNDS)
        yield _cpu_line("1 thread", ratio, mine, other)
        ratio, mine, other = paired(lambda: in_threads(ours, 1000, 50), lambda: in_threads(theirs, 1000, 50), 5)
        yield _cpu_line("50 threads", ratio, mine, other)


def _cpu_line(threads: str, ratio: float, ours: float, theirs: float) -> Line:
    what = f"sendEmail (text), CPU per call against a cached boto3 client, {threads}"
    return Line(what, f"{ratio:.2f}× ({ours * 1e6:.0f} µs / {theirs * 1e6:.0f} µs)", "≤ 1.10×", ratio <= 1.10)


def _against_fresh_clients() -> Line:
    """Calls a second at 20 ms latency with two round trips for each new connection."""
    with endpoint(latency=0.02, connect_latency=0.04, roles={ROLE: {"externalId": "jf-1"}}) as aws:
        with runtime(role_connection(aws.url)) as jackfield:
            jackfield.invoke(invocation()).unwrap()
            ratio, mine, other = paired(
                lambda: _rate(lambda: jackfield.invoke(invocation()).unwrap(), 40), lambda: _rate(lambda: _assume_and_send(aws.url), 8), 5
            )
    return Line(
        "sends a second at 20 ms, against assuming the role and building a client on each call",
        f"{ratio:.1f}× ({mine:.1f}/s / {other:.1f}/s)",
        "≥ 5×",
        ratio >= 5,
    )


def _rate(function: Any, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        function()
    return count / (time.perf_counter() - started)


def _assume_and_send(url: str) -> None:
    import boto3

    session = _SESSIONS.setdefault("session", boto3.Session(KEYS["accessKeyId"], KEYS["secretAccessKey"], region_name="eu-west-1"))
    sts = session.client("sts", endpoint_url=url)
    keys = sts.assume_role(RoleArn=ROLE, RoleSessionName="bench", ExternalId="jf-1")["Credentials"]
    client = session.client(
        "sesv2",
        endpoint_url=url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    boto_mail(client)()
    sts.close()
    client.close()


_SESSIONS: dict[str, Any] = {}


def _cold_threads() -> Line:
    with endpoint(latency=0.005, roles={ROLE: {"externalId": "jf-1"}}) as aws, runtime(role_connection(aws.url)) as jackfield:
        with ThreadPoolExecutor(50) as pool:
            results = list(pool.map(lambda _: jackfield.invoke(invocation(inputs=MAIL)), range(1000)))
        state = aws.state()
        assumed = state["calls"].count("sts:AssumeRole")
        sent = sum(result.status == "succeeded" for result in results)
        connections = state["connections"] - 1  # one for STS
    good = sent == 1000 and assumed == 1 and connections <= 50
    return Line("1,000 sends from 50 threads, cold", f"{sent} sent, {assumed} AssumeRole, {connections} connections", "1 and ≤ 50", good)
