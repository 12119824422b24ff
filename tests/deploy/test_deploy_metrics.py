"""The dashboard and the alerts: every metric that they name is served, with those labels, and every
alert has a page of the runbook.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from tests.deploy.deployment import DEPLOY, ROOT, load, rule_queries, selectors

from http_stand import process, say

pytest_plugins = ["warm"]

TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus adds to all that it scrapes."""
OF_PROMETHEUS = {"up"}
_PARTS = re.compile("_(total|bucket|sum|count)$")


def dashboard() -> Any:
    """The dashboard."""
    return json.loads(
        (DEPLOY / "grafana" / "dashboards" / "jackfield.json").read_text(encoding="utf-8")
    )


def panel_queries() -> dict[str, str]:
    """The queries of the dashboard by panel."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    }


def declared() -> dict[str, frozenset[str]]:
    """The labels of each series in the generated reference."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    found: dict[str, frozenset[str]] = {}
    for name, kind, labels in re.findall(
        r"^### (\w+)\n\n.*?\n\n- Type: (\w+)\n- Labels: (.*)$", page, re.MULTILINE
    ):
        names = frozenset(re.findall(r"`(\w+)`", labels))
        if kind == "histogram":
            found |= {
                f"{name}_sum": names,
                f"{name}_count": names,
                f"{name}_bucket": names | {"le"},
            }
        else:
            found[name] = names
    return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, launchers: Path) -> dict[str, frozenset[str]]:
    """The labels of each series of a real server after a call; of those that have counted nothing
    yet, the reference's.
    """
    forked = mock.patch.object(sys, "executable", str(launchers / "python"))
    with forked, process(tmp_path_factory.mktemp("server"), JACKFIELD_DATABASE_URL="") as server:
        assert server.client.post("/v1/invocations", say("say", text="Hi")).status == 200
        text = server.client.get("/metrics").body.decode()
    found = declared()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                assert found[sample.name] == frozenset(sample.labels), sample.name
    return {
        name: labels for name, labels in found.items() if f"# TYPE {_PARTS.sub('', name)}" in text
    }


@pytest.mark.parametrize("queries", [panel_queries, rule_queries], ids=["dashboard", "rules"])
def test_each_metric_is_served_with_its_labels(
    served: dict[str, frozenset[str]], queries: Callable[[], dict[str, str]]
) -> None:
    """Each query parses, and names only metrics of a running server, with labels that they have."""
    asked = queries()
    assert len(asked) > 8
    for where, query in asked.items():
        for selector in selectors(query):
            if selector.metric not in OF_PROMETHEUS:
                assert selector.metric in served, f"{where}: there is no metric {selector.metric}"
                assert selector.labels <= served[selector.metric] | TARGET, f"{where}: {selector}"


def test_each_metric_is_watched() -> None:
    """The dashboard shows each metric that the server has."""
    shown = {selector.metric for query in panel_queries().values() for selector in selectors(query)}
    assert {name for name in declared() if not name.endswith(("_sum", "_count"))} <= shown


def test_the_dashboard_fits_grafanas_model() -> None:
    """Grafana's own model reads the dashboard and writes the same: no member is unknown to it or of
    another type.
    """
    assert (
        _lost(dashboard(), json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard())))) == []
    )


def _lost(ours: Any, theirs: Any, path: str = "") -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            line
            for key, value in ours.items()
            for line in _lost(value, theirs.get(key), f"{path}/{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            line
            for at, pair in enumerate(zip(ours, theirs, strict=True))
            for line in _lost(*pair, f"{path}/{at}")
        ]
    return [] if ours == theirs else [path]


def test_panels_do_not_overlap() -> None:
    """Panels have numbers of their own, lie within the 24 columns, and side by side."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_alerts_are_explained() -> None:
    """Each alert has a severity, a summary, a description, and a section of the runbook; the
    runbook has no other.
    """
    page = ROOT / "docs" / "tutorial" / "runbook.md"
    sections = re.findall(r"^## (Jackfield\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    rules = [rule for group in load("prometheus/rules.yml")["groups"] for rule in group["rules"]]
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/tutorial/runbook.md#{rule['alert'].lower()}"
    assert sections == [rule["alert"] for rule in rules]


def test_each_alert_fires_and_none_without_cause() -> None:
    """Promtool finds no fault, and its tests of the rules pass; they name each alert twice: once it
    fires, once it is silent.
    """
    tests = (DEPLOY / "prometheus" / "rules.test.yml").read_text(encoding="utf-8")
    for name in rule_queries():
        assert f'alertname="{name}"' in tests
        assert f"alertname: {name}, " in tests
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    checks = (
        "check rules rules.yml",
        "check config --syntax-only prometheus.yml",
        "test rules rules.test.yml",
    )
    for words in checks:
        done = subprocess.run(
            [program, *words.split()],
            cwd=DEPLOY / "prometheus",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_name_labels_that_they_have() -> None:
    """Durations have Prometheus' form, and summaries name labels of their queries only."""
    for rule in (
        rule for group in load("prometheus/rules.yml")["groups"] for rule in group["rules"]
    ):
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert (
            named
            <= {label for selector in selectors(rule["expr"]) for label in selector.labels} | TARGET
        )
