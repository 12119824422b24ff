"""Sends through the HTTP API against threads of bare boto3, with a provider that takes 20 ms."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.child import Figures
from benchmarks.http_load import ROUNDS, SECONDS, lane, said
from benchmarks.measure import Line, Scene, compared, endpoint, per_second, shown
from benchmarks.scenes import boto_client, boto_mail

_CALLERS = 64


def lines() -> Iterator[Line]:
    """One worker process, then two."""
    with endpoint(latency=0.02, blind=True) as aws:
        for workers, goal in ((1, 0.9), (2, None)):
            ours = lane("mail", _CALLERS, aws.url, workers)
            found = compared(
                ours,
                Scene(boto_threads, (aws.url,), said("rate"), count=1),
                rounds=ROUNDS,
                show=per_second,
            )
            how = "" if workers == 1 else f", {workers} worker processes"
            tail = shown(statistics.median(each["p99"] for each in ours.said))
            what = (
                f"sendEmail over HTTP at 20 ms, {_CALLERS} at once{how}, against {_CALLERS} "
                "threads of bare boto3"
            )
            yield found.line(what, at_least=goal, more=f"; p99 {tail}")


@contextmanager
def boto_threads(url: str) -> Iterator[Callable[[], Figures]]:
    """Send from threads for some seconds."""
    call = boto_mail(boto_client("sesv2", url, retries={"total_max_attempts": 1}))
    with ThreadPoolExecutor(_CALLERS) as pool:
        list(pool.map(lambda _: call(), range(_CALLERS)))

        def work(until: float) -> int:
            done = 0
            while time.perf_counter() < until:
                call()
                done += 1
            return done

        def run() -> Figures:
            began = time.perf_counter()
            sent = sum(pool.map(work, [began + SECONDS] * _CALLERS))
            return Figures(rate=sent / (time.perf_counter() - began))

        yield run
