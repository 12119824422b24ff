"""The Kubernetes manifests: schemas of the oldest and the newest supported version, pod security,
probes, networks, room to stop.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils
from tests.deploy.deployment import (
    DEPLOY,
    KUBERNETES,
    containers,
    documents,
    load,
    parsed,
    pod,
    render,
    templates,
    variables,
)

from jackfield.kernel.tracing_variables import exports_spans

OVERLAYS = ("overlays/trial", "overlays/production", "overlays/openshift", "overlays/ipv6")
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
    return {
        (item["kind"], item["metadata"]["name"].partition("-fbdb")[0]): item for item in objects
    }


def test_they_fit_the_schemas_of_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strict schemas, which refuse unknown members, accept each object; so they do the
    templates.
    """
    # it is read for each object
    monkeypatch.setattr(utils, "schema_contents", cache(utils.schema_contents))
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
    done = subprocess.run(
        [program, "kustomize", KUBERNETES / overlay], capture_output=True, text=True, check=True
    )
    theirs = [
        item
        for item in yaml.safe_load_all(done.stdout)
        if "rabbitmq" not in item["metadata"]["name"]
    ]
    # kustomize generates the name of its settings
    ours = [item for item in render(overlay) if "rabbitmq" not in item["metadata"]["name"]]
    assert by_name(ours) == by_name(theirs)


def test_pods_in_production_share_what_is_installed_and_offered() -> None:
    """Each pod had a data folder of its own: what one installed over HTTP no worker had, and none
    after a restart.
    """
    objects = render("overlays/production")
    claims = {
        claim["metadata"]["name"]: claim["spec"]["accessModes"]
        for claim in objects
        if claim["kind"] == "PersistentVolumeClaim"
    }
    assert claims == {"jackfield-home": ["ReadWriteMany"]}
    for name, template, container in containers(objects):
        if name in RUNNING:
            (home,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "home"]
            assert home == {
                "name": "home",
                "persistentVolumeClaim": {"claimName": "jackfield-home"},
            }
            assert {"name": "home", "mountPath": "/var/lib/jackfield"} in container["volumeMounts"]


def test_options_and_variables_exist(objects: list[dict[str, Any]]) -> None:
    """Each command, option and variable is one that jackfield knows."""
    for name, _, container in containers(objects):
        if name in OURS:
            parsed(container["args"])
            assert container["envFrom"] == [{"configMapRef": {"name": "jackfield"}}]
    assert of_kind(objects, "ConfigMap")["jackfield"]["data"].keys() <= variables()


def test_pods_meet_the_restricted_standard(objects: list[dict[str, Any]]) -> None:
    """The namespace enforces the restricted pod security standard, and each pod meets it, with a
    read-only root besides.
    """
    assert (
        of_kind(objects, "Namespace")["jackfield"]["metadata"]["labels"][
            "pod-security.kubernetes.io/enforce"
        ]
        == "restricted"
    )
    for name, template, container in containers(objects):
        spec, context = template["spec"], container["securityContext"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"].get("runAsUser", 10001) > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert context == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_volumes_are_of_allowed_kinds_and_mounted(objects: list[dict[str, Any]]) -> None:
    """Volumes are secrets, settings and scratch space; each is mounted, and each mount has one.
    Secrets are not for others to read.
    """
    for item in (item for item in objects if item["kind"] in ("Deployment", "StatefulSet", "Job")):
        spec = pod(item)["spec"]
        claims = {
            claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates", [])
        }
        volumes = {
            volume["name"]: next(key for key in volume if key != "name")
            for volume in spec["volumes"]
        }
        mounted = {
            mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]
        }
        assert mounted == volumes.keys() | claims
        assert set(volumes.values()) <= {"secret", "configMap", "emptyDir", "persistentVolumeClaim"}
        assert all(
            volume["secret"]["defaultMode"] == 0o440
            for volume in spec["volumes"]
            if "secret" in volume
        )


def test_probes_ask_a_port_that_is_served(objects: list[dict[str, Any]]) -> None:
    """Liveness asks /healthz and readiness /readyz, on the port that the command listens on, at an
    address that the kubelet reaches.
    """
    for name, _, container in containers(objects):
        if name not in RUNNING:
            continue
        options = parsed(container["args"])
        (port,) = container["ports"]
        listens = (
            (options.host, options.port)
            if name == "jackfield-api"
            else (options.health_host, options.health_port)
        )
        assert listens == ("::", port["containerPort"])
        asked = {
            kind: container[f"{kind}Probe"]["httpGet"]
            for kind in ("startup", "liveness", "readiness")
        }
        assert {kind: probe["path"] for kind, probe in asked.items()} == {
            "startup": "/healthz",
            "liveness": "/healthz",
            "readiness": "/readyz",
        }
        assert {probe["port"] for probe in asked.values()} == {port["name"]}


def test_pods_have_time_to_stop(objects: list[dict[str, Any]]) -> None:
    """The grace period covers the pause before the signal, --stop-within, and ten seconds for the
    journal.
    """
    for name, template, container in containers(objects):
        if name in RUNNING:
            pause = (
                container.get("lifecycle", {})
                .get("preStop", {})
                .get("exec", {})
                .get("command", ["sleep", "0"])
            )
            needed = float(pause[1]) + parsed(container["args"]).stop_within + 10
            assert template["spec"]["terminationGracePeriodSeconds"] >= needed


def test_openshift_chooses_the_account() -> None:
    """The restricted constraint refuses a fixed account and a fixed group; elsewhere
    ``runAsNonRoot`` needs the number of one.
    """
    for overlay, fixed in (
        ("overlays/production", {"runAsUser", "runAsGroup", "fsGroup"}),
        ("overlays/openshift", set()),
    ):
        for name, template, _ in containers(render(overlay)):
            context = template["spec"]["securityContext"]
            assert context.keys() & {"runAsUser", "runAsGroup", "fsGroup"} == fixed, name
            assert context["runAsNonRoot"] is True


def test_names_are_resolved_in_each_kind_of_cluster() -> None:
    """By the cluster's DNS, by a cache on the node, and by that of OpenShift, whose pods listen on
    another port.
    """

    def asked(overlay: str) -> set[tuple[str, int]]:
        rules = [
            rule
            for item in of_kind(render(overlay), "NetworkPolicy").values()
            for rule in item["spec"].get("egress", [])
        ]
        return {
            (
                str(
                    place.get("ipBlock", {}).get("cidr")
                    or next(iter(place["namespaceSelector"]["matchLabels"].values()))
                ),
                port["port"],
            )
            for rule in rules
            for port in rule["ports"]
            if port["protocol"] == "UDP"
            for place in rule["to"]
        }

    assert asked("overlays/production") == {("kube-system", 53), ("169.254.20.10/32", 53)}
    assert asked("overlays/openshift") - asked("overlays/production") == {("openshift-dns", 5353)}
    assert asked("overlays/ipv6") - asked("overlays/production") == {
        ("fd00:169:254:20::10/128", 53)
    }


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.168.1.1",
        "8.8.8.8",
    ],
)
def test_providers_are_public_in_both_families(address: str) -> None:
    """What is private over IPv4 is private through NAT64, too; of IPv6 itself only what is public
    is reached.
    """
    (rule,) = of_kind(render("overlays/ipv6"), "NetworkPolicy")["providers"]["spec"]["egress"]
    (mapped,) = of_kind(render("overlays/ipv6"), "NetworkPolicy")["providers-through-nat64"][
        "spec"
    ]["egress"]
    blocks = [place["ipBlock"] for place in (*rule["to"], *mapped["to"])]

    def reached(text: str) -> bool:
        found = ip_address(text)
        return any(
            found in ip_network(block["cidr"])
            and not any(found in ip_network(part) for part in block.get("except", []))
            for block in blocks
            if ip_network(block["cidr"]).version == found.version
        )

    through = f"64:ff9b::{address}"
    assert reached(address) is reached(through) is (address == "8.8.8.8")
    assert [
        reached(text)
        for text in ("2606:4700::1111", "fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1")
    ] == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_a_collector_is_reached_where_it_is_named() -> None:
    """The component for traces opens the port to which its variable sends them: that of OTLP over
    HTTP.
    """
    folder = KUBERNETES / "clusters" / "collector"
    endpoint = documents(folder / "config.yaml")[0]["data"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    (rule,) = documents(folder / "network.yaml")[0]["spec"]["egress"]
    assert endpoint.endswith(f":{rule['ports'][0]['port']}")
    assert exports_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})


def test_the_ingress_lets_long_calls_and_large_files_through() -> None:
    """ingress-nginx cuts bodies at 1 MB and answers at 60 s by itself; a call takes up to 900 s."""
    for overlay in ("overlays/production", "overlays/openshift"):
        notes = of_kind(render(overlay), "Ingress")["jackfield-api"]["metadata"]["annotations"]
        assert notes["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
        times = [int(value.removesuffix("s")) for name, value in notes.items() if "timeout" in name]
        assert len(times) == (5 if overlay.endswith("openshift") else 4)
        assert min(times) > 900


def test_what_is_applied_again_and_again_stays() -> None:
    """A Job that deletes itself is made anew by Argo CD and Flux each day."""
    (job,) = of_kind(render("overlays/production"), "Job").values()
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_selectors_find_their_pods(objects: list[dict[str, Any]]) -> None:
    """Services, disruption budgets, spreading and network policies select pods that exist."""
    pods = [
        pod(item)["metadata"]["labels"]
        for item in objects
        if item["kind"] in ("Deployment", "StatefulSet", "Job")
    ]

    def matches(labels: Mapping[str, str]) -> bool:
        return any(labels.items() <= found.items() for found in pods)

    assert all(matches(item["spec"]["selector"]) for item in of_kind(objects, "Service").values())
    assert all(
        matches(item["spec"]["selector"]["matchLabels"])
        for item in of_kind(objects, "PodDisruptionBudget").values()
    )
    assert all(
        matches(item["spec"]["podSelector"].get("matchLabels", {}))
        for item in of_kind(objects, "NetworkPolicy").values()
    )
    for item in of_kind(objects, "Deployment").values():
        spreads = pod(item)["spec"]["topologySpreadConstraints"]
        assert [spread["labelSelector"] for spread in spreads] == [item["spec"]["selector"]] * 2


def test_autoscalers_scale_what_is_there(objects: list[dict[str, Any]]) -> None:
    """Each deployment has one; the number of replicas that it starts with lies within the
    bounds.
    """
    deployments = of_kind(objects, "Deployment")
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    assert scalers.keys() == deployments.keys() == set(RUNNING)
    for name, item in scalers.items():
        assert item["spec"]["scaleTargetRef"]["name"] == name
        assert (
            item["spec"]["minReplicas"]
            <= deployments[name]["spec"]["replicas"]
            <= item["spec"]["maxReplicas"]
        )


def test_networks_are_closed_unless_listed(objects: list[dict[str, Any]]) -> None:
    """All traffic is denied first; what jackfield needs is let through: names, the database, the
    broker, providers, callers.
    """
    policies = {name: item["spec"] for name, item in of_kind(objects, "NetworkPolicy").items()}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ports = {
        str(port["port"])
        for policy in policies.values()
        for rule in policy.get("egress", [])
        for port in rule["ports"]
    }
    assert {"53", "443", "5432"} <= ports
    assert ports & {"5671", "5672"}
    (providers,) = policies["providers"]["egress"]
    assert "169.254.0.0/16" in providers["to"][0]["ipBlock"]["except"]
    named = {
        port["name"]
        for _, _, container in containers(objects)
        for port in container.get("ports", [])
    }
    opened = {
        port["port"]
        for policy in policies.values()
        for rule in policy.get("ingress", [])
        for port in rule["ports"]
    }
    assert opened == named


def test_templates_have_no_values_and_are_not_applied() -> None:
    """A Secret is a template with empty values; no kustomization lists it, and it has the keys that
    are mounted.
    """
    assert len(templates()) == 2
    for path in templates():
        assert path.name not in (path.parent / "kustomization.yaml").read_text(encoding="utf-8")
        assert all(set(item["stringData"].values()) == {""} for item in documents(path))
    keys = documents(KUBERNETES / "base" / "secret.template.yaml")[0]["stringData"].keys()
    named = [
        value
        for value in of_kind(render("base"), "ConfigMap")["jackfield"]["data"].values()
        if value.startswith("/run/secrets/")
    ]
    assert sorted(value.rpartition("/")[2] for value in named) == sorted(keys)
    assert all(not of_kind(render(overlay), "Secret") for overlay in OVERLAYS)


def test_production_brings_its_own_database_and_broker() -> None:
    """The production overlay has no PostgreSQL and no RabbitMQ; those for a trial say that they
    are.
    """
    assert of_kind(render("overlays/production"), "StatefulSet") == {}
    trial = of_kind(render("overlays/trial"), "StatefulSet")
    assert trial.keys() == {"postgres", "rabbitmq"}
    assert {
        item["metadata"]["annotations"]["jackfield.io/production"] for item in trial.values()
    } == {"bring your own"}


def test_the_broker_is_configured_as_in_compose() -> None:
    """Kustomize reads no file outside of its folder, so that RabbitMQ's settings are there twice,
    equal.
    """
    there = (KUBERNETES / "dependencies" / "rabbitmq.conf").read_text(encoding="utf-8")
    assert there == (DEPLOY / "rabbitmq" / "rabbitmq.conf").read_text(encoding="utf-8")


def test_workers_may_be_scaled_by_the_queue() -> None:
    """The patch for that names an object that is there, and the metric of the queue."""
    patch = load("kubernetes/overlays/production/worker-by-queue.yaml")
    assert patch["metadata"]["name"] in of_kind(render("base"), "HorizontalPodAutoscaler")
    assert patch["spec"]["metrics"][0]["external"]["metric"]["name"] == "jackfield_queue_depth"
