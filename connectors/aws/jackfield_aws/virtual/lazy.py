"""Actions of a virtual connector that are converted when they are first used: the index has their names, titles and effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from jackfield.connector import Action, DeclarationError, Inputs, Output
from jackfield.manifest import ActionManifest, Effect, Json, Pagination
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import OWN, Described, callable_of, describe, needed_permissions, pace_by
from jackfield_aws.virtual.recent import Recent

_DESCRIBED = Recent(500)
"""Converted operations."""
_ACTIONS = Recent(500)


def described(service: str, operation: str) -> Described:
    """Return a converted operation, from the cache if it was used recently."""
    return _DESCRIBED.get((service, operation), lambda: describe(service, operation))


class VirtualAction(ActionManifest):
    """Action whose schemas are made when they are first read."""

    __slots__ = ("operation", "service")

    service: str
    operation: str

    def __init__(
        self, service: str, operation: str, title: str, description: str, effect: Effect, keywords: str = "", *, hands_out: bool = False
    ) -> None:
        give = object.__setattr__  # the base is frozen
        give(self, "service", service)
        give(self, "operation", operation)
        give(self, "key", action_key(operation))
        give(self, "title", title)
        give(self, "description", description)
        give(self, "effect", effect)
        give(self, "rate_limit", None)
        give(self, "preview", None)
        give(self, "needs_connection", True)
        give(self, "only_describes", True)
        give(self, "definitions", None)
        give(self, "keywords", keywords)
        give(self, "group", "")
        give(self, "hands_out", hands_out)

    @property
    def own_inputs(self) -> Json:
        """Schema of the inputs."""
        return described(self.service, self.operation).inputs

    @property
    def own_output(self) -> Json:
        """Schema of the output."""
        return described(self.service, self.operation).output

    @property
    def pagination(self) -> Pagination | None:
        """Pagination, if there is one."""
        return described(self.service, self.operation).pagination

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """IAM actions that it needs."""
        names = needed_permissions(self.service, self.operation)
        return {"aws:iam": names} if names else {}

    @property
    def defaults(self) -> tuple[tuple[str, str], ...]:
        """Inputs that the connection may fill in."""
        properties = self.inputs["properties"]
        return (("awsRegion", "region"),) if properties.get("awsRegion", {}).get("x-jackfield", {}).get("fromConnection") else ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualAction) and (self.service, self.operation) == (other.service, other.operation)

    def __hash__(self) -> int:
        return hash((self.service, self.operation))

    def __repr__(self) -> str:
        return f"VirtualAction({self.service!r}, {self.operation!r})"


class Actions(Mapping[str, Action]):
    """Actions of a connector as the runtime calls them, made on first use."""

    def __init__(self, manifests: Mapping[str, ActionManifest]) -> None:
        self._manifests = manifests
        self.declared: dict[str, Action] = {}

    def __getitem__(self, key: str) -> Action:
        about = self._manifests[key]
        if not isinstance(about, VirtualAction):
            raise DeclarationError(f"'{key}' is no action of a service model")
        return _ACTIONS.get((about.service, about.operation), lambda: _action(about))

    def __iter__(self) -> Iterator[str]:
        return iter(self._manifests)

    def __len__(self) -> int:
        return len(self._manifests)


def _action(about: VirtualAction) -> Action:
    from jackfield_aws.virtual.calls import JsonOutput
    from jackfield_aws.virtual.inputs import InputModel

    known = described(about.service, about.operation)
    function, shape = callable_of(about.service, about.operation)
    taken = frozenset() if shape is None else frozenset(shape.members)
    return Action(
        key=about.key,
        title=about.title,
        description=about.description,
        effect=about.effect,
        function=function,
        inputs=cast("type[Inputs]", InputModel(OWN - taken, shape)),
        output=cast("type[Output]", JsonOutput),
        takes_client=True,
        is_async=False,
        returns_files=function.stream is not None,
        permissions=about.permissions,
        pagination=known.pagination,
        idempotent_by="key" if known.by_key else None,
        pace_by=pace_by(about.service),
        hands_out=about.hands_out,
    )
