"""``jackfield dapr run -f``: a Multi-App Run template starts its applications, each with a sidecar
and ports of its own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.jackfield_dapr.sidecars import component
from tests.jackfield_formats.foreign_files import write

from fake_aws import FakeAws
from jackfield.cli.main import main
from jackfield_dapr.commands.run_file import read_apps

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
_PATIENCE = 60.0
SEND = """
import json, os, sys, urllib.request
body = json.dumps({"operation": "create", "data": "x"}).encode()
urllib.request.urlopen(f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/v1.0/bindings/outbox", body)
names = ("APP_ID", "APP_PORT", "WHO", "SHARED", "DAPR_HTTP_PORT")
line = json.dumps({**{name: os.environ.get(name) for name in names}, "cwd": os.path.basename(os.getcwd())}) + "\\n"
os.write(1, line.encode())
sys.exit(int(os.environ.get("CODE", "0")))
"""


def template(folder: Path, *apps: dict[str, Any], **more: Any) -> str:
    """A template with applications, whose folders are made."""
    for app in apps:
        if isinstance(app.get("appDirPath"), str):
            (folder / app["appDirPath"]).mkdir(parents=True, exist_ok=True)
    write(folder, "dapr.yaml", yaml.safe_dump({"version": 1, "apps": list(apps), **more}))
    return str(folder)


def command(*words: str) -> list[str]:
    """The command as a user writes it."""
    return [sys.executable, "-m", "jackfield", "dapr", "run", *words]


def test_each_application_has_a_sidecar_of_its_own(folder: Path, aws: FakeAws) -> None:
    """Two applications send through their sidecars, in their folders, with shared variables and
    components and their own.
    """
    (folder / "shared").mkdir()
    write(folder / "shared", "outbox.yaml", component())
    start = {"command": [sys.executable, "-c", SEND]}
    one = {
        "appID": "web",
        "appDirPath": "apps/web",
        "appPort": 8080,
        "env": {"WHO": "w"},
        "logLevel": "debug",
        **start,
    }
    two = {"appDirPath": "apps/worker", "env": {"SHARED": "own", "CODE": 3}, **start}
    template(folder, one, two, common={"resourcesPath": "shared", "env": {"SHARED": True}})
    process = subprocess.run(
        command("-f", "."), capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    assert process.returncode == 3, process.stderr
    web, worker = sorted(
        (json.loads(line) for line in process.stdout.splitlines()),
        key=lambda row: str(row["APP_ID"]),
    )
    assert (web["APP_ID"], web["APP_PORT"], web["WHO"], web["SHARED"], web["cwd"]) == (
        "web",
        "8080",
        "w",
        "true",
        "web",
    )
    assert (worker["APP_ID"], worker["APP_PORT"], worker["SHARED"], worker["cwd"]) == (
        "worker",
        None,
        "own",
        "worker",
    )
    assert web["DAPR_HTTP_PORT"] != worker["DAPR_HTTP_PORT"]
    assert len(aws.messages) == 2
    assert "not used: --log-level" in process.stderr


def test_a_signal_ends_all(folder: Path) -> None:
    """SIGTERM reaches every application, and the command ends when they have."""
    (folder / "r").mkdir()
    write(folder / "r", "outbox.yaml", component())
    wait = [sys.executable, "-c", "import os, signal; os.write(1, b'here\\n'); signal.pause()"]
    apps = [{"appID": name, "appDirPath": name, "command": wait} for name in ("a", "b")]
    template(folder, *apps, common={"resourcesPath": "r"})
    with subprocess.Popen(
        command("-f", "dapr.yaml"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in apps] == ["here\n", "here\n"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "Traceback" not in errors


def test_paths_are_those_of_a_sidecar(folder: Path) -> None:
    """An application's paths start in its folder, shared ones beside the file; without any,
    ``.dapr/resources`` is read.
    """
    (folder / "c" / ".dapr" / "resources").mkdir(parents=True)
    apps: list[dict[str, Any]] = [
        {"appDirPath": "a", "resourcesPaths": "one, two"},
        {"appDirPath": "b", "resourcesPaths": ["/abs"]},
        {"appDirPath": "c", "daprGRPCPort": 50005},
    ]
    one, two, three = read_apps(template(folder, *apps))

    def paths(options: tuple[str, ...]) -> list[str]:
        return [options[at + 1] for at, word in enumerate(options) if word == "--resources-path"]

    assert paths(one.options) == [str(folder / "a" / "one"), str(folder / "a" / "two")]
    assert paths(two.options) == ["/abs"]
    assert paths(three.options) == [str(folder / "c" / ".dapr" / "resources")]
    assert three.options[4:6] == ("--dapr-http-port", "0")
    assert "50005" in three.options


@pytest.mark.parametrize(
    ("app", "more", "at", "says"),
    [
        ({"appDirPath": "a", "appPorts": 1}, {}, "/apps/0/appPorts", "is not known"),
        (
            {"appDirPath": "a", "appLogDestination": "file"},
            {},
            "/apps/0/appLogDestination",
            "both logs go to the console",
        ),
        ({"appDirPath": "a", "containerImage": "x"}, {}, "/apps/0/containerImage", "dapr run -k"),
        (
            {"appDirPath": "a", "command": "python app.py"},
            {},
            "/apps/0/command",
            "a list of strings",
        ),
        ({"appDirPath": "a", "env": ["A=1"]}, {}, "/apps/0/env", "an object of variables"),
        ({"appID": "x"}, {}, "/apps/0/appDirPath", "must be the path"),
        (
            {"appDirPath": "a"},
            {"common": {"daprdLogDestination": "file"}},
            "/common/daprdLogDestination",
            "go to the console",
        ),
        ({"appDirPath": "a"}, {"version": 2}, "/version", "must be 1"),
        ({"appDirPath": "a"}, {"workers": []}, "/workers", "is not known"),
        ({"appDirPath": "a"}, {"apps": []}, "/apps", "a list of applications"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    app: dict[str, Any],
    more: dict[str, Any],
    at: str,
    says: str,
) -> None:
    """A member that jackfield cannot follow is refused before anything starts."""
    assert main(["dapr", "run", "-f", template(folder, app, **more)]) == 2
    (fault,) = json.loads(capsys.readouterr().out)["error"]["details"]
    assert fault["path"] == at
    assert says in fault["message"]


def test_applications_share_neither_name_nor_port(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of one name, or with one port, are refused."""
    apps = [
        {"appID": "x", "appDirPath": "a", "daprHTTPPort": 3501},
        {"appID": "x", "appDirPath": "b", "daprHTTPPort": 3501},
    ]
    assert main(["dapr", "run", "-f", template(folder, *apps)]) == 2
    told = [fault["message"] for fault in json.loads(capsys.readouterr().out)["error"]["details"]]
    assert told == ["appID 'x' is that of 'x', too", "port 3501 is that of 'x', too"]


def test_a_template_that_is_not_there_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without ``dapr.yaml`` is refused with the name that was looked for; other options of
    an application do not go with it.
    """
    assert main(["dapr", "run", "-f", str(folder)]) == 2
    assert "dapr.yaml" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["dapr", "run", "-f", str(folder), "--app-id", "x"]) == 2
    assert (
        "--run-file has its own --app-id" in json.loads(capsys.readouterr().out)["error"]["message"]
    )
