"""``jackfield prove``: the behaviour of any code when a provider's answer is lost."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.quantities import duration, port

_LONGEST = 3600.0


def _declare(parser: Parser) -> None:
    parser.takes_command = True
    add = parser.add_argument
    add(
        "target",
        metavar="TARGET",
        nargs="?",
        help=(
            "module:function, a connector (or CONNECTOR/ACTION), or the URL of an MCP "
            "server; or -- COMMAND"
        ),
    )
    add(
        "--base-url-variable",
        metavar="NAME",
        action="append",
        default=[],
        help="the variable with the provider's address (or NAME=/path)",
    )
    add("--mcp", action="store_true", help="the command is an MCP server: its tools are called")
    add(
        "--nango",
        action="store_true",
        help=(
            "the command is an action of Nango: FILE PROVIDER [CONNECTION]; its input is in "
            "--arguments"
        ),
    )
    add(
        "--activepieces",
        action="store_true",
        help=(
            "the command is an action of Activepieces: PACKAGE ACTION; auth, propsValue in "
            "--arguments"
        ),
    )
    add(
        "--arguments",
        metavar="FILE",
        help="JSON of the tools to call, with their arguments; or of an action's input",
    )
    add("--openapi", metavar="FILE", help="answer as an OpenAPI document says, in JSON or YAML")
    add(
        "--answers",
        metavar="FILE",
        help='answer as a file says: {"POST /orders": {"status": 201, "body": {}, "refused": {}}}',
    )
    add(
        "--list-member",
        metavar="NAME",
        help="lists are in this member of an object (default: a bare list)",
    )
    add(
        "--key-header",
        metavar="NAME",
        action="append",
        default=[],
        help="a header with an idempotency key, beside Idempotency-Key",
    )
    add(
        "--key-member",
        metavar="NAME",
        action="append",
        default=[],
        help="a member of the body with an idempotency key",
    )
    add("--ignore-keys", action="store_true", help="be a provider that knows no idempotency keys")
    add(
        "--read",
        metavar="ROUTE",
        action="append",
        default=[],
        help="a request that changes nothing, as 'POST /search'",
    )
    add(
        "--allow-other",
        metavar="ROUTE",
        action="append",
        default=[],
        help="a write that may follow a fault and repeats nothing, as 'POST /alerts/{id}'",
    )
    add(
        "--only",
        metavar="SITUATION",
        action="append",
        default=[],
        help="play only this situation; repeatable",
    )
    add(
        "--again",
        action="store_true",
        help=(
            "count what is sent twice by who starts the code again: after a kill, or twice at once"
        ),
    )
    add(
        "--silence",
        metavar="TIME",
        type=duration(_LONGEST),
        default=10.0,
        help="how long no answer comes (default: 10s)",
    )
    add(
        "--late",
        metavar="TIME",
        type=duration(_LONGEST),
        default=1.0,
        help="how late an answer comes (default: 1s)",
    )
    add(
        "--limit",
        metavar="TIME",
        type=duration(_LONGEST),
        default=120.0,
        help="how long a run may take (default: 2m)",
    )
    add("--port", metavar="PORT", type=port, default=0, help="the provider's port (default: any)")
    add("--all", action="store_true", help="show all situations, not only what is wrong")
    add("--junit", metavar="FILE", help="also write JUnit's XML")
    add("--html", metavar="FILE", help="also write a page of HTML")


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_market.testing.proving.session import run

    return run(arguments, output)


VERBS = {
    "": Verb(
        "Show what code does when a provider's answer is lost: what it would send twice, lose, "
        "or report falsely.",
        _declare,
        _run,
    )
}
