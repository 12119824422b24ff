"""Where a vector is played: one fake AWS for the process, and for each play a folder, an
environment and a clock of its own.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import jackfield.runtime
import jackfield_aws.sessions
import jackfield_store.runtime.runtime_pool
from clocks import FakeClock, StillClock
from corpus import Vector
from fake_aws import FakeAws
from fake_aws.line import Line
from jackfield.catalog import Catalog, EntryPoint, entry_points
from jackfield.connector import Reply, Target, Wire, WireFault
from jackfield.schema.cache import Schemas
from jackfield.wire.connection import Connection, Limit
from jackfield_aws.direct.light import light_service
from jackfield_aws.keys import Keys
from jackfield_aws.limits import READ_TIMEOUT
from jackfield_aws.sessions import Ambient, ClientSpec, make_client
from jackfield_aws_ses_simulator.aws.exchange import Answer
from plugboard import make_echo, plugged

_HOSTS = ("AWS_", "JACKFIELD_", "NO_COLOR", "FORCE_COLOR")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_DRIPS = 0.3
"""Seconds in which a few bytes of an answer drip before its deadline passes."""
_LOOK = 0.05
"""Seconds between two looks at the clock of a play."""
_AMBIENT = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
    }
)


@dataclass(frozen=True)
class Place:
    """Where one vector is played once. ``paths`` must be importable (other connectors); ``files``
    are the connection files.
    """

    aws: FakeAws
    folder: Path
    files: tuple[Path, ...]
    given: Mapping[str, Any] | str
    documents: tuple[Mapping[str, Any], ...]
    paths: tuple[str, ...] = ()
    clock: FakeClock = field(default_factory=FakeClock)


@functools.cache
def _aws() -> FakeAws:
    # Started once and never stopped: its threads are daemons and end with the process.
    _warm_up()
    return FakeAws().start()


def _warm_up() -> None:
    """Read botocore's data, which takes longer than the shortest deadline of the corpus."""
    for service in ("sesv2", "ses", "sts"):
        spec = ClientSpec(service, "eu-west-1", None, Keys("none", "none"))
        make_client(spec).close()
        light_service(spec, READ_TIMEOUT)


@functools.cache
def _schemas() -> Schemas:
    # Compiling them anew for each play would take half of the corpus's time; their keys name them
    # for good.
    return Schemas()


@functools.cache
def _echo() -> tuple[str, ...]:
    """Install the echo connector for all plays that need it."""
    folder = tempfile.TemporaryDirectory(prefix="jackfield-echo-")
    atexit.register(folder.cleanup)
    return tuple(make_echo(Path(folder.name)))


@functools.cache
def _catalog(echo: bool) -> Catalog:
    # Reading the manifests anew for each play, and comparing the code with them, would take half of
    # the corpus's time as well.
    return Catalog.installed(_points(echo))


@functools.cache
def _points(_echo: bool) -> Mapping[str, tuple[EntryPoint, ...]]:
    return entry_points()  # reading all distributions anew takes a tenth of a play


def clean_environment(folder: Path) -> dict[str, str]:
    """The process's environment without anything that AWS, jackfield or a proxy would read, but for
    the way of AWS's calls; ``folder`` is where AWS finds no files.
    """
    kept = {name: os.environ[name] for name in ("JACKFIELD_AWS_DIRECT",) if name in os.environ}
    kept |= {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_HOSTS) and name.lower() not in _PROXIES
    }
    return {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "JACKFIELD_HOME": str(folder / "home"),
        "JACKFIELD_DATABASE_URL": "none",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }


@contextmanager
def staged(vector: Vector, *, real_time: bool = True) -> Iterator[Place]:
    """Set everything up as the vector says, and put it back afterwards. Unless in real time, the
    fake AWS lets deadlines pass at once where it hangs or drips: nothing depends on how far a
    loaded machine comes until then.
    """
    aws = _aws()
    settle = functools.partial(_filled, url=aws.url)
    aws.renew(settle(vector.endpoint))
    with tempfile.TemporaryDirectory(prefix="jackfield-vector-") as name, ExitStack() as stack:
        folder = Path(name)
        documents = tuple(settle(document) for document in vector.documents)
        written = tuple(
            _write(folder / f"connections-{number}.json", {"connections": item})
            for number, item in enumerate(documents)
        )
        for path, content in vector.files.items():
            (folder / path).write_text(content, encoding="utf-8")
        environment = {**clean_environment(folder), **settle(dict(vector.environment))}
        environment["JACKFIELD_CONNECTIONS"] = os.pathsep.join(map(str, written))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        _set_environment(patch, environment)
        patch.chdir(folder)
        patch.setattr(jackfield.runtime, "Schemas", _schemas)
        paths: tuple[str, ...] = ()
        if vector.echo:
            paths = _echo()
            stack.enter_context(plugged(*paths))
        catalog, points = _catalog(vector.echo), _points(vector.echo)
        patch.setattr(Catalog, "installed", lambda *_places, **_more: catalog)
        for module in (jackfield.runtime, jackfield_store.runtime.runtime_pool):
            patch.setattr(module, "entry_points", lambda: points)
        if not _AMBIENT.isdisjoint(vector.environment):
            patch.setattr(jackfield_aws.sessions, "_shared", _own_identities())
        patch.setattr(socket, "getaddrinfo", _resolve)
        # Where a deadline is close, time goes on; elsewhere nothing depends on how long a loaded
        # machine takes.
        clock = FakeClock() if "timeoutSeconds" in vector.given else StillClock()
        place = Place(aws, folder, written, settle(vector.given), documents, paths, clock)
        if not real_time:
            _hurry(patch, place.clock)
        yield place


def _hurry(patch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """Let the deadlines of all requests pass as soon as the fake AWS holds an answer back, or has
    begun to drip.
    """
    hold, drip, send, fill = (
        Line.hold,
        Line.drip,
        Wire.send,
        Connection.fill,
    )
    limits: list[Limit] = []

    def end() -> None:
        clock.advance(max((limit() for limit in limits), default=0.0))

    def held(line: Line, seconds: float | None) -> bool:
        end()
        return hold(line, seconds)

    def dripped(line: Line, answer: Answer, seconds: float, with_head: bool) -> None:
        threading.Timer(_DRIPS, end).start()
        drip(line, answer, seconds, with_head)

    def sent(
        wire: Wire,
        method: str,
        target: Target,
        path: bytes,
        fields: Any,
        body: Any,
        limit: Limit,
        begin: Callable[[], None],
    ) -> Reply:
        def begun() -> None:
            begin()
            limits.append(limit)

        return send(wire, method, target, path, fields, body, limit, begun)

    def filled(connection: Connection, limit: Limit) -> bool:
        # the socket's timeout is the machine's time: look at the play's clock in between
        while True:
            try:
                return fill(connection, lambda: min(limit(), _LOOK))
            except WireFault as fault:
                if fault.kind != "late" or limit() <= 0:
                    raise

    patch.setattr(Line, "hold", held)
    patch.setattr(Line, "drip", dripped)
    patch.setattr(Wire, "send", sent)
    patch.setattr(Connection, "fill", filled)


def _set_environment(patch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Make ``environment`` the process's; setting only what differs takes a fifth of the time."""
    now = dict(os.environ)
    for name in now.keys() - environment.keys():
        patch.delenv(name)
    for name, value in environment.items():
        if now.get(name) != value:
            patch.setenv(name, value)


def _filled(value: Any, url: str) -> Any:
    if isinstance(value, str):
        return value.replace("${endpoint}", url) if "${" in value else value
    if isinstance(value, list):
        return [_filled(item, url) for item in value]
    return (
        {name: _filled(item, url) for name, item in value.items()}
        if isinstance(value, dict)
        else value
    )


def _write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def _own_identities() -> Callable[[Ambient | None, str | None, bool], Any]:
    """Sessions for one play: the process keeps its own AWS identity for good, and a vector brings
    another one.
    """
    kept = jackfield_aws.sessions._shared
    made: dict[tuple[Ambient, str | None, bool], Any] = {}

    def shared(ambient: Ambient | None, region: str | None, as_json: bool) -> Any:
        if ambient is None:
            return kept(None, region, as_json)
        if (ambient, region, as_json) not in made:
            made[ambient, region, as_json] = kept.__wrapped__(ambient, region, as_json)
        return made[ambient, region, as_json]

    return shared


def _resolve(host: Any, *rest: Any, **more: Any) -> Any:
    """Names below ``.invalid`` (RFC 6761) do not resolve, and nobody outside is asked."""
    if isinstance(host, str) and host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _REAL(host, *rest, **more)


_REAL = socket.getaddrinfo
