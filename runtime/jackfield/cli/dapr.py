"""``jackfield dapr``: a sidecar that serves Dapr's bindings API for a folder of components."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from jackfield.cli import logs
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import DAY, duration, port
from jackfield.errors import InvalidInvocation
from jackfield.surfaces.shared.web_pages import LOOPBACK

if TYPE_CHECKING:
    from jackfield.surfaces.dapr import Bindings, Components
    from jackfield.surfaces.http.protocol import Bounded

_HTTP_PORT, _GRPC_PORT = 3500, 50001


def _declare(parser: Parser) -> None:
    parser.add_argument("--components", metavar="DIR", required=True, help="a folder or file of Dapr components")
    declare_components(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--http-port", metavar="PORT", type=port, default=_HTTP_PORT, help="0 = any free port (default 3500)")
    parser.add_argument("--grpc-port", metavar="PORT", type=port, help="0 = any free port (default 50001; needs the extra dapr)")
    parser.add_argument(
        "--grace", metavar="DURATION", type=duration(DAY), default=5.0, help="time for running requests to finish on shutdown (default 5s)"
    )


def declare_components(parser: Parser) -> None:
    """Add the options that control how components are read."""
    parser.add_argument("--app-id", metavar="ID", help="the app ID; components scoped to other apps are not loaded (default: APP_ID)")
    parser.add_argument(
        "--without-token", action="store_true", help="serve the bindings without DAPR_API_TOKEN, to anyone who can reach this host"
    )
    parser.add_argument("--compat", choices=("lenient", "strict"), default="lenient", help="strict rejects what Dapr's own code rejects")


def check_token(arguments: Namespace, *, local: bool) -> None:
    """Require a token, or an explicit ``--without-token``, for bindings that other hosts can reach.

    :raises InvalidInvocation: if neither ``DAPR_API_TOKEN`` nor ``--without-token`` is given.
    """
    if not (local or arguments.without_token or os.environ.get("DAPR_API_TOKEN")):
        raise InvalidInvocation(
            "anyone who can reach this host could send through the components",
            hint="Set DAPR_API_TOKEN, or listen on 127.0.0.1 without a proxy. --without-token serves them without authentication.",
        )


def components_of(arguments: Namespace) -> Components:
    """Return the components that the options name."""
    from jackfield.surfaces.dapr import Components

    app_id = arguments.app_id if arguments.app_id is not None else os.environ.get("APP_ID", "")
    return Components(arguments.components, app_id, arguments.compat == "strict")


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield.access.workspace_access import Caller
    from jackfield.runtime import Jackfield
    from jackfield.surfaces.dapr import DaprApi, Sidecar

    logs.configure()
    check_token(arguments, local=arguments.host in LOOPBACK)
    components = components_of(arguments)
    found = read_bindings(components)
    token = os.environ.get("DAPR_API_TOKEN") or None
    workspace = os.environ.get("JACKFIELD_WORKSPACE") or "default"
    with Jackfield(workspace, connections=[{"connections": dict(found.connections)}]) as jackfield, _stop_signal() as stop:
        invoke = partial(jackfield.invoke, caller=Caller(remote=True))
        api = DaprApi(found.by_name, invoke, components.app_id, token, local=arguments.host in LOOPBACK)
        sidecar = Sidecar(api, arguments.host, arguments.http_port, _grpc_port(arguments), protocol=_protocol())
        output.line(_ready(sidecar.ports, sorted(found.by_name)))
        stop.wait()
        sidecar.stop(arguments.grace)
    return 0


def _protocol() -> type[Bounded]:
    """Return the HTTP protocol of ``jackfield serve``, with its limits.

    :raises InvalidInvocation: if the extra ``server`` is missing.
    """
    try:
        from jackfield.surfaces.http.protocol import Bounded
    except ImportError as error:
        raise InvalidInvocation(
            f"the server needs the extra 'server': the package '{error.name}' is not installed", hint="pip install 'jackfield[server]'"
        ) from None
    return Bounded


def read_bindings(components: Components) -> Bindings:
    """Read the components and write their problems to stderr.

    :raises InvalidConnection: for a problem that also keeps Dapr from starting.
    """
    found = components.read(os.environ)
    for problem in found.problems:
        sys.stderr.write(f"jackfield: {problem}\n")
    components.check(found)
    return found


def _grpc_port(arguments: Namespace) -> int | None:
    from jackfield.surfaces.dapr import has_grpc

    if arguments.grpc_port is not None or has_grpc():
        return arguments.grpc_port if arguments.grpc_port is not None else _GRPC_PORT
    sys.stderr.write("jackfield: serving HTTP only; for gRPC, install the extra: jackfield[dapr]\n")
    return None


def _ready(ports: tuple[int, ...], components: list[str]) -> dict[str, object]:
    return {**dict(zip(("httpPort", "grpcPort"), ports, strict=False)), "components": components}


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Provide an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


VERBS = {"": Verb("Serve Dapr's bindings API for a folder of components.", _declare, _run)}
