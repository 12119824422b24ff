"""Manifests: a connector's description in ``connector.json``, which a host reads without running
the connector's code.

The shape is pinned by docs/reference/manifest.md and described by ``schemas/manifest.schema.json``.
This module imports the standard library only, because every cold command reads a manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.definitions import Definitions
from jackfield.manifest import reading as read
from jackfield.manifest.pagination import Pagination

MANIFEST_VERSION, MANIFEST_VERSIONS, WHOLE_BODY = 1, (1, 2), "body"
"""Version of manifests of connectors with code, the readable versions, and the name of the input
that version 2 splits into its members.
"""

EFFECTS: tuple[Effect, ...] = ("read", "idempotent", "write")
_LITERALS: Mapping[str, tuple[str, ...]] = {
    "Effect": EFFECTS,
    "Authorizes": ("redirect", "device"),
    "IdempotentBy": ("key",),
    "RepeatOk": ("not_found", "conflict"),
}
"""Values of the literal types below, which ``__getattr__`` creates."""

Json = Mapping[str, "Any"]

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, Literal, Protocol

    from jackfield.manifest.triggers import TriggerManifest

    Effect = Literal["read", "idempotent", "write"]
    """Effect of an action on the provider; it decides if a retry is safe."""

    Authorizes = Literal["redirect", "device"]
    """Way in which a person approves a connection at the provider: the browser is redirected, or a
    code is entered on another device.
    """

    IdempotentBy = Literal["key"]
    """Condition under which an action is idempotent: its client passes the invocation's idempotency
    key on to the provider.
    """

    RepeatOk = Literal["not_found", "conflict"]
    """Answers to a retry that mean that an earlier attempt took effect."""

    class Content(Protocol):
        """Members of ``ActionContent``, for other implementations."""

        @property
        def row(self) -> Json:
            """JSON as published."""

        @property
        def inputs(self) -> Json:
            """Schema of the inputs."""

        @property
        def output(self) -> Json:
            """Schema of the output."""

        @property
        def pagination(self) -> Pagination | None:
            """Pagination of the action; None if it has no pages."""

        @property
        def permissions(self) -> Mapping[str, tuple[str, ...]]:
            """Permissions by system."""

        @property
        def defaults(self) -> tuple[tuple[str, str], ...]:
            """Inputs that a connection may fill in, each with the name of the connection value."""

    class Published(Protocol):
        """JSON of a manifest, from whatever source."""

        def listed(self) -> Json:
            """Return the manifest, without the actions' schemas if it has many actions."""

        def whole(self) -> Json:
            """Return the manifest as published."""

        def rows(self, actions: Mapping[str, ActionManifest]) -> Iterable[ActionRow]:
            """Return a row for each of the manifest's actions, without creating ActionManifests if
            possible.
            """


def __getattr__(name: str) -> object:
    words = _LITERALS.get(name)
    if words is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from typing import Literal

    made: object = Literal[words]
    return globals().setdefault(name, made)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Calls per second that the provider allows for one account and action."""

    per_second: float

    @classmethod
    def from_json(cls, data: Json, where: str) -> RateLimit:
        """Read the ``rateLimit`` member of an action."""
        value = data.get("perSecond")
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not 0 < value < float("inf")
        ):
            raise read.ManifestError(f"{where}: 'rateLimit.perSecond' must be a number above 0")
        try:
            return cls(per_second=float(value))
        except OverflowError:
            raise read.ManifestError(f"{where}: 'rateLimit.perSecond' is too large") from None


@dataclass(frozen=True, slots=True)
class ActionRow:
    """Part of an action for lists and searches."""

    key: str
    title: str
    description: str
    effect: str
    group: str = ""
    keywords: str = ""


@dataclass(frozen=True, slots=True)
class ActionContent:
    """Part of an action that calls, forms and policies need, and lists do not. In a manifest with
    thousands of actions, another object with these members reads or creates them at first use.
    """

    row: Json
    """JSON as published."""
    inputs: Json
    output: Json
    pagination: Pagination | None
    permissions: Mapping[str, tuple[str, ...]]
    defaults: tuple[tuple[str, str], ...]
    """Inputs that a connection may fill in if they are missing, each with the name of the
    connection value to use.
    """


@dataclass(frozen=True, slots=True, eq=False)
class ActionManifest:
    """One action: its schemas, its effect and the permissions that it needs at the provider."""

    key: str
    title: str
    description: str
    effect: Effect
    content: Content
    rate_limit: RateLimit | None = None
    preview: Json | None = None
    """Schema of the output of a dry run whose input ``preview`` is true; None if the action has no
    preview.
    """
    needs_connection: bool = True
    """False if the action never contacts the provider, so that an invocation may leave
    ``connection`` out.
    """
    only_describes: bool = False
    """True if a mismatch of the output with its schema is a warning: the schema is the provider's
    description, not a promise.
    """
    definitions: Definitions | None = None
    """Definitions of the manifest that the two schemas may refer to."""
    keywords: str = ""
    """Search words for the action, in addition to those in its key."""
    group: str = ""
    """Heading under which the action is listed: the first tag of a generated action."""
    allowed_with: tuple[str, ...] = ()
    """Other actions of the connector that a caller must be allowed to call, since this action's
    output lets its holder do the same.
    """
    borrows: bool = False
    """True if a rule can allow calls over connections of other connectors, whose actions are bound
    to HTTP requests.
    """
    hands_out: bool = False
    """True if the output hands out credentials: it is recorded masked, and catalog sources offer
    the action only by its full name.
    """

    @property
    def is_job(self) -> bool:
        """True for an action that starts a job, which may outlast its call and is polled until it
        ends.
        """
        return self.content.row.get("kind") == "job"

    @property
    def can_cancel(self) -> bool:
        """True for a job that the provider can cancel on request."""
        return self.content.row.get("cancellable") is True

    @property
    def needs_key(self) -> bool:
        """True if the action may be repeated without further effect only under an idempotency key,
        which the provider knows.
        """
        return self.content.row.get("idempotentBy") == "key"

    @property
    def key_kept(self) -> float:
        """Seconds for which the provider remembers an idempotency key, counted from the first
        request under it.
        """
        return float(self.content.row.get("keyKept", KEY_KEPT))

    @property
    def own_inputs(self) -> Json:
        """Schema of the inputs as published, which may refer to the manifest's definitions."""
        return self.content.inputs

    @property
    def own_output(self) -> Json:
        """Schema of the output as published."""
        return self.content.output

    @property
    def pagination(self) -> Pagination | None:
        """Pagination; None if the action has no pages."""
        return self.content.pagination

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Permissions that the action needs, by system."""
        return self.content.permissions

    @property
    def defaults(self) -> tuple[tuple[str, str], ...]:
        """Inputs that a connection may fill in, each with the name of the connection value to
        use.
        """
        return self.content.defaults

    @property
    def rule_effect(self) -> Effect:
        """Effect for rules, offers, lists and the journal: handing out credentials is a
        ``write``.
        """
        return "write" if self.hands_out else self.effect

    @property
    def inputs(self) -> Json:
        """Schema of the inputs, with the definitions that it refers to."""
        return (
            self.own_inputs
            if self.definitions is None
            else self.definitions.complete(self.own_inputs)
        )

    @property
    def output(self) -> Json:
        """Schema of the output, with the definitions that it refers to."""
        return (
            self.own_output
            if self.definitions is None
            else self.definitions.complete(self.own_output)
        )

    @classmethod
    def from_json(
        cls, data: Json, where: str, definitions: Definitions | None = None
    ) -> ActionManifest:
        """Read one member of ``actions``. An undeclared effect is ``write``, the safest
        assumption.
        """
        key = read.text(data, "key", where)
        where = f"{where}, action '{key}'"
        effect = data.get("effect", "write")
        if effect not in EFFECTS:
            raise read.ManifestError(f"{where}: 'effect' must be read, idempotent or write")
        if data.get("kind") not in (None, "job"):
            raise read.ManifestError(f"{where}: 'kind' must be job, or left out")
        read.is_true(data, "cancellable", where)
        return cls(
            key=key,
            title=read.title(data, where) or key,
            description=read.optional_text(data, "description", where) or "",
            effect=effect,
            content=_content(data, where),
            rate_limit=RateLimit.from_json(read.members(data, "rateLimit", where), where)
            if data.get("rateLimit") is not None
            else None,
            preview=read.schema(data, "preview", where)
            if data.get("preview") is not None
            else None,
            needs_connection=data.get("needsConnection") is not False,
            only_describes=data.get("outputPolicy") == "describe",
            definitions=definitions,
            group=read.optional_text(data, "group", where) or "",
            keywords=" ".join(read.texts(data, "keywords", where)),
            allowed_with=read.texts(data, "allowedWith", where),
            hands_out=read.is_true(data, "handsOutCredentials", where),
            borrows=read.is_true(data, "borrowsConnections", where),
        )


def _content(data: Json, where: str) -> ActionContent:
    return ActionContent(
        row=data,
        inputs=read.schema(data, "inputs", where),
        output=read.schema(data, "output", where),
        pagination=Pagination.from_json(read.members(data, "pagination", where), where)
        if data.get("pagination") is not None
        else None,
        permissions=_permissions(read.members(data, "permissions", where), where),
        defaults=_defaults(read.members(data, "inputs", where), where),
    )


def _permissions(data: Json, where: str) -> Mapping[str, tuple[str, ...]]:
    for system, names in data.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise read.ManifestError(f"{where}: 'permissions.{system}' must be an array of strings")
    return {system: tuple(names) for system, names in data.items()}


def _defaults(inputs: Json, where: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for name, member in read.members(inputs, "properties", f"{where}, inputs").items():
        if isinstance(member, dict) and "x-jackfield" in member:
            at = f"{where}, input '{name}'"
            given = read.optional_text(
                read.members(member, "x-jackfield", at), "fromConnection", at
            )
            found += [(name, given)] if given is not None else []
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Serves:
    """Restriction of a connection type to some actions; ``reason`` is a sentence that explains why
    it cannot serve the others.
    """

    actions: tuple[str, ...]
    reason: str

    @classmethod
    def from_json(cls, data: Json, where: str) -> Serves:
        """Read the ``serves`` member of a connection type."""
        return cls(
            actions=read.texts(data, "actions", f"{where}, 'serves'"),
            reason=read.text(data, "reason", f"{where}, 'serves'"),
        )


KEY_KEPT = 600
"""Seconds for which a provider remembers an idempotency key, if its connector does not say."""
OAUTH_CLIENT = "oauthClient"
"""Name of the connection value for an OAuth client, which has the endpoints, the ID and the secret
(``connections.oauth_clients``).
"""
_CLIENT_SCHEMA: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "title": "OAuth Client",
    "description": (
        "The name of a registered client, in place of the endpoints, the client ID and the secret."
    ),
    "x-jackfield": {"audience": "platform", "destination": True},
}


@dataclass(frozen=True, slots=True)
class ConnectionTypeManifest:
    """One way to authenticate with the provider. ``family`` names the connectors that share
    connections of this type.

    ``serves`` restricts it to some of the connector's actions; ``waives`` names inputs that actions
    do not require with it. ``authorizes`` are the ways in which a person can approve a connection
    at the provider.
    """

    key: str
    title: str
    description: str
    auth: str
    schema: Json
    setup: str
    family: str | None
    serves: Serves | None = None
    waives: tuple[str, ...] = ()
    authorizes: tuple[str, ...] = ()
    is_bound: bool = False
    """True if the connector's actions are bound to HTTP requests, which carry the credentials of
    connections of this type.
    """

    @classmethod
    def from_json(cls, data: Json, where: str) -> ConnectionTypeManifest:
        """Read one member of ``connectionTypes``."""
        key = read.text(data, "key", where)
        where = f"{where}, connection type '{key}'"
        return cls(
            key=key,
            title=read.title(data, where) or key,
            description=read.optional_text(data, "description", where) or "",
            auth=read.optional_text(data, "auth", where) or "custom",
            schema=_with_client(read.schema(data, "schema", where)),
            setup=read.optional_text(data, "setup", where) or "",
            family=read.optional_text(data, "family", where),
            serves=Serves.from_json(read.members(data, "serves", where), where)
            if data.get("serves") is not None
            else None,
            waives=read.texts(data, "waives", where),
            authorizes=read.texts(data, "authorizes", where),
            is_bound="http" in data,
        )

    def can_serve(self, action: str) -> bool:
        """Return whether a connection of this type can serve the action."""
        return self.serves is None or action in self.serves.actions


def _with_client(schema: Json) -> Json:
    """Return the schema of a connection type. If the type has an OAuth client, the schema also
    allows the name of a registered client.
    """
    fields = schema.get("properties")
    if not isinstance(fields, Mapping) or "clientId" not in fields or OAUTH_CLIENT in fields:
        return schema
    return {**schema, "properties": {**fields, OAUTH_CLIENT: _CLIENT_SCHEMA}}


def _triggers(data: Json, where: str) -> dict[str, TriggerManifest]:
    from jackfield.manifest.triggers import TriggerManifest  # few connectors have any

    found = [
        TriggerManifest.from_json(item, where) for item in read.objects(data, "triggers", where)
    ]
    return {item.key: item for item in found}


class _Whole:
    __slots__ = ("_raw",)

    def __init__(self, raw: Json) -> None:
        self._raw = raw

    def listed(self) -> Json:
        """Return the JSON."""
        return self._raw

    whole = listed

    def rows(self, actions: Mapping[str, ActionManifest]) -> Iterable[ActionRow]:
        """Return a row for each of the actions."""
        return [
            ActionRow(one.key, one.title, one.description, one.rule_effect, one.group, one.keywords)
            for one in actions.values()
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """Description of a connector. ``published`` has its JSON."""

    key: str
    title: str
    description: str
    version: str
    connection_types: Mapping[str, ConnectionTypeManifest]
    actions: Mapping[str, ActionManifest]
    published: Published
    hosts: tuple[str, ...] = ()
    """Public hosts that the connector connects to in addition to a connection's hosts, with ``*``
    as wildcard.
    """
    triggers: Mapping[str, TriggerManifest] = field(default_factory=dict)
    """Triggers of the connector."""
    virtual: bool = False
    """True for a connector whose ``raw`` lists actions without schemas, which are created or read
    when they are used.
    """
    is_generated: bool = False
    """True for a connector that is generated from an API's description."""
    rank: int = 0
    """Rank of the connector among otherwise equal search results."""
    isolated: bool = False
    """True for a connector installed into its own environment. It is listed after the connectors of
    this environment, and gets a connection that it shares with them only if a caller names both.
    """

    @classmethod
    def from_json(cls, data: object) -> Manifest:
        """Read a manifest.

        :raises ManifestError: if a member that the runtime needs is missing or has the wrong type.
        """
        if not isinstance(data, dict):
            raise read.ManifestError("a manifest must be a JSON object")
        if data.get("manifestVersion") not in MANIFEST_VERSIONS:
            raise read.ManifestError(
                f"'manifestVersion' must be {' or '.join(map(str, MANIFEST_VERSIONS))}"
            )
        key = read.kebab_key(data)
        where = f"manifest of '{key}'"
        types = [
            ConnectionTypeManifest.from_json(item, where)
            for item in read.objects(data, "connectionTypes", where)
        ]
        shared = read.members(data, "$defs", where)
        definitions = Definitions(shared) if shared else None
        actions = [
            ActionManifest.from_json(item, where, definitions)
            for item in read.objects(data, "actions", where)
        ]
        return cls(
            key=key,
            title=read.title(data, where) or key,
            description=read.optional_text(data, "description", where) or "",
            version=read.text(data, "version", where),
            connection_types={item.key: item for item in types},
            actions={item.key: item for item in actions},
            published=_Whole(data),
            is_generated=bool(data.get("servers")),
            triggers=_triggers(data, where) if "triggers" in data else {},
            hosts=read.texts(data, "hosts", where),
        )

    def connection_type(self, name: str) -> ConnectionTypeManifest | None:
        """Return the connection type of a name (``awsAssumeRole``, ``aws-ses/awsAssumeRole`` or
        ``aws/awsAssumeRole``); None if the connector has no such type.
        """
        owner, _, key = name.rpartition("/")
        found = self.connection_types.get(key)
        if found is None or (owner and owner not in (self.key, found.family)):
            return None
        return found

    @property
    def raw(self) -> Json:
        """JSON as published; for a ``virtual`` connector without the actions' schemas."""
        return self.published.listed()

    def whole(self) -> Json:
        """Return the JSON as published, read again if ``raw`` only lists the actions."""
        return self.published.whole()

    def rows(self) -> Iterable[ActionRow]:
        """Return a row for each action, in no particular order."""
        return self.published.rows(self.actions)

    def part(self, **changes: Any) -> Manifest:
        """Return the manifest with other members, such as only some of its actions; ``raw`` is then
        their JSON.
        """
        if "raw" in changes:
            changes["published"] = _Whole(changes.pop("raw"))
        return replace(self, **changes)

    def takes_unnamed(self, type_name: str) -> bool:
        """Return whether a call that names no connection may get a connection of this type."""
        return not self.isolated or type_name.partition("/")[0] == self.key

    def full_name(self, kind: ConnectionTypeManifest) -> str:
        """Return the type name that is stored with a connection; it begins with the family, so that
        the whole family can share it.
        """
        return f"{kind.family or self.key}/{kind.key}"
