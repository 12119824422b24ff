"""The compose file: its schema, what it publishes, and that it names only what exists."""

from __future__ import annotations

import base64
import importlib.resources
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.deploy.deployment import DEPLOY, load, parsed, variables

OURS = ("migrate", "metrics-token", "api", "worker")


@pytest.fixture(scope="module")
def compose() -> Any:
    """The compose file."""
    return load("compose.yaml")


@pytest.fixture(scope="module")
def services(compose: Any) -> dict[str, Any]:
    """Its services."""
    found: dict[str, Any] = compose["services"]
    return found


def test_it_fits_the_compose_specification(compose: Any) -> None:
    """The published schema of the compose specification accepts it."""
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(compose)


def test_commands_and_variables_exist(services: dict[str, Any]) -> None:
    """Each option and each variable of our services is one that jackfield knows."""
    for name in ("migrate", "api", "worker"):
        parsed(services[name]["command"])
    for name in OURS:
        assert services[name]["environment"].keys() <= variables()
    words = next(
        line
        for line in services["metrics-token"]["command"][0].splitlines()
        if "tokens create" in line
    )
    assert parsed(words.split(" > ")[0].split()[1:]) is not None


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    """The API, Prometheus and Grafana are published on 127.0.0.1; the database and the broker not
    at all.
    """
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"api", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_the_database_and_the_broker_are_inside(compose: Any, services: dict[str, Any]) -> None:
    """They are in the internal network alone, without a way to or from the outside."""
    assert compose["networks"]["inside"] == {"internal": True}
    assert services["postgres"]["networks"] == services["rabbitmq"]["networks"] == ["inside"]


def test_secrets_are_files(compose: Any, services: dict[str, Any]) -> None:
    """No password is in the file or in a variable: variables name files, and each secret that a
    service uses is declared and used.
    """
    used = {
        item if isinstance(item, str) else item["source"]
        for service in services.values()
        for item in service.get("secrets", [])
    }
    assert used == compose["secrets"].keys()
    for service in services.values():
        for variable, value in service.get("environment", {}).items():
            if value.startswith("/run/secrets/"):
                assert variable.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"]
            else:
                assert not {"PASSWORD", "KEY", "TOKEN", "SECRET"} & set(variable.split("_")), (
                    variable
                )


def test_containers_have_no_privileges(services: dict[str, Any]) -> None:
    """Ours run under the image's account, with a read-only root, without capabilities; no service
    may gain any.
    """
    for name in OURS:
        service = services[name]
        assert (service["read_only"], service["cap_drop"], service["user"]) == (
            True,
            ["ALL"],
            "10001:10001",
        )
        assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert {
        name
        for name, service in services.items()
        if service["security_opt"] != ["no-new-privileges:true"]
    } == set()


def test_services_wait_for_what_they_need(services: dict[str, Any]) -> None:
    """Each dependency has a condition; one that must be healthy has a check; API and workers begin
    after the migration.
    """
    for service in services.values():
        for name, needed in service.get("depends_on", {}).items():
            if needed["condition"] == "service_healthy":
                assert "test" in services[name]["healthcheck"]
            else:
                assert needed["condition"] == "service_completed_successfully"
                assert services[name]["restart"].startswith("on-failure")
    assert "migrate" in services["api"]["depends_on"]
    assert services["worker"]["depends_on"] == services["api"]["depends_on"]


def test_there_are_two_workers_and_they_may_finish(services: dict[str, Any]) -> None:
    """Two replicas; the API runs no queued work; both get the time that they ask for, and ten
    seconds more.
    """
    assert services["worker"]["deploy"] == {"replicas": 2}
    assert parsed(services["api"]["command"]).queue_workers == 0
    for name in ("api", "worker"):
        grace = float(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace >= parsed(services[name]["command"]).stop_within + 10


def test_mounted_files_are_there(compose: Any, services: dict[str, Any]) -> None:
    """Each file or folder that is mounted from the repository exists; each volume is declared."""
    for service in services.values():
        for source in (mount.split(":")[0] for mount in service.get("volumes", [])):
            assert (
                (DEPLOY / source).exists()
                if source.startswith(".")
                else source in compose["volumes"]
            )
    assert all((DEPLOY / config["file"]).is_file() for config in compose["configs"].values())


def test_prepare_writes_every_secret_once(compose: Any, tmp_path: Path) -> None:
    """`prepare` writes what the compose file mounts: in a folder for one account, as files that
    containers can read; a second run changes nothing.
    """
    (tmp_path / "compose").mkdir()
    run = ["sh", shutil.copy(DEPLOY / "compose" / "prepare", tmp_path / "compose")]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stderr == ""
    files = {name: tmp_path / secret["file"] for name, secret in compose["secrets"].items()}
    first = {name: path.read_text(encoding="ascii") for name, path in files.items()}
    assert stat.S_IMODE(os.stat(tmp_path / "compose" / "secrets").st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o444}
    assert len(base64.b64decode(first["master_key"])) == 32
    assert (
        first["database_url"].strip()
        == f"postgresql://jackfield:{first['postgres_password']}@postgres:5432/jackfield"
    )
    assert (
        f"default_pass = {first['queue_url'].partition('jackfield:')[2].partition('@')[0]}\n"
        in first["rabbitmq_user"]
    )
    subprocess.run(run, capture_output=True, check=True)
    assert {name: path.read_text(encoding="ascii") for name, path in files.items()} == first


def test_grafana_and_prometheus_are_provisioned(services: dict[str, Any]) -> None:
    """Grafana reads Prometheus and the folder with the dashboard; Prometheus reads the services
    that have metrics.
    """
    source = load("grafana/provisioning/datasources/prometheus.yaml")["datasources"][0]
    provider = load("grafana/provisioning/dashboards/jackfield.yaml")["providers"][0]
    assert source["url"] == "http://prometheus:9090"
    assert (
        f"./grafana/dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]
    )
    for job in load("prometheus/prometheus.yml")["scrape_configs"]:
        (target,) = job["dns_sd_configs"]
        assert job["job_name"] == f"jackfield-{target['names'][0]}"
        assert str(target["port"]) in services[target["names"][0]]["command"]
