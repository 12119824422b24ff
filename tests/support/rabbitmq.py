"""A real RabbitMQ for tests: a private one on loopback, started by the first test of a process and
stopped after the last.

It has its own name, folders, ports and epmd, so it meets no other node of the machine.
"""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from authority import Authority
from jackfield_celery.broker import QUEUE, new_app
from jackfield_celery.transport import DEAD
from ports import free_ports

_ACCOUNT = "rabbitmq"
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_WITHIN = 300.0
_STOP_WITHIN = 20.0
SETTINGS = """loopback_users = none
disk_free_limit.absolute = 10MB
vm_memory_high_watermark.absolute = 400MB
"""
_PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "celery.md"
_SECURED = """load_definitions = {{folder}}/definitions.json
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.certfile = {{folder}}/server.pem
ssl_options.keyfile = {{folder}}/server.pem
"""


def missing() -> str | None:
    """Why there can be no node here; ``None`` where there can."""
    if not _PROGRAM.exists() or shutil.which("epmd") is None:
        return "RabbitMQ is not installed (Debian's package rabbitmq-server)"
    return None


class Node:
    """A node in a folder of its own, ``{folder}`` in its settings, with more ``files``. ``stop``
    and ``start`` keep queues and port.
    """

    def __init__(self, settings: str = SETTINGS, files: Mapping[str, bytes] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="jackfield-rabbitmq-"))
        self.port, self._distribution, self._names = free_ports(3)
        for name in ("mnesia", "log", "home"):
            (self.folder / name).mkdir()
        (self.folder / "plugins").write_text("[].", encoding="ascii")
        (self.folder / "rabbitmq.conf").write_text(
            settings.replace("{folder}", str(self.folder)), encoding="ascii"
        )
        for name, content in (files or {}).items():
            (self.folder / name).write_bytes(content)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, _ACCOUNT, _ACCOUNT)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._run(["epmd", "-port", str(self._names), "-address", "127.0.0.1"])
        try:
            self.start()
        except AssertionError:
            if "eaddrinuse" not in (self.folder / "output").read_text(
                encoding="utf-8", errors="replace"
            ):
                raise
            # another test has taken one of them since
            self.port, self._distribution = free_ports(2)
            self.start()

    @property
    def url(self) -> str:
        """The URL for JACKFIELD_QUEUE_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def pids(self) -> list[int]:
        """The processes of the node and of its name server, parents of all others."""
        return [process.pid for process in self._processes]

    def start(self) -> None:
        """Start the node, and wait until it accepts connections."""
        process = self._run([str(_PROGRAM)])
        until = time.monotonic() + _START_WITHIN
        while not self._answers():
            said = (self.folder / "output").read_text(encoding="utf-8", errors="replace")
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            threading.Event().wait(0.05)

    def stop(self) -> None:
        """Stop the node in order: its queues stay on disk."""
        process = self._processes.pop()
        process.terminate()
        try:
            process.wait(_STOP_WITHIN)
        finally:
            _kill(process)

    def control(self, *words: str) -> None:
        """Run ``rabbitmqctl``."""
        process = self._run([str(_PROGRAM.with_name("rabbitmqctl")), *words])
        assert process.wait(_START_WITHIN) == 0, (self.folder / "output").read_text(
            encoding="utf-8", errors="replace"
        )
        self._processes.remove(process)

    def empty(self) -> None:
        """Delete the queues."""
        with (
            new_app(self.url).connection_for_write() as connection,
            closing(connection.channel()) as channel,
        ):
            for queue in (QUEUE, DEAD):
                channel.queue_delete(queue)

    def close(self) -> None:
        """Stop everything and delete the folder."""
        for process in reversed(self._processes):
            _kill(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _name(self) -> str:
        return f"jackfield{self.port}@localhost"

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        folder = self.folder
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none "
                "+sbwtdio none"
            ),
        }
        account = (
            {"user": _ACCOUNT, "group": _ACCOUNT, "extra_groups": ()} if os.geteuid() == 0 else {}
        )
        with (folder / "output").open("ab") as output:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **account,  # type: ignore[call-overload]  # optional keywords
            )
        self._processes.append(process)
        return process

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0) as probe:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            probe.settimeout(1.0)
            return bool(probe.recv(1))
        return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_STOP_WITHIN)


@dataclass(frozen=True)
class Secured:
    """The node of this process, which also has a TLS port, and a user ``worker`` who may do only
    what the documentation asks for.
    """

    node: Node
    tls_port: int
    bundle: Path

    def url(self, host: str = "localhost") -> str:
        """The URL for JACKFIELD_QUEUE_URL."""
        return f"amqps://worker:a-secret@{host}:{self.tls_port}//"


@functools.cache
def secured_node() -> Secured:
    """The one node of this process: to start one takes 8 s of CPU time."""
    folder = Path(tempfile.mkdtemp(prefix="jackfield-authority-"))
    atexit.register(shutil.rmtree, folder)
    authority, port = Authority(folder), free_ports(1)[0]
    files = {
        "definitions.json": json.dumps(_definitions()).encode(),
        "server.pem": authority.pem("localhost"),
    }
    node = Node(f"{SETTINGS}{_SECURED.format(port=port)}", files)
    atexit.register(node.close)
    return Secured(node, port, authority.bundle)


def _definitions() -> dict[str, object]:
    (command,) = re.findall(
        r"^rabbitmqctl set_permissions .*$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    rights = {"guest": [".*"] * 3, "worker": shlex.split(command)[-3:]}
    return {
        "vhosts": [{"name": "/"}],
        "users": [_user("guest", "guest", "administrator"), _user("worker", "a-secret")],
        "permissions": [
            {"user": user, "vhost": "/", "configure": configure, "write": write, "read": read}
            for user, (configure, write, read) in rights.items()
        ],
    }


def _user(name: str, password: str, *tags: str) -> dict[str, object]:
    salt = os.urandom(4)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    return {
        "name": name,
        "password_hash": hashed,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": tags,
    }


def process_node() -> Node:
    """The node of this process."""
    return secured_node().node


@pytest.fixture(scope="session")
def rabbitmq_node() -> Node:
    """The node of this process; skips where RabbitMQ is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return process_node()


@pytest.fixture
def rabbitmq(rabbitmq_node: Node) -> Iterator[Node]:
    """The node, without queues."""
    rabbitmq_node.empty()
    yield rabbitmq_node
    rabbitmq_node.empty()
