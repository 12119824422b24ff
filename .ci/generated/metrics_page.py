"""``docs/reference/metrics.md``: each metric at ``/metrics``, from the registry itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generated.markdown import NOTICE
from jackfield.catalog import Catalog
from jackfield_service.shell.process.metrics import Metrics

_TEXT = """# Metrics

`GET /metrics` returns Prometheus' text format. It requires a token for the workspace `default` with the scope `read` and without rules. The
metrics cover all workspaces and all worker processes of one server.

```yaml title="prometheus.yml"
scrape_configs:
  - job_name: jackfield
    authorization: {credentials_file: /etc/prometheus/jackfield.token}
    static_configs: [{targets: ["jackfield.example.com"]}]
```"""

_QUERIES = """## Questions and queries

| question | query |
| --- | --- |
| Are calls in doubt? | `increase(jackfield_invocations_total{status="in_doubt"}[15m]) > 0` |
| How many are open, and since when is the oldest? | `jackfield_doubts_open`, `jackfield_doubts_oldest_seconds` |
| Who settles them, as what? | `sum by (by, verdict) (increase(jackfield_doubts_settled_total[1d]))` |
| How long does a settlement take? | `histogram_quantile(0.95, sum by (le, by) (rate(jackfield_doubt_settle_seconds_bucket[1d])))` |
| Do looks at a provider fail? | `sum by (source) (increase(jackfield_doubt_looks_total{result="failed"}[1h])) > 0` |
| Was something sent twice after all? | `increase(jackfield_doubts_contradicted_total[1h]) > 0` |
| What share of calls fails? | `sum(rate(jackfield_invocations_total{status="failed"}[5m])) / sum(rate(jackfield_invocations_total[5m]))` |
| What is the p95 of an action? | `histogram_quantile(0.95, sum by (le, action) (rate(jackfield_invocation_seconds_bucket[5m])))` |
| Is the queue growing? | `jackfield_queue_depth` |
| How long does work wait? | `jackfield_queue_oldest_seconds` |
| Do receivers of events fail? | `jackfield_callbacks_failing > 0` |
| Do schedules run in time? | `jackfield_schedules_overdue_seconds` |
| Did the database go back to an earlier state? | `jackfield_database_went_back > 0` |
| Is a workspace blocked by its keys or settings? | `jackfield_workspaces_blocked > 0` |
| Did an invocation kill its workers? | `jackfield_queue_dead > 0` |
| Does an isolated connector crash? | `increase(jackfield_isolated_process_ends_total[15m]) > 0` |
| Is a revoked connector installed? | `jackfield_connectors_revoked > 0` |
| Do credential leases fail? | `rate(jackfield_credential_leases_total{outcome="failed"}[5m])` |

Alert on doubts that are open for longer than an hour: what [evidence](../tutorial/doubts.md) has not settled by then, somebody
[resolves](../tutorial/operators.md#what-is-in-doubt). The counters are of the processes that look and that serve: the command
`jackfield invocations resolve` counts in none. `by` is `evidence`, `person`, or `answer`: the call's own, which came
after its process was taken for lost."""

_KINDS = {"counter": "counter", "histogram": "histogram", "gauge": "gauge"}
_VALUES = {
    "outcome": "`leased` or `failed`",
    "status": "`succeeded`, `failed` or `in_doubt`; the HTTP status for requests",
    "by": "`evidence` or `person`",
    "verdict": "`took`, `refused` or `absent`; of a person `took` for success, `absent` for failure",
    "source": "the read, the trigger or the connector of the log that was asked",
    "result": "`nothing`, `matched`, `refused`, `similar`, `ambiguous` or `failed`",
}
"""Values of labels that have few."""

_LABELS = (
    "Label values: " + ". ".join(f"`{name}` is {values}" for name, values in _VALUES.items()) + "."
)


def page() -> str:
    """The page. Metrics are read from a registry that no process uses."""
    metrics = Metrics(Catalog([]))
    return "\n\n".join([NOTICE, _TEXT, "## Names", _LABELS, *_named(metrics), _QUERIES]) + "\n"


def _named(metrics: Metrics) -> Iterator[str]:
    found = (*vars(metrics).values(), *(gauge for gauge, _ in metrics.of_subjects))
    for family in sorted(found, key=lambda value: str(getattr(value, "_name", ""))):
        if hasattr(family, "_labelnames"):
            yield _metric(family)


def _metric(metric: Any) -> str:
    name = metric._name + ("_total" if metric._type == "counter" else "")  # noqa: SLF001 (the client has no public way to ask)
    labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "none"  # noqa: SLF001 (as above)
    kind = _KINDS[metric._type]  # noqa: SLF001 (as above)
    return f"### {name}\n\n{metric._documentation}\n\n- Type: {kind}\n- Labels: {labels}"  # noqa: SLF001 (as above)
