"""A real OpenSSH server for tests: a private one on loopback, in a folder of its own, for one key
of the user who runs the tests.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ports import free_port

_PROGRAM, _FILES = Path("/usr/sbin/sshd"), Path("/usr/lib/openssh/sftp-server")
_WITHIN = 60.0
_SETTINGS = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp {files} -d {folder}/files
"""


def missing() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    if not _PROGRAM.exists() or not _FILES.exists() or shutil.which("ssh-keygen") is None:
        return "OpenSSH is not installed (Debian's package openssh-server)"
    return None


class Sshd:
    """A server whose clients begin in ``files``. ``private_key`` signs in; ``host_key`` is the
    fingerprint of its own.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="jackfield-sshd-"))
        self.files = self.folder / "files"
        self.files.mkdir()
        for name in ("host", "user"):
            self._keygen("-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        self.private_key = (self.folder / "user").read_text(encoding="ascii")
        self.host_key = self._keygen("-lf", str(self.folder / "host.pub")).split()[1]
        self.user = getpass.getuser()
        self.port = free_port()
        settings = self.folder / "sshd_config"
        settings.write_text(
            _SETTINGS.format(port=self.port, folder=self.folder, files=_FILES), encoding="ascii"
        )
        if os.geteuid() == 0:
            # its folder for the separation of privileges, which Debian makes at boot
            Path("/run/sshd").mkdir(exist_ok=True)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(_PROGRAM), "-D", "-e", "-f", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def close(self) -> None:
        """Stop the server and delete the folder."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_WITHIN)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keygen(self, *arguments: str) -> str:
        return subprocess.run(
            ["ssh-keygen", *arguments], check=True, capture_output=True, text=True, timeout=_WITHIN
        ).stdout

    def _wait(self) -> None:
        until = time.monotonic() + _WITHIN
        while True:
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1.0) as probe,
            ):
                probe.settimeout(1.0)
                if probe.recv(4) == b"SSH-":
                    return
            said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            assert self._process.poll() is None, said
            assert time.monotonic() < until, said
            threading.Event().wait(0.02)


@pytest.fixture(scope="session")
def sshd() -> Iterator[Sshd]:
    """The server of this process; skips where OpenSSH is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = Sshd()
    yield server
    server.close()
