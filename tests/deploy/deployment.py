"""The files of ``deploy/``, read for tests: container file, compose, rendered Kubernetes manifests,
queries; and what jackfield accepts.
"""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
WORKLOADS = ("Deployment", "StatefulSet", "Job")


def load(path: str) -> Any:
    """A YAML file of ``deploy/``."""
    return yaml.safe_load((DEPLOY / path).read_text(encoding="utf-8"))


# What jackfield accepts


def parsed(words: Sequence[str]) -> Any:
    """The options of a command, such as ``["serve", "--port", "8080"]``; an unknown one fails."""
    command, *rest = words
    verbs = built_in(command) if command in BUILT_IN else load_plugged(plugged()[command])
    assert not callable(verbs)
    verb = "" if "" in verbs else rest.pop(0)
    return verbs[verb].parser(command).read(rest)


@cache
def variables() -> frozenset[str]:
    """Each environment variable of jackfield that its code reads."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "runtime").rglob("*.py")]
    return frozenset(
        name for text in sources for name in re.findall(r"\"(JACKFIELD_[A-Z_]*[A-Z])\"", text)
    )


# The container file


@dataclass(frozen=True)
class Instruction:
    """An instruction of the container file, its lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Arguments as a shell reads them; flags included."""
        return shlex.split(self.text)


def stages() -> list[list[Instruction]]:
    """The instructions of each stage of the container file; those before the first FROM belong to
    the first stage.
    """
    text = re.sub(
        r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    found: list[list[Instruction]] = [[]]
    for line in lines:
        name, _, rest = line.strip().partition(" ")
        if name == "FROM" and any(item.name == "FROM" for item in found[-1]):
            found.append([])
        found[-1].append(Instruction(name, rest.strip()))
    return found


# Kubernetes


def templates() -> list[Path]:
    """The manifests that are templates for an operator to fill in."""
    return sorted(KUBERNETES.rglob("*.template.yaml"))


def render(overlay: str) -> list[dict[str, Any]]:
    """The objects of a kustomization, with its namespace, patches, images and labels; as ``kubectl
    kustomize`` makes them, but for names of generated objects.
    """
    return _built(KUBERNETES / overlay)


def _built(folder: Path) -> list[dict[str, Any]]:
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    objects: list[dict[str, Any]] = []
    _add(folder, plan, objects)
    for name in plan.get("components", []):
        component = (folder / name).resolve()
        _add(
            component,
            yaml.safe_load((component / "kustomization.yaml").read_text(encoding="utf-8")),
            objects,
        )
    for item in objects:
        _finish(item, plan)
    return objects


def _add(folder: Path, plan: Mapping[str, Any], objects: list[dict[str, Any]]) -> None:
    """Add the objects of a kustomization or a component to those that are there, and patch all of
    them.
    """
    known = {
        "apiVersion",
        "kind",
        "namespace",
        "labels",
        "resources",
        "components",
        "configMapGenerator",
        "patches",
        "images",
    }
    assert not plan.keys() - known, (
        f"{folder}: this reader does not know {sorted(plan.keys() - known)}"
    )
    for name in plan["resources"]:
        objects += (
            _built((folder / name).resolve())
            if (folder / name).is_dir()
            else documents(folder / name)
        )
    objects += [_config_map(folder, wanted) for wanted in plan.get("configMapGenerator", [])]
    for patch in plan.get("patches", []):
        for change in documents(folder / patch["path"]):
            (target,) = [item for item in objects if _name(item) == _name(change)]
            _merge(target, change)


def documents(path: Path) -> list[dict[str, Any]]:
    """All documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def _name(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def _config_map(folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    data = {name: (folder / name).read_text(encoding="utf-8") for name in wanted["files"]}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": wanted["name"]},
        "data": data,
    }


def _merge(target: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Merge as Kubernetes does: objects by member, lists of named things by name, other lists as a
    whole.
    """
    for key, value in change.items():
        there = target.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            _merge(there, value)
        elif isinstance(value, list) and key in ("containers", "volumes"):
            for item in value:
                _merge(next(old for old in target[key] if old["name"] == item["name"]), item)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = copy.deepcopy(value)


def _finish(item: dict[str, Any], plan: Mapping[str, Any]) -> None:
    metadata = item["metadata"]
    if item["kind"] != "Namespace" and "namespace" in plan:
        metadata["namespace"] = plan["namespace"]
    for label in plan.get("labels", []):
        metadata["labels"] = {**metadata.get("labels", {}), **label["pairs"]}
    for image in plan.get("images", []):
        for container in pod(item)["spec"]["containers"] if item["kind"] in WORKLOADS else []:
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"


def pod(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The pod template of a workload."""
    found: dict[str, Any] = workload["spec"]["template"]
    return found


def containers(
    objects: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each container, with the name of its workload and its pod template."""
    for item in objects:
        if item["kind"] in WORKLOADS:
            for container in pod(item)["spec"]["containers"]:
                yield item["metadata"]["name"], pod(item), container


# Queries


@dataclass(frozen=True)
class Selector:
    """A selector of a query: the metric, and the labels that it needs."""

    metric: str
    labels: frozenset[str]


def selectors(query: str) -> set[Selector]:
    """The selectors of a PromQL query; labels by which a query groups count for each of its
    metrics.
    """
    tree = promql_parser.parse(re.sub(r"\$__rate_interval", "5m", query))
    found = set[Selector]()
    _collect(tree, frozenset(), found)
    return found


def _collect(node: Any, grouped: frozenset[str], found: set[Selector]) -> None:
    if isinstance(node, promql_parser.VectorSelector):
        wanted = frozenset(matcher.name for matcher in node.matchers.matchers)
        found.add(Selector(str(node.name), wanted | grouped))
        return
    if isinstance(node, promql_parser.MatrixSelector):
        _collect(node.vector_selector, grouped, found)
        return
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        grouped = grouped | frozenset(node.modifier.labels)
    for name in ("lhs", "rhs", "expr", "param"):
        if hasattr(node, name) and getattr(node, name) is not None:
            _collect(getattr(node, name), grouped, found)
    for part in getattr(node, "args", None) or []:
        _collect(part, grouped, found)


def rule_queries() -> dict[str, str]:
    """The query of each alert."""
    return {
        rule["alert"]: rule["expr"]
        for group in load("prometheus/rules.yml")["groups"]
        for rule in group["rules"]
    }
