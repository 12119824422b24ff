"""``jackfield connectors``, ``schema``, ``search`` and ``options``: the installed connectors, their
actions, schemas and choices.

Listing connectors opens no runtime, so that it stays fast. The other commands import the modules
that they need.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager

from jackfield.catalog import Catalog, CatalogRow, installed_here
from jackfield.catalog.installations import revocations
from jackfield.catalog.loading import Isolated, part
from jackfield.cli.output import Output
from jackfield.cli.parsing import (
    Namespace,
    Parser,
    UsageError,
    Verb,
    collect_seldom,
    declare_workspace,
)
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    InvalidInvocation,
    JackfieldError,
    UnknownAction,
    UnknownConnector,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from jackfield.manifest.manifest import Manifest
    from jackfield.runtime import Jackfield

_COLUMNS = ("key", "title", "version", "actions", "status")
_FAILED = 1


def _declare_list(parser: Parser) -> None:
    declare_workspace(parser)
    text = (
        "import each connector, validate its schemas and compare its manifest with its code; "
        "exit code 1 if one is broken"
    )
    parser.add_argument("--check", action="store_true", help=text)
    parser.add_argument(
        "--all",
        action="store_true",
        help="also each connector of a source that is offered as a whole, such as aws.s3",
    )


def _list(arguments: Namespace, output: Output) -> int:
    collect_seldom()
    catalog = installed_here(os.environ)
    rows = (
        _checked_rows()
        if arguments.check
        else [entry.to_json() for entry in _entries(catalog, folded=not arguments.all)]
    )
    rows = sorted([*rows, *_live_rows(catalog, arguments)], key=lambda row: str(row["key"]))
    revoked = revocations(catalog.whole.home)
    rows = [
        {**row, "revoked": revoked[row["key"]]} if row["key"] in revoked else row for row in rows
    ]
    output.rows(
        rows,
        (*_COLUMNS, *(name for name in ("revoked", "error") if any(name in row for row in rows))),
    )
    for name in () if arguments.all else catalog.offered_whole:
        sys.stderr.write(
            f"jackfield: every service of {name} is a connector, too: {name}.SERVICE; 'jackfield "
            "search WORDS' finds their actions,"
            " '--all' lists them\n"
        )
    return _FAILED if arguments.check and any(row["status"] != "ok" for row in rows) else 0


def _entries(catalog: Catalog, *, folded: bool) -> list[CatalogRow]:
    """Return the rows of the connectors, from the search index if a process has stored one."""
    home = catalog.whole.home
    if home is not None and os.path.isdir(os.path.join(home, "cache")):
        searching = part("search")
        index = None if searching is None else searching(catalog)
        if index is not None and index.kept():
            return list(part("search-listing")(index, catalog, folded=folded))
    return catalog.entries(folded=folded)


def _live_rows(catalog: Catalog, arguments: Namespace) -> list[dict[str, Any]]:
    """Return the rows of the connectors that the workspace has stored. If the database cannot be
    read, other connectors are still listed.
    """
    prefixes = catalog.whole.stored_prefixes
    if not prefixes or not _has_database():
        return []
    try:
        with _runtime(arguments) as jackfield:
            found = jackfield.catalog
            return [found.look(key)[0].to_json() for key in found if key.startswith(prefixes)]
    except JackfieldError as error:
        sys.stderr.write(
            "jackfield: the connectors that the workspace has stored are not listed: "
            f"{error.message}\n"
        )
        return []


def _has_database() -> bool:
    """Return whether there is a database. A list creates no database where none exists yet."""
    from jackfield.kernel.database_urls import is_none, named_url, own_file

    named = named_url(os.environ)
    return os.path.exists(own_file(os.environ)) if named is None else not is_none(named)


def _checked_rows() -> list[dict[str, Any]]:
    with closing(Isolated(os.environ)) as children:
        catalog = Catalog.installed(loader=children.load)
        return [_checked(catalog, entry).to_json() for entry in catalog.entries(load=True)]


def _checked(catalog: Catalog, entry: CatalogRow) -> CatalogRow:
    if entry.error is not None:
        return entry
    try:
        _find_manifest(catalog, entry.key)
        fault = catalog.differs(entry.key)
    except UnknownConnector as error:
        fault = error.message
    return replace(entry, error=fault) if fault is not None else entry


def _find_manifest(catalog: Catalog, key: str) -> Manifest:
    from jackfield.schema.cache import check_schemas

    manifest = catalog.find(key)
    if not manifest.virtual:
        check_schemas(manifest)
    return manifest


def _declare_show(parser: Parser) -> None:
    declare_workspace(parser)
    parser.add_argument("connector", metavar="CONNECTOR")


def _show(arguments: Namespace, output: Output) -> int:
    with _opened(arguments) as catalog:
        output.value(_find_manifest(catalog, arguments.connector).whole())
    return 0


@contextmanager
def _opened(arguments: Namespace) -> Iterator[Catalog]:
    """Open the catalog that contains a connector. A live connector is stored, and needs the
    runtime.
    """
    catalog = installed_here(os.environ)
    if not str(arguments.connector).startswith(catalog.whole.stored_prefixes):
        yield catalog
        return
    with _runtime(arguments) as jackfield:
        yield jackfield.catalog


def _runtime(arguments: Namespace) -> Jackfield:
    from jackfield.cli.session import open_jackfield

    return open_jackfield(arguments)


def _declare_schema(parser: Parser) -> None:
    declare_workspace(parser)
    parser.usage = (
        "jackfield schema CONNECTOR ACTION [--output]\n       jackfield schema CONNECTOR "
        "--connection TYPE\n"
        "       jackfield schema --invocation | --result"
    )
    parser.add_argument("connector", nargs="?", metavar="CONNECTOR")
    parser.add_argument(
        "--invocation",
        action="store_const",
        const="invocation",
        dest="shape",
        help="print the schema of invocations",
    )
    parser.add_argument(
        "--result",
        action="store_const",
        const="result",
        dest="shape",
        help="print the schema of Results",
    )
    parser.add_argument("action", nargs="?", metavar="ACTION")
    parser.add_argument(
        "--output", action="store_true", help="print the schema of the output instead of the inputs"
    )
    parser.add_argument(
        "--connection", metavar="TYPE", help="print the schema of a connection type"
    )


def _schema(arguments: Namespace, output: Output) -> int:
    if arguments.shape is not None and arguments.connector is None:
        from jackfield.invocation.published import published_schema

        output.value(published_schema(arguments.shape))
        return 0
    if arguments.shape is not None or arguments.connector is None:
        message = "give a CONNECTOR, --invocation or --result"
        raise UsageError(message, usage=arguments.usage, hint="See 'jackfield schema --help'.")
    if (arguments.action is None) == (arguments.connection is None) or (
        arguments.output and arguments.action is None
    ):
        raise UsageError(
            "give either an ACTION or --connection TYPE",
            usage=arguments.usage,
            hint="See 'jackfield schema --help'.",
        )
    with _opened(arguments) as catalog:
        manifest = catalog.find(arguments.connector)
        if arguments.connection is not None:
            output.value(_connection_schema(manifest, arguments.connection))
            return 0
        action = manifest.actions.get(arguments.action)
        if action is None:
            from jackfield.call.call_rules import find_action

            if manifest.connection_type(arguments.action) is not None:
                text = (
                    f"'{manifest.key}' has no action '{arguments.action}': that is a "
                    "connection type"
                )
                raise UnknownAction(
                    text,
                    hint=NextStep(
                        "connection_schema", connector=manifest.key, type=arguments.action
                    ),
                )
            action = find_action(manifest, arguments.action, catalog)
        output.value(action.output if arguments.output else action.inputs)
    return 0


def _connection_schema(manifest: Manifest, name: str) -> object:
    found = manifest.connection_type(name)
    if found is None:
        tail = did_you_mean(name, manifest.connection_types)
        types = ", ".join(sorted(manifest.connection_types)) or "no connection types"
        raise InvalidInvocation(
            f"'{manifest.key}' has no connection type '{name[:80]}'{tail}",
            hint=f"'{manifest.key}' has {types}.",
        )
    return found.schema


def _declare_search(parser: Parser) -> None:
    from jackfield.cli.quantities import count
    from jackfield.cli.session import LARGEST_LIMIT, LIMIT

    declare_workspace(parser)
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORDS",
        help="such as: send email; may be left out with --connector or --tag",
    )
    parser.add_argument("--connector", metavar="CONNECTOR", help="only this connector's actions")
    parser.add_argument(
        "--effect", choices=("read", "idempotent", "write"), help="only actions with this effect"
    )
    parser.add_argument(
        "--tag",
        metavar="TAG",
        help="only actions with this tag, the 'group' of an action in its manifest",
    )
    parser.add_argument(
        "--limit",
        type=count(1, LARGEST_LIMIT),
        metavar="N",
        help=f"maximum number of actions (default {LIMIT} in a table, all in JSON)",
    )


def _search(arguments: Namespace, output: Output) -> int:
    from jackfield.cli.session import LIMIT

    if not (arguments.words or arguments.connector or arguments.tag):
        missing = "the following arguments are required: WORDS"
        raise UsageError(missing, usage=arguments.usage, hint="See 'jackfield search --help'.")
    with _runtime(arguments) as jackfield:
        words = " ".join(arguments.words)
        found = jackfield.search(
            words, connector=arguments.connector, effect=arguments.effect, tag=arguments.tag
        )
        narrowed = arguments.effect or arguments.tag
        triggers = (
            [] if narrowed else jackfield.search_triggers(words, connector=arguments.connector)
        )
    answers_locally = bool(found) and not any(row.get("exact", True) for row in found)
    if answers_locally and not triggers:
        sys.stderr.write("jackfield: no action matches all words; showing the closest\n")
    limit = arguments.limit or (LIMIT if output.for_people else len(found))
    if output.for_people:
        triggers = [{**row, "action": row["trigger"], "effect": "trigger"} for row in triggers]
    several = [*triggers, *found[:limit]] if answers_locally else [*found[:limit], *triggers]
    output.rows(several, ("connector", "action", "title", "effect"))
    if len(found) > limit:
        sys.stderr.write(f"jackfield: … {len(found) - limit:,} more; --limit N\n")
    for row in found[:limit]:
        if "offer" in row:
            sys.stderr.write(
                f"jackfield: {row['connector']}.{row['action']} is not offered here; "
                f"'{row['offer']}' offers it\n"
            )
    return 0


def _declare_options(parser: Parser) -> None:
    declare_workspace(parser)
    parser.add_argument("connector", metavar="CONNECTOR")
    parser.add_argument("source", metavar="SOURCE", help="the option source, such as awsRegions")
    parser.add_argument(
        "words", nargs="*", metavar="key=value", help="an input that the choices depend on"
    )
    parser.add_argument(
        "--connection", metavar="NAME", help="the connection to query the provider with"
    )


def _options(arguments: Namespace, output: Output) -> int:
    from jackfield.cli.arguments import read_inputs
    from jackfield.cli.local_files import LocalFiles

    with _runtime(arguments) as jackfield:
        inputs = read_inputs(arguments.words, {}, LocalFiles())
        found = jackfield.options(
            arguments.connector, arguments.source, connection=arguments.connection, inputs=inputs
        )
    output.rows(found, ("value", "label"))
    return 0


VERBS = {
    "list": Verb("List the installed connectors.", _declare_list, _list),
    "show": Verb("Print the manifest of a connector.", _declare_show, _show),
}
SCHEMA = {
    "": Verb("Print the JSON Schema of an action or a connection type.", _declare_schema, _schema)
}
SEARCH = {"": Verb("Search actions and triggers, best match first.", _declare_search, _search)}
OPTIONS = {"": Verb("List the choices from an option source.", _declare_options, _options)}
