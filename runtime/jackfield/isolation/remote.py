"""The object that stands for an isolated connector in this process: the pipe uses it like any other, and its functions ask the child."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self, cast

from pydantic import PrivateAttr

from jackfield.connector.budget import Budget, Limits, Warmup
from jackfield.connector.context import Account, Call, OpenContext, Step, current_call
from jackfield.connector.declare import Action, Option, OptionSource, Preview
from jackfield.connector.grants import Authorization, DeviceAuthorization, Grant
from jackfield.connector.models import Output
from jackfield.errors import InvalidOutput
from jackfield.isolation.channel import Channel
from jackfield.isolation.egress import NamedHost, hosts_named
from jackfield.isolation.error_frames import finite
from jackfield.isolation.grant_frames import load_authorization, load_device, load_grant, load_optional_grant
from jackfield.isolation.hello import ActionFacts, Hello, TypeFacts
from jackfield.isolation.wire import Garbage
from jackfield.manifest import ActionManifest, Manifest
from jackfield.schema.wording import escaped

_LONGEST = 4000
_MOST_STEPS, _MOST_OPTIONS, _MOST_DAYS = 200, 10_000, 1000
"""Limits of the steps of a test, of choices and permissions, and of the days of a warm-up plan."""


class Given:
    """Inputs as JSON. The author's model and rules judge them in the child."""

    __slots__ = ("budget", "json", "preview", "workspace")

    def __init__(self, json: Mapping[str, Any]) -> None:
        self.json = json
        self.preview = json.get("preview") is True
        self.budget: dict[str, Any] = {}
        """What the child says of the pace of a call with these inputs."""
        self.workspace = ""
        """Workspace that asks for a dry run with these inputs."""

    @classmethod
    def model_validate(cls, values: Mapping[str, Any], **_how: Any) -> Given:
        """Take the inputs as they are."""
        return cls(values)

    def rules(self) -> tuple[()]:
        """Return no faults: the child finds them."""
        return ()


class RemoteOutput(Output):
    """Output of an action, as JSON."""

    _json: Any = PrivateAttr(default=None)

    def __init__(self, json: Any) -> None:
        super().__init__()
        self._json = json

    def model_dump(self, **_how: Any) -> Any:
        """Return the JSON."""
        return self._json


class RemoteClient:
    """Open connection of an attempt. The child opens it in each call, from the same values and with the same context.

    It has ``renew`` only once the child has said that its client can renew its credentials.
    """

    renew: Callable[[], None]

    def __init__(self, kind: RemoteConnection, context: OpenContext) -> None:
        self.kind = kind
        self.context = context
        self.warmup: Any = None

    def allow_renewal(self) -> None:
        """Let the pipe ask for a renewal; the next call then renews the client's credentials first."""

        def renew() -> None:
            self.kind.is_stale = True

        self.renew = renew

    def ask(self, request: Mapping[str, Any], *, call: Call | None = None, read: Callable[[Any], Any] = lambda answer: answer) -> Any:
        """Ask the child something about this connection."""
        return self.kind.channel.ask(request, call=call, kind=self.kind, context=self.context, read=read)


class RemoteConnection:
    """Values of a connection. Subclasses stand for the connection types of one connector."""

    channel: ClassVar[Channel]
    key: ClassVar[str]
    schema: ClassVar[Mapping[str, Any]]
    reports_begin: ClassVar[bool]
    permission_system: ClassVar[str | None]
    model_fields: ClassVar[Mapping[str, None]]
    reads_host = False
    reads_host_at = ""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.is_stale = False
        self.asks_elsewhere = True
        """False once the child has opened the connection without a fault."""
        self._hosts: Mapping[str, NamedHost] | None = None

    def hosts(self) -> Mapping[str, NamedHost]:
        """Return the hosts that the values name."""
        if self._hosts is None:
            self._hosts = hosts_named(self.schema, self.values)
        return self._hosts

    def __repr__(self) -> str:  # connection values stay out of logs
        return f"{type(self).__name__}(…)"

    def __reduce__(self) -> Any:
        raise TypeError("connection values cannot be pickled: they hold secrets")

    @classmethod
    def model_validate(cls, values: Mapping[str, Any]) -> Self:
        """Take the values as they are; the child judges them when it opens the connection."""
        return cls(values)

    def open(self, context: OpenContext) -> RemoteClient:
        """Open the connection in the child for the first time; later calls open it there themselves."""
        client = RemoteClient(self, context)
        if self.asks_elsewhere:
            client.ask({"ask": "open"}, call=context.call)
            self.asks_elsewhere = False
        return client

    def test(self, context: OpenContext) -> Iterator[Step | Account]:
        """Yield the steps of the test of this type."""
        yield from RemoteClient(self, context).ask({"ask": "test"}, call=context.call, read=_steps)

    def authorize(self, context: OpenContext, redirect_uri: str, state: str) -> Authorization:
        """Return the address at which a person approves."""
        question = {"ask": "authorize", "redirectUri": redirect_uri, "state": state}
        found: Authorization = self._ask_in(context, question, load_authorization)
        return found

    def authorized(self, context: OpenContext, kept: Mapping[str, Any], redirect_uri: str, answer: Mapping[str, str]) -> Grant:
        """Exchange the provider's answer for a grant."""
        question = {"ask": "authorized", "kept": dict(kept), "redirectUri": redirect_uri, "answer": dict(answer)}
        found: Grant = self._ask_in(context, question, load_grant)
        return found

    def authorize_device(self, context: OpenContext) -> DeviceAuthorization:
        """Ask for a code that a person enters on another device."""
        found: DeviceAuthorization = self._ask_in(context, {"ask": "authorizeDevice"}, load_device)
        return found

    def device_authorized(self, context: OpenContext, kept: Mapping[str, Any]) -> Grant | None:
        """Return the grant of a device's code; None while nobody has approved."""
        found: Grant | None = self._ask_in(context, {"ask": "deviceAuthorized", "kept": dict(kept)}, load_optional_grant)
        return found

    def revoke(self, context: OpenContext) -> None:
        """End the grant at the provider."""
        self._ask_in(context, {"ask": "revoke"}, lambda answer: answer)

    def _ask_in(self, context: OpenContext, question: Mapping[str, Any], read: Callable[[Any], Any]) -> Any:
        return RemoteClient(self, context).ask(question, call=context.call, read=read)

    def needed_permissions(self, permissions: Collection[str]) -> Collection[str]:
        """Return those of the permissions that this connection needs."""
        found: Collection[str] = self._ask({"ask": "needed", "permissions": sorted(permissions)}, _texts)
        return found

    def documents(self, permissions: Sequence[str], principal: str | None = None, **more: Any) -> dict[str, Any]:
        """Return the policy documents of this type by name."""
        question = {"ask": "policies", "permissions": list(permissions), "principal": principal, "more": more}
        found: dict[str, Any] = self._ask(question, _object)
        return found

    def _ask(self, request: Mapping[str, Any], read: Callable[[Any], Any]) -> Any:
        return self.channel.ask(request, call=current_call(), kind=self, read=read)


class RemoteConnector:
    """Connector whose code runs in a child. ``hello`` is what the child says of it."""

    explain = None
    on_demand: tuple[str, ...] = ()

    def __init__(self, manifest: Manifest, channel: Channel, hello: Hello) -> None:
        self.key = manifest.key
        self.title = manifest.title
        self.version = manifest.version
        self.layers = hello.layers
        """Layers of isolation that hold for the child."""
        self._description = hello.description
        self._manifest = manifest
        self.connections = {key: _connection(manifest, key, channel, facts) for key, facts in hello.connections.items()}
        self.actions = {
            key: _action(manifest.actions[key], channel, facts) for key, facts in hello.actions.items() if key in manifest.actions
        }
        self.option_sources = {key: _source(self, channel, key, takes_client=takes) for key, takes in hello.sources.items()}
        self.tests = [partial(_extra_test, number) for number in range(hello.tests)]
        self.test_permissions = hello.test_permissions
        self.documents = [partial(_documents, number) for number in range(hello.documents)]

    def __repr__(self) -> str:
        return f"RemoteConnector({self.key!r}, {self.version!r})"

    def describe(self, actions: Collection[str] | None = None) -> dict[str, Any]:
        """Return the manifest as the code in the child says it."""
        chosen = [item for item in self._description.get("actions", ()) if actions is None or item.get("key") in actions]
        return {**self._description, "actions": chosen}

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions that all actions together need, by system."""
        union: dict[str, set[str]] = {}
        for action in self._manifest.actions.values():
            for system, names in action.permissions.items():
                union.setdefault(system, set()).update(names)
        return {system: tuple(sorted(names)) for system, names in union.items()}


def _connection(manifest: Manifest, key: str, channel: Channel, facts: TypeFacts) -> type[RemoteConnection]:
    about = manifest.connection_types.get(key)
    members: dict[str, Any] = {
        "channel": channel,
        "key": key,
        "schema": about.schema if about is not None else {},
        "reports_begin": facts.reports_begin,
        "permission_system": facts.permission_system,
        "model_fields": dict.fromkeys(facts.fields),
    }
    if facts.policies:
        members["policies"] = RemoteConnection.documents
    return type("RemoteConnection", (RemoteConnection,), members)


def _action(about: ActionManifest, channel: Channel, facts: ActionFacts) -> Action:
    def run(given: Given, client: RemoteClient | None = None) -> RemoteOutput:
        call = current_call()
        request = {"ask": "call", "action": about.key, "inputs": given.json}
        kind, context = (client.kind, client.context) if client is not None else (None, None)
        output = channel.ask(request, call=call, kind=kind, context=context, client=client)
        if not isinstance(output, dict):
            raise InvalidOutput("the connector's process returned something that is no output", hint="Report it to the connector's author.")
        return RemoteOutput(output)

    def preview(given: Given) -> RemoteOutput:
        return RemoteOutput(channel.ask({"ask": "preview", "action": about.key, "inputs": given.json}, workspace=given.workspace))

    def verify(given: Given, workspace: str) -> None:
        given.workspace = workspace
        channel.ask({"ask": "check", "action": about.key, "inputs": given.json}, workspace=workspace)

    raw = cast("Mapping[str, Any]", next(item for item in channel.manifest.raw["actions"] if item.get("key") == about.key))
    budget = _budget(about.key, facts.budget) if facts.budget is not None else None
    model = cast("Any", Given)
    return Action(
        key=about.key,
        title=about.title,
        description=about.description,
        effect=about.effect,
        function=run,
        inputs=model,
        output=cast("Any", lambda: RemoteOutput(facts.defaults)),
        takes_client=facts.takes_client,
        is_async=False,
        permissions=about.permissions,
        pagination=about.pagination,
        rate_limit=about.rate_limit,
        idempotent_by=raw.get("idempotentBy"),
        repeat_ok=tuple(raw.get("repeatOk", ())),
        budget=budget,
        cost=lambda given: float(given.budget.get("cost", 1.0)),
        preview=None if about.preview is None else Preview(cast("Any", preview), cast("Any", RemoteOutput)),
        needs_connection=about.needs_connection,
        hands_out=about.hands_out,
        pace_by=facts.pace_by,
        executor=channel.threads,
        verify=verify,
        takes_streams=False,
    )


def _budget(action: str, key: str) -> Budget:
    """Return a budget whose functions ask the child: once for the scope, the cost and the warm-up plan of a call."""

    def scope(given: Given, client: RemoteClient) -> str | None:
        question = {"ask": "budget", "action": action, "inputs": given.json}
        given.budget = client.ask(question, call=client.context.call, read=_plan)
        client.warmup = given.budget["warmup"]
        found: str | None = given.budget["scope"]
        return found

    def limits(client: RemoteClient) -> Limits | None:
        found: Limits | None = client.ask({"ask": "limits", "action": action, "inputs": {}}, call=current_call(), read=_limits)
        return found

    def warmup(client: RemoteClient) -> Warmup | None:
        found: Warmup | None = client.warmup
        return found

    return Budget(key, scope, limits, warmup, asks_elsewhere=True)


def _source(connector: RemoteConnector, channel: Channel, key: str, *, takes_client: bool) -> OptionSource:
    about: Mapping[str, Any] = next((row for row in connector.describe().get("optionSources", ()) if row.get("key") == key), {})
    request = {"ask": "options", "source": key}

    def choices(client: RemoteClient | None = None) -> list[Option]:
        asking = channel if client is None else client
        found: list[Option] = asking.ask(request, call=current_call(), read=_options)
        return found

    return OptionSource(key, str(about.get("title", key)), str(about.get("description", "")), choices, takes_client)


def _extra_test(number: int, client: RemoteClient, context: OpenContext) -> Iterator[Step | Account]:
    yield from client.ask({"ask": "extraTest", "number": number}, call=context.call, read=_steps)


def _documents(number: int, documents: Mapping[str, Any], kind: RemoteConnection) -> Mapping[str, Any]:
    question = {"ask": "documents", "number": number, "documents": dict(documents)}
    found: Mapping[str, Any] = kind.channel.ask(question, call=current_call(), kind=kind, read=_object)
    return found


def _steps(found: Any) -> list[Step | Account]:
    return [_account(*item["account"]) if "account" in item else _one_step(item["step"]) for item in _few(found, _MOST_STEPS)]


def _account(identifier: object, label: object) -> Account:
    return Account(escaped(_short(identifier)), escaped(_short(label)))


def _one_step(row: Mapping[str, Any]) -> Step:
    return Step(
        _short(row["key"]), _short(row["title"]), row["passed"] is True, _short(row["message"]), row["mandatory"] is True,
        _optional(row, "hint"), _optional(row, "principal"),
    )  # fmt: skip


def _options(found: Any) -> list[Option]:
    return [Option(_short(row["value"]), _short(row["label"])) for row in _few(found, _MOST_OPTIONS)]


def _plan(found: Any) -> dict[str, Any]:
    """Return scope, cost and warm-up plan of a call."""
    scope, warmup = found.get("scope"), found.get("warmup")
    plan = None if warmup is None else Warmup(_short(warmup[0]), tuple(map(finite, _few(warmup[1], _MOST_DAYS))))
    return {"scope": None if scope is None else _short(scope), "cost": finite(found.get("cost", 1.0)), "warmup": plan}


def _limits(found: Any) -> Limits | None:
    if found is None:
        return None
    per_second, per_day, used = found
    return Limits(_number(per_second), _number(per_day), _number(used) or 0.0)


def _object(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found


def _optional(row: Mapping[str, Any], name: str) -> str | None:
    return None if row.get(name) is None else _short(row[name])


def _number(value: Any) -> float | None:
    return None if value is None else finite(value)


def _texts(value: Any) -> list[str]:
    return [_short(item) for item in _few(value, _MOST_OPTIONS)]


def _few(found: Any, most: int) -> list[Any]:
    """Return an array of a child's.

    :raises Garbage: if it has more than ``most`` items.
    """
    if not isinstance(found, list):
        raise TypeError("not an array")
    if len(found) > most:
        raise Garbage(f"an answer of {len(found):,} items, where {most:,} are allowed")
    return found


def _short(value: object) -> str:
    text = str(value)
    if len(text) > _LONGEST:
        raise Garbage(f"a text of {len(text):,} characters, where {_LONGEST:,} are allowed")
    return text
