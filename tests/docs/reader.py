"""Somebody who follows a page of documentation: files are written, edits applied, commands executed
by a shell.

For test modules that say ``pytest_plugins = ["warm", "tests.docs.reader"]``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doc_pages import Block, matches

PORT, SERVED = "8700", "8080"
"""Ports of the page's server and of ``jackfield serve``; free ones take their places."""
_PATIENCE = 120
_STATE = '\n__code=$?; pwd > "$STATE/folder"; env -0 > "$STATE/environment"; exit $__code\n'


_PIP = """
import os, pathlib, sys, tomllib

command, kind, folder = sys.argv[1:]
assert (command, kind) == ("install", "--editable")
project = pathlib.Path(folder).resolve()
about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
site = pathlib.Path(os.environ["STATE"], "site")
info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
info.mkdir(parents=True)
(info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {about['name']}\\nVersion: {about['version']}\\n")
lines = [f"[{group}]\\n" + "".join(f"{name} = {at}\\n" for name, at in rows.items()) for group, rows in about["entry-points"].items()]
(info / "entry_points.txt").write_text("".join(lines))
for package in project.glob("jackfield_*"):
    (site / package.name).symlink_to(package)
"""
"""What `pip install --editable` does where there is no package index: the folder's packages and
entry points are installed.
"""


class Reader:
    """Somebody who follows the page in ``folder``, in one terminal and, where the page says so, in
    another.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder / "empty"
        self.folder.mkdir()
        self.answer = ""
        self._state = folder
        self._others: list[subprocess.Popen[bytes]] = []
        keep = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JACKFIELD_", "PYTHON"))
        }
        pip = folder / "bin" / "pip"
        pip.parent.mkdir()
        pip.write_text(f"#!{sys.executable}\n{_PIP}", encoding="utf-8")
        pip.chmod(0o755)
        path = os.pathsep.join(
            [str(pip.parent), str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        )
        state = {
            "STATE": str(folder),
            "JACKFIELD_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder / "site"),
        }
        self._environment = {**keep, "PATH": path, **state}
        self._reserved = {port: _reserved() for port in (PORT, SERVED)}

    def set(self, **variables: str) -> None:
        """Set variables of the terminal."""
        self._environment |= variables

    def get(self, variable: str) -> str:
        """Return a variable of the terminal."""
        return self._environment[variable]

    @property
    def port(self) -> int:
        """Port of the page's server."""
        return int(self._reserved[PORT].getsockname()[1])

    def take(self, examples: Path) -> None:
        """Copy the files of an example into the folder; a server among them listens on the page's
        port.
        """
        for file in examples.iterdir():
            (self.folder / file.name).write_text(
                file.read_text(encoding="utf-8").replace(PORT, str(self.port)), encoding="utf-8"
            )

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        body, title = self._moved(block.body), block.title or ""
        if title == "stdout":
            assert matches(json.loads(body), _told(json.loads(self.answer), json.loads(body))), (
                f"line {block.line}: {self.answer}"
            )
        elif block.language == "diff":
            self._edit(self.folder / title, body)
        elif title.endswith(", at the end"):
            path = self.folder / title.removesuffix(", at the end")
            path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{body}", encoding="utf-8")
        elif title == "in another terminal":
            self._start(
                body, self._reserved[SERVED if SERVED in block.body else PORT].getsockname()
            )
        elif title == "excerpt":
            pass
        elif title:
            (self.folder / title).write_text(body, encoding="utf-8")
        elif block.language == "shell":
            self._run(body, block.line)

    def _moved(self, text: str) -> str:
        for port, reserved in self._reserved.items():
            text = text.replace(port, str(reserved.getsockname()[1]))
        return text

    @staticmethod
    def _edit(path: Path, body: str) -> None:
        text = path.read_text(encoding="utf-8")
        old, new = (
            "".join(f"{line[1:]}\n" for line in body.splitlines() if line[0] != sign)
            for sign in "+-"
        )
        assert text.count(old) == 1, f"{path.name}: {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def _run(self, body: str, line: int) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", f"trap '{_STATE}' EXIT\n{body}"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"line {line}: {done.stdout}{done.stderr}"
        self.answer = done.stdout.splitlines()[-1] if done.stdout else ""
        self.folder = Path((self._state / "folder").read_text(encoding="utf-8").strip())
        found = (self._state / "environment").read_text(encoding="utf-8").split("\0")
        self._environment = dict(row.split("=", 1) for row in found if row)

    def _start(self, body: str, address: tuple[str, int]) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {body}"],
            cwd=self.folder,
            env=self._environment,
            stderr=subprocess.DEVNULL,
        )
        self._others.append(process)
        for _ in range(_PATIENCE * 10):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(address) == 0:
                    return
            process_ended = _ended(process, 0.1)
            assert not process_ended, "the server has ended"

    def leave(self) -> None:
        """Close the other terminal."""
        for process in self._others:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for reserved in self._reserved.values():
            reserved.close()


def _reserved() -> socket.socket:
    """Return a socket that is bound and does not listen: a server of the page may share its port,
    and no other socket is given it.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _told(real: object, shown: object) -> object:
    """The answer, with members that the page elides as a whole."""
    if isinstance(real, dict) and isinstance(shown, dict):
        return {name: "…" if shown.get(name) == "…" else value for name, value in real.items()}
    return real


@pytest.fixture
def reader(tmp_path: Path, launchers: Path) -> Iterator[Reader]:
    """A reader in an empty folder."""
    following = Reader(tmp_path, launchers)
    yield following
    following.leave()
