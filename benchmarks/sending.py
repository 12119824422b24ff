"""sendEmail through the whole pipe against bare boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import Answer, Line, Scene, compared, endpoint, per_second
from benchmarks.scenes import (
    KEYS,
    MAIL,
    ROLE,
    boto_mail,
    boto_send,
    invocation,
    role_connection,
    runtime,
    send,
)


def lines() -> Iterator[Line]:
    """All lines about sending a text."""
    with endpoint(blind=True) as aws:
        for threads in (1, 50):
            found = compared(
                *(Scene(scene, (aws.url,), threads=threads) for scene in (send, boto_send))
            )
            what = (
                f"sendEmail (text), CPU per call against a cached boto3 client, {threads} "
                f"thread{'s' if threads > 1 else ''}"
            )
            yield found.line(what, at_most=0.6)
    yield _against_fresh_clients()
    yield _cold_threads()


def _against_fresh_clients() -> Line:
    """Calls a second at 20 ms latency with two round trips for each new connection."""
    with endpoint(latency=0.02, connect_latency=0.04, roles={ROLE: {"externalId": "jf-1"}}) as aws:
        sides = (
            Scene(scene, (aws.url,), Answer.rate) for scene in (send_by_role, send_by_fresh_clients)
        )
        found = compared(*sides, rounds=31, show=per_second)
    return found.line(
        "sends a second at 20 ms, against assuming the role and building a client on each call",
        at_least=5,
    )


@contextmanager
def send_by_role(url: str) -> Iterator[Callable[[], object]]:
    """Send the mail over a connection with a role."""
    with runtime(role_connection(url)) as jackfield:
        yield lambda: jackfield.invoke(invocation()).unwrap()


@contextmanager
def send_by_fresh_clients(url: str) -> Iterator[Callable[[], object]]:
    """Assume the role and make a client for each mail."""
    import boto3

    session = boto3.Session(KEYS["accessKeyId"], KEYS["secretAccessKey"], region_name="eu-west-1")
    yield lambda: _assume_and_send(session, url)


def _assume_and_send(session: Any, url: str) -> None:
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


def _cold_threads() -> Line:
    with (
        endpoint(latency=0.005, roles={ROLE: {"externalId": "jf-1"}}) as aws,
        runtime(role_connection(aws.url)) as jackfield,
    ):
        with ThreadPoolExecutor(50) as pool:
            results = list(
                pool.map(lambda _: jackfield.invoke(invocation(inputs=MAIL)), range(1000))
            )
        state = aws.state()
        assumed = state["calls"].count("sts:AssumeRole")
        sent = sum(result.status == "succeeded" for result in results)
        connections = state["connections"] - 1  # one for STS
    good = sent == 1000 and assumed == 1 and connections <= 50
    return Line(
        "1,000 sends from 50 threads, cold",
        f"{sent} sent, {assumed} AssumeRole, {connections} connections",
        "1 and ≤ 50",
        good,
    )
