"""The health check of the image: it asks where the container's command listens, whatever its
options say.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy.deployment import parsed

from authority import Authority
from http_stand import clean
from jackfield_service.health import main, place
from ports import free_port
from waiting import until

pytest_plugins = ["warm"]

INIT = ("/sbin/docker-init", "--", "env", "--block-signal=TERM", "jackfield")
PYTHON = ("/opt/jackfield/bin/python", "/opt/jackfield/bin/jackfield")


def _processes(folder: Path, *commands: tuple[str, ...]) -> str:
    """A ``/proc`` with processes; the first has the number 1."""
    for number, words in enumerate(commands, 1):
        entry = folder / str(number)
        entry.mkdir(parents=True)
        (entry / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (folder / "self").mkdir()
    return str(folder)


@pytest.mark.parametrize(
    ("words", "environment", "where"),
    [
        ("serve", {}, ("127.0.0.1", 8080, False)),
        ("serve --host :: --port 9000 --behind-proxy", {}, ("::", 9000, False)),
        ("serve --host=0.0.0.0 --port=9000 --port 9001", {"PORT": "5"}, ("0.0.0.0", 9001, False)),
        ("serve --certificate /c.pem --key /k.pem", {"PORT": "8443"}, ("127.0.0.1", 8443, True)),
        ("serve --host unix:/run/jackfield.sock", {}, ("unix:/run/jackfield.sock", 8080, False)),
        ("worker --concurrency 4", {"PORT": "5"}, None),
        ("worker --health-port 8081 --health-host ::", {}, ("::", 8081, False)),
        ("db upgrade", {}, None),
    ],
)
def test_it_asks_where_the_command_listens(
    words: str, environment: dict[str, str], where: tuple[str, int, bool] | None
) -> None:
    """``worker`` without a health port, ``serve --port 9000`` and ``--certificate`` were unhealthy
    for ever. They are its options.
    """
    parsed(words.split())
    assert place(words.split(), environment) == where


def test_a_command_that_listens_nowhere_is_healthy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an init or without; a container without jackfield is not, and says why."""
    assert (
        main(_processes(tmp_path / "a", (*INIT, "db", "upgrade"), (*PYTHON, "db", "upgrade")), {})
        == 0
    )
    assert (
        main(
            _processes(
                tmp_path / "b", (*PYTHON, "worker"), ("python", "-m", "jackfield_service.health")
            ),
            {},
        )
        == 0
    )
    assert main(_processes(tmp_path / "c", ("sh", "-c", "sleep 9")), {}) == 1
    assert capsys.readouterr().err == "no jackfield runs here\n"


def _plain(_folder: Path, port: int) -> list[str]:
    return ["serve", "--port", str(port)]


def _both(_folder: Path, port: int) -> list[str]:
    return ["serve", "--host", "::", "--port", str(port), "--behind-proxy"]


def _tls(folder: Path, port: int) -> list[str]:
    certificate = folder / "server.pem"
    certificate.write_bytes(Authority(folder).pem("jackfield.example.com"))
    return ["serve", "--port", str(port), "--certificate", str(certificate)]


def _socket(folder: Path, _port: int) -> list[str]:
    return ["serve", "--host", f"unix:{folder / 's'}", "--behind-proxy"]


def _worker(_folder: Path, port: int) -> list[str]:
    return ["worker", "--health-host", "::", "--health-port", str(port)]


@pytest.mark.parametrize("command", [_plain, _both, _tls, _socket, _worker])
@pytest.mark.usefixtures("warm_python")
def test_it_tells_a_server_that_lives_from_one_that_does_not(
    tmp_path: Path, command: Callable[[Path, int], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The check of a running server or worker passes, over TLS and a Unix socket, too; after its
    end it fails with the address.
    """
    words = command(tmp_path, free_port())
    processes = _processes(tmp_path / "proc", (*INIT, *words))
    with subprocess.Popen(
        [sys.executable, "-m", "jackfield", *words],
        env=clean(tmp_path / "home"),
        stderr=subprocess.DEVNULL,
    ) as running:
        until(lambda: main(processes, {}) == 0)
        running.terminate()
    capsys.readouterr()
    assert main(processes, {}) == 1
    assert "does not answer" in capsys.readouterr().err


def test_it_runs_as_the_image_runs_it() -> None:
    """As a module, it looks at this machine's processes and imports no command of jackfield."""
    code = (
        "import sys, jackfield_service.health\n"
        "print([name for name in sys.modules if name.startswith(('jackfield.', "
        "'jackfield_service.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['jackfield_service.health']"
