"""``jackfield dev``: serve a connector's project, and restart after each change of its files."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from jackfield.cli.interrupt import interruptible
from jackfield.cli.logs import announce
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import port
from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield_market.commands.dev_access import Access
from jackfield_market.testing.project import Project

_POLL = 0.5
"""Seconds between two checks of the files for changes."""
_INVALID = 2
"""Exit code of a server whose arguments are not valid."""
_CALLS = "jackfield_market.commands.dev_calls"
COMPONENTS = "components = jackfield_service.shell.pages.all_components:routes"
"""Entry point of the console's page of components, for their developers."""
_HOOKS = "jackfield_market.commands.dev_hooks"
_MOST_FILES = 2_000
_SLOW = 10.0
"""Seconds after which an import that has not ended is reported."""
_STOP = 10.0
"""Seconds for the server to stop before it is killed."""
_ENDS = (signal.SIGTERM, signal.SIGHUP) if os.name == "posix" else (signal.SIGTERM,)
"""Signals other than Ctrl-C that end a session in order: an editor or a closed terminal must leave
no server on the port.
"""
_SKIPPED = frozenset({"__pycache__", "node_modules"})


def _declare(parser: Parser) -> None:
    parser.add_argument("path", metavar="PATH", help="the folder of a connector's pyproject.toml")
    parser.add_argument(
        "--port",
        type=port,
        default=8080,
        metavar="N",
        help="the port (default 8080); 0 = any free port",
    )


def _run(arguments: Namespace, _output: Output) -> int:
    project = Project.read(Path(arguments.path))
    number = arguments.port or _free_port()
    stopped = threading.Event()
    with (
        tempfile.TemporaryDirectory(prefix="jackfield-dev-") as scratch,
        interruptible(stopped.set, *_ENDS),
        ExitStack() as interrupts,
    ):
        environment, access = environment_of(project, Path(scratch)), Access()
        interrupts.callback(access.revoke, environment)
        while not stopped.is_set():
            seen = _seen(project)
            server = _served(project, number, environment, _Watch(project, seen, stopped), access)
            hooks = _replayed(project, number, environment) if server is not None else None
            try:
                while not stopped.wait(_POLL) and _seen(project) == seen:
                    if server is None or server.poll() is None:
                        continue
                    # the port is in use, for instance: a change of the code will not help
                    if server.returncode == _INVALID:
                        return _INVALID
                    announce(
                        f"jackfield: the server has ended with {server.returncode}; it starts "
                        "again after the next change"
                    )
                    server = None
            finally:
                _stop(hooks)
                _stop(server)
            if not stopped.is_set():
                announce("jackfield: the project has changed; restarting")
    return 0


def _free_port() -> int:
    """Return a free port. It is chosen once, so that the console keeps its address over all
    restarts.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found: int = listener.getsockname()[1]
        return found


def environment_of(project: Project, scratch: Path) -> Mapping[str, str]:
    """Return environment variables of the server. The project counts as installed, and the data
    folder is temporary unless JACKFIELD_HOME is set.

    The project's distribution is the first on the path, so that it counts instead of an editable
    installation with the same name.
    """
    name = str(project.about.get("name", f"jackfield-{project.key}"))
    info = scratch / "site" / f"{re.sub('[-_.]+', '_', name)}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n", encoding="utf-8"
    )
    points = {
        "connectors": f"{project.key} = {project.points[project.key]}",
        "plugins": f"dev.around = {_CALLS}",
        "parts": COMPONENTS,
    }
    text = "".join(f"[jackfield.{group}]\n{line}\n" for group, line in points.items())
    (info / "entry_points.txt").write_text(text, encoding="utf-8")
    paths = [str(info.parent), str(project.package.parent.resolve()), *filter(None, sys.path)]
    home = {} if "JACKFIELD_HOME" in os.environ else {"JACKFIELD_HOME": str(scratch / "home")}
    level = os.environ.get("JACKFIELD_LOG_LEVEL", "DEBUG")  # with tracebacks
    return {
        **os.environ,
        **home,
        "JACKFIELD_LOG_LEVEL": level,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _seen(project: Project) -> Mapping[str, int]:
    """Return the time of the last change, in nanoseconds, of pyproject.toml and of each file of the
    package except the generated connector.json.

    :raises InvalidInvocation: if there are too many files to watch.
    """
    found = {"pyproject.toml": _changed(project.root / "pyproject.toml")}
    for folder, folders, names in os.walk(project.package):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        found |= {
            path: _changed(path)
            for name in names
            if name != "connector.json"
            for path in (os.path.join(folder, name),)
        }
        if len(found) > _MOST_FILES:
            raise InvalidInvocation(
                f"'{project.package}' has more than {_MOST_FILES:,} files to watch",
                hint="Move data out of it.",
            )
    return found


def _changed(path: str | Path) -> int:
    """Return the time of a file's last change, in nanoseconds; 0 if it has just been removed, as
    editors do while they save.
    """
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


class _Watch:
    """Watch over a project during its import: it reports an import that does not end, and ends the
    import at the next change.
    """

    def __init__(self, project: Project, seen: Mapping[str, int], stopped: threading.Event) -> None:
        self._project, self._seen, self._stopped = project, seen, stopped
        self._told = self.changed = False

    def __call__(self, passed: float) -> bool:
        """Return whether to end the import: the session ends, or a file of the project has
        changed.
        """
        if passed > _SLOW and not self._told:
            self._told = True
            announce(
                f"jackfield: importing '{self._project.module}' has not ended after {_SLOW:.0f} "
                "seconds: a request, a loop or a sleep"
                " at import holds it up; waiting for it, or for a change"
            )
        self.changed = self._stopped.is_set() or _seen(self._project) != self._seen
        return self.changed


def _served(
    project: Project, number: int, environment: Mapping[str, str], watch: _Watch, access: Access
) -> subprocess.Popen[bytes] | None:
    """Generate the manifest and start the server; None if the code or pyproject.toml has a fault,
    which is printed.
    """
    from jackfield_market.testing.grading import write_manifest

    announce(f"jackfield: importing '{project.module}' and starting the server")
    try:
        write_manifest(project.root, watch)
    except JackfieldError as error:
        if watch.changed:
            return None
        announce(f"jackfield: {error.message}\njackfield: waiting for a change that corrects it")
        return None
    access.announce(project, number, environment)
    command = [
        sys.executable,
        "-m",
        "jackfield",
        "serve",
        "--migrate",
        "--port",
        str(number),
        "--console-link",
        "always",
    ]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def _replayed(
    project: Project, number: int, environment: Mapping[str, str]
) -> subprocess.Popen[bytes] | None:
    """Start a process that prints a path for each webhook and sends the webhook's samples there;
    None if the connector has no webhook.
    """
    manifest = json.loads((project.package / "connector.json").read_text(encoding="utf-8"))
    if not any(row.get("kind") == "webhook" for row in manifest.get("triggers", ())):
        return None
    command = [sys.executable, "-m", _HOOKS, project.key, str(number)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def _stop(server: subprocess.Popen[bytes] | None) -> None:
    if server is None or server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(_STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


VERBS = {"": Verb("Serve a connector's project, and restart after each change.", _declare, _run)}
