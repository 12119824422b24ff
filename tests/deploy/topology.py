"""The services of ``deploy/compose.yaml`` that are jackfield, as processes of this machine: the
same commands and variables, secrets from files, a root file system that they cannot write to, and a
real PostgreSQL and RabbitMQ.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.deploy.deployment import DEPLOY, load

from http_stand import Client, clean
from ports import free_ports
from postgres import Server
from rabbitmq import Node

_PATIENCE = 60.0
_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd "$PWD" && exec "$@"'
"""Makes the root file system read-only for one process, except for a folder."""


def confinable() -> bool:
    """True if this account may have a mount namespace of its own."""
    return (
        os.geteuid() == 0
        and shutil.which("unshare") is not None
        and subprocess.run(
            ["unshare", "--mount", "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


class Topology:
    """The processes in a folder: ``secrets`` as `prepare` wrote them, and a data folder for each
    service.
    """

    def __init__(self, folder: Path, database: str, plugs: tuple[str, ...]) -> None:
        self.folder, self._plugs = folder, plugs
        self._services: dict[str, Any] = load("compose.yaml")["services"]
        self._confined = confinable()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._prepare(database)
        self.broker = Node(self.broker_settings)

    def _prepare(self, database: str) -> None:
        (self.folder / "compose").mkdir()
        subprocess.run(
            ["sh", shutil.copy(DEPLOY / "compose" / "prepare", self.folder / "compose")],
            check=True,
            capture_output=True,
        )
        self.secrets = self.folder / "compose" / "secrets"
        self.write_secret("database_url", database)

    def write_secret(self, name: str, text: str) -> None:
        """Replace a secret, because addresses of this machine are not those of containers."""
        (self.secrets / name).unlink()
        (self.secrets / name).write_text(text, encoding="utf-8")

    @property
    def broker_settings(self) -> str:
        """RabbitMQ's two files, as one."""
        settings = (
            (DEPLOY / "rabbitmq" / "rabbitmq.conf")
            .read_text(encoding="utf-8")
            .replace("listeners.tcp.default = 5672\n", "")
        )
        return settings + (self.secrets / "rabbitmq_user.conf").read_text(encoding="utf-8")

    def environment(self, service: str) -> dict[str, str]:
        """The variables of a service, with this machine's paths."""
        named: dict[str, str] = self._services[service]["environment"]
        home = str(self.home(service))
        mine = {
            name: value.replace("/run/secrets", str(self.secrets)).replace(
                "/var/lib/jackfield", home
            )
            for name, value in named.items()
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return clean(
            Path(home),
            PYTHONPATH=os.pathsep.join(self._plugs),
            PYTHONDONTWRITEBYTECODE="1",
            PATH=path,
            TMPDIR=home,
            **mine,
        )

    def home(self, service: str) -> Path:
        """The data folder: API and workers share a volume."""
        volumes = self._services[service].get("volumes", [f"{service}:"])
        found = self.folder / str(volumes[0]).partition(":")[0]
        found.mkdir(exist_ok=True)
        return found

    def run(self, service: str, *words: str) -> str:
        """Run a service that ends, or another command with its variables; give its output."""
        command = [
            *self._services[service].get("entrypoint", ["jackfield"]),
            *(words or self._services[service]["command"]),
        ]
        done = subprocess.run(
            self._confine(command),
            cwd=self.home(service),
            env=self.environment(service),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, service: str, name: str, port: int) -> bool:
        """Start a service that stays, on a port of loopback instead of the container's; True if it
        has one.
        """
        replaced = {"8080": str(port), "0.0.0.0": "127.0.0.1"}
        command = [
            "jackfield",
            *(replaced.get(word, word) for word in self._services[service]["command"]),
        ]
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self._confine(command),
                cwd=self.home(service),
                env=self.environment(service),
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        return str(port) in command

    def _confine(self, command: list[str]) -> list[str]:
        return (
            ["unshare", "--mount", "sh", "-c", _READ_ONLY, str(self.folder), *command]
            if self._confined
            else command
        )

    def log(self, name: str) -> str:
        """Stderr of a process."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def stop(self) -> dict[str, int]:
        """Send SIGTERM to all processes, and give their exit codes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(_PATIENCE) for name, process in self.processes.items()}

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.broker.close()


@contextlib.contextmanager
def running(
    folder: Path, server: Server, plugs: tuple[str, ...], workers: int
) -> Iterator[tuple[Topology, dict[str, Client]]]:
    """The whole topology with so many workers, ready; with a client for each process."""
    topology = Topology(folder, server.create(), plugs)
    try:
        secret = (topology.secrets / "rabbitmq_password").read_text(encoding="ascii")
        topology.write_secret(
            "queue_url", f"amqp://jackfield:{secret}@127.0.0.1:{topology.broker.port}/jackfield"
        )
        topology.run("migrate")
        topology.run("metrics-token")
        token = json.loads(
            topology.run("migrate", "tokens", "create", "--json", "--scope", "manage")
        )["token"]
        names = ["api", *(f"worker-{number}" for number in range(workers))]
        clients = {}
        for name, port in zip(names, free_ports(len(names)), strict=True):
            if topology.start(name.partition("-")[0], name, port):
                clients[name] = Client(port, token)
        for name, client in clients.items():
            wait_until(lambda client=client: answers(client), lambda name=name: topology.log(name))  # type: ignore[misc]  # bound now
        yield topology, clients
    finally:
        topology.close()


def answers(client: Client) -> bool:
    """True if a process is ready."""
    with contextlib.suppress(OSError):
        return client.get("/readyz").status == 200
    return False


def wait_until(condition: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    """Ask until a condition holds."""
    until = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < until, explain()
        threading.Event().wait(0.05)
