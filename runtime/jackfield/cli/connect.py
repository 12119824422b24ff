"""``jackfield connections connect``: a person approves a connection in the browser of this machine, or on another device."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import actor, open_jackfield
from jackfield.connections.authorizations import UnknownAuthorizationError
from jackfield.errors import Cancelled, TimedOut

if TYPE_CHECKING:
    from jackfield.management.authorizing import Authorizing

_WITHIN = 600.0


def _declare(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--device", action="store_true", help="show a code to enter on any device, for machines without a browser")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    parser.add_argument(
        "--redirect-port", type=int, default=0, metavar="PORT", help="the port on 127.0.0.1 that the browser returns to (default: any)"
    )


def _connect(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        connections = jackfield.connections.acting_as(actor())
        authorizing = connections.authorizing()
        if arguments.device:
            _on_device(authorizing, arguments.name)
        else:
            _in_browser(authorizing, arguments.name, arguments.redirect_port, opens=not arguments.no_browser)
        output.value(connections.show(arguments.name))
    return 0


def _on_device(authorizing: Authorizing, name: str) -> None:
    begun = authorizing.begin_device(name)
    sys.stderr.write(f"jackfield: open {begun['url']} and enter the code {begun['userCode']}\n")
    pause = threading.Event()
    while (found := authorizing.poll(begun["id"]))["status"] == "pending":
        pause.wait(begun["interval"])
    if found["status"] != "granted":
        raise Cancelled(f"the connection '{name}' was not approved: {found.get('reason', '')}", hint="Connect again.")


def _in_browser(authorizing: Authorizing, name: str, port: int, *, opens: bool) -> None:
    """Wait at a free port of this machine for the provider's answer (RFC 8252 §7.3)."""
    from jackfield.cli.loopback import listening

    with listening(port) as server:
        begun = authorizing.begin(name, f"http://127.0.0.1:{server.server_port}/callback")
        sys.stderr.write(f"jackfield: approve the connection at {begun['url']}\n")
        if opens:
            import webbrowser

            webbrowser.open(begun["url"])
        until = time.monotonic() + _WITHIN
        while (answer := server.answered(until)) is not None:
            with suppress(UnknownAuthorizationError):  # another page called: it does not know the state
                authorizing.complete(begun["id"], answer)
                return
    raise TimedOut("nobody approved within ten minutes", hint="Connect again.")


CONNECT = Verb("Connect a connection: a person approves it at the provider, in the browser or on another device.", _declare, _connect)
