"""``docs/reference/sizing.md``: the arithmetic and the simulation of ``benchmarks.sizing``, with
the figures of its data file.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.sizing import Figures, Outcome, Plan, percentile, plan, simulate, stages_by_use

from generated.markdown import NOTICE

_LOADS = (1.0, 1.3, 1.6)
"""Loads that are simulated, as multiples of the planned one."""

_HEAD = """# Sizing

How many machines a load needs: arithmetic from measured CPU times, and a simulation that shows the latency to expect. Every
number on this page is computed from `benchmarks/sizing.json`. Measure the figures on your own machines and actions, change that
file, and run `make generate`.

A queued invocation passes these stages: the API writes it to the journal (PostgreSQL) and answers 202; the broker (RabbitMQ)
hands it to a worker; the worker claims it, records that it begins, runs the action, and records the outcome."""

_FIRST = """## What saturates first

1. **The provider.** Its rate limit is usually far below the limits here: at the rate that your accounts allow, nothing below
   matters. jackfield paces itself and lets throttled work wait in the queue.
2. **Workers.** They need most of the CPU, and scale without limit: add processes. Slots (`--concurrency`) are limited by memory,
   not by CPU, while they wait for the provider.
3. **PostgreSQL.** One server can only grow: its CPU first, then its disk. Every invocation costs several commits, which share
   writes while many are under way. Use a disk with a low commit latency (`pg_test_fsync` measures it).
4. **RabbitMQ.** A message carries two identifiers, so that its CPU and its disk are the last to matter."""

_SHARDS = """## Beyond one database

One PostgreSQL and one RabbitMQ carry one shard. For more, run several: each shard is a complete deployment with its own database,
broker, API and workers. Nothing is shared between shards, so their number has no limit, and a shard that fails affects its own
workspaces only.

- **Partition by workspace.** Everything in jackfield belongs to one workspace: connections, tokens, keys, budgets, journal.
  Create each workspace in one shard, and give its callers the host name of that shard (`s07.jackfield.example.com`). jackfield
  has no router of its own; a proxy that maps a host name or a path prefix (`--root-path`) to a shard is enough.
- **A workspace larger than a shard** must be divided into several workspaces, because idempotency keys and budgets hold within
  one workspace. Two shards that use the same provider account do not see each other's rate: give each a part of it.
- **Move a workspace** while it is idle: create it in the new shard, store its connections there, let the queue of the old one run
  empty.
- Each shard has its own Prometheus job; Grafana shows all of them."""


def page() -> str:
    """The page."""
    figures = Figures.read()
    plans = [(row["name"], plan(figures, row["rate"])) for row in figures.data["scenarios"]]
    parts = [
        NOTICE,
        _HEAD,
        _measured(figures),
        _assumed(figures),
        _arithmetic(figures, plans),
        _FIRST,
    ]
    return "\n\n".join([*parts, _simulated(figures, plans), _SHARDS]) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measured(figures: Figures) -> str:
    rows = [
        [row["stage"], row["what"], f"{row['value']:,} {row['unit']}"]
        for row in figures.data["figures"].values()
    ]
    return f"## Measured\n\nWith {figures.data['measuredWith']}.\n\n" + _table(
        ["stage", "figure", "value"], rows
    )


def _assumed(figures: Figures) -> str:
    rows = [[row["what"], f"{row['value']:,}"] for row in figures.data["assumptions"].values()]
    return "## Assumed\n\n" + _table(["assumption", "value"], rows)


def _arithmetic(figures: Figures, plans: Sequence[tuple[str, Plan]]) -> str:
    first = plans[0][1]
    accept, share = figures.figure("acceptCpu"), figures.assumed("utilisation")
    kept = figures.assumed("retentionDays")
    rows = [
        ["shards", *(f"{item.shards:,}" for _, item in plans)],
        ["invocations per second and shard", *(f"{item.shard_rate:,.0f}" for _, item in plans)],
        ["API cores per shard", *(f"{item.api_cores}" for _, item in plans)],
        ["PostgreSQL cores per shard", *(f"{item.database_cores}" for _, item in plans)],
        ["RabbitMQ cores per shard", *(f"{item.broker_cores}" for _, item in plans)],
        ["worker cores per shard", *(f"{item.worker_cores}" for _, item in plans)],
        ["concurrent invocations per shard", *(f"{item.slots}" for _, item in plans)],
        ["worker processes per shard", *(f"{item.worker_processes}" for _, item in plans)],
        [
            "memory of API and workers per shard",
            *(f"{item.memory_bytes / 1024**3:,.1f} GiB" for _, item in plans),
        ],
        ["cores in all", *(f"{item.cores:,}" for _, item in plans)],
        ["journal, per day", *(f"{item.disk_bytes_per_day / 1e12:,.2f} TB" for _, item in plans)],
        [
            f"journal, kept {kept:g} days",
            *(f"{item.disk_bytes_per_day * kept / 1e12:,.1f} TB" for _, item in plans),
        ],
    ]
    return f"""## Arithmetic

Cores = rate × CPU time ÷ utilisation. For the API of the first column: {first.shard_rate:,.0f} × {accept:g} µs ÷ {share:g} =
{first.shard_rate * accept / 1e6 / share:.2f}, so {first.api_cores} cores.
Concurrent invocations = rate × time in a slot ÷ utilisation (Little's law).

{_table(["", *(name for name, _ in plans)], rows)}

A Python process uses one core, so cores of the API and of workers are processes. A shorter `retentionDays` keeps less of the journal."""


def _simulated(figures: Figures, plans: Sequence[tuple[str, Plan]]) -> str:
    settings = figures.data["simulation"]
    rows = []
    for name, item in plans:
        for load in _LOADS:
            outcome = simulate(figures, item, item.shard_rate * load)
            busiest = max(outcome.used.items(), key=lambda pair: pair[1])
            rows.append(
                [name, f"{load:g}×", *_latencies(outcome), f"{busiest[0]}, {busiest[1]:.0%}"]
            )
    first = plans[0]
    order = ", ".join(
        f"{stage} at {1 / used:.1f}×"
        for stage, used in stages_by_use(figures, first[1].shard_rate, first[1])
    )
    head = [
        "planned for",
        "load",
        "202 p50",
        "202 p99",
        "outcome p50",
        "outcome p95",
        "outcome p99",
        "busiest stage",
    ]
    return f"""## Simulated

A discrete-event simulation of one shard (`benchmarks/sizing.py`): random arrivals, exponentially distributed CPU times, queues in
front of every stage; {settings["seconds"]} s, seed {settings["seed"]}. Latencies are in ms: from the request to the answer 202, and to the
recorded outcome. The dispatcher is assumed to publish at once.

{_table(head, rows)}

By the arithmetic, the stages of the plan for {first[0]} saturate in this order, as multiples of that load: {order}. Beyond it the
queue grows, callers still get 202, and the outcome comes later."""


def _latencies(outcome: Outcome) -> list[str]:
    accepted = [percentile(outcome.accepted, share) for share in (0.5, 0.99)]
    ended = [percentile(outcome.ended, share) for share in (0.5, 0.95, 0.99)]
    return [f"{seconds * 1000:,.0f}" for seconds in (*accepted, *ended)]
