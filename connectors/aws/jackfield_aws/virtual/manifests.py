"""Manifests of virtual connectors. All 439 are listed at once; a service's actions are made when
they are read, and recent ones are cached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from jackfield.kernel.dataclass import dataclass
from jackfield.manifest.manifest import ActionManifest, ActionRow, ConnectionTypeManifest, Manifest
from jackfield_aws.s3.names import ALLOWED_WITH, PRESIGNED, SERVICE, own_rows
from jackfield_aws.s3.names import KEYWORDS as OWN_KEYWORDS
from jackfield_aws.version import VERSION
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.names import PREFIX, action_key, title_of
from jackfield_aws.virtual.ordering import groups, ordered
from jackfield_aws.virtual.recent import Recent
from jackfield_aws.virtual.usual import EVERYDAY, KEYWORDS

if TYPE_CHECKING:
    from jackfield.manifest.manifest import Effect, Json
    from jackfield.manifest.pagination import Pagination
    from jackfield_aws.virtual.index import Head, Index
    from jackfield_aws.virtual.operations import DescribedOperation

_REFERENCE = "https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services"
"""URL prefix of all services' reference, with botocore's names of services, operations and
members.
"""
_HOSTS = ("*.amazonaws.com", "*.amazonaws.com.cn")
_MADE = Recent(60)
"""Cache of the actions of services used last."""
OFFERED: Mapping[str, tuple[str, ...]] = {"s3": ("s3Addressing", "s3Checksums")}
"""Connection fields that only some services display. All services accept them, since they share
connections.
"""
REGIONS = {
    "key": "awsRegions",
    "title": "AWS Regions",
    "description": "The regions of the service.",
    "needsConnection": False,
}
"""Option source of each service for its regions."""


def manifest_of(
    index: Index,
    service: str,
    connection_types: Mapping[str, ConnectionTypeManifest],
    without: frozenset[str] = frozenset(),
) -> Manifest:
    """Return the manifest of a service, without the operations ``without``."""
    head = index.services[service]
    actions = ServiceActions(index, service, without)
    return Manifest(
        key=PREFIX + service,
        title=head.title,
        description=_description(head),
        version=VERSION,
        connection_types=connection_types,
        actions=actions,
        published=_Listed(index, actions, PREFIX + service),
        hosts=_HOSTS,
        virtual=True,
        rank=len(EVERYDAY) - EVERYDAY.index(service) if service in EVERYDAY else 0,
    )


def _description(head: Head) -> str:
    """Return a service's description without its leading title. A description of the API's
    documentation is replaced by a general one.
    """
    text = head.description.removeprefix(head.title).strip() or head.title
    return f"All operations of {head.title}." if _OF_A_DOCUMENT.search(text) else text


def types_for(service: str, kinds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return connection types with the fields that a service displays."""
    names = OFFERED.get(service, ())
    return [_showing(kind, names) for kind in kinds] if names else kinds


def _showing(kind: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return a connection type whose fields ``names`` are not hidden."""
    members = dict(kind["schema"]["properties"])
    for name in members.keys() & names:
        marks = {
            mark: value for mark, value in members[name]["x-jackfield"].items() if mark != "hidden"
        }
        members[name] = {**members[name], "x-jackfield": marks}
    return {**kind, "schema": {**kind["schema"], "properties": members}}


_OF_A_DOCUMENT = re.compile(
    r"^API Reference$|(Welcome to|This is|This( API)? reference provides).*\bAPI\b|This is an? "
    r".*\breference\b"
    r"|\bAPI reference (provides|is intended)",
    re.IGNORECASE,
)


class ServiceActions(Mapping[str, ActionManifest]):
    """Actions of a service by key, except the operations ``without``. Their number is known without
    reading them.
    """

    def __init__(self, index: Index, service: str, without: frozenset[str] = frozenset()) -> None:
        self._index = index
        self.service = service
        self._without = without
        self._hidden = {action_key(name) for name in without}

    def __getitem__(self, key: str) -> ActionManifest:
        if key in self._hidden:
            raise KeyError(key)
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return (action_key(name) for name, _, _ in self.listed())

    def __len__(self) -> int:
        return (
            sum(1 for _ in self)
            if self._without
            else self._index.services[self.service].count + len(own_rows(self.service))
        )

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, summary and effect of each operation, the most used first, and jackfield's
        own actions last.
        """
        rows = (*ordered(self.service, self._index.rows(self.service)), *own_rows(self.service))
        return (row for row in rows if row[0] not in self._without)

    def _read(self) -> dict[str, ActionManifest]:
        return _MADE.get((self._index.path, self.service), self._made)

    def _made(self) -> dict[str, ActionManifest]:
        made = [_action(self.service, *row) for row in self._index.rows(self.service)]
        made += [_own_action(*row) for row in own_rows(self.service)]
        return {action.key: action for action in made}


def _action(service: str, name: str, summary: str, effect: str) -> ActionManifest:
    return ActionManifest(
        key=action_key(name),
        title=title_of(name),
        description=summary,
        effect=cast("Effect", effect),
        content=OperationContent(service, name, summary, effect),
        only_describes=True,
        keywords=KEYWORDS.get((service, name), ""),
        hands_out=name in HANDS_OUT.get(service, ()),
    )


def _own_action(name: str, summary: str, effect: str) -> ActionManifest:
    """Return an action of jackfield's own, which is no operation of the service's model."""
    return ActionManifest(
        key=action_key(name),
        title=title_of(name),
        description=summary,
        effect=cast("Effect", effect),
        content=cast("Any", OwnContent(action_key(name))),
        keywords=OWN_KEYWORDS.get((SERVICE, name), ""),
        hands_out=name in PRESIGNED,
        allowed_with=ALLOWED_WITH.get(name, ()),
    )


class OwnContent:
    """Content of an action of jackfield's own, declared on first use."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._found: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._found is None:
            # imports pydantic, which lists do not need
            from jackfield_aws.s3.connector import connector

            (row,) = connector.describe({self._key})["actions"]
            self._found = ActionManifest.from_json(row, f"{PREFIX}{SERVICE}").content
        return getattr(self._found, name)


@dataclass(frozen=True, slots=True)
class OperationContent:
    """Content of an action, converted from the service's model on first use."""

    service: str
    operation: str
    summary: str
    effect: str

    @property
    def described(self) -> DescribedOperation:
        """The converted operation."""
        # imports pydantic, which lists do not need
        from jackfield_aws.virtual.operations import described

        return described(self.service, self.operation)

    @property
    def row(self) -> Json:
        """JSON of the action."""
        listed = _row(self.service, self.operation, self.summary, self.effect)
        from jackfield_aws.virtual.trail import evidence_of  # pydantic, too

        found = evidence_of(
            self.service, self.operation, self.described.effect, by_key=self.described.by_key
        )
        told = (
            {"marker": {"agent": True}, "evidence": [one.to_json() for one in found]}
            if found
            else {}
        )
        return {**listed, **self.described.to_json(), **told}

    @property
    def inputs(self) -> Json:
        """Schema of the inputs."""
        return self.described.inputs

    @property
    def output(self) -> Json:
        """Schema of the output."""
        return self.described.output

    @property
    def pagination(self) -> Pagination | None:
        """Pagination; None if the operation has none."""
        return self.described.pagination

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """IAM actions of the operation, found without converting it."""
        from jackfield_aws.virtual.operations import needed_permissions

        names = needed_permissions(self.service, self.operation)
        return {"aws:iam": names} if names else {}

    @property
    def defaults(self) -> tuple[tuple[str, str], ...]:
        """Inputs that the connection may supply."""
        region = self.inputs["properties"].get("awsRegion", {})
        return (
            (("awsRegion", "region"),)
            if region.get("x-jackfield", {}).get("fromConnection")
            else ()
        )


def _row(service: str, name: str, summary: str, effect: str) -> dict[str, Any]:
    handed = {"handsOutCredentials": True} if name in HANDS_OUT.get(service, ()) else {}
    others = (
        {"allowedWith": list(ALLOWED_WITH[name])}
        if service == SERVICE and name in ALLOWED_WITH
        else {}
    )
    return {
        "key": action_key(name),
        "title": title_of(name),
        "description": summary,
        "effect": effect,
        **handed,
        **others,
    }


class _Listed:
    """JSON of a service's manifest, whose actions have no schemas."""

    def __init__(self, index: Index, actions: ServiceActions, key: str) -> None:
        self._index = index
        self._actions = actions
        self._key = key

    def listed(self) -> Json:
        """Return the JSON."""
        service = self._actions.service
        head = self._index.services[service]
        return {
            "manifestVersion": 1,
            "key": self._key,
            "title": head.title,
            "description": _description(head),
            "version": VERSION,
            "categories": ["aws"],
            "documentationUrl": f"{_REFERENCE}/{service}.html",
            "hosts": list(_HOSTS),
            "connectionTypes": types_for(service, self._index.connection_types),
            "actions": [_row(service, *row) for row in self._actions.listed()],
            "optionSources": [REGIONS],
        }

    whole = listed

    def rows(self, _actions: Mapping[str, ActionManifest]) -> Iterator[ActionRow]:
        """Yield a row for each action, without making the action."""
        service = self._actions.service
        handed, listed = HANDS_OUT.get(service, ()), list(self._actions.listed())
        about, words = groups(tuple(name for name, _, _ in listed)), {**KEYWORDS, **OWN_KEYWORDS}
        for name, summary, effect in listed:
            counted = "write" if name in handed else effect
            yield ActionRow(
                action_key(name),
                title_of(name),
                summary,
                counted,
                about[name],
                words.get((service, name), ""),
            )
