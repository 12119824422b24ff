"""``jackfield serve``: serve the HTTP API with the console, MCP and Dapr's bindings."""

from __future__ import annotations

import functools
import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jackfield.call.policy_service import policy_of
from jackfield.catalog import installed_here
from jackfield.catalog.loading import PARTS, chosen
from jackfield.cli.logs import announce, writes_json
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import MOST_AT_ONCE, count, port, rate
from jackfield.cli.session import declare_import
from jackfield.kernel.clock import SystemClock, within
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, missing_extra
from jackfield.kernel.signals import HANGUPS
from jackfield.wire.guard import allowed_hosts
from jackfield_service.shell.identity.identity_providers import Jwt, check_people
from jackfield_store.commands.starting import (
    check_connection_files,
    check_key,
    check_surroundings,
    declare_migrate,
    declare_stop_within,
    prepare_database,
    prepare_process,
    require_connection_files,
)
from jackfield_store.database.setting_rows import checked_public_url
from jackfield_store.resources.memory import require_memory
from jackfield_store.resources.storage import Storage

if TYPE_CHECKING:
    from starlette.routing import Route

    from jackfield_service.shell.operations.operation import Mount, Operation
    from jackfield_service.shell.process.installer import Installer
    from jackfield_service.shell.process.server_context import ServerContext
    from jackfield_service.shell.process.settings import ServerSettings

_MOST_WORKERS = 256
_MOST_FD = 2**20
_PORT = 8080
_LOOPBACK = "127.0.0.1"
_PATIENCE = 3.0
"""Seconds that the start waits for the database: probes are answered after that."""


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help=(
            "address or name to listen on (default 127.0.0.1); :: = all of both families; "
            "unix:PATH = a Unix socket"
        ),
    )
    parser.add_argument(
        "--port",
        type=port,
        metavar="N",
        help="the port (default: PORT, else 8080); 0 = any free port",
    )
    parser.add_argument(
        "--fd",
        action="append",
        type=count(3, _MOST_FD),
        default=[],
        metavar="N",
        help=(
            "serve on this listening socket, in place of --host and --port; repeatable. "
            "Those of systemd are found"
        ),
    )
    parser.add_argument(
        "--workers",
        type=count(1, _MOST_WORKERS),
        default=1,
        metavar="N",
        help="number of server processes (default 1)",
    )
    parser.add_argument(
        "--behind-proxy", action="store_true", help="a proxy in front terminates TLS"
    )
    parser.add_argument(
        "--root-path",
        default="",
        metavar="PATH",
        help=(
            "the path prefix under which a proxy serves jackfield, such as /jackfield "
            "(default: the path of the public URL)"
        ),
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help=(
            "address of this server for browsers, in links and redirect URIs (default: "
            "JACKFIELD_PUBLIC_URL, else the setting publicUrl)"
        ),
    )
    parser.add_argument(
        "--certificate", metavar="FILE", help="serve TLS with this certificate (PEM)"
    )
    parser.add_argument("--key", metavar="FILE", help="the certificate's private key (PEM)")
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="a web origin that browsers may call from (CORS); repeatable",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="allow connections to use this internal host; repeatable",
    )
    parser.add_argument(
        "--rate",
        type=rate,
        default=0.0,
        metavar="N",
        help="rate limit per token, in requests per second; 0 = no limit (default)",
    )
    parser.add_argument(
        "--hook-rate",
        type=rate,
        default=500.0,
        metavar="N",
        help="rate limit per webhook, in requests a second; 0 = none (default 500)",
    )
    parser.add_argument(
        "--queue-workers",
        type=count(0, MOST_AT_ONCE),
        metavar="N",
        help=(
            "concurrent queued invocations per process (default 16, or 0 with "
            "JACKFIELD_QUEUE_URL); 0 = none"
        ),
    )
    declare_import(parser)
    declare_stop_within(parser)
    parser.add_argument(
        "--components",
        metavar="DIR",
        help="also serve Dapr's bindings API for these components, under /v1.0",
    )
    declare_components(parser)
    parser.add_argument(
        "--mcp-tools",
        choices=("discovery", "all"),
        default="discovery",
        help=(
            "MCP tools at /mcp: discovery: tools that find and run actions; all: also one "
            "tool per action"
        ),
    )
    parser.add_argument(
        "--jwks", metavar="URL", help="also accept JWTs signed with the keys at this URL"
    )
    parser.add_argument("--jwt-issuer", metavar="NAME", help="the required issuer of JWTs")
    parser.add_argument("--jwt-audience", metavar="NAME", help="the required audience of JWTs")
    parser.add_argument(
        "--install-from",
        action="append",
        default=[],
        metavar="SOURCE",
        help=(
            "a catalogue (URL or folder) from which connectors are installed over HTTP; repeatable"
        ),
    )
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="FILE",
        help=(
            "trusted root.json of each --install-from, in its order; required for plain HTTP "
            "beyond loopback"
        ),
    )
    declare_migrate(parser)
    parser.add_argument(
        "--console-link",
        choices=("auto", "always", "never"),
        default="auto",
        help=(
            "print a one-time link to the console; auto: only on loopback without a proxy, "
            "and if the log is not JSON"
        ),
    )


def declare_components(parser: Parser, *short: str) -> None:
    """Add the options that control how Dapr's components are read; ``short`` are further names of
    ``--app-id``.
    """
    parser.add_argument(
        *short,
        "--app-id",
        metavar="ID",
        help="the app ID; components scoped to other apps are not loaded (default: APP_ID)",
    )
    parser.add_argument(
        "--without-token",
        action="store_true",
        help="serve the bindings without DAPR_API_TOKEN, to anyone who can reach this server",
    )
    parser.add_argument(
        "--compat",
        choices=("lenient", "strict"),
        default="lenient",
        help="strict: reject what Dapr itself rejects",
    )


def _serve(arguments: Namespace, _output: Output) -> int:
    HANGUPS.listen()
    prepare = functools.partial(prepare_process, tuple(arguments.modules))
    prepare()
    require_memory(arguments.workers)
    try:
        from jackfield_service.shell.http.server_process import check_settings, run
        from jackfield_service.shell.process.settings import ServerSettings
        from jackfield_store.queue import check_queue
    except ImportError as error:
        raise missing_extra("the server needs", "server", error.name) from None
    jwt, public_url, descriptors = None, _public_url(arguments), _descriptors(arguments)
    if arguments.jwks:
        if not (arguments.jwt_issuer and arguments.jwt_audience):
            raise InvalidInvocation(
                "--jwks needs --jwt-issuer and --jwt-audience",
                hint="Without them, any token from the provider would be accepted.",
            )
        jwt = Jwt(arguments.jwks, arguments.jwt_issuer, arguments.jwt_audience)
    settings = ServerSettings(
        host=_reached_at(descriptors) if descriptors else arguments.host or _LOOPBACK,
        port=0 if descriptors else _port(arguments),
        descriptors=descriptors,
        workers=arguments.workers,
        behind_proxy=arguments.behind_proxy,
        root_path=_root_path(arguments, public_url),
        public_url=public_url,
        certificate=arguments.certificate,
        key=arguments.key,
        origins=tuple(arguments.origin),
        allowed_hosts=allowed_hosts(arguments.allow_host, os.environ),
        rate=arguments.rate,
        hook_rate=arguments.hook_rate,
        queue_workers=arguments.queue_workers,
        stop_within=arguments.stop_within,
        jwt=jwt,
        oidc=check_people(os.environ),
        mcp_tools=arguments.mcp_tools,
        installer=_installer(arguments.install_from, arguments.root),
    )
    check_settings(settings)
    bindings = _bindings(arguments, settings)
    require_connection_files(os.environ)
    check_queue(os.environ)
    check_surroundings(os.environ)
    policy_of(os.environ)
    if not (settings.local or settings.public_url or _stored_url()):
        announce(
            "jackfield: without --public-url there are no links for connect pages and approvals, "
            "and no webhooks"
        )
    if settings.oidc is not None and not (settings.local or settings.public_url or _stored_url()):
        announce(
            "jackfield: without --public-url nobody can sign in at the identity provider: it has "
            "to know the console's address"
        )
    if "*" in settings.origins:
        announce(
            "jackfield: --origin '*' lets pages from every website call the API if they have a "
            "token"
        )
    if arguments.migrate:
        with _storage() as storage:
            prepare_database(storage, migrate=True)
    # the user of this terminal has full access anyway, but others may read a JSON log
    local = settings.local and not writes_json()
    link = arguments.console_link == "always" or (arguments.console_link == "auto" and local)
    ready = functools.partial(
        _announce, link=link, root_path=settings.root_path, public_url=settings.public_url
    )
    return run(settings, prepare, ready, mounts(*bindings))


def _bindings(arguments: Namespace, settings: ServerSettings) -> tuple[Mount, ...]:
    """Return the mount of Dapr's bindings API if there are components.

    :raises InvalidInvocation: if the package that serves the bindings is missing, or serving them
        is not allowed.
    """
    if arguments.components is None:
        return ()
    mount: Callable[..., Mount] | None = chosen(PARTS, "dapr")
    if mount is None:
        raise missing_extra("--components needs", "dapr", "jackfield-dapr")
    return (mount(arguments, local=settings.local),)


def _installer(sources: Sequence[str], roots: Sequence[str]) -> Callable[[], Installer] | None:
    """Return the factory of each process's installer.

    :raises InvalidInvocation: if a source is neither a URL nor a folder, or is read over plain HTTP
        without a root of trust.
    """
    if len(roots) not in {0, len(sources)}:
        raise InvalidInvocation(
            f"{len(roots)} --root for {len(sources)} --install-from",
            hint="Give one --root FILE for each --install-from, in the same order.",
        )
    if not sources:
        return None
    make: Callable[[Sequence[str], Sequence[str]], Callable[[], Installer]] | None = chosen(
        PARTS, "market"
    )
    if make is None:
        raise missing_extra("installing from a catalogue needs", "market", "jackfield-market")
    return make(sources, roots)


def _descriptors(arguments: Namespace) -> tuple[int, ...]:
    """Return the descriptors of sockets to serve on: from ``--fd``, otherwise from systemd. A
    message reports that systemd's sockets replace an address.

    :raises InvalidInvocation: if ``--fd`` is given together with an address.
    """
    from jackfield_service.shell.process.listeners import passed_on

    named = arguments.host is not None or arguments.port is not None
    if arguments.fd:
        if named:
            raise InvalidInvocation(
                "--fd excludes --host and --port", hint="The socket has its address already."
            )
        return tuple(arguments.fd)
    found = passed_on(os.environ, os.getpid())
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES") if found else ():
        os.environ.pop(name, None)  # programs that this one starts have other descriptors
    if found and named:
        announce("jackfield: it listens on the sockets of systemd, not on --host and --port")
    return found


def _reached_at(descriptors: Sequence[int]) -> str:
    """Return the address of the first socket that other machines can reach; of the first socket if
    other machines can reach none.

    :raises InvalidInvocation: if a descriptor is not a listening socket.
    """
    from jackfield_service.shell.process.listeners import adopt, host_of
    from jackfield_service.shell.process.settings import ServerSettings

    sockets = adopt(descriptors)
    hosts = [host_of(one) for one in sockets]
    for one in sockets:
        one.detach()
    return next((host for host in hosts if not ServerSettings(host=host).local), hosts[0])


def _port(arguments: Namespace) -> int:
    """Return the port: the command's, or else the one in the platform's variable ``PORT``, which is
    reported.

    :raises InvalidInvocation: if the variable holds no valid port.
    """
    if arguments.port is not None:
        return int(arguments.port)
    named = os.environ.get("PORT", "").strip()
    if not named or (arguments.host or "").startswith("unix:"):
        return _PORT
    try:
        found = port(named)
    except ArgumentTypeError:
        raise InvalidInvocation(
            f"PORT is '{named[:80]}', which is no port", hint="Give --port, or unset PORT."
        ) from None
    announce(f"jackfield: the port {found} is that of the variable PORT; --port would replace it")
    return found


def _root_path(arguments: Namespace, public_url: str) -> str:
    """Return the path prefix of the server: the option's, else the public URL's, so that the
    console's links have it, too.

    :raises InvalidInvocation: if it is not a valid prefix of a link.
    """
    from jackfield_service.shell.requests.prefix import checked_prefix

    given, source = (
        arguments.root_path or urlsplit(public_url).path,
        "--root-path" if arguments.root_path else "the public URL's path",
    )
    found = checked_prefix(given)
    if found is None:
        raise InvalidInvocation(
            f"{source} '{given[:200]}' is not a path", hint="Write it as /jackfield."
        )
    return found


def _public_url(arguments: Namespace) -> str:
    given: str | None = arguments.public_url
    return checked_public_url(
        os.environ.get("JACKFIELD_PUBLIC_URL", "") if given is None else given
    )


def _announce(origin: str, *, link: bool, root_path: str = "", public_url: str = "") -> None:
    origin += root_path
    announce(f"jackfield listens on {origin}", origin=origin)
    check_connection_files(os.environ, installed_here(os.environ))
    with _storage() as storage:
        try:
            if storage.enabled:
                with within(_PATIENCE):
                    _ = storage.database
        except JackfieldError as error:  # the server answers probes while it waits for the database
            announce(f"jackfield is not ready: {error.message}. {error.hint or ''}".rstrip())
            return
        if storage.enabled:
            check_key(storage)
        if link and (public_url or not origin.startswith("unix:")):
            announce(_invitation(storage, public_url or origin))


def _stored_url() -> str:
    """Return the public URL that all processes share; an empty string if none is set, or the
    database does not answer.
    """
    with _storage() as storage, within(_PATIENCE):
        storage.migrates = False
        return storage.shared.value("publicUrl") if storage.enabled and not storage.is_new else ""


def _storage() -> Storage:
    return Storage(None, os.environ, SystemClock())


def _invitation(storage: Storage, origin: str) -> str:
    """Return the startup line with a one-time link to the console, or with the reason why no link
    was made.
    """
    console = chosen(PARTS, "console")
    if console is None:
        return (
            "no sign-in to the console: it is not installed; install it: pip install "
            "'jackfield[server]'"
        )
    try:
        return (
            "console, for one sign-in within ten minutes: "
            f"{console.one_time_link(storage, SystemClock(), origin)}"
        )
    except JackfieldError as error:
        return f"no sign-in to the console: {error.message}"


VERBS = {"": Verb("Serve the HTTP API, the console and MCP.", _declare, _serve)}


def mounts(*added: Mount) -> tuple[Mount, ...]:
    """Return the mounts in routing order: MCP, other packages' mounts, the console's mounts, and
    the console.
    """
    return (_mcp, *added, _components, _console)


def _mcp(server: ServerContext) -> Sequence[Operation | Route]:
    mount: Callable[[ServerContext], Sequence[Operation]] | None = chosen(PARTS, "mcp")
    return () if mount is None else mount(server)


def _components(server: ServerContext) -> Sequence[Operation | Route]:
    """Return the page of the console's components, which only ``jackfield dev`` declares."""
    mount: Callable[[ServerContext], Sequence[Route]] | None = chosen(PARTS, "components")
    return () if mount is None else mount(server)


def _console(server: ServerContext) -> Sequence[Operation | Route]:
    console = chosen(PARTS, "console")
    routes: Sequence[Route] = () if console is None else console.routes(server)
    return routes
