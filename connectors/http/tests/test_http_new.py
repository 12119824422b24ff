"""``jackfield new`` and ``--openapi`` write projects whose own tests pass and which ``jackfield
check`` grades.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from openapi_rig import document, operation

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_TOKEN = {
    "security": [{"token": []}],
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
}


def _run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "JACKFIELD_HOME": str(folder / "home")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _failed(folder: Path) -> tuple[str, set[str]]:
    report: dict[str, Any] = json.loads(_run(folder, "jackfield", "check", ".", "--json"))
    return report["grade"], {rule["name"] for rule in report["rules"] if rule["passed"] is False}


@pytest.mark.parametrize("words", [(), ("--http",)])
def test_a_new_http_connector_is_sound(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Without an option it is one for a REST API: its tests pass, the linter finds nothing, and
    only the author's texts are missing.
    """
    _run(tmp_path, "jackfield", "new", "acme-crm", *words)
    made = tmp_path / "acme-crm"
    _run(made, "pytest", "-q", "-p", "no:cacheprovider")
    for check in (["check"], ["format", "--check"]):
        _run(made, "ruff", *check, "--no-cache", ".")
    assert _failed(made) == ("bronze", {"placeholders-replaced", "listed-for-people"})


def test_a_manifest_of_another_connection_type_is_a_failure_and_no_crash(tmp_path: Path) -> None:
    """The author renames the type and runs the tests before the manifest is written again: the rule
    says so, and no thread fails.
    """
    _run(tmp_path, "jackfield", "new", "acme-crm")
    module = tmp_path / "acme-crm" / "jackfield_acme_crm" / "__init__.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace('"acmeCrmKey"', '"acmeKey"'), encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "test_rule"]
    done = subprocess.run(
        words, cwd=tmp_path / "acme-crm", capture_output=True, text=True, check=False, timeout=300
    )
    assert (
        "FAILED tests/test_jackfield_acme_crm.py::TestConformance::test_rule[manifest-matches-code]"
        in done.stdout
    )
    assert "'jackfield check . --write-manifest'" in done.stdout
    assert "KeyError" not in done.stdout
    assert "def test_rule" not in done.stdout


_ACCOUNT = {
    "type": "openIdConnect",
    "openIdConnectUrl": "https://id.acme.example/.well-known/openid-configuration",
}
_PARTS = {
    "one": {"type": "apiKey", "in": "query", "name": "one"},
    "two": {"type": "mutualTLS"},
    "three": _ACCOUNT,
}


@pytest.mark.parametrize(
    "more",
    [
        _TOKEN,
        {"servers": [{"url": "https://api.acme.example/v1"}]},
        {"components": {"securitySchemes": {"account": _ACCOUNT}}, "security": [{"account": []}]},
        {"components": {"securitySchemes": {"two": _PARTS["two"]}}, "security": [{"two": []}]},
    ],
    ids=["token", "anonymous", "account", "certificate"],
)
def test_a_project_of_a_document_is_sound(tmp_path: Path, more: dict[str, Any]) -> None:
    """Its tests pass and it has the grade bronze; what a document cannot say is left to the
    overlay.
    """
    parameter = {"name": "page", "in": "query", "schema": {"type": "integer"}}
    source = document(
        {"/tickets": {"get": operation(operationId="listTickets", parameters=[parameter])}}, **more
    )
    (tmp_path / "tickets.json").write_text(json.dumps(source), encoding="utf-8")
    _run(tmp_path, "jackfield", "new", "acme-tickets", "--openapi", "tickets.json", "--json")
    made = tmp_path / "acme-tickets"
    said = _run(made, "pytest", "-q", "-p", "no:cacheprovider")
    assert (
        "above bronze, not reached: everything-explained (silver): inputs of listTickets: "
        "'page' has no description"
    ) in said
    grade, failed = _failed(made)
    assert grade == "bronze"
    assert {"everything-explained", "setup-explained", "placeholders-replaced"} <= failed
    assert not failed & {
        "examples-present",
        "typed",
        "changelog-present",
        "licence-given",
        "readme-present",
        "versions-agree",
    }


def test_operations_may_need_different_credentials(tmp_path: Path) -> None:
    """Where no connection type serves all operations, the project's tests run over the most used
    one that needs no other server.
    """
    paths = {
        f"/{name}": {"get": operation(operationId=f"get{name}", security=[{name: []}])}
        for name in _PARTS
    }
    (tmp_path / "parts.json").write_text(
        json.dumps(document(paths, components={"securitySchemes": _PARTS})), encoding="utf-8"
    )
    _run(tmp_path, "jackfield", "new", "acme-parts", "--openapi", "parts.json", "--json")
    assert 'connection = "one"' in (tmp_path / "acme-parts/pyproject.toml").read_text(
        encoding="utf-8"
    )
    _run(
        tmp_path / "acme-parts",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "refused or output-is-declared",
    )


def test_the_key_of_the_library_is_refused(tmp_path: Path) -> None:
    """A project with the key ``http`` would hide the modules of jackfield-http, although that has a
    connector of this key.
    """
    words = [sys.executable, "-m", "jackfield", "new", "http", "--http"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, list(tmp_path.glob("http"))) == (2, [])
    assert "would replace the installed library jackfield-http" in done.stdout


@pytest.mark.parametrize("kind", ["new", "generate"])
def test_a_project_without_code_can_be_installed_editable(tmp_path: Path, kind: str) -> None:
    """An editable install puts the project's folder on the path, although its package has no module
    by which hatchling would find it.
    """
    (tmp_path / "acme.json").write_text(
        json.dumps(document({"/a": {"get": operation(operationId="getA")}}, **_TOKEN)),
        encoding="utf-8",
    )
    made = tmp_path / "acme-api"
    words = {
        "new": ["new", "acme-api", "--openapi", "acme.json"],
        "generate": ["generate", "openapi", "acme.json", "--key", "acme-api", "--out", "acme-api"],
    }
    _run(tmp_path, "jackfield", *words[kind], "--json")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from hatchling.build import build_editable; print(build_editable({str(tmp_path)!r}))",
        ],
        cwd=made,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / done.stdout.strip()) as wheel:
        (path,) = (name for name in wheel.namelist() if name.endswith(".pth"))
        assert wheel.read(path).decode().split() == [str(made)]
