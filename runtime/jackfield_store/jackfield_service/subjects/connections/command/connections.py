"""``jackfield connections``: list, show, store, connect, test, rename, remove and export
connections; print their policies.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.cli.local_files import STDIN, LocalFiles, read_document
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import (
    Noun,
    declare_name,
    declare_pages,
    in_workspace,
    open_jackfield,
    pages,
)
from jackfield.connections.documents import DocumentError, documents
from jackfield.kernel.errors import (
    Cancelled,
    Detail,
    InvalidConnection,
    InvalidInvocation,
    TimedOut,
    did_you_mean,
)
from jackfield_service.subjects.connections.command import grants
from jackfield_store.commands.quota_option import (
    changed_quotas,
    declare_no_quota,
    declare_quota,
    read_quotas,
)
from jackfield_store.commands.stored import actor
from jackfield_store.connections.authorizations import UnknownAuthorizationError
from jackfield_store.runtime import stored

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connections.provenance import Provenance
    from jackfield_store.management.authorizing import Authorizing
    from jackfield_store.management.connections import ManagedConnections
    from jackfield_store.runtime import Jackfield

_FAILED = 1
_MEMBERS = ("name", "type", "source", "status", "account", "problem")
_NOT_VALID = 2
_LARGEST_VERSION = 1_000_000_000
_WITHIN = 600.0
_FORMATS = {
    "iam": "identityPolicy",
    "trust": "trustPolicy",
    "assume": "assumePolicy",
    "cloudformation": "cloudFormation",
    "terraform": "terraform",
}
"""Members with the document of each format."""


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--type", metavar="TYPE", help="only connections of this type")
    parser.add_argument(
        "--search",
        metavar="TEXT",
        help="only connections with this text in their name, type or account",
    )
    declare_pages(parser)


def _list(arguments: Namespace, output: Output) -> int:
    with stored(open_jackfield(arguments)) as jackfield:
        connections = jackfield.connections
        found = pages(arguments, lambda cursor, limit: _page(connections, arguments, cursor, limit))
        rows = [{name: item[name] for name in _MEMBERS if name in item} for item in found]
        problems, warnings = (
            connections.problems,
            [*connections.warnings, *_unknown_types(jackfield.catalog, rows)],
        )
    if problems and not rows:
        raise InvalidConnection(
            "no connection can be read",
            details=[Detail("", problem) for problem in problems],
            hint="Correct the files.",
        )
    output.rows(rows, ("name", "type", "status", "source"))
    damaged = [
        f"the connection '{row['name']}' cannot be used: {row['problem']}"
        for row in rows
        if "problem" in row
    ]
    for sentence in (*problems, *damaged, *warnings):
        sys.stderr.write(f"jackfield: {sentence}\n")
    return _FAILED if problems or damaged else 0


def _unknown_types(catalog: Catalog, rows: list[dict[str, Any]]) -> Iterator[str]:
    names = {row["type"]: row["name"] for row in rows}
    unknown = {kind: name for kind, name in names.items() if not catalog.with_type(kind)}
    if unknown:
        known = [
            f"{manifest.key}/{kind}"
            for manifest in catalog.manifests()
            for kind in manifest.connection_types
        ]
        for kind, name in unknown.items():
            yield (
                f"no installed connector has the type '{kind[:80]}' of the connection "
                f"'{name}'{did_you_mean(kind, known)}"
            )


def _page(
    connections: ManagedConnections, arguments: Namespace, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    found = connections.list(cursor, limit, type=arguments.type, text=arguments.search)
    return list(found.items), found.next_cursor


@contextmanager
def _open_connections(arguments: Namespace) -> Iterator[ManagedConnections]:
    with stored(open_jackfield(arguments)) as jackfield:
        yield jackfield.connections.acting_as(actor())


def _test(arguments: Namespace, output: Output) -> int:
    with _open_connections(arguments) as connections:
        found = connections.test(arguments.name)
    output.value(found)
    return _FAILED if found["status"] == "failing" else 0


def _declare_trial(parser: Parser) -> None:
    parser.add_argument("--force", action="store_true", help="save even if the test fails")
    parser.add_argument("--no-test", action="store_true", help="save without testing")


def _declare_add(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--type",
        required=True,
        metavar="TYPE",
        help="the connection type, such as aws-ses/awsAssumeRole",
    )
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="the values as JSON or YAML (- = stdin); on a terminal, prompted for if omitted",
    )
    declare_quota(parser)
    _declare_trial(parser)


def _add(arguments: Namespace, output: Output) -> int:
    with stored(open_jackfield(arguments)) as jackfield:
        if arguments.values is None:
            values, provenance = _ask_values(jackfield, arguments), _provenance(".")
        else:
            values, provenance = _from_file(arguments.values)
        how = {
            "test": not arguments.no_test,
            "force": arguments.force,
            "quotas": read_quotas(arguments),
        }
        connections = jackfield.connections.acting_as(actor())
        output.value(
            connections.add(arguments.name, arguments.type, values, provenance=provenance, **how)
        )
    return 0


def _declare_replace(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="the values as JSON or YAML (- = stdin); without, the quotas alone are replaced",
    )
    declare_quota(parser)
    declare_no_quota(parser)
    parser.add_argument(
        "--version",
        type=count(1, _LARGEST_VERSION),
        metavar="N",
        help="fail unless this is still the current version",
    )
    _declare_trial(parser)


def _replace(connections: ManagedConnections, arguments: Namespace) -> dict[str, Any]:
    quotas = changed_quotas(arguments)
    if arguments.values is None:
        if quotas is None:
            raise UsageError("neither --values nor a --quota is given", usage=arguments.usage)
        return connections.limit(arguments.name, quotas, arguments.version)
    values, provenance = _from_file(arguments.values)
    how = {"test": not arguments.no_test, "force": arguments.force, "quotas": quotas}
    return connections.replace(
        arguments.name, values, arguments.version, provenance=provenance, **how
    )


def _declare_import(parser: Parser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        help=(
            "a connection file, a folder of them, or '$NAME' for an environment variable (- "
            "= stdin)"
        ),
    )
    parser.add_argument(
        "--values",
        metavar="FILE",
        help="values as JSON or YAML (- = stdin) to add to each connection, such as credentials",
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace stored connections with the same names"
    )
    _declare_trial(parser)
    grants.declare_import(parser)


def _is_terminal() -> bool:
    """Return whether stdin is a terminal at which a person can answer."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _import(arguments: Namespace, output: Output) -> int:
    document = arguments.file
    if document == STDIN and arguments.values == STDIN:
        raise UsageError(
            "the document and the values cannot both be stdin",
            usage=arguments.usage,
            hint="Give one of them as a file.",
        )
    if arguments.form is not None:
        return grants.import_grants(arguments, output, values_in)
    values = _from_file(arguments.values)[0] if arguments.values is not None else None
    if document == STDIN:
        document = LocalFiles().read_text(STDIN) + "\n"
    with stored(open_jackfield(arguments)) as jackfield:
        asks = values is None and document is arguments.file and _is_terminal()
        given = partial(_missing, jackfield) if asks else values
        rows = jackfield.connections.acting_as(actor()).import_document(
            document,
            values=given,
            replace=arguments.replace,
            test=not arguments.no_test,
            force=arguments.force,
        )
    lacking = [
        row
        for row in rows
        if any(
            fault.get("keyword") == "required" for fault in row.get("error", {}).get("details", ())
        )
    ]
    for row in lacking if values is None else ():
        row["error"]["hint"] = (
            "Give the missing values with --values FILE, as JSON or YAML (- = stdin); on a "
            "terminal they are asked for."
        )
    output.rows(rows, ("name", "type", "result", "status"))
    for row in rows:
        if "error" in row:
            hint = f". {row['error'].get('hint', '')}" if row in lacking else ""
            sys.stderr.write(
                f"jackfield: {row['name'] or 'a connection'}: {row['error']['message']}{hint}\n"
            )
    return _NOT_VALID if any(row["result"] == "refused" for row in rows) else 0


def _missing(jackfield: Jackfield, item: NamedConnection) -> Mapping[str, Any]:
    """Prompt for the values that a connection of a document lacks."""
    values: Mapping[str, Any] = _asking().ask_missing(jackfield, item)
    return values


def _asking() -> Any:
    from jackfield_service.subjects.connections.command import asking

    return asking


def _ask_values(jackfield: Jackfield, arguments: Namespace) -> Mapping[str, Any]:
    if not _is_terminal():
        kind = jackfield.connections.kinds.find(arguments.type)
        names = "".join(f" '{name}'" for name in kind.schema.get("required", ()))
        more = (
            f"'jackfield schema {kind.manifests[0].key} --connection {kind.about.key}' shows all."
        )
        hint = (
            "Give them as --values FILE (- = stdin); prompting needs a terminal. Required "
            f"are:{names or ' none'}. {more}"
        )
        raise UsageError("the values are missing", usage=arguments.usage, hint=hint)
    values: Mapping[str, Any] = _asking().ask(jackfield, arguments.type)
    return values


def values_in(path: str) -> Mapping[str, Any]:
    """Return the values in a file.

    :raises InvalidInvocation: if it cannot be read, or is not a single object.
    """
    return _from_file(path)[0]


def _from_file(path: str) -> tuple[Mapping[str, Any], Provenance]:
    """Read values from a file, and return them with the folder that their relative ``$file``
    references start from.

    :raises InvalidInvocation: if it cannot be read, or is not a single object.
    """
    name = "stdin" if path == STDIN else f"the file '{path[:200]}'"
    try:
        found = list(documents(LocalFiles().read_text(path), path))
    except DocumentError as error:
        raise InvalidInvocation(
            f"{name}: {error}", hint="Write the values as JSON or YAML."
        ) from None
    if len(found) != 1 or not isinstance(found[0], Mapping):
        raise InvalidInvocation(
            f"{name} must contain one object with a member for each value",
            hint='Write {"roleARN": "…"} or "roleARN: …".',
        )
    return found[0], _provenance("." if path == STDIN else os.path.dirname(path) or ".")


def _provenance(folder: str) -> Provenance:
    from jackfield.connections.provenance import Provenance

    return Provenance(folder=folder)


def _declare_connect(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--device",
        action="store_true",
        help="show a code to enter on any device, for machines without a browser",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address instead of opening it"
    )
    parser.add_argument(
        "--redirect-port",
        type=int,
        default=0,
        metavar="PORT",
        help="the port on 127.0.0.1 that the browser returns to (default: any)",
    )


def _connect(connections: ManagedConnections, arguments: Namespace) -> dict[str, Any]:
    authorizing = connections.authorizing()
    if arguments.device:
        _on_device(authorizing, arguments.name)
    else:
        _in_browser(
            authorizing, arguments.name, arguments.redirect_port, opens=not arguments.no_browser
        )
    return connections.show(arguments.name)


def _on_device(authorizing: Authorizing, name: str) -> None:
    begun = authorizing.begin_device(name)
    sys.stderr.write(f"jackfield: open {begun['url']} and enter the code {begun['userCode']}\n")
    pause = threading.Event()
    while (found := authorizing.poll(begun["id"]))["status"] == "pending":
        pause.wait(begun["interval"])
    if found["status"] != "granted":
        raise Cancelled(
            f"the connection '{name}' was not approved: {found.get('reason', '')}",
            hint="Connect again.",
        )


def _in_browser(authorizing: Authorizing, name: str, port: int, *, opens: bool) -> None:
    """Begin an authorization and wait at a free port of this machine for the provider's answer (RFC
    8252 §7.3).
    """
    from jackfield_service.subjects.connections.command.loopback import listening

    with listening(port) as server:
        begun = authorizing.begin(name, f"http://127.0.0.1:{server.server_port}/callback")
        sys.stderr.write(f"jackfield: approve the connection at {begun['url']}\n")
        if opens:
            import webbrowser

            webbrowser.open(begun["url"])
        until = time.monotonic() + _WITHIN
        while (answer := server.answered(until)) is not None:
            # another page called: it does not know the state
            with suppress(UnknownAuthorizationError):
                authorizing.complete(begun["id"], answer)
                return
    raise TimedOut("nobody approved within ten minutes", hint="Connect again.")


def _declare_rename(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("new_name", metavar="NEW_NAME")


def _remove(connections: ManagedConnections, arguments: Namespace) -> dict[str, Any]:
    connections.remove(arguments.name)
    return {"removed": arguments.name}


def _declare_export(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="the connections (default: all)")
    parser.add_argument(
        "--secrets",
        action="store_true",
        help="include the secrets instead of references to environment variables",
    )


def _declare_policy(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--actions",
        metavar="A,B",
        help="only what these actions and triggers need (default: all it serves)",
    )
    parser.add_argument(
        "--connector",
        metavar="KEY",
        help="only what the actions and triggers of this connector need, such as aws.s3",
    )
    parser.add_argument(
        "--calls",
        metavar="FILE",
        help="only what these calls need by their inputs: JSON, a list of {action, inputs}",
    )
    parser.add_argument(
        "--principal",
        metavar="ARN",
        help="the principal that assumes the role: the user of the connection's access key",
    )
    parser.add_argument(
        "--from",
        dest="sender",
        metavar="ADDRESS",
        help="the address to send from, * as wildcard (default: the connection's)",
    )
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="also what reads of the provider's log about calls in doubt need",
    )
    parser.add_argument(
        "--format", choices=(*_FORMATS, "all"), default="all", help="what to print (default all)"
    )


def _policy(arguments: Namespace, output: Output) -> int:
    actions = (
        [word.strip() for word in arguments.actions.split(",") if word.strip()]
        if arguments.actions is not None
        else None
    )
    calls = read_document(arguments, "calls") if arguments.calls is not None else None
    with stored(open_jackfield(arguments)) as jackfield:
        wanted = (actions, arguments.principal, arguments.sender, arguments.connector, calls)
        found = jackfield.connections.policy(arguments.name, *wanted, evidence=arguments.evidence)
    document = found if arguments.format == "all" else _document(found, arguments.format)
    if isinstance(document, str):
        output.text(document)
    else:
        output.value(document)
    return 0


def _document(found: dict[str, Any], form: str) -> Any:
    member = _FORMATS[form]
    if member not in found:
        there = ", ".join(name for name, key in _FORMATS.items() if key in found)
        raise InvalidInvocation(
            f"the connection '{found['connection']}' has no document '{form}'",
            hint=f"It has {there}.",
        )
    return found[member]


_NOUN = Noun(_open_connections)
VERBS = in_workspace(
    {
        "list": Verb("List the connections.", _declare_list, _list),
        "show": Verb(
            "Print a connection with masked secrets.",
            declare_name,
            _NOUN.value(lambda all_, given: all_.show(given.name)),
        ),
        "test": Verb(
            "Test a connection without changing anything; exit code 1 if it fails.",
            declare_name,
            _test,
        ),
        "add": Verb("Test and store a connection.", _declare_add, _add),
        "replace": Verb(
            "Replace the values of a stored connection; omitted secrets are kept.",
            _declare_replace,
            _NOUN.value(_replace),
        ),
        "import": Verb(
            "Store the connections of a file or a folder, or the grants of another system's "
            "export.",
            _declare_import,
            _import,
        ),
        "connect": Verb(
            "Connect a connection: a person approves it at the provider, in the browser or on "
            "another device.",
            _declare_connect,
            _NOUN.value(_connect),
        ),
        "rename": Verb(
            "Rename a stored connection.",
            _declare_rename,
            _NOUN.value(lambda all_, given: all_.rename(given.name, given.new_name)),
        ),
        "remove": Verb(
            "Remove a stored connection and its secrets.", declare_name, _NOUN.value(_remove)
        ),
        "export": Verb(
            "Print connections in the format of a connection file.",
            _declare_export,
            _NOUN.value(
                lambda all_, given: all_.export(given.names or None, secrets=given.secrets)
            ),
        ),
        "export-grants": Verb(
            "Write what people approved to a new file, encrypted to an age recipient.",
            grants.declare_export,
            grants.export_grants,
        ),
        "policy": Verb(
            "Print least-privilege policies for the connection, and templates that set them up.",
            _declare_policy,
            _policy,
        ),
    }
)
