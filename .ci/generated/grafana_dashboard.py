"""``deploy/grafana/dashboards/jackfield.json``: the dashboard, built from short lists of panels so
that its queries can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_RATE = "[$__rate_interval]"
_BY = 'connector=~"$connector", action=~"$action"'
_SECONDS = "jackfield_invocation_seconds_bucket"
_WIDTH = 24


@dataclass(frozen=True)
class _Panel:
    """A panel: its title, unit, queries with their legends, and explanation."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str
    kind: str = "timeseries"
    width: int = 12


_ROWS: tuple[tuple[str, tuple[_Panel, ...]], ...] = (
    (
        "Now",
        (
            _Panel(
                "Processes that answer",
                "short",
                (('sum(up{job=~"jackfield-.+"})', ""),),
                "Servers and workers.",
                "stat",
                4,
            ),
            _Panel(
                "Invocations running",
                "short",
                (("sum(jackfield_invocations_running)", ""),),
                "On all servers and workers.",
                "stat",
                4,
            ),
            _Panel(
                "Queued",
                "short",
                (("max(jackfield_queue_depth)", ""),),
                "Queued invocations that wait for a worker.",
                "stat",
                4,
            ),
            _Panel(
                "Ended, per second",
                "ops",
                ((f"sum(rate(jackfield_invocations_total{_RATE}))", ""),),
                "Whatever their outcome.",
                "stat",
                4,
            ),
            _Panel(
                "Failed",
                "percentunit",
                (
                    (
                        (
                            f'sum(rate(jackfield_invocations_total{{status="failed"}}{_RATE})) / '
                            f"sum(rate(jackfield_invocations_total{_RATE}))"
                        ),
                        "",
                    ),
                ),
                "Share of the invocations that ended.",
                "stat",
                4,
            ),
            _Panel(
                "In doubt now",
                "short",
                (("max(jackfield_doubts_open)", ""),),
                "Somebody has to resolve each that evidence does not settle.",
                "stat",
                4,
            ),
        ),
    ),
    (
        "Invocations",
        (
            _Panel(
                "Ended, by outcome",
                "ops",
                (
                    (
                        f"sum by (status) (rate(jackfield_invocations_total{{{_BY}}}{_RATE}))",
                        "{{status}}",
                    ),
                ),
                "Invocations that ended, per second.",
            ),
            _Panel(
                "Failed, by action",
                "ops",
                (
                    (
                        (
                            "sum by (connector, action) "
                            f"(rate(jackfield_invocations_total{{{_BY}, "
                            f'status="failed"}}{_RATE}))'
                        ),
                        "{{connector}} {{action}}",
                    ),
                ),
                "Failed invocations per second.",
            ),
            _Panel(
                "Latency",
                "s",
                tuple(
                    (
                        f"histogram_quantile({q}, sum by (le) (rate({_SECONDS}{{{_BY}}}{_RATE})))",
                        f"p{q * 100:g}",
                    )
                    for q in (0.5, 0.95, 0.99)
                ),
                "From admission to the final outcome, all attempts included.",
            ),
            _Panel(
                "p95, by action",
                "s",
                (
                    (
                        (
                            "histogram_quantile(0.95, sum by (le, connector, action) "
                            f"(rate({_SECONDS}{{{_BY}}}{_RATE})))"
                        ),
                        "{{connector}} {{action}}",
                    ),
                ),
                "From admission to the final outcome.",
            ),
        ),
    ),
    (
        "Doubts",
        (
            _Panel(
                "Open, and the oldest",
                "short",
                (
                    ("max(jackfield_doubts_open)", "open"),
                    ("max(jackfield_doubts_oldest_seconds) / 60", "minutes of the oldest"),
                ),
                "Calls in doubt that nobody and nothing has settled yet.",
            ),
            _Panel(
                "Settled, by whom",
                "short",
                (
                    (
                        "sum by (by, verdict) (increase(jackfield_doubts_settled_total[1h]))",
                        "{{by}} {{verdict}}",
                    ),
                    ("sum(increase(jackfield_doubts_contradicted_total[1h]))", "contradicted"),
                ),
                "Within the hour: it took effect, was refused, or left no trace. Each that is "
                "contradicted may have been sent twice.",
            ),
            _Panel(
                "Looks, by result",
                "short",
                (
                    (
                        "sum by (source, result) (increase(jackfield_doubt_looks_total[1h]))",
                        "{{source}} {{result}}",
                    ),
                ),
                "Reads at providers that look for what a call in doubt has made, within the hour.",
            ),
            _Panel(
                "Time to settle",
                "s",
                (
                    (
                        (
                            "histogram_quantile(0.95, sum by (le, by) "
                            "(rate(jackfield_doubt_settle_seconds_bucket[1h])))"
                        ),
                        "p95 {{by}}",
                    ),
                ),
                "From the doubt to its settlement.",
            ),
        ),
    ),
    (
        "Queue",
        (
            _Panel(
                "Queued",
                "short",
                (("max(jackfield_queue_depth)", "queued"),),
                "Queued invocations that wait for a worker.",
            ),
            _Panel(
                "Longest wait",
                "s",
                (("max(jackfield_queue_oldest_seconds)", "longest wait"),),
                "Time that the oldest due invocation has waited for a worker.",
            ),
            _Panel(
                "Dead and blocked",
                "short",
                (
                    ("max(jackfield_queue_dead)", "dead"),
                    ("max(jackfield_workspaces_blocked)", "blocked workspaces"),
                ),
                "Invocations that were given up after too many lost workers, and workspaces of "
                "which nothing is begun.",
            ),
            _Panel(
                "Schedules late by",
                "s",
                (("max(jackfield_schedules_overdue_seconds)", "late by"),),
                "Time for which the longest overdue schedule has been due.",
            ),
            _Panel(
                "Callbacks that fail",
                "short",
                (("max(jackfield_callbacks_failing)", "failing"),),
                "Callbacks that have only failed for an hour.",
            ),
            _Panel(
                "Database went back",
                "short",
                (("max(jackfield_database_went_back)", "went back"),),
                "1 for an hour after the database went back to an earlier state, such as after a "
                "failover that lost commits.",
            ),
            _Panel(
                "Running",
                "short",
                (("sum by (job) (jackfield_invocations_running)", "{{job}}"),),
                "Invocations that run now.",
            ),
        ),
    ),
    (
        "HTTP API",
        (
            _Panel(
                "Responses, by status",
                "reqps",
                ((f"sum by (status) (rate(jackfield_http_requests_total{_RATE}))", "{{status}}"),),
                "HTTP responses per second.",
            ),
            _Panel(
                "Requests, by method",
                "reqps",
                ((f"sum by (method) (rate(jackfield_http_requests_total{_RATE}))", "{{method}}"),),
                "HTTP requests per second.",
            ),
        ),
    ),
    (
        "Credentials and isolation",
        (
            _Panel(
                "Credentials requested",
                "ops",
                (
                    (
                        f"sum by (outcome) (rate(jackfield_credential_leases_total{_RATE}))",
                        "{{outcome}}",
                    ),
                ),
                "Requests for credentials, such as AWS STS sessions, per second.",
            ),
            _Panel(
                "Actions past their deadline",
                "short",
                (("sum(jackfield_actions_overdue)", "still running"),),
                "Calls of actions that block: their invocations have ended, their threads have "
                "not. The log names the actions.",
            ),
            _Panel(
                "Isolated processes",
                "short",
                (
                    ("sum(jackfield_isolated_processes)", "running"),
                    (
                        "sum by (connector) (increase(jackfield_isolated_process_ends_total[1h]))",
                        "ended within the hour: {{connector}}",
                    ),
                ),
                "Child processes that run isolated connectors, and those that ended by "
                "themselves or were ended for what they did.",
            ),
            _Panel(
                "Revoked connectors",
                "short",
                (("max(jackfield_connectors_revoked)", "installed and revoked"),),
                "Installed connectors of which the publisher's key or the release was revoked.",
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Build the dashboard in Grafana's format."""
    return {
        "uid": "jackfield-overview",
        "title": "jackfield",
        "description": "Invocations, queue, HTTP API and credentials of all servers and workers.",
        "tags": ["jackfield"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [_source(), _choice("connector"), _choice("action", 'connector=~"$connector"')]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": _panels(),
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
    }


def _choice(label: str, within: str = "") -> dict[str, Any]:
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": _DATASOURCE,
        "query": (
            f"label_values(jackfield_invocations_total{f'{{{within}}}' if within else ''}, {label})"
        ),
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "sort": 1,
    }


def _panels() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    numbers, top = count(1), 0
    for title, panels in _ROWS:
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        made.append(
            {
                "id": next(numbers),
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        top += 1
        left, height = 0, 4 if panels[0].kind == "stat" else 8
        for panel in panels:
            if left + panel.width > _WIDTH:
                left, top = 0, top + height
            made.append(
                _panel(panel, next(numbers), {"x": left, "y": top, "w": panel.width, "h": height})
            )
            left += panel.width
        top += height
    return made


def _panel(panel: _Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    stat = panel.kind == "stat"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATASOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(65 + at),
                "datasource": _DATASOURCE,
                "expr": query,
                "legendFormat": legend or "__auto",
                "instant": stat,
            }
            for at, (query, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}}
        if stat
        else {"legend": {"displayMode": "list", "placement": "bottom"}},
    }
