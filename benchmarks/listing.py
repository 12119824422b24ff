"""Listing 1,000 identities, and what the check costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.measure import Line, endpoint, paired
from benchmarks.scenes import MAIL, boto_client, invocation, runtime, static_connection
from jackfield.catalog import Catalog
from jackfield.schema import compile_schema


def lines() -> Iterator[Line]:
    """Against boto3's paginator with the same page size; then the check."""
    identities = [f"user{number}@example.com" for number in range(1000)]
    with endpoint(identities=identities) as aws, runtime(static_connection(aws.url)) as jackfield:
        pages = boto_client("ses", aws.url).get_paginator("list_identities")
        asked = invocation("listIdentities", {"awsRegion": "eu-west-1", "fetchAll": True})

        def ours() -> float:
            started = time.perf_counter()
            found = jackfield.invoke(asked).unwrap()["Identities"]
            assert len(found) == 1000
            return time.perf_counter() - started

        def theirs() -> float:
            started = time.perf_counter()
            listed = pages.paginate(IdentityType="EmailAddress", PaginationConfig={"PageSize": 1000})
            assert sum(len(page["Identities"]) for page in listed) == 1000
            return time.perf_counter() - started

        for call in (ours, theirs):
            for _ in range(10):
                call()
        ratio, mine, other = paired(ours, theirs, 101)
    yield Line(
        "1,000 identities against boto3's paginator, same page size",
        f"{ratio:.2f}× ({mine * 1000:.2f} ms / {other * 1000:.2f} ms)",
        "≤ 1.05×",
        ratio <= 1.05,
    )
    yield _check()


def _check() -> Line:
    schema = compile_schema(Catalog.installed().find("aws-ses").actions["sendEmail"].inputs)
    rounds = []
    for _ in range(15):
        started = time.perf_counter()
        for _ in range(1000):
            schema.check(MAIL)
        rounds.append((time.perf_counter() - started) / 1000)
    seconds = statistics.median(rounds)
    return Line("check of valid inputs of sendEmail", f"{seconds * 1e6:.1f} µs", "≤ 10 µs", seconds <= 10e-6)
