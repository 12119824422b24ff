"""IAM statements for one call, by its inputs: a version, tags, an ACL, a role to pass, a KMS key,
and ARNs of resources.

``call_statements.tsv`` has them for everyday services, each with AWS's page; its head explains the
columns. Two rules apply to all services. A role's ARN under a name with "role" in it must be passed
(``iam:PassRole``). An action without a matching row is allowed for every resource.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jackfield.kernel.dataclass import dataclass
from jackfield_aws.regions import partition_of

_TABLE = Path(__file__).with_name("call_statements.tsv")
_ALWAYS, _OTHERS, _OWN, _ANY = "-", "*", "=", "*"
_PARTITION = "aws"
_NOTHING: tuple[Any, ...] = (None, "", [], {}, False)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_PASSES_NONE = frozenset(("sts", "iam"))
"""Services whose inputs name roles to use or edit, not to pass."""
_PLACE = re.compile(r"\{([^{}|]*)(?:\|([a-z]+))?\}")
_OPTIONAL = re.compile(r"<([^<>]*)>")
_UNNAMED = "\0unnamed"
"""Placeholder for a part of an ARN that the inputs do not give; it matches any value."""
_MOST = 50
"""Maximum number of resources in a statement; for more, the statement covers all."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """Row of ``call_statements.tsv``."""

    operations: frozenset[str]
    condition: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    page: str

    def holds(self, inputs: Mapping[str, Any]) -> bool:
        """Return whether the condition holds for a call's inputs."""
        return self.condition == _ALWAYS or all(
            _holds(part, inputs) for part in self.condition.split("&")
        )

    def of(self, own: Iterable[str]) -> list[str]:
        """Return the row's actions. ``own`` are the operation's own actions for which no earlier
        row matched.
        """
        if self.actions == (_OWN,):
            return list(own)
        left = set(own)
        return [
            one.removeprefix(_OWN)
            for one in self.actions
            if not one.startswith(_OWN) or one.removeprefix(_OWN) in left
        ]


def _holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    if condition.startswith("!"):
        return not _holds(condition[1:], inputs)
    name, has_text, text = condition.partition("~")
    if has_text:
        return any(text in str(value) for value in _values(inputs, name))
    return any(
        value not in _NOTHING for word in condition.split(" ") for value in _values(inputs, word)
    )


@functools.lru_cache(maxsize=1)
def rows() -> Mapping[str, Sequence[CallRow]]:
    """Return the table's rows by service."""
    found: dict[str, list[CallRow]] = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            service, operations, condition, actions, resources, page = line.split("\t")
            row = CallRow(
                frozenset(operations.split(" ")),
                condition,
                tuple(actions.split(" ")),
                tuple(resources.split(" ")),
                page,
            )
            found.setdefault(service, []).append(row)
    return found


def statements_of(
    service: str,
    name: str,
    own: Iterable[str],
    inputs: Mapping[str, Any],
    region: str | None = None,
    *,
    reads: bool = False,
    members: Collection[str] = (),
) -> list[tuple[str, tuple[str, ...]]]:
    """Return pairs of an IAM action and its resources for a call; ``own`` are the operation's
    actions with any inputs.

    ``reads``: the operation changes nothing, so it passes no role. A row whose inputs are
    ``members`` of the operation, but all missing, covers all resources of its type.
    """
    rest, found = dict.fromkeys(own), list[tuple[str, tuple[str, ...]]]()
    partition = partition_of(str(inputs.get("awsRegion") or region or "")) or _PARTITION
    for row in rows().get(service, ()):
        if not (name in row.operations or (rest and _OTHERS in row.operations)) or not row.holds(
            inputs
        ):
            continue
        resources = tuple(_resources(row.resources, inputs, partition, members))
        for action in row.of(rest):
            old, replaces, new = action.partition(">")
            if replaces and old not in rest:
                continue
            rest.pop(old, None)
            if new or not replaces:
                found.append((new or old, resources))
    found += [(action, (_ANY,)) for action in rest]
    if service not in _PASSES_NONE and not reads:
        found += [("iam:PassRole", (arn,)) for arn in dict.fromkeys(_roles(inputs))]
    return found


def statements_of_any(
    service: str, name: str, own: Iterable[str], members: Collection[str]
) -> list[tuple[str, tuple[str, ...]]]:
    """Return pairs of an IAM action and its resources for calls of an operation with any inputs:
    all resources of the action's type. ``members`` are the names of its inputs.
    """
    known = dict.fromkeys(own)
    found = [
        pair
        for pair in statements_of(service, name, known, {}, reads=True, members=members)
        if pair[0] in known
    ]
    return found + [
        (action, (_ANY,)) for action in known if action not in {one for one, _ in found}
    ]


def _values(inputs: Any, path: str) -> Iterator[Any]:
    """Yield the values in the inputs at a path: ``Delete.Objects[].Key``."""
    head, _, tail = path.partition(".")
    is_list = head.endswith("[]")
    if not isinstance(inputs, Mapping) or inputs.get(head.removesuffix("[]")) is None:
        return
    value = inputs[head.removesuffix("[]")]
    for one in value if is_list and isinstance(value, list) else [value]:
        if tail:
            yield from _values(one, tail)
        else:
            yield one


def _resources(
    templates: Iterable[str], inputs: Mapping[str, Any], partition: str, members: Collection[str]
) -> list[str]:
    """Return the templates filled in with the inputs as ARNs; ``*`` if one cannot be filled in."""
    found: dict[str, None] = {}
    for template in templates:
        found.update(dict.fromkeys(_filled(template, inputs, partition, members)))
    whole = list(found)
    return [_ANY] if not whole or _ANY in whole or len(whole) > _MOST else whole


def _filled(
    template: str, inputs: Mapping[str, Any], partition: str, members: Collection[str]
) -> list[str]:
    text = _OPTIONAL.sub(
        lambda part: part[1] if all(map(any, _each(part[1], inputs))) else "",
        template.replace("{}", partition, 1),
    )
    places = list(_PLACE.finditer(text))
    if not places:
        return [text]
    values = _each(text, inputs)
    if not any(values):
        known = all(place[1].partition(".")[0].removesuffix("[]") in members for place in places)
        return (
            []
            if len(places) == 1 and text == places[0][0]
            else [_anywhere(template) if known else _ANY]
        )
    return list(_combined(text, places, [one or [_UNNAMED] for one in values]))


def _anywhere(template: str) -> str:
    """Return the ARN pattern of all resources of a template's type, in any partition. A template
    without region and account also covers access points, which have both.
    """
    text = _PLACE.sub(_ANY, _OPTIONAL.sub("", template.replace("{}", _ANY, 1)))
    arn, partition, service, region, account, rest = text.split(":", 5)
    return ":".join((arn, partition, service, region or _ANY, account or _ANY, rest))


def _each(text: str, inputs: Mapping[str, Any]) -> list[list[str]]:
    return [
        [one for value in _values(inputs, place[1]) for one in _texts(value, place[2])]
        for place in _PLACE.finditer(text)
    ]


def _combined(
    text: str, places: Sequence[re.Match[str]], values: Sequence[Sequence[str]]
) -> Iterator[str]:
    """Yield the text once for each value of its last place; earlier places have one value. An ARN
    as a value replaces the whole text.
    """
    for last in values[-1]:
        given = [*(one[0] for one in values[:-1]), last]
        if any(value.startswith("arn:") for value in given) or (
            last == _ANY and text == places[0][0]
        ):
            yield last if last.startswith("arn:") and len(places) == 1 else _ANY
            continue
        pieces, start = [], 0
        for place, value in zip(places, given, strict=True):
            pieces += [text[start : place.start()], _ANY if value is _UNNAMED else _literal(value)]
            start = place.end()
        yield "".join([*pieces, text[start:]])


def _texts(value: Any, form: str | None) -> Iterator[str]:
    if form == "keys" and isinstance(value, Mapping):
        yield from map(str, value)
    elif isinstance(value, str) and value:
        yield _FORMS[form](value)


def _key(value: str) -> str:
    """Return the ARN of a KMS key; ``*`` for an alias, since policies apply to the key behind
    it.
    """
    return value if value.startswith("arn:") and ":key/" in value else _ANY


_FORMS: Mapping[str | None, Callable[[str], str]] = {
    None: str,
    "key": _key,
    "last": lambda value: value.rstrip("/").rpartition("/")[2],
    "folder": lambda value: value.rstrip("/"),
    "path": lambda value: (
        value if value.startswith("arn:") else unquote(value.partition("?")[0]).lstrip("/")
    ),
}


def _literal(value: str) -> str:
    """Escape a value's wildcards and variables, so that IAM reads it literally."""
    return re.sub(r"[*?$]", lambda found: "${" + found[0] + "}", value)


def _roles(value: Any, name: str = "") -> Iterator[str]:
    """Yield the ARNs of roles under names with "role" in them."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _roles(one, str(key))
    elif isinstance(value, list):
        for one in value:
            yield from _roles(one, name)
    elif isinstance(value, str) and "role" in name.casefold() and _ROLE.fullmatch(value):
        yield value
