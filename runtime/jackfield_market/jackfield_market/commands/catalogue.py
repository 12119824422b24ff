"""``jackfield catalogue``: build, maintain and serve a site of signed connectors."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import DAY, duration, port
from jackfield.kernel.errors import InvalidInvocation

_FAILED = 1
_KEYS = "folder of the role keys (default: SITE.keys)"
_ROLES = ("root", "targets", "releases", "snapshot", "timestamp")
_YEARS = 3650 * DAY


def _declare_site(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE")
    parser.add_argument("--keys", metavar="DIR", help=_KEYS)


def _keys(arguments: Namespace) -> str:
    from jackfield_market.role_keys import default_keys

    found: str = arguments.keys or default_keys(arguments.site)
    return found


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _init(arguments: Namespace, output: Output) -> int:
    from jackfield_market.catalogue import init

    output.value(init(arguments.site, _keys(arguments), now=_now()))
    return 0


def _declare_build(parser: Parser) -> None:
    parser.add_argument("dist", metavar="DIST", help="folder of wheels and their attestations")
    parser.add_argument(
        "--out",
        metavar="SITE",
        dest="site",
        required=True,
        help="catalogue of 'jackfield catalogue init'",
    )
    parser.add_argument("--keys", metavar="DIR", help=_KEYS)
    parser.add_argument(
        "--allow-name",
        metavar="KEY",
        action="append",
        default=[],
        help="accept a new connector whose key looks like another's; repeatable",
    )
    parser.add_argument(
        "--checks",
        metavar="DIR",
        help="folder of your own reports of 'jackfield check PATH --json': publish their grades",
    )
    parser.add_argument(
        "--all-pages", action="store_true", help="render the pages of every connector again"
    )


def _build(arguments: Namespace, output: Output) -> int:
    from jackfield_market.catalogue import build

    options = {
        "allowed": arguments.allow_name,
        "checks": arguments.checks,
        "all_pages": arguments.all_pages,
    }
    output.value(build(arguments.dist, arguments.site, _keys(arguments), **options, now=_now()))
    return 0


def _declare_refresh(parser: Parser) -> None:
    _declare_site(parser)
    text = (
        "also renew what expires within this time, such as 40d (default: only what has less "
        "than half of its lifetime left)"
    )
    parser.add_argument("--within", type=duration(_YEARS), metavar="TIME", help=text)


def _refresh(arguments: Namespace, output: Output) -> int:
    from jackfield_market.catalogue import refresh

    within = None if arguments.within is None else timedelta(seconds=arguments.within)
    output.value(refresh(arguments.site, _keys(arguments), within=within, now=_now()))
    return 0


def _declare_rotate(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE")
    parser.add_argument("role", metavar="ROLE", choices=_ROLES, help=f"one of {', '.join(_ROLES)}")
    parser.add_argument("--keys", metavar="DIR", help=_KEYS)


def _rotate(arguments: Namespace, output: Output) -> int:
    from jackfield_market.catalogue import rotate

    output.value(rotate(arguments.site, _keys(arguments), arguments.role, now=_now()))
    return 0


def _declare_revoke(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE")
    parser.add_argument(
        "key_id", metavar="KEYID", help="id of the publisher's key, as 'catalogue status' shows it"
    )
    parser.add_argument("--keys", metavar="DIR", help=_KEYS)
    parser.add_argument(
        "--successor",
        metavar="PUBFILE",
        help="public key file of the same publisher that may sign from now on",
    )
    parser.add_argument(
        "--keep-releases",
        action="store_true",
        help="keep offering what the key has signed: it is only replaced",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="reason that is published")


def _revoke(arguments: Namespace, output: Output) -> int:
    from jackfield_market.catalogue import revoke

    options = {
        "successor": arguments.successor,
        "keep_releases": arguments.keep_releases,
        "reason": arguments.reason,
    }
    output.value(revoke(arguments.site, _keys(arguments), arguments.key_id, **options, now=_now()))
    return 0


def _declare_status(parser: Parser) -> None:
    _declare_site(parser)
    text = "report metadata that expires within this time (default 7d)"
    parser.add_argument(
        "--within", type=duration(_YEARS), default=7 * DAY, metavar="TIME", help=text
    )
    parser.add_argument(
        "--files", action="store_true", help="compare every published file with the signed metadata"
    )


def _status(arguments: Namespace, output: Output) -> int:
    from jackfield_market.condition import condition

    found = condition(
        arguments.site,
        _keys(arguments),
        _now(),
        timedelta(seconds=arguments.within),
        files=arguments.files,
    )
    output.value(found)
    return _FAILED if found["faults"] else 0


def _declare_serve(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (default 127.0.0.1)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=8081,
        metavar="N",
        help="the port (default 8081); 0 = any free port",
    )


def _serve(arguments: Namespace, output: Output) -> int:
    from jackfield_market.site.serving import server

    if not os.path.isfile(os.path.join(arguments.site, "metadata", "root.json")):
        raise InvalidInvocation(
            f"'{arguments.site}' is not a catalogue",
            hint="Create it with 'jackfield catalogue init SITE'.",
        )
    try:
        serving = server(arguments.site, arguments.host, arguments.port)
    except OSError as error:
        raise InvalidInvocation(
            f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror}",
            hint="Choose another --port.",
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
    "init": Verb(
        "Create an empty catalogue and the keys that sign its metadata.", _declare_site, _init
    ),
    "build": Verb(
        "Verify the signed wheels of a folder and add them to a catalogue.", _declare_build, _build
    ),
    "refresh": Verb(
        "Renew metadata before it expires; nothing else changes.", _declare_refresh, _refresh
    ),
    "rotate": Verb("Replace the key of a role.", _declare_rotate, _rotate),
    "revoke": Verb(
        "End the key of a publisher, and withdraw its releases.", _declare_revoke, _revoke
    ),
    "status": Verb(
        "Show expiry, keys and publishers; exit code 1 if something expires soon or was altered.",
        _declare_status,
        _status,
    ),
    "serve": Verb("Serve a catalogue over HTTP until interrupted.", _declare_serve, _serve),
}
