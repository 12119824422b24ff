"""Multi-App Run template of Dapr (``dapr run -f``): several applications, each with its command,
its sidecar and ports of its own.

Each application runs in a process of its own: this program's command with the options of the
template. Paths of an application are relative to its own folder, paths of ``common`` to the file's
folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from subprocess import Popen
from threading import Event
from typing import IO, Any

from jackfield.connections.documents import DocumentError, read_text, split_documents
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield_dapr.commands.child_command import start_command

USUAL_NAME = "dapr.yaml"
_OPTIONS = {
    "appID": "--app-id",
    "appPort": "--app-port",
    "daprHTTPPort": "--dapr-http-port",
    "daprGRPCPort": "--dapr-grpc-port",
}
_READ = {*_OPTIONS, "appDirPath", "resourcesPath", "resourcesPaths", "command", "env"}
_UNUSED = {
    "configFilePath": "--config",
    "appProtocol": "--app-protocol",
    "appChannelAddress": "--app-channel-address",
    "logLevel": "--log-level",
    "appHealthCheckPath": "--app-health-check-path",
    "appHealthProbeInterval": "--app-health-probe-interval",
    "appHealthProbeTimeout": "--app-health-probe-timeout",
    "appHealthThreshold": "--app-health-threshold",
    "enableAppHealthCheck": "--enable-app-health-check",
    "appMaxConcurrency": "--app-max-concurrency",
    "metricsPort": "--metrics-port",
    "profilePort": "--profile-port",
    "enableProfiling": "--enable-profiling",
    "enableApiLogging": "--enable-api-logging",
    "placementHostAddress": "--placement-host-address",
    "schedulerHostAddress": "--scheduler-host-address",
    "appSSL": "--app-ssl",
    "maxBodySize": "--max-body-size",
    "readBufferSize": "--read-buffer-size",
    "unixDomainSocket": "--unix-domain-socket",
    "daprInternalGRPCPort": "--dapr-internal-grpc-port",
    "runtimePath": "--runtime-path",
    "daprListenAddresses": "--dapr-listen-addresses",
}
"""Members without effect in jackfield, with the matching options of ``dapr run``: each sidecar
reports that they are not used.
"""
_REFUSED = {
    "appLogDestination": "both logs go to the console",
    "daprdLogDestination": "both logs go to the console",
    **dict.fromkeys(
        ("containerImage", "containerImagePullPolicy", "createService"),
        "it is for 'dapr run -k', which jackfield has not",
    ),
}
_CONSOLE = "console"
_HINT = (
    "jackfield runs what it can run as written; remove the member, or start the application "
    "with 'jackfield dapr run'."
)


@dataclass(frozen=True, slots=True)
class App:
    """One application: the options of its sidecar, its command, folder and variables."""

    name: str
    folder: str
    options: tuple[str, ...]
    command: tuple[str, ...]
    variables: Mapping[str, str]

    def start(self, shared: Sequence[str], stdout: IO[Any]) -> Popen[bytes]:
        """Start the sidecar with the command; ``shared`` are options of all applications."""
        words = (
            sys.executable,
            "-m",
            "jackfield",
            "dapr",
            "run",
            *shared,
            *self.options,
            *(("--", *self.command) if self.command else ()),
        )
        return start_command(words, self.variables, stdout, self.folder)


def read_apps(path: str) -> list[App]:
    """Read the applications of a file, or of ``dapr.yaml`` in a folder.

    :raises InvalidInvocation: with all faults, if the file cannot be read or names a feature that
        jackfield lacks.
    """
    path = os.path.expanduser(path)
    file = os.path.join(path, USUAL_NAME) if os.path.isdir(path) else path
    try:
        documents = [content for _, content in split_documents(read_text(file), file)]
    except DocumentError as error:
        raise _refusal(file, [Detail("", str(error))]) from None
    content = documents[0] if len(documents) == 1 else None
    if not isinstance(content, Mapping):
        raise _refusal(
            file, [Detail("", "it must be one document, an object with 'version' and 'apps'")]
        )
    faults = [*_faults(content)]
    if faults:
        raise _refusal(file, faults)
    folder = os.path.dirname(os.path.abspath(file))
    apps = [_app(app, content.get("common") or {}, folder) for app in content["apps"]]
    faults = [*_faults_of(apps)]
    if faults:
        raise _refusal(file, faults)
    return apps


def run_apps(apps: Sequence[App], shared: Sequence[str], stop: Event, stdout: IO[Any]) -> int:
    """Run the applications until all have ended, and return the first exit code that is not 0.
    ``stop`` ends them.
    """
    running = [app.start(shared, stdout) for app in apps]
    try:
        while not stop.is_set() and any(process.poll() is None for process in running):
            stop.wait(_LOOK)
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
        codes = [process.wait() for process in running]
    return next((code if code > 0 else _KILLED - code for code in codes if code), 0)


_LOOK = 0.2
"""Seconds between two checks of the processes."""
_KILLED = 128
"""Number that shells add to the number of the signal that ended a command."""


def _refusal(file: str, faults: list[Detail]) -> InvalidInvocation:
    first = f"{faults[0].path}: {faults[0].message}" if faults[0].path else faults[0].message
    return InvalidInvocation(
        f"the run file {file} cannot be used: {first}", details=faults, hint=_HINT
    )


def _faults(content: Mapping[str, Any]) -> Iterator[Detail]:
    yield from (
        Detail(f"/{name}", "is not known")
        for name in content
        if name not in ("version", "common", "apps")
    )
    if content.get("version") != 1:
        yield Detail("/version", "must be 1")
    common, apps = content.get("common") or {}, content.get("apps")
    if not isinstance(common, Mapping):
        yield Detail("/common", "must be an object")
    else:
        yield from _faults_in(common, "/common")
    if not isinstance(apps, list) or not apps:
        yield Detail("/apps", "must be a list of applications")
        return
    for number, app in enumerate(apps):
        if not isinstance(app, Mapping):
            yield Detail(f"/apps/{number}", "must be an object")
            continue
        if not isinstance(app.get("appDirPath"), str) or not app["appDirPath"]:
            yield Detail(
                f"/apps/{number}/appDirPath", "must be the path of the application's folder"
            )
        yield from _faults_in(app, f"/apps/{number}")


def _faults_in(app: Mapping[str, Any], at: str) -> Iterator[Detail]:
    for name, value in app.items():
        if name in _REFUSED and value != _CONSOLE:
            yield Detail(f"{at}/{name}", f"is not supported: {_REFUSED[name]}")
        elif name not in _READ and name not in _UNUSED and name not in _REFUSED:
            yield Detail(f"{at}/{name}", "is not known")
    command, variables = app.get("command") or [], app.get("env") or {}
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        yield Detail(f"{at}/command", "must be a list of strings, the command and its arguments")
    if not isinstance(variables, Mapping) or any(
        isinstance(value, Mapping | list) for value in variables.values()
    ):
        yield Detail(f"{at}/env", "must be an object of variables and their values")


def _app(own: Mapping[str, Any], common: Mapping[str, Any], base: str) -> App:
    folder = os.path.join(base, os.path.expanduser(own["appDirPath"]))
    merged = {**common, **own}
    name = str(merged.get("appID") or os.path.basename(os.path.normpath(folder)))
    options = ["--app-id", name]
    for member, option in (*_OPTIONS.items(), *_UNUSED.items()):
        if merged.get(member) is not None and member != "appID":
            options += [option, _text(merged[member])]
    if merged.get("daprHTTPPort") is None:
        options += ["--dapr-http-port", "0"]
    if merged.get("daprGRPCPort") is None and not merged.get("command"):
        options += ["--dapr-grpc-port", "0"]
    for path in [*_resources(own, folder), *_resources(common, base)] or _usual(folder):
        options += ["--resources-path", path]
    variables = {
        str(key): _text(value)
        for key, value in {**(common.get("env") or {}), **(own.get("env") or {})}.items()
    }
    return App(name, folder, tuple(options), tuple(merged.get("command") or ()), variables)


def _resources(given: Mapping[str, Any], base: str) -> list[str]:
    """Return the component folders that ``given`` names, as a list or as one string with commas.
    Relative folders start at ``base``.
    """
    named = given.get("resourcesPaths") or given.get("resourcesPath") or []
    several = named if isinstance(named, list) else str(named).split(",")
    return [
        os.path.join(base, os.path.expanduser(str(path).strip()))
        for path in several
        if str(path).strip()
    ]


def _usual(folder: str) -> list[str]:
    usual = os.path.join(folder, ".dapr", "resources")
    return [usual] if os.path.isdir(usual) else []


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _faults_of(apps: Sequence[App]) -> Iterator[Detail]:
    """Yield the faults of all applications together: missing folders, and names or ports that two
    applications share.
    """
    taken: dict[str, str] = {}
    for number, app in enumerate(apps):
        if not os.path.isdir(app.folder):
            yield Detail(f"/apps/{number}/appDirPath", f"there is no folder {app.folder}")
        ports = [
            port
            for option, port in zip(app.options, app.options[1:], strict=False)
            if option.startswith("--dapr-") and port != "0"
        ]
        for what in (f"appID '{app.name}'", *(f"port {port}" for port in ports)):
            if what in taken:
                yield Detail(f"/apps/{number}", f"{what} is that of '{taken[what]}', too")
            taken[what] = app.name
