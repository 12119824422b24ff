"""Proxy of an isolated connector in this process: the pipeline uses it like any other connector,
and its functions ask the child.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self, TypeVar, cast

from pydantic import PrivateAttr, ValidationError

from jackfield.connector.actions import Action, JobSteps, Option, OptionSource, Preview, united
from jackfield.connector.budget import Budget, Limits, Warmup
from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.context import Call, OpenContext, current_call
from jackfield.connector.evidence_rows import read_evidence
from jackfield.connector.grants import Grant
from jackfield.connector.jobs import NoOutput, PolledJob, Started, steps_with
from jackfield.connector.models import Output
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidOutput
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.manifest import ActionManifest, Manifest
from jackfield_isolation import questions
from jackfield_isolation.egress import NamedHost, hosts_named
from jackfield_isolation.hello import ActionFacts, Hello, TypeFacts
from jackfield_isolation.questions import Plan, Question
from jackfield_isolation.remote.channel import Channel
from jackfield_isolation.remote.triggers import remote_trigger

T = TypeVar("T", bound=Output)


class RemoteInputs:
    """Inputs as JSON. The author's model and rules check them in the child."""

    __slots__ = ("json", "plan", "preview", "workspace")

    def __init__(self, json: Mapping[str, Any]) -> None:
        self.json = json
        self.preview = json.get("preview") is True
        self.plan = Plan()
        """Pace of a call with these inputs, as the child reports it."""
        self.workspace = ""
        """Workspace that asks for a dry run with these inputs."""

    @classmethod
    def model_validate(cls, values: Mapping[str, Any], **_how: Any) -> RemoteInputs:
        """Return the inputs unchanged."""
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
        """Return the output as JSON."""
        return self._json


class RemoteClient:
    """Open connection of an attempt. The child opens it again in each call, from the same values
    and with the same context.

    The attribute ``renew`` exists only after the child has reported that its client can renew its
    credentials.
    """

    renew: Callable[[], None]

    def __init__(self, kind: RemoteConnection, context: OpenContext) -> None:
        self.kind = kind
        self.context = context
        self.warmup: Warmup | None = None

    def allow_renewal(self) -> None:
        """Allow the pipeline to request a renewal; the next call then renews the client's
        credentials first.
        """

        def renew() -> None:
            self.kind.is_stale = True

        self.renew = renew

    def ask(self, question: Question, *given: Any, call: Call | None = None) -> Any:
        """Ask the child a question about this connection, and return the answer."""
        return self.kind.channel.ask(
            question, *given, call=call, kind=self.kind, context=self.context
        )


def _asking(question: Question) -> Callable[..., Any]:
    """Return a connection's method that asks the child to run the author's method of the question's
    name.
    """

    def ask(self: RemoteConnection, context: OpenContext, *given: Any) -> Any:
        return RemoteClient(self, context).ask(question, *given, call=context.call)

    return ask


class RemoteConnection(SecretHolder):
    """Values of a connection. Each subclass represents one connection type of a connector."""

    channel: ClassVar[Channel]
    key: ClassVar[str]
    schema: ClassVar[Mapping[str, Any]]
    reports_begin: ClassVar[bool]
    permission_system: ClassVar[str | None]
    model_fields: ClassVar[Mapping[str, None]]
    reads_host = False
    reads_host_at = ""
    opens_with = None
    checks_addresses = False

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.is_stale = False
        self.asks_elsewhere = True
        """False once the child has opened the connection without a fault."""
        self._hosts: Mapping[str, NamedHost] | None = None

    def hosts(self) -> Mapping[str, NamedHost]:
        """Return permissions for the hosts that the values name, by host."""
        if self._hosts is None:
            self._hosts = hosts_named(self.schema, self.values)
        return self._hosts

    @classmethod
    def model_validate(cls, values: Mapping[str, Any]) -> Self:
        """Return a connection with unchanged values; the child checks them when it opens the
        connection.
        """
        return cls(values)

    def open(self, context: OpenContext) -> RemoteClient:
        """Return a client. The first time, the child opens the connection at once; later, it opens
        the connection in each call.
        """
        client = RemoteClient(self, context)
        if self.asks_elsewhere:
            client.ask(questions.OPEN, call=context.call)
            self.asks_elsewhere = False
        return client

    test = _asking(questions.TEST)
    authorize = _asking(questions.AUTHORIZE)
    authorized = _asking(questions.AUTHORIZED)
    authorize_device = _asking(questions.AUTHORIZE_DEVICE)
    device_authorized = _asking(questions.DEVICE_AUTHORIZED)
    revoke = _asking(questions.REVOKE)

    def needed_permissions(self, permissions: Collection[str]) -> Collection[str]:
        """Return the subset of ``permissions`` that this connection needs."""
        found: Collection[str] = self.channel.ask(
            questions.NEEDED, sorted(permissions), call=current_call(), kind=self
        )
        return found

    def adopt(self, tokens: Mapping[str, Any]) -> Grant:
        """Return the grant that the connection type makes of existing tokens."""
        found: Grant = self.channel.ask(questions.ADOPT, tokens, call=current_call(), kind=self)
        return found

    def documents(
        self, permissions: Sequence[str], principal: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Return the policy documents of this type by name."""
        found: dict[str, Any] = self.channel.ask(
            questions.POLICIES, permissions, principal, more, call=current_call(), kind=self
        )
        return found


class RemoteConnector:
    """Connector whose code runs in a child process. ``hello`` has the child's facts about it."""

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
        self.connections = {
            key: _connection(manifest, key, channel, facts)
            for key, facts in hello.connections.items()
        }
        self.actions = {
            key: _action(manifest.actions[key], channel, facts)
            for key, facts in hello.actions.items()
            if key in manifest.actions
        }
        self.triggers = {
            key: remote_trigger(manifest.triggers[key], channel, steps)
            for key, steps in hello.triggers.items()
            if key in manifest.triggers
        }
        self.option_sources = {
            key: _source(self, channel, key, takes_client=takes)
            for key, takes in hello.sources.items()
        }
        self.tests = [partial(_extra_test, number) for number in range(hello.tests)]
        self.test_permissions = hello.test_permissions
        self.documents = [partial(_documents, number) for number in range(hello.documents)]

    def __repr__(self) -> str:
        return f"RemoteConnector({self.key!r}, {self.version!r})"

    def describe(self, actions: Collection[str] | None = None) -> dict[str, Any]:
        """Return the manifest that the code in the child declares."""
        chosen = [
            item
            for item in self._description.get("actions", ())
            if actions is None or item.get("key") in actions
        ]
        return {**self._description, "actions": chosen}

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions of all actions together, by system."""
        return united(action.permissions for action in self._manifest.actions.values())


def _connection(
    manifest: Manifest, key: str, channel: Channel, facts: TypeFacts
) -> type[RemoteConnection]:
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
    def run(given: RemoteInputs, client: RemoteClient | None = None) -> Output:
        kind, context = (client.kind, client.context) if client is not None else (None, None)
        output = channel.ask(
            questions.CALL,
            about.key,
            given.json,
            call=current_call(),
            kind=kind,
            context=context,
            client=client,
        )
        if isinstance(output, dict) and about.is_job:
            handle, output = output.get("handle"), output.get("output")
            if isinstance(handle, dict):
                return Started(handle)
        if not isinstance(output, dict):
            raise InvalidOutput(
                "the connector's process returned something that is no output",
                hint="Report it to the connector's author.",
            )
        return RemoteOutput(output)

    def preview(given: RemoteInputs) -> RemoteOutput:
        return RemoteOutput(
            channel.ask(questions.PREVIEW, about.key, given.json, workspace=given.workspace)
        )

    def verify(given: RemoteInputs, workspace: str) -> None:
        given.workspace = workspace
        channel.ask(questions.CHECK, about.key, given.json, workspace=workspace)

    def poll(handle: Mapping[str, Any], client: RemoteClient | None = None) -> PolledJob:
        return _checked(PolledJob, _step(channel, questions.POLL, about.key, handle, client))

    def cancel(handle: Mapping[str, Any], client: RemoteClient | None = None) -> NoOutput:
        return _checked(NoOutput, _step(channel, questions.CANCEL, about.key, handle, client))

    raw = about.content.row
    marker, evidence = read_evidence(raw)
    budget = _budget(about.key, facts.budget) if facts.budget is not None else None
    model = cast("Any", RemoteInputs)
    action = Action(
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
        key_kept=raw.get("keyKept"),
        sign=None if "http" in raw else raw.get("sign"),
        repeat_ok=tuple(raw.get("repeatOk", ())),
        budget=budget,
        cost=lambda given: given.plan.cost,
        preview=None
        if about.preview is None
        else Preview(cast("Any", preview), cast("Any", RemoteOutput)),
        needs_connection=about.needs_connection,
        hands_out=about.hands_out,
        pace_by=facts.pace_by,
        executor=channel.threads,
        verify=verify,
        marker=marker,
        evidence=evidence,
        takes_streams=False,
    )
    if not about.is_job:
        return action
    return replace(
        action, job=JobSteps(*steps_with(action, poll, cancel if about.can_cancel else None))
    )


def _step(
    channel: Channel,
    question: Question,
    key: str,
    handle: Mapping[str, Any],
    client: RemoteClient | None,
) -> Any:
    kind, context = (client.kind, client.context) if client is not None else (None, None)
    return channel.ask(
        question, key, handle, call=current_call(), kind=kind, context=context, client=client
    )


def _checked(model: type[T], found: object) -> T:
    try:
        return model.model_validate(found)
    except ValidationError:
        text = "the connector's process returned something that is no answer of a job's step"
        raise InvalidOutput(text, hint="Report it to the connector's author.") from None


def _budget(action: str, key: str) -> Budget:
    """Return a budget that asks the child, once per call, for the scope, the cost and the warm-up
    plan.
    """

    def scope(given: RemoteInputs, client: RemoteClient) -> str | None:
        given.plan = client.ask(questions.BUDGET, action, given.json, call=client.context.call)
        client.warmup = None if given.plan.warmup is None else Warmup(*given.plan.warmup)
        return given.plan.scope

    def limits(client: RemoteClient) -> Limits | None:
        found: Limits | None = client.ask(questions.LIMITS, action, {}, call=current_call())
        return found

    def warmup(client: RemoteClient) -> Warmup | None:
        return client.warmup

    return Budget(key, scope, limits, warmup, asks_elsewhere=True)


def _source(
    connector: RemoteConnector, channel: Channel, key: str, *, takes_client: bool
) -> OptionSource:
    about: Mapping[str, Any] = next(
        (row for row in connector.describe().get("optionSources", ()) if row.get("key") == key), {}
    )

    def choices(client: RemoteClient | None = None, *, inputs: Mapping[str, Any]) -> list[Option]:
        asking = channel if client is None else client
        found: list[Option] = asking.ask(questions.OPTIONS, key, inputs, call=current_call())
        return found

    return OptionSource(
        key,
        str(about.get("title", key)),
        str(about.get("description", "")),
        choices,
        takes_client,
        takes_inputs=True,
    )


def _extra_test(
    number: int, client: RemoteClient, context: OpenContext
) -> Sequence[Step | Account]:
    found: Sequence[Step | Account] = client.ask(questions.EXTRA_TEST, number, call=context.call)
    return found


def _documents(
    number: int, documents: Mapping[str, Any], kind: RemoteConnection
) -> Mapping[str, Any]:
    found: Mapping[str, Any] = kind.channel.ask(
        questions.DOCUMENTS, number, documents, call=current_call(), kind=kind
    )
    return found
