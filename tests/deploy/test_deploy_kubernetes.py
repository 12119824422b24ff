"""The Kubernetes manifests: schemas of the oldest and the newest supported version, pod security, probes, networks, room to stop."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from deployment import DEPLOY, KUBERNETES, containers, documents, load, parsed, pod, render, templates, variables

OVERLAYS = ("overlays/trial", "overlays/production")
VERSIONS = ("1.30", "1.37")
OURS = ("jackfield-api", "jackfield-worker", "jackfield-migrate")
RUNNING = ("jackfield-api", "jackfield-worker")


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The objects of an overlay."""
    return render(request.param)


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name."""
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """The objects by kind and name; names that kustomize generates lose their hash."""
    return {(item["kind"], item["metadata"]["name"].partition("-fbdb")[0]): item for item in objects}


def test_they_fit_the_schemas_of_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strict schemas, which refuse unknown members, accept each object; so they do the templates."""
    monkeypatch.setattr(utils, "schema_contents", cache(utils.schema_contents))  # it is read for each object
    rendered = [item for overlay in OVERLAYS for item in render(overlay)]
    for version in VERSIONS:
        for item in [*rendered, *(item for path in templates() for item in documents(path))]:
            kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_our_reading_is_that_of_kubectl(overlay: str) -> None:
    """What these tests look at is what kubectl would apply, where there is a kubectl to ask."""
    program = shutil.which("kubectl")
    if program is None:
        return
    done = subprocess.run([program, "kustomize", KUBERNETES / overlay], capture_output=True, text=True, check=True)
    theirs = [item for item in yaml.safe_load_all(done.stdout) if "rabbitmq" not in item["metadata"]["name"]]
    ours = [item for item in render(overlay) if "rabbitmq" not in item["metadata"]["name"]]  # kustomize generates the name of its settings
    assert by_name(ours) == by_name(theirs)


def test_pods_in_production_share_what_is_installed_and_offered() -> None:
    """Each pod had a data folder of its own: what one installed over HTTP no worker had, and none after a restart."""
    objects = render("overlays/production")
    claims = {claim["metadata"]["name"]: claim["spec"]["accessModes"] for claim in objects if claim["kind"] == "PersistentVolumeClaim"}
    assert claims == {"jackfield-home": ["ReadWriteMany"]}
    for name, template, container in containers(objects):
        if name in RUNNING:
            (home,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "home"]
            assert home == {"name": "home", "persistentVolumeClaim": {"claimName": "jackfield-home"}}
            assert {"name": "home", "mountPath": "/var/lib/jackfield"} in container["volumeMounts"]


def test_options_and_variables_exist(objects: list[dict[str, Any]]) -> None:
    """Each command, option and variable is one that jackfield knows."""
    for name, _, container in containers(objects):
        if name in OURS:
            parsed(container["args"])
            assert container["envFrom"] == [{"configMapRef": {"name": "jackfield"}}]
    assert of_kind(objects, "ConfigMap")["jackfield"]["data"].keys() <= variables()


def test_pods_meet_the_restricted_standard(objects: list[dict[str, Any]]) -> None:
    """The namespace enforces the restricted pod security standard, and each pod meets it, with a read-only root besides."""
    assert of_kind(objects, "Namespace")["jackfield"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, template, container in containers(objects):
        spec, context = template["spec"], container["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_volumes_are_of_allowed_kinds_and_mounted(objects: list[dict[str, Any]]) -> None:
    """Volumes are secrets, settings and scratch space; each is mounted, and each mount has one. Secrets are not for others to read."""
    for item in (item for item in objects if item["kind"] in ("Deployment", "StatefulSet", "Job")):
        spec = pod(item)["spec"]
        claims = {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"]: next(key for key in volume if key != "name") for volume in spec["volumes"]}
        mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        assert mounted == volumes.keys() | claims
        assert set(volumes.values()) <= {"secret", "configMap", "emptyDir", "persistentVolumeClaim"}
        assert all(volume["secret"]["defaultMode"] == 0o440 for volume in spec["volumes"] if "secret" in volume)


def test_probes_ask_a_port_that_is_served(objects: list[dict[str, Any]]) -> None:
    """Liveness asks /healthz and readiness /readyz, on the port that the command listens on, at an address that the kubelet reaches."""
    for name, _, container in containers(objects):
        if name not in RUNNING:
            continue
        options = parsed(container["args"])
        (port,) = container["ports"]
        listens = (options.host, options.port) if name == "jackfield-api" else (options.health_host, options.health_port)
        assert listens == ("0.0.0.0", port["containerPort"])
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {kind: probe["path"] for kind, probe in asked.items()} == {
            "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
        }  # fmt: skip
        assert {probe["port"] for probe in asked.values()} == {port["name"]}


def test_pods_have_time_to_stop(objects: list[dict[str, Any]]) -> None:
    """The grace period covers the pause before the signal, --stop-within, and ten seconds for the journal."""
    for name, template, container in containers(objects):
        if name in RUNNING:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
            needed = float(pause[1]) + parsed(container["args"]).stop_within + 10
            assert template["spec"]["terminationGracePeriodSeconds"] >= needed


def test_selectors_find_their_pods(objects: list[dict[str, Any]]) -> None:
    """Services, disruption budgets, spreading and network policies select pods that exist."""
    pods = [pod(item)["metadata"]["labels"] for item in objects if item["kind"] in ("Deployment", "StatefulSet", "Job")]

    def matches(labels: Mapping[str, str]) -> bool:
        return any(labels.items() <= found.items() for found in pods)

    assert all(matches(item["spec"]["selector"]) for item in of_kind(objects, "Service").values())
    assert all(matches(item["spec"]["selector"]["matchLabels"]) for item in of_kind(objects, "PodDisruptionBudget").values())
    assert all(matches(item["spec"]["podSelector"].get("matchLabels", {})) for item in of_kind(objects, "NetworkPolicy").values())
    for item in of_kind(objects, "Deployment").values():
        spreads = pod(item)["spec"]["topologySpreadConstraints"]
        assert [spread["labelSelector"] for spread in spreads] == [item["spec"]["selector"]] * 2


def test_autoscalers_scale_what_is_there(objects: list[dict[str, Any]]) -> None:
    """Each deployment has one; the number of replicas that it starts with lies within the bounds."""
    deployments = of_kind(objects, "Deployment")
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    assert scalers.keys() == deployments.keys() == set(RUNNING)
    for name, item in scalers.items():
        assert item["spec"]["scaleTargetRef"]["name"] == name
        assert item["spec"]["minReplicas"] <= deployments[name]["spec"]["replicas"] <= item["spec"]["maxReplicas"]


def test_networks_are_closed_unless_listed(objects: list[dict[str, Any]]) -> None:
    """All traffic is denied first; what jackfield needs is let through: names, the database, the broker, providers, callers."""
    policies = {name: item["spec"] for name, item in of_kind(objects, "NetworkPolicy").items()}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports = {str(port["port"]) for policy in policies.values() for rule in policy.get("egress", []) for port in rule["ports"]}
    assert {"53", "443", "5432"} <= ports
    assert ports & {"5671", "5672"}
    (providers,) = policies["providers"]["egress"]
    assert "169.254.0.0/16" in providers["to"][0]["ipBlock"]["except"]
    named = {port["name"] for _, _, container in containers(objects) for port in container.get("ports", [])}
    opened = {port["port"] for policy in policies.values() for rule in policy.get("ingress", []) for port in rule["ports"]}
    assert opened == named


def test_templates_have_no_values_and_are_not_applied() -> None:
    """A Secret is a template with empty values; no kustomization lists it, and it has the keys that are mounted."""
    assert len(templates()) == 2
    for path in templates():
        assert path.name not in (path.parent / "kustomization.yaml").read_text(encoding="utf-8")
        assert all(set(item["stringData"].values()) == {""} for item in documents(path))
    keys = documents(KUBERNETES / "base" / "secret.template.yaml")[0]["stringData"].keys()
    named = [value for value in of_kind(render("base"), "ConfigMap")["jackfield"]["data"].values() if value.startswith("/run/secrets/")]
    assert sorted(value.rpartition("/")[2] for value in named) == sorted(keys)
    assert all(not of_kind(render(overlay), "Secret") for overlay in OVERLAYS)


def test_production_brings_its_own_database_and_broker() -> None:
    """The production overlay has no PostgreSQL and no RabbitMQ; those for a trial say that they are."""
    assert of_kind(render("overlays/production"), "StatefulSet") == {}
    trial = of_kind(render("overlays/trial"), "StatefulSet")
    assert trial.keys() == {"postgres", "rabbitmq"}
    assert {item["metadata"]["annotations"]["jackfield.io/production"] for item in trial.values()} == {"bring your own"}


def test_the_broker_is_configured_as_in_compose() -> None:
    """Kustomize reads no file outside of its folder, so that RabbitMQ's settings are there twice, equal."""
    there = (KUBERNETES / "dependencies" / "rabbitmq.conf").read_text(encoding="utf-8")
    assert there == (DEPLOY / "rabbitmq" / "rabbitmq.conf").read_text(encoding="utf-8")


def test_workers_may_be_scaled_by_the_queue() -> None:
    """The patch for that names an object that is there, and the metric of the queue."""
    patch = load("kubernetes/overlays/production/worker-by-queue.yaml")
    assert patch["metadata"]["name"] in of_kind(render("base"), "HorizontalPodAutoscaler")
    assert patch["spec"]["metrics"][0]["external"]["metric"]["name"] == "jackfield_queue_depth"
