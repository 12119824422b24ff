"""``jackfield offers``: the services of a source of connectors, such as AWS, that a workspace is
offered.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from jackfield.callers.workspace_names import check_workspace_name
from jackfield.catalog import Catalog, of_workspace
from jackfield.catalog.offering import (
    ALL,
    DEFAULT,
    EFFECT_WORDS,
    EFFECTS,
    Offer,
    Offering,
    effective,
    named_effects,
    offers_file,
)
from jackfield.catalog.offers_file import OfferPattern, add, remove, rows, sources_hint
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import home
from jackfield.kernel.packages import AUDIENCES

_COLUMNS = ("workspace", "pattern", "effects", *AUDIENCES, "operator")
_WORKSPACE = (
    "the workspace, or '*' for all that have no offers of their own (default: "
    "JACKFIELD_WORKSPACE, else 'default')"
)
_OPERATOR = "the operator's own surfaces; actions that hand out credentials are left out"


def _declare_workspace(parser: Parser) -> None:
    parser.add_argument("--workspace", metavar="WORKSPACE", help=_WORKSPACE)


def _declare_list(parser: Parser) -> None:
    parser.add_argument(
        "--workspace", metavar="WORKSPACE", help="only what this workspace is offered"
    )


def _declare_pattern(parser: Parser) -> None:
    parser.add_argument(
        "pattern", metavar="PATTERN", help="such as s3, sqs.*, sts.getSessionToken or *"
    )
    _declare_workspace(parser)


def _declare_add(parser: Parser) -> None:
    _declare_pattern(parser)
    parser.add_argument(
        "--effects",
        metavar="EFFECTS",
        help=f"only actions with these effects, of {','.join(EFFECT_WORDS)} (default: all)",
    )
    for name in AUDIENCES:
        parser.add_argument(f"--{name}", action="store_true", help=f"over {name.upper()}, too")
    parser.add_argument("--operator", action="store_true", help=f"only {_OPERATOR}")


def _declare_remove(parser: Parser) -> None:
    _declare_pattern(parser)
    parser.add_argument(
        "--operator", action="store_true", help="the offer to the operator's own surfaces"
    )


def _declare_show(parser: Parser) -> None:
    parser.add_argument(
        "connector",
        metavar="CONNECTOR",
        nargs="?",
        help="such as aws.s3 (default: the offers of the workspace)",
    )
    _declare_workspace(parser)


def _offering() -> Offering:
    found = Catalog.installed(environment=os.environ).offering
    return Offering((), "", required=False) if found is None else found


def _path() -> str:
    return offers_file(os.environ, home(os.environ))


def _workspace(arguments: Namespace) -> str:
    name: str = arguments.workspace or os.environ.get("JACKFIELD_WORKSPACE") or DEFAULT
    if name not in (ALL, DEFAULT):
        check_workspace_name(name)
    return name


def _list(arguments: Namespace, output: Output) -> int:
    offering = _offering()
    names = [arguments.workspace] if arguments.workspace else sorted({DEFAULT, *offering.written})
    found = [
        row
        for name in names
        for row in rows(name, effective(offering.written, name, offering.names))
    ]
    output.rows(found, _COLUMNS)
    return 0


def _effects(arguments: Namespace) -> tuple[str, ...]:
    if arguments.effects is None:
        return EFFECTS
    given = {word.strip() for word in arguments.effects.split(",")}
    if not given <= {*EFFECT_WORDS}:
        raise UsageError(
            f"--effects '{arguments.effects[:80]}' is not a list of {', '.join(EFFECT_WORDS)}",
            usage=arguments.usage,
        )
    return named_effects(given)


def _add(arguments: Namespace, output: Output) -> int:
    audiences = tuple(name for name in AUDIENCES if getattr(arguments, name))
    if audiences and arguments.operator:
        raise UsageError(
            f"--{audiences[0]} and --operator cannot be combined", usage=arguments.usage
        )
    offering, workspace, effects = _offering(), _workspace(arguments), _effects(arguments)
    pattern = OfferPattern.parse(offering, arguments.pattern)
    if "write" not in effects and pattern.hands_out(offering):
        raise UsageError(
            f"'{pattern.text}' hands out credentials and counts as a write: leave '--effects' out",
            usage=arguments.usage,
        )
    offer = Offer((pattern.text,), effects, audiences, arguments.operator)
    output.rows(
        [*rows(workspace, add(_path(), offering.names, workspace, pattern, offer))], _COLUMNS
    )
    return 0


def _remove(arguments: Namespace, output: Output) -> int:
    offering, workspace = _offering(), _workspace(arguments)
    pattern = OfferPattern.parse(offering, arguments.pattern)
    left = remove(_path(), offering.names, workspace, pattern, operator=arguments.operator)
    output.rows([*rows(workspace, left)], _COLUMNS)
    return 0


def _show(arguments: Namespace, output: Output) -> int:
    workspace, catalog, offering = (
        _workspace(arguments),
        Catalog.installed(environment=os.environ),
        _offering(),
    )
    if arguments.connector is None:
        offers = rows(workspace, effective(offering.written, workspace, offering.names))
        output.value(
            {
                "workspace": workspace,
                "offers": [
                    {name: row[name] for name in row if name != "workspace"} for row in offers
                ],
            }
        )
        return 0
    source, dot, _ = arguments.connector.partition(".")
    key = (
        arguments.connector
        if dot and source in offering.names
        else f"{next(iter(offering.names), 'aws')}.{arguments.connector}"
    )
    if not [*offering.names]:
        raise InvalidInvocation(
            "no installed package is a source of connectors", hint=sources_hint()
        )
    name = key.partition(".")[0]
    offering.source(name).manifest(key)  # refuses what does not exist
    whole = of_workspace(catalog, workspace)
    output.value(
        {
            "connector": key,
            "workspace": workspace,
            "operator": _keys(whole, key),
            "tenants": _keys(whole.for_audience("tenant"), key),
            **{name: _keys(whole.for_audience(name), key) for name in AUDIENCES},
            "handOutCredentials": sorted(offering.source(name).hands_out(key)),
        }
    )
    return 0


def _keys(catalog: Catalog, key: str) -> Sequence[Any]:
    manifest = catalog.look(key)[1]
    return [] if manifest is None else [row.key for row in manifest.rows()]


VERBS = {
    "list": Verb("List the offers.", _declare_list, _list),
    "show": Verb(
        "Show what a workspace is offered, or which actions of a connector each audience.",
        _declare_show,
        _show,
    ),
    "add": Verb(
        "Offer connectors or actions of a source of connectors, such as AWS, to a workspace.",
        _declare_add,
        _add,
    ),
    "remove": Verb("Withdraw an offer.", _declare_remove, _remove),
}
