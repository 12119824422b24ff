"""``jackfield dapr`` in place of ``dapr run``: its options, a command beside the sidecar, and
components that are loaded again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_dapr.sidecars import SidecarClient, component
from tests.jackfield_formats.foreign_files import write

from fake_aws import FakeAws
from jackfield.cli.main import main
from jackfield_dapr.sidecar import Components, DaprApi, Reloading, Sidecar, apply
from jackfield_store.runtime import Jackfield

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
_PATIENCE = 60.0
SEND = """
import json, os, sys, urllib.request
body = json.dumps({"operation": "create", "data": "x"}).encode()
found = urllib.request.urlopen(f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}/v1.0/bindings/outbox", body)
print(json.dumps([found.status, sys.argv[1:], {name: os.environ.get(name) for name in ("APP_ID", "APP_PORT", "DAPR_GRPC_PORT")}]))
sys.exit(7)
"""
WAIT = """
import os, signal, sys
def stop(number, frame):
    os.write(1, b"stopped by %d\\n" % number)  # print may still hold its lock
    sys.exit(5)
for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
    signal.signal(number, stop)
print("waiting", flush=True)
signal.pause()
"""


def command(*words: str) -> list[str]:
    """The command as a user writes it."""
    return [sys.executable, "-m", "jackfield", "dapr", *words]


def test_dapr_run_s_options_start_a_command(folder: Path, aws: FakeAws) -> None:
    """The command gets ports and application, sends through the sidecar, owns stdout, and its exit
    code is ours.
    """
    write(folder, "outbox.yaml", component(scopes="billing"))
    options = (
        "--app-id",
        "billing",
        "--resources-path",
        ".",
        "--app-port",
        "6001",
        "--log-level",
        "info",
        "--enable-api-logging",
    )
    process = subprocess.run(
        command(*options, "--", sys.executable, "-c", SEND, "--app-id", "--", "x"),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
        env={**os.environ, "DAPR_HTTP_PORT": "1"},
    )
    assert process.returncode == 7, process.stderr
    status, words, variables = json.loads(process.stdout)
    assert (status, words) == (204, ["--app-id", "--", "x"])
    assert (variables["APP_ID"], variables["APP_PORT"]) == ("billing", "6001")
    assert int(variables["DAPR_GRPC_PORT"]) not in (0, 50001)
    assert "not used: --log-level, --enable-api-logging" in process.stderr
    assert len(aws.messages) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_forwarded_to_the_command(folder: Path, number: signal.Signals) -> None:
    """A signal reaches the command, which ends in its own way; the sidecar ends with it."""
    write(folder, "outbox.yaml", component())
    text = WAIT.replace("SIGTERM", number.name)
    with subprocess.Popen(
        command(
            "--components-path",
            ".",
            "--dapr-http-port",
            "0",
            "--dapr-grpc-port",
            "0",
            "--",
            sys.executable,
            "-c",
            text,
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        out, errors = process.communicate(timeout=_PATIENCE)
    assert (process.returncode, out) == (5, f"stopped by {number.value}\n"), errors
    assert "Traceback" not in errors


def test_a_command_that_is_killed_is_told_by_its_exit_code(folder: Path) -> None:
    """As in a shell, the code is 128 and the signal's number."""
    write(folder, "outbox.yaml", component())
    process = subprocess.run(
        command("-d", ".", "--", "sh", "-c", "kill -9 $$"),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert process.returncode == 137


def test_a_command_that_is_not_there_is_refused(folder: Path) -> None:
    """A misspelt command is an error with its name, and nothing is left running."""
    write(folder, "outbox.yaml", component())
    process = subprocess.run(
        command("-d", ".", "--", "no-such-command"),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert process.returncode == 2
    assert (
        "the command 'no-such-command' cannot be started"
        in json.loads(process.stdout)["error"]["message"]
    )


def test_the_usual_folder_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a folder, Dapr's usual one is read where it is there; else the folder must be
    named.
    """
    monkeypatch.setenv("HOME", str(folder))
    assert main(["dapr"]) == 2
    assert "no folder of components" in json.loads(capsys.readouterr().out)["error"]["message"]
    (folder / ".dapr" / "components").mkdir(parents=True)
    write(folder / ".dapr" / "components", "a.yaml", component(trustAnchorArn="arn:x"))
    assert main(["dapr"]) == 2
    assert "a.yaml: component 'outbox'" in json.loads(capsys.readouterr().out)["error"]["message"]


# Components that are loaded again


class Served:
    """A sidecar whose components are looked at when the test says so."""

    def __init__(self, client: SidecarClient, reloading: Reloading, said: list[str]) -> None:
        self.client = client
        self.said = said
        self._reloading = reloading

    def look(self) -> list[str]:
        """Look twice, and return what was said meanwhile."""
        self.said.clear()
        self._reloading.poll()
        assert self.said == []
        self._reloading.poll()
        return list(self.said)


@contextmanager
def reloading(folder: Path, meanwhile: Callable[[], object] = lambda: None) -> Iterator[Served]:
    """A sidecar for the components of a folder; ``meanwhile`` is done between reading them and
    serving them.
    """
    components = Components((str(folder),))
    found = components.read(os.environ)
    with Jackfield(connections=[{"connections": dict(found.connections)}]) as jackfield:
        api = DaprApi(found.by_name, jackfield.invoke)
        said: list[str] = []
        meanwhile()
        watch = Reloading(
            components,
            os.environ,
            found,
            lambda bindings: apply(jackfield, api, bindings),
            said.append,
        )
        with Sidecar(api, http_port=0) as running:
            yield Served(SidecarClient(running.ports[0], 0, found), watch, said)


def test_components_are_loaded_again(folder: Path, aws: FakeAws) -> None:
    """A changed file changes its component and its credentials, a new one adds one, a removed one
    takes it away.
    """
    write(folder, "a.yaml", component())
    with reloading(folder) as served:
        assert served.client.send().status == 204
        assert served.look() == []
        write(folder, "a.yaml", component(accessKey="AKIDAPRNEW", subject="Another"))
        write(folder, "b.yaml", component("second"))
        assert served.look() == [
            "the components were reloaded: 'outbox' has changed, 'second' is new"
        ]
        assert served.client.send().status == 204
        assert served.client.send(name="second").status == 204
        (folder / "b.yaml").unlink()
        assert served.look() == ["the components were reloaded: 'second' is gone"]
        assert served.client.send(name="second").message.endswith(
            "couldn't find output binding second"
        )
    assert [(item.access_key_id, item.content.subject) for item in aws.messages] == [
        ("AKIDAPR", "Nightly report"),
        ("AKIDAPRNEW", "Another"),
        ("AKIDAPR", "Nightly report"),
    ]


def test_a_change_while_the_sidecar_starts_is_noticed(folder: Path, aws: FakeAws) -> None:
    """Secret stores can take seconds to answer: a file that changes meanwhile is loaded again, as
    one that changes later.
    """
    write(folder, "a.yaml", component())
    with reloading(folder, lambda: write(folder, "a.yaml", component(subject="Changed"))) as served:
        assert served.look() == ["the components were reloaded: 'outbox' has changed"]
        assert served.client.send().status == 204
    assert aws.messages[-1].content.subject == "Changed"


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        component().replace("kind: Component", "kind: Komponent"),
        component(trustAnchorArn="arn:x"),
        component().replace('value: "dapr-secret"', "secretKeyRef: {name: k}"),
    ],
)
def test_a_broken_file_keeps_the_old_component(folder: Path, aws: FakeAws, text: str) -> None:
    """What can no longer be read is told, and served as before; the file beside it is loaded again
    all the same.
    """
    write(folder, "a.yaml", component())
    with reloading(folder) as served:
        write(folder, "a.yaml", text)
        write(folder, "b.yaml", component("second"))
        fault, kept, changed = served.look()
        assert fault.removeprefix(f"{folder}/").startswith("a.yaml: ")
        assert kept == "component 'outbox': its last valid version is still served"
        assert changed == "the components were reloaded: 'second' is new"
        assert [served.client.send(name=name).status for name in ("outbox", "second")] == [204, 204]
        write(folder, "a.yaml", component(subject="Mended"))
        assert served.look() == ["the components were reloaded: 'outbox' has changed"]
        assert served.client.send().status == 204
    assert aws.messages[-1].content.subject == "Mended"


def test_a_running_sidecar_looks_at_its_folder(folder: Path, aws: FakeAws) -> None:
    """The command itself loads a new component, and says so on stderr."""
    write(folder, "a.yaml", component())
    with subprocess.Popen(
        command("--components", ".", "--http-port", "0", "--grpc-port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            ready: dict[str, Any] = json.loads(process.stdout.readline())
            write(folder, "b.yaml", component("second"))
            assert (
                process.stderr.readline()
                == "jackfield: the components were reloaded: 'second' is new\n"
            )
            assert (
                SidecarClient(ready["httpPort"], 0, Components(()).read({}))
                .send(name="second")
                .status
                == 204
            )
        finally:
            process.terminate()
