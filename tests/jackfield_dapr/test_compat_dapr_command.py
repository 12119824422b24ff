"""``jackfield dapr``: starts, says where it listens, serves, and stops politely."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from dapr.proto.runtime.v1 import binding_pb2
from tests.jackfield_dapr.sidecars import component
from tests.jackfield_formats.foreign_files import write

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.cli.main import main
from jackfield_dapr.sidecar import DaprApi, Sidecar

pytest_plugins = ["postgres", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")
_PATIENCE = 60.0


@contextmanager
def started(
    *words: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The command in a process of its own, once it says that it is ready."""
    command = [sys.executable, "-m", "jackfield", "dapr", "--http-port", "0", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            yield process, json.loads(line)
        finally:
            if process.poll() is None:
                process.kill()


def asked(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """Status and body of one HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    connection.request(method, path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    """The exit code of a command that does not start, and its error."""
    code = main(["dapr", *words])
    return code, json.loads(capsys.readouterr().out)["error"]


def test_it_serves_until_it_is_told_to_stop(folder: Path, aws: FakeAws) -> None:
    """It tells its ports on stdout and its warnings on stderr, sends, and lets a running request
    end before it exits with 0.
    """
    write(
        folder,
        "a.yaml",
        f"{component()}---\n{component('other', scopes='x')}---\nkind: Komponent\nspec: {{}}\n",
    )
    # 'dapr run' in a script
    with started("run", "--components", ".", "--app-id", "billing", "--grpc-port", "0") as (
        process,
        ready,
    ):
        assert ready["components"] == ["outbox"]
        socket.create_connection(("127.0.0.1", ready["grpcPort"]), _PATIENCE).close()
        assert asked(ready["httpPort"], "GET", "/v1.0/healthz?appid=billing")[0] == 204
        aws.script([{"do": "hang", "operation": "SendEmail"}])
        connection = http.client.HTTPConnection("127.0.0.1", ready["httpPort"], timeout=_PATIENCE)
        connection.request(
            "POST", "/v1.0/bindings/outbox", json.dumps({"operation": "create", "data": "x"})
        )
        assert aws.wait_until(lambda fake: fake.received == 1, _PATIENCE)
        process.send_signal(signal.SIGTERM)
        aws.release()
        assert connection.getresponse().status == 204
        connection.close()
        _, errors = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0
    assert "component 'other': not loaded: its scopes are x, and the app ID is 'billing'" in errors
    assert "a.yaml, document 3: kind: must be 'Component', not 'Komponent'" in errors
    assert "Traceback" not in errors


def _sent_over_http(ready: Mapping[str, Any]) -> None:
    assert (
        asked(
            ready["httpPort"], "POST", "/v1.0/bindings/outbox", {"operation": "create", "data": "x"}
        )[0]
        == 204
    )


def _sent_over_grpc(ready: Mapping[str, Any]) -> None:
    request = binding_pb2.InvokeBindingRequest(
        name="outbox", data=b'"x"', operation="create"
    ).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{ready['grpcPort']}") as channel:
        channel.unary_unary("/dapr.proto.runtime.v1.Dapr/InvokeBinding")(request, timeout=_PATIENCE)


@pytest.mark.parametrize("sent", [_sent_over_http, _sent_over_grpc])
def test_killed_after_its_answer(
    folder: Path,
    aws: FakeAws,
    database_url: str,
    sent: Callable[[Mapping[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dapr's API has no key: a write that runs alone is answered after its outcome is committed,
    also if the sidecar is killed then.
    """
    write(folder, "a.yaml", component())
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", database_url)
    with started("--components", ".", "--grpc-port", "0") as (process, ready):
        sent(ready)
        process.kill()
        process.wait(_PATIENCE)
    with Jackfield() as jackfield:
        assert jackfield.journal is not None
        entries = jackfield.journal.entries()[0]
    assert [(entry.status, entry.action) for entry in entries] == [("succeeded", "sendEmail")]


def test_it_takes_its_identity_from_the_environment(folder: Path, aws: FakeAws) -> None:
    """D13: without keys in the component the machine's own are used; APP_ID and DAPR_API_TOKEN
    count as for a sidecar.
    """
    write(folder, "a.yaml", component(accessKey="", secretKey="", region="", scopes="billing"))
    machine = {
        "AWS_ACCESS_KEY_ID": "AKIMACHINE",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "eu-west-3",
    }
    with started("--components", "a.yaml", APP_ID="billing", DAPR_API_TOKEN="t0ken", **machine) as (
        _,
        ready,
    ):
        assert asked(
            ready["httpPort"], "POST", "/v1.0/bindings/outbox", {"operation": "create"}
        ) == (401, b"invalid api token")
        connection = http.client.HTTPConnection("127.0.0.1", ready["httpPort"], timeout=_PATIENCE)
        connection.request(
            "POST",
            "/v1.0/bindings/outbox",
            b'{"operation":"create","data":"x"}',
            {"dapr-api-token": "t0ken"},
        )
        assert connection.getresponse().status == 204
        connection.close()
    assert (aws.messages[0].access_key_id, aws.messages[0].region) == ("AKIMACHINE", "eu-west-3")


def test_d15_d17_it_does_not_start_with_what_would_not_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would stop Dapr, and what Dapr would silently leave out, is refused with the places, as
    JSON and with exit code 2.
    """
    write(folder, "a.yaml", f"{component()}auth: {{secretStore: nowhere}}\n---\n{component()}")
    text = (
        (folder / "a.yaml")
        .read_text()
        .replace(
            '{name: secretKey, value: "dapr-secret"}', "{name: secretKey, secretKeyRef: {name: k}}"
        )
    )
    write(folder, "a.yaml", text)
    code, error = refused(capsys, "--components", ".")
    assert (code, error["code"]) == (2, "invalid_connection")
    told = " ".join(detail["message"] for detail in error["details"])
    assert "component 'outbox': auth.secretStore: no secret store is named 'nowhere'" in told
    assert "the component 'outbox' is defined already" in told


def test_a_call_over_grpc_that_hangs_does_not_keep_a_sidecar_that_stops(
    folder: Path, aws: FakeAws
) -> None:
    """Once the time for stopping is over, the process ends, although a provider does not answer
    until the deadline of the call.
    """
    write(folder, "a.yaml", component())
    aws.script([{"do": "hang", "operation": "SendEmail"}])
    with started("--components", ".", "--grpc-port", "0", "--stop-within", "1s") as (
        process,
        ready,
    ):
        request = binding_pb2.InvokeBindingRequest(
            name="outbox", data=b'"x"', operation="create"
        ).SerializeToString()
        with grpc.insecure_channel(f"127.0.0.1:{ready['grpcPort']}") as channel:
            call = channel.unary_unary("/dapr.proto.runtime.v1.Dapr/InvokeBinding").future(
                request, timeout=_PATIENCE
            )
            assert aws.wait_until(lambda fake: fake.received == 1, _PATIENCE)
            process.send_signal(signal.SIGTERM)
            assert call.exception() is not None
        assert process.wait(_PATIENCE / 2) == 0


def test_a_call_over_http_that_hangs_is_told_that_the_sidecar_stops(
    folder: Path, aws: FakeAws
) -> None:
    """The caller learns that the outcome is unknown, and the operator's log gets no traceback."""
    write(folder, "a.yaml", component())
    aws.script([{"do": "hang", "operation": "SendEmail"}])
    with started("--components", ".", "--stop-within", "1s", "--grpc-port", "0") as (
        process,
        ready,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", ready["httpPort"], timeout=_PATIENCE)
        connection.request(
            "POST", "/v1.0/bindings/outbox", json.dumps({"operation": "create", "data": "x"})
        )
        assert aws.wait_until(lambda fake: fake.received == 1, _PATIENCE)
        process.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        assert (answer.status, "it may have been carried out" in json.load(answer)["message"]) == (
            500,
            True,
        )
        connection.close()
        assert process.wait(_PATIENCE / 2) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_folder_that_is_not_there_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder must be there."""
    code, error = refused(capsys, "--components", "nowhere")
    assert code == 2
    assert "nowhere" in error["message"]


@pytest.mark.parametrize("words", [("--http-port", "70000"), ("--http-port", "x"), ()])
def test_wrong_usage_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Ports are ports, and the folder must be named."""
    code, error = refused(capsys, *words, *(("--components", ".") if words else ()))
    assert (code, error["code"]) == (2, "invalid_invocation")


@pytest.mark.parametrize("which", ["http", "grpc"])
def test_a_port_that_is_taken_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], which: str
) -> None:
    """Another sidecar on the port is an error that says which port, and leaves nothing running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"http": 0, "grpc": 0} | {which: port}
        code, error = refused(
            capsys,
            "--components",
            ".",
            "--http-port",
            str(ports["http"]),
            "--grpc-port",
            str(ports["grpc"]),
        )
    assert (code, error["code"]) == (1, "unavailable")
    assert f"on port {port} of 127.0.0.1" in error["message"]


def test_http_needs_no_grpc(
    folder: Path, aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without grpcio HTTP is served alone; gRPC that is asked for is refused with the extra to
    install.
    """
    site = folder / "site"
    site.mkdir()
    write(site, "sitecustomize.py", "import sys\nsys.modules['grpc'] = None\n")
    write(folder, "a.yaml", component())
    found = {"PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "jackfield", "dapr", "--http-port", "0", "--components", "."]
    asked_for = subprocess.run(
        [*command, "--grpc-port", "0"],
        capture_output=True,
        text=True,
        env={**os.environ, **found},
        check=False,
    )
    assert asked_for.returncode == 2
    assert "jackfield[dapr]" in json.loads(asked_for.stdout)["error"]["hint"]
    with started("--components", "a.yaml", **found) as (_, ready):
        assert "grpcPort" not in ready
        assert (
            asked(
                ready["httpPort"],
                "POST",
                "/v1.0/bindings/outbox",
                {"operation": "create", "data": "x"},
            )[0]
            == 204
        )


def test_without_the_server_the_extra_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """HTTP is served by uvicorn: without it the command says what to install."""
    write(folder, "a.yaml", component())
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in [
        name
        for name in sys.modules
        if name.startswith(("uvicorn.", "jackfield_service.shell.http.protocol"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    code, error = refused(capsys, "--components", ".")
    assert code == 2
    assert "jackfield[server]" in error["hint"]


def test_a_sidecar_that_stops_waits_for_what_runs() -> None:
    """Stopping ends at once where nothing runs, and idle connections are not waited for."""
    api = DaprApi({}, lambda _invocation: pytest.fail("nothing is invoked"))
    with (
        Sidecar(api, http_port=0) as running,
        socket.create_connection(("127.0.0.1", running.ports[0]), _PATIENCE) as idle,
    ):
        idle.sendall(b"GET /v1.0/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 204")
    assert api.stopping.is_set()


@pytest.mark.parametrize("number", ["SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_signals_that_ask_for_something_else_break_no_call(
    folder: Path, aws: FakeAws, number: str
) -> None:
    """A sidecar without a command of its own goes on after them: a call that is under way is
    answered, and so is the next.
    """
    write(folder, "a.yaml", component())
    with started("--components", ".") as (process, ready), ThreadPoolExecutor(1) as threads:
        aws.script([{"do": "hang", "operation": "SendEmail"}])
        asking = threads.submit(
            asked,
            ready["httpPort"],
            "POST",
            "/v1.0/bindings/outbox",
            {"operation": "create", "data": "x"},
        )
        assert aws.wait_until(lambda fake: fake.received == 1, _PATIENCE)
        process.send_signal(getattr(signal, number))
        assert asked(ready["httpPort"], "GET", "/v1.0/healthz")[0] == 204
        aws.release()
        assert asking.result(_PATIENCE)[0] == 204
        assert process.poll() is None
        process.terminate()
        assert process.wait(_PATIENCE) == 0
