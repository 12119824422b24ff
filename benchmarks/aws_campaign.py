"""Campaigns over all operations of AWS, too long for the tests: ``python -m benchmarks.aws_campaign
schemas|scenarios|pages|moto|judge [SHARE]``.

``schemas`` compiles the schemas of every operation (or of every SHARE-th) and judges 20 valid and
20 mutated inputs of each against botocore's validator. ``scenarios`` runs the steps of
``connectors/aws/tests/moto_scenarios`` on moto. ``moto`` calls every read that needs no input, each
list to its end. ``pages`` fetches three pages of every list, made up from its model. ``judge``
(``make campaign aws``) makes each call twice, by us and by boto3, and compares requests and
answers: SEED in the environment draws others. Each takes minutes.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.trees import OF_TESTS
from jackfield_aws.virtual import models
from jackfield_aws.virtual.index import Index
from jackfield_aws.virtual.operations import describe

ROOT = Path(__file__).resolve().parent.parent
_EACH = 20
_UNFIT = frozenset({"bedrock-runtime", "cloudformation"})
"""Services that moto has too little of, or that are slow."""
_WAITED = ("ec2", "rds", "s3", "dynamodb", "cloudformation", "lambda", "ecs", "elbv2", "iam", "eks")
"""Services whose waiters are all judged."""


def schemas(share: int) -> None:
    """Judge the schemas of every ``share``-th operation."""
    from aws_shapes import Disagreement, disagreements

    started, operations, stricter = time.perf_counter(), 0, Counter[str]()
    found: list[Disagreement] = []
    index = Index()
    rows = [(service, name) for service in index.services for name, _, _ in index.rows(service)]
    for service, name in rows[::share]:
        classes, differing = disagreements(service, name, _EACH, _EACH)
        stricter.update(classes)
        operations, found = operations + 1, found + differing
    took = time.perf_counter() - started
    print(
        f"{operations:,} operations compiled, {2 * _EACH * operations:,} inputs judged in "
        f"{took:.0f} s; only the schema refused:"
    )
    for name, count in stricter.most_common():
        print(f"  {count:,} {name}")
    print(f"{len(found)} disagreements without a rule")
    for item in found[:50]:
        print(
            f"  {item.operation}: schema {item.schema_says[:120]!r}, botocore "
            f"{item.botocore_says[:120]!r}"
        )


def pages(share: int) -> None:
    """Fetch three pages of every ``share``-th list of all services."""
    from aws_paged import Pages, complaint, lists
    from jackfield import Jackfield
    from moto_rig import EVERYTHING, Rig, offer

    rows = [(service, name) for service in models.services() for name in lists(service)][::share]
    said: Counter[str] = Counter()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as home, Pages() as server:
        with Jackfield(
            database_url="none", environment=offer(Path(home), {"default": EVERYTHING})
        ) as jackfield:
            rig = Rig(jackfield, server.url)
            for service, name in rows:
                found = complaint(rig, server, service, name)
                said["not made up" if found is None else "wrong" if found else "complete"] += 1
                if found:
                    print(f"  {service}.{name}: {found}", flush=True)
    print(
        f"{len(rows)} lists over three pages: {dict(said)} in {time.perf_counter() - started:.0f} s"
    )


def scenarios(_share: int) -> None:
    """Run the scenarios of all services on one moto server."""
    import aws_scenarios
    from moto_rig import moto_rig

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    succeeded, paged, calls, faults = set[str](), dict[str, int](), 0, list[str]()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as home, moto_rig(Path(home)) as rig:
        for service in aws_scenarios.services():
            outcome = aws_scenarios.run(rig, service)
            succeeded |= outcome.succeeded
            paged |= outcome.paged
            calls, faults = calls + outcome.calls, faults + outcome.faults
    named = {name.partition(".")[0] for name in succeeded}
    print(
        f"{len(succeeded)} operations of {len(named)} services succeeded in {calls} calls and "
        f"{time.perf_counter() - started:.0f} s"
    )
    print(
        f"{len(paged)} lists complete over {min(paged.values())} to {max(paged.values())} pages: "
        f"{', '.join(sorted(paged))}"
    )
    print(f"{len(faults)} faults", *faults, sep="\n  ")


def moto(share: int) -> None:
    """Call every ``share``-th read without required input on moto, and count the outcomes."""
    from moto.backend_index import backend_url_patterns

    from moto_rig import moto_rig

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    named = {name for name, _ in backend_url_patterns}
    outcomes: Counter[str] = Counter()
    succeeded: Counter[str] = Counter()
    incomplete: list[str] = []
    with tempfile.TemporaryDirectory() as home, moto_rig(Path(home)) as rig:
        for service in models.services():
            if service in _UNFIT or service.replace("-", "") not in {
                name.replace("-", "") for name in named
            }:
                continue
            for name in models.operations(service)[::share]:
                about = describe(service, name, texts=False)
                if about.effect != "read" or set(about.inputs.get("required", ())) - {"awsRegion"}:
                    continue
                inputs: dict[str, Any] = {"fetchAll": True} if about.pagination is not None else {}
                result = rig.result(f"{service}/{name[:1].lower()}{name[1:]}", timeout=2, **inputs)
                outcomes[result.status if result.error is None else result.error.code] += 1
                succeeded[service] += result.status == "succeeded"
                if (
                    about.pagination is not None
                    and result.status == "succeeded"
                    and result.meta.complete is not True
                ):
                    incomplete.append(f"{service}.{name}")
                if result.error is not None and result.error.code in ("internal", "invalid_output"):
                    print(f"  {service}.{name}: {result.error.message[:160]}")
    print(f"{sum(outcomes.values())} reads: {dict(outcomes)}")
    print(
        f"{sum(succeeded.values())} succeeded in "
        f"{sum(1 for count in succeeded.values() if count)} services; incomplete lists: "
        f"{incomplete}"
    )


def judge(_share: int) -> None:
    """Compare requests, made-up answers, moto's answers and waiters with boto3's; end with 1 if one
    differs without a reason.
    """
    from aws_judge import Count, pair
    from aws_judge_runs import (
        answers_run,
        reads_run,
        requests_run,
        scenarios_run,
        services_with_scenarios,
        waiters_run,
    )
    from moto_server import moto_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    seed = int(os.environ.get("SEED") or time.time())
    print(f"SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory() as home, pair(Path(home)) as both, moto_server() as moto:
        runs: tuple[tuple[str, Callable[[], Count]], ...] = (
            ("requests", lambda: requests_run(both, seed, 100)),
            ("made-up answers", lambda: answers_run(both, seed, 60)),
            (
                "calls of the scenarios on moto",
                lambda: scenarios_run(both, moto, services_with_scenarios()),
            ),
            ("further reads on moto", lambda: reads_run(both, moto, seed, 3, 30)),
            ("verdicts of waiters", lambda: waiters_run(_WAITED, seed, 40)),
        )
        different = 0
        for what, run in runs:
            started, count = time.perf_counter(), run()
            print(
                f"{count.line(what)}, {time.perf_counter() - started:.0f} s",
                *count.explained,
                sep="\n  ",
            )
            print(*(f"  DIFFERS {line}" for line in count.different), sep="\n", flush=True)
            different += len(count.different)
    sys.exit(different > 0)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / folder) for folder in OF_TESTS]
    {"schemas": schemas, "scenarios": scenarios, "pages": pages, "moto": moto, "judge": judge}[
        sys.argv[1]
    ](int(sys.argv[2]) if len(sys.argv) > 2 else 1)
