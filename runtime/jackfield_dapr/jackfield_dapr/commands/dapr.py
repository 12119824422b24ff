"""``jackfield dapr``: a sidecar that serves Dapr's bindings API for a folder of components."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import DAY, duration, port
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.signals import HANGUPS
from jackfield_dapr.commands.child_command import run_command, stop_signal
from jackfield_dapr.commands.run_file import read_apps, run_apps
from jackfield_dapr.sidecar import Bindings, Components, Sidecar, has_grpc, served_api
from jackfield_service.shell.commands.serve import declare_components
from jackfield_service.shell.requests.web_pages import LOOPBACK
from jackfield_store.commands.starting import prepare_process
from jackfield_store.resources.renewal import renew

if TYPE_CHECKING:
    from jackfield_service.shell.operations.operation import Mount
    from jackfield_store.runtime import Jackfield

_HTTP_PORT, _GRPC_PORT = 3500, 50001
_USUAL_FOLDER = "~/.dapr/components"
_LOOK = 0.5
"""Seconds between two checks for a SIGHUP."""
_RECORDING = 0.5
"""Seconds after the stop deadline for which running calls may still end, so that their outcomes are
recorded.
"""
_UNUSED = (
    ("-c", "--config"),
    ("-P", "--app-protocol"),
    ("-u", "--unix-domain-socket"),
    ("--log-level",),
    ("--app-ssl",),
    ("--metrics-port",),
    ("--profile-port",),
    ("--enable-profiling",),
    ("--enable-api-logging",),
    ("--enable-app-health-check",),
    ("--app-health-check-path",),
    ("--app-health-probe-interval",),
    ("--app-health-probe-timeout",),
    ("--app-health-threshold",),
    ("--app-max-concurrency",),
    ("--app-channel-address",),
    ("--dapr-http-max-request-size",),
    ("--dapr-http-read-buffer-size",),
    ("--max-body-size",),
    ("--read-buffer-size",),
    ("--dapr-internal-grpc-port",),
    ("--dapr-listen-addresses",),
    ("--placement-host-address",),
    ("--scheduler-host-address",),
    ("--runtime-path",),
)
"""Options of ``dapr run`` that start scripts pass, and that change nothing here."""


def _declare(parser: Parser) -> None:
    parser.takes_command = True
    # as start scripts have it
    parser.add_argument("run", nargs="?", choices=["run"], metavar="run", help=argparse.SUPPRESS)
    parser.epilog = (
        "With '-- COMMAND …' the command runs beside the sidecar, as with 'dapr run', and "
        "its exit code is returned."
    )
    parser.add_argument(
        "-f",
        "--run-file",
        metavar="FILE",
        help=(
            "run the applications of a Multi-App Run template (a folder: its dapr.yaml), "
            "each with its own sidecar and ports"
        ),
    )
    parser.add_argument(
        "-d",
        "--resources-path",
        "--components-path",
        "--components",
        metavar="DIR",
        action="append",
        default=[],
        dest="components",
        help=(
            "a folder or file of Dapr components; repeatable (default: ~/.dapr/components if "
            "it exists)"
        ),
    )
    declare_components(parser, "-a")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)"
    )
    ports = "0 = any free port (default {}, with a command any free port{})"
    parser.add_argument(
        "-H",
        "--dapr-http-port",
        "--http-port",
        metavar="PORT",
        type=port,
        dest="http_port",
        help=ports.format(_HTTP_PORT, ""),
    )
    parser.add_argument(
        "-G",
        "--dapr-grpc-port",
        "--grpc-port",
        metavar="PORT",
        type=port,
        dest="grpc_port",
        help=ports.format(_GRPC_PORT, "; needs the extra dapr"),
    )
    parser.add_argument(
        "-p",
        "--app-port",
        metavar="PORT",
        type=port,
        help="the command's own port, passed to it as APP_PORT",
    )
    parser.add_argument(
        "--stop-within",
        "--grace",
        metavar="DURATION",
        type=duration(DAY),
        default=5.0,
        help="time for running requests to finish on shutdown (default 5s)",
    )
    for flags in _UNUSED:
        parser.add_argument(
            *flags, nargs="?", const="true", dest=f"unused{flags[-1]}", help=argparse.SUPPRESS
        )


def check_token(arguments: Namespace, *, local: bool) -> None:
    """Require a token, or an explicit ``--without-token``, for bindings that other hosts can reach.

    :raises InvalidInvocation: if neither ``DAPR_API_TOKEN`` nor ``--without-token`` is given.
    """
    if not (local or arguments.without_token or os.environ.get("DAPR_API_TOKEN")):
        raise InvalidInvocation(
            "anyone who can reach this server could send through the components",
            hint=(
                "Set DAPR_API_TOKEN, or listen on 127.0.0.1 without a proxy. --without-token "
                "serves them without authentication."
            ),
        )


def components_of(arguments: Namespace) -> Components:
    """Return the components that the options name."""
    app_id = arguments.app_id if arguments.app_id is not None else os.environ.get("APP_ID", "")
    given = arguments.components
    return Components(
        (given,) if isinstance(given, str) else tuple(given), app_id, arguments.compat == "strict"
    )


def _check(arguments: Namespace) -> None:
    """Fill in the default folder, and name the options that are not used.

    :raises UsageError: if there are no components.
    """
    if not arguments.components and os.path.isdir(os.path.expanduser(_USUAL_FOLDER)):
        arguments.components = [_USUAL_FOLDER]
    if not arguments.components:
        raise UsageError(
            "no folder of components is given",
            usage=arguments.usage,
            hint="Name it with --components or --resources-path.",
        )
    unused = [
        name.removeprefix("unused")
        for name, value in vars(arguments).items()
        if name.startswith("unused") and value is not None
    ]
    if unused:
        _say(f"not used: {', '.join(unused)}")


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_store.queue import leave
    from jackfield_store.runtime import Jackfield

    prepare_process()
    check_token(arguments, local=arguments.host in LOOPBACK)
    if arguments.run_file is not None:
        return leave(_run_file(arguments, output))
    _check(arguments)
    components = components_of(arguments)
    found = read_bindings(components)
    workspace = os.environ.get("JACKFIELD_WORKSPACE") or "default"
    jackfield = Jackfield(workspace, connections=[{"connections": dict(found.connections)}])
    try:
        code = _serve(arguments, output, components, found, jackfield)
    finally:
        jackfield.close(_RECORDING)  # a call that hangs has had its time
        # although it hangs: what has ended is committed, and others learn that this process has
        # left the rest
        jackfield.storage.close()
    return leave(code)


def _serve(
    arguments: Namespace,
    output: Output,
    components: Components,
    found: Bindings,
    jackfield: Jackfield,
) -> int:
    """Serve the bindings until a signal or the end of the command; return the exit code."""
    with stop_signal() as stop:
        if not arguments.command:
            HANGUPS.listen()
        api = served_api(
            components,
            found,
            jackfield,
            os.environ,
            _say,
            local=arguments.host in LOOPBACK,
            stopping=threading.Event(),
        )
        with Sidecar(
            api, arguments.host, *_ports(arguments), patience=arguments.stop_within
        ) as sidecar:
            ready = {
                **dict(zip(("httpPort", "grpcPort"), sidecar.ports, strict=False)),
                "components": sorted(found.by_name),
            }
            if arguments.command:
                _say(f"ready: {json.dumps(ready)}")  # stdout is the command's
                return run_command(
                    arguments.command,
                    _variables(arguments, components, sidecar.ports),
                    stop,
                    output.stream,
                )
            output.line(ready)
            while not stop.wait(_LOOK):
                if HANGUPS.take():
                    renew(jackfield.storage)
    return 0


def _run_file(arguments: Namespace, output: Output) -> int:
    """Run the applications of a template.

    :raises UsageError: if options are given that the template sets for each application.
    :raises InvalidInvocation: if the template cannot be used.
    """
    options = ("app_id", "http_port", "grpc_port", "app_port", "command", "components")
    given = [f"--{name.replace('_', '-')}" for name in options if getattr(arguments, name)]
    if given:
        raise UsageError(
            f"--run-file has its own {', '.join(given)}",
            usage=arguments.usage,
            hint="Write them into the file.",
        )
    apps = read_apps(arguments.run_file)
    shared = [
        "--host",
        arguments.host,
        "--compat",
        arguments.compat,
        "--stop-within",
        f"{arguments.stop_within:g}s",
    ]
    with stop_signal() as stop:
        _say(f"running {', '.join(app.name for app in apps)}")
        return run_apps(
            apps,
            [*shared, *(["--without-token"] if arguments.without_token else [])],
            stop,
            output.stream,
        )


def mount(arguments: Namespace, *, local: bool) -> Mount:
    """Return the mount of ``jackfield serve --components``; ``local`` means that only this machine
    can reach the server.

    :raises InvalidInvocation: if other machines could call without a token.
    :raises InvalidConnection: for a problem that also prevents Dapr from starting.
    """
    from jackfield_dapr.sidecar.mounted import dapr_routes

    check_token(arguments, local=local)
    components = components_of(arguments)
    read_bindings(components)
    return partial(dapr_routes, components)


def _variables(
    arguments: Namespace, components: Components, ports: tuple[int, ...]
) -> dict[str, str | None]:
    """Return the variables by which the SDKs of a command find the sidecar."""
    http_port, grpc_port = (*map(str, ports), None)[:2]
    app_port = str(arguments.app_port) if arguments.app_port is not None else None
    app = {"APP_ID": components.app_id or None} | ({"APP_PORT": app_port} if app_port else {})
    return {**app, "DAPR_HTTP_PORT": http_port, "DAPR_GRPC_PORT": grpc_port}


def _say(text: str) -> None:
    sys.stderr.write(f"jackfield: {text}\n")


def read_bindings(components: Components) -> Bindings:
    """Read the components and write their problems to stderr.

    :raises InvalidConnection: for a problem that also prevents Dapr from starting.
    """
    found = components.read(os.environ)
    for problem in found.problems:
        _say(str(problem))
    components.check(found)
    return found


def _ports(arguments: Namespace) -> tuple[int, int | None]:
    """Return the ports of HTTP and gRPC. The port of gRPC is None if grpcio is not installed, and
    no port is given for it.
    """
    usual = (0, 0) if arguments.command else (_HTTP_PORT, _GRPC_PORT)
    http_port, grpc_port = (
        given if given is not None else port
        for given, port in zip((arguments.http_port, arguments.grpc_port), usual, strict=True)
    )
    if arguments.grpc_port is not None or has_grpc():
        return http_port, grpc_port
    _say("serving HTTP only; for gRPC, install the extra: jackfield[dapr]")
    return http_port, None


VERBS = {"": Verb("Serve Dapr's bindings API for a folder of components.", _declare, _run)}
