"""Choices of an input that names a resource, from a list operation of the same service, which is
found by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from botocore import xform_name

from jackfield.connector import Option
from jackfield.kernel.dataclass import dataclass
from jackfield_aws.clients import AwsClients
from jackfield_aws.virtual import models
from jackfield_aws.virtual.pages import SIZES, pages_of

_SUFFIXES = (
    "Identifiers",
    "Identifier",
    "Names",
    "Name",
    "Arns",
    "Arn",
    "Urls",
    "Url",
    "Ids",
    "Id",
    "",
)
"""Suffixes of input names after the resource's name; S3's ``Bucket`` has none."""
_VERBS = ("List", "Describe")
_REVIEWED: Mapping[tuple[str, str], tuple[str, Mapping[str, Any]]] = {
    # those of all owners are tens of thousands
    ("ec2", "imageid"): ("DescribeImages", {"Owners": ["self"]}),
    ("ec2", "snapshotid"): ("DescribeSnapshots", {"OwnerIds": ["self"]}),
    ("ec2", "keyname"): ("DescribeKeyPairs", {}),
}
_NAMES = ("name", "groupname", "title", "displayname", "description")
"""Members more meaningful to people than an ID, the best first."""
_PAGES, _SIZE = 5, 50
_CACHED = 500


@dataclass(frozen=True, slots=True)
class Choices:
    """Source of an input's choices: the list in an operation's response, and the member of its
    items; None for a list of strings.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    path: tuple[str, ...]
    value: str | None
    label: str | None

    def listed(self, aws: AwsClients, region: str | None) -> list[Option]:
        """Read the choices from the provider, for some pages."""
        client = aws.client(self.service, region, validates=False, as_json=True)
        paging = pages_of(
            self.service, models.service_model(self.service).operation_model(self.operation)
        )
        method, found, inputs = (
            getattr(client, xform_name(self.operation)),
            list[Option](),
            dict(self.parameters),
        )
        for _ in range(_PAGES):
            answer = method(**inputs)
            found += [
                option
                for item in _items(answer, self.path)
                if (option := self._option(item)) is not None
            ]
            following = paging.following(answer) if paging is not None else None
            if not following:
                break
            inputs |= following
        return found

    def _option(self, item: Any) -> Option | None:
        if self.value is None:
            return Option(str(item), str(item).rpartition("/")[2])
        value = item.get(self.value)
        if not value:
            return None
        name = (item.get(self.label) if self.label else None) or _tagged(item)
        return Option(str(value), f"{name} ({value})" if name and name != value else str(value))


@lru_cache(maxsize=_CACHED)
def choices_of(service: str, member: str) -> Choices | None:
    """Return the source of choices for an input called ``member``; None if no operation of the
    service lists them without inputs.
    """
    stem, suffix = _parted(member)
    for name, parameters in _operations(service, member, stem):
        operation = models.service_model(service).operation_model(name)
        needed = operation.input_shape.required_members if operation.input_shape is not None else []
        if operation.output_shape is None or any(need.lower() not in SIZES for need in needed):
            continue
        found = _place(operation.output_shape, stem, suffix)
        if found is not None:
            return Choices(service, name, {**dict.fromkeys(needed, _SIZE), **parameters}, *found)
    return None


def _parted(member: str) -> tuple[str, str]:
    """Split an input's name into resource and property: ``Instance`` and ``id`` for
    ``InstanceIds``.
    """
    lower = member.lower()
    suffix = next(
        one for one in _SUFFIXES if lower.endswith(one.lower()) and len(one) < len(member)
    )
    stem = member[: len(member) - len(suffix)]
    return stem[:1].upper() + stem[1:], suffix.lower().removesuffix("s")


def _operations(service: str, member: str, stem: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reviewed = _REVIEWED.get((service, member.lower().removesuffix("s")))
    if reviewed is not None:
        yield reviewed
        return
    known = models.service_model(service).operation_names
    yield from (
        (name, {})
        for verb in _VERBS
        for name in (f"{verb}{_plural(stem)}", f"{verb}{stem}List")
        if name in known
    )


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in ("a", "e", "o", "u"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def _place(
    output: Any, stem: str, suffix: str
) -> tuple[tuple[str, ...], str | None, str | None] | None:
    """Return the path of the list, and its items' members for value and label; None if the output
    has no such list.
    """
    lists, stem = dict(_lists(output)), stem.lower()
    plural = _plural(stem)
    names = {
        plural,
        f"{stem}list",
        f"{stem}summaries",
        f"{stem}summarylist",
        f"{stem}{suffix}s",
        f"{plural}list",
    }
    own = [
        path
        for path in lists
        if path[-1].lower() in names or (path[-1] == "Items" and path[0].lower() in names)
    ]
    having = [
        path
        for path, item in lists.items()
        if item.type_name == "structure" and _first_member(item, [f"{stem}{suffix}"])
    ]
    path = next(iter([*own, *having, *(lists if len(lists) == 1 else ())]), None)
    if path is None:
        return None
    item = lists[path]
    if item.type_name == "string":
        return path, None, None
    value = _first_member(item, _values(stem, suffix))
    label = next(
        (
            name
            for one in (f"{stem}name", *_NAMES)
            if (name := _first_member(item, [one])) not in (None, value)
        ),
        None,
    )
    return (
        (path, value, label)
        if value is not None and item.members[value].type_name == "string"
        else None
    )


def _first_member(item: Any, names: Iterable[str]) -> str | None:
    """Return the first of ``names`` in a structure, in its own spelling; None if it has none of
    them.
    """
    members = {name.lower(): name for name in item.members}
    return next((members[name] for name in names if name in members), None)


def _values(stem: str, suffix: str) -> list[str]:
    """Return possible names of the item's member with the input's value, the surest first."""
    if not suffix:
        return [stem, f"{stem}name", "name", f"{stem}id", "id", f"{stem}arn", "arn"]
    # GroupId of SecurityGroupId
    short = [f"{stem[place:]}{suffix}" for place in range(1, len(stem) - 2)]
    return [f"{stem}{suffix}", suffix, *short, *(["name", "arn"] if suffix == "id" else [])]


def _lists(shape: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the lists of structures or strings in a response, including the lists one level
    down.
    """
    for name, member in shape.members.items():
        item = member.member if member.type_name == "list" else member
        if member.type_name == "list" and item.type_name in ("structure", "string"):
            yield (*path, name), item
        if item.type_name == "structure" and not path:
            yield from _lists(item, (*path, name))


def _items(answer: Any, path: Iterable[str]) -> list[Any]:
    found = [answer]
    for name in path:
        inner = [one.get(name) for one in found if isinstance(one, Mapping)]
        found = [
            item
            for one in inner
            for item in (one if isinstance(one, list) else [one])
            if item is not None
        ]
    return found


def _tagged(item: Mapping[str, Any]) -> str | None:
    tags = item.get("Tags")
    pairs = tags if isinstance(tags, list) else []
    return next(
        (
            str(tag["Value"])
            for tag in pairs
            if isinstance(tag, Mapping) and tag.get("Key") == "Name" and tag.get("Value")
        ),
        None,
    )
