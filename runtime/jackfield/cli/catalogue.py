"""``jackfield catalogue``: build and serve a site of signed connectors."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import port
from jackfield.errors import InvalidInvocation

_KEYS = "folder of the role keys (default: SITE.keys)"


def _declare_init(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE")
    parser.add_argument("--keys", metavar="DIR", help=_KEYS)


def _init(arguments: Namespace, output: Output) -> int:
    from jackfield.market.repository import create, default_keys

    output.value(create(arguments.site, arguments.keys or default_keys(arguments.site), datetime.now(UTC).replace(microsecond=0)))
    return 0


def _declare_build(parser: Parser) -> None:
    parser.add_argument("dist", metavar="DIST", help="folder of wheels and their attestations")
    parser.add_argument("--out", metavar="SITE", required=True, help="catalogue of 'jackfield catalogue init'")
    parser.add_argument("--keys", metavar="DIR", help=_KEYS)
    parser.add_argument(
        "--allow-name", metavar="KEY", action="append", default=[], help="accept a new connector whose key looks like another's; repeatable"
    )


def _build(arguments: Namespace, output: Output) -> int:
    from jackfield.market.catalogue import build
    from jackfield.market.repository import default_keys

    keys = arguments.keys or default_keys(arguments.out)
    now = datetime.now(UTC).replace(microsecond=0)
    output.value(build(arguments.dist, arguments.out, keys, allowed=arguments.allow_name, now=now))
    return 0


def _declare_serve(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=port, default=8081, metavar="N", help="the port (default 8081); 0 = any free port")


def _serve(arguments: Namespace, output: Output) -> int:
    from jackfield.market.serving import server

    if not os.path.isfile(os.path.join(arguments.site, "metadata", "root.json")):
        raise InvalidInvocation(f"'{arguments.site}' is not a catalogue", hint="Create it with 'jackfield catalogue init SITE'.")
    try:
        serving = server(arguments.site, arguments.host, arguments.port)
    except OSError as error:
        raise InvalidInvocation(
            f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror}", hint="Choose another --port."
        ) from None
    with serving:
        url = f"http://{arguments.host}:{serving.server_address[1]}"
        output.value({"url": url, "simple": f"{url}/simple/"})
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


VERBS = {
    "init": Verb("Create an empty catalogue and the keys that sign its metadata.", _declare_init, _init),
    "build": Verb("Verify the signed wheels of a folder and add them to a catalogue.", _declare_build, _build),
    "serve": Verb("Serve a catalogue over HTTP until interrupted.", _declare_serve, _serve),
}
