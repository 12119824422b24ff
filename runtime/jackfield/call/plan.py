"""Plans: values that are constant for all calls of one action over one connection, computed at the
first call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from jackfield.call.admit import (
    ActionParts,
    PartsByType,
    bringable,
    check_serves,
    find_target,
    inline_target,
)
from jackfield.call.call_rules import (
    asked_for,
    find_called,
    is_guarded,
    require_call,
    require_others,
    require_trace,
    sees_entry,
)
from jackfield.call.masking import stored_secrets
from jackfield.call.reached import NO_TERMS, Asked, Given, Terms
from jackfield.call.waiter import Until
from jackfield.callers.caller import seen_catalog
from jackfield.invocation import Invocation, check_depth
from jackfield.invocation.file_references import GivenFiles, holds_objects
from jackfield.invocation.provider_ids import marked_places
from jackfield.invocation.request import parse_invocation
from jackfield.invocation.wire import parse_json
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError, Sent, Unavailable
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.reading import HOST
from jackfield.redaction.marks import secret_values
from jackfield.redaction.redactor import Redactor
from jackfield.retry import Tries
from jackfield.schema.steps import steps_of

if TYPE_CHECKING:
    from jackfield.call.admit import CallTarget, Targets
    from jackfield.call.borrowed import Lenders, Loan
    from jackfield.call.how import How
    from jackfield.call.open import OpenConnection, Opener
    from jackfield.call.ports import Access
    from jackfield.call.reached import Reached
    from jackfield.call.tally import Dependencies
    from jackfield.call.waiter import Waiter
    from jackfield.callers import Caller
    from jackfield.callers.rules import Rules, Scope
    from jackfield.catalog.installed import Catalog
    from jackfield.catalog.offering import Audience
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connector import Action
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.invocation.entry import Entry
    from jackfield.invocation.provider_ids import Places
    from jackfield.kernel.walk import SecretPlaces
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.schema import CompiledSchema
    from jackfield.schema.cache import Schemas

    Moment = tuple[int, int, int]
    """Generations of the catalog, the rules and settings, and the connections."""
    Wanted = tuple[
        Audience, Scope | None, bool, bool, str, str | None, str, str | tuple[str] | None
    ]
    """Audience, scope and remoteness of a caller; True if nothing is recorded, as of a look;
    connector and its version, action and connection, as a call names them: of one whose values the
    call brings, its type.
    """

_NOTHING: Mapping[str, Any] = {}
_UNJUDGED = 8_000
"""Maximum number of parts of an output without a schema that an event loop masks itself."""

_MOST_SECRETS = 128
"""Maximum number of secret inputs of one call for which texts are searched."""


class Plan(SecretHolder):
    """Parts that are constant for the calls of one action over one connection; used while manifest
    and target are the same objects.

    Code, validators and the open connection are found on first use: a call that is refused before
    imports nothing and compiles nothing.

    - ``is_unconnected``: True if the plan lacks the connection that calls need: it serves only dry
      runs.
    - ``waived``: inputs of the action that are not required with this connection.
    - ``brought``: inputs from the connection's file, which the invocation's override.
    - ``fills``: True if the connection has values for missing inputs.
    - ``connector`` and ``code``: the connector's code and the action's, once the plan
      ``is_loaded``.
    - ``reports``: True if the action's client reports its requests.
    - ``loan``: connection that another connector lends to the call.
    - ``references``: places in the output of the IDs by which later events refer to the call.
    """

    __slots__ = (
        "_fixed",
        "_moment",
        "_of_host",
        "_opener",
        "_opening",
        "_parts",
        "_recipients",
        "_schemas",
        "action",
        "brought",
        "code",
        "connector",
        "fills",
        "is_loaded",
        "is_unconnected",
        "key",
        "lending",
        "loan",
        "manifest",
        "references",
        "reports",
        "target",
        "waived",
    )
    connector: LoadedConnector
    code: Action
    reports: bool
    references: Places

    lending: LoadedConnector
    """Code of the connector that owns the connection's type."""

    def __init__(
        self,
        manifest: Manifest,
        action: ActionManifest,
        target: CallTarget | None,
        schemas: Schemas,
        opener: Opener,
        loan: Loan | None = None,
        parts: ActionParts | None = None,
    ) -> None:
        self.loan, self._parts = loan, parts or ActionParts()
        self.manifest, self.action, self.target = manifest, action, target
        self.key = (manifest.key, manifest.version)
        self.is_unconnected = (
            target is None and action.needs_connection and bool(manifest.connection_types)
        )
        self.waived = (
            target.kind.waives
            if target is not None
            else bringable(manifest, action)
            if self.is_unconnected
            else ()
        )
        self.brought = (
            _NOTHING
            if target is None
            else target.inputs.get(f"{manifest.key}/{action.key}", _NOTHING)
        )
        self.fills = target is not None and bool(action.defaults) and loan is None
        self.is_loaded = self._parts.give(self)
        self._schemas, self._opener = schemas, opener
        self._opening: OpenConnection | None = None
        self._moment: tuple[int, int, int] | None = None
        self._recipients: Places | None = None
        self._fixed: Mapping[str, str] | None = None
        self._of_host: Mapping[str, Any] | None = None

    @property
    def recipients(self) -> Places:
        """Places in the inputs of the recipients to whom something is sent."""
        if self._recipients is None:
            self._recipients = marked_places(self.action.inputs, "recipient")
        return self._recipients

    @property
    def fixed(self) -> Mapping[str, str]:
        """Inputs that must not differ from the connection's value, each with the name of the
        connection's value.
        """
        if self._fixed is None:
            marked = {
                name for name, *inner in marked_places(self.action.inputs, "fixed") if not inner
            }
            self._fixed = {name: source for name, source in self.action.defaults if name in marked}
        return self._fixed

    @property
    def inputs(self) -> CompiledSchema:
        """Validator of the inputs."""
        found = self._parts.inputs
        if found is None:
            schema = self.action.inputs
            if self.waived:
                schema = {
                    **schema,
                    "required": [
                        name for name in schema.get("required", ()) if name not in self.waived
                    ],
                }
            found = self._parts.inputs = self._schemas.find(self._key_of_inputs, schema)
        return found

    @property
    def _key_of_inputs(self) -> tuple[str, ...]:
        return (*self.key, "inputs", self.action.key, *self.waived)

    def checks_long(self, given: Mapping[str, Any]) -> bool:
        """Return True if checking these inputs may take too long for an event loop."""
        found = self._parts.inputs
        if found is None:  # over inline values: plans of other calls have compiled it
            return self._schemas.takes_long(self._key_of_inputs, given)
        return steps_of(given, found.brief) > found.brief

    def defaults(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the connection's values for missing inputs."""
        found = (
            _NOTHING
            if self.target is None
            else self._opener.defaults(self.target, self.action, given)
        )
        return {**self._of_host, **found} if self._of_host else found

    def lacking(self, given: Mapping[str, Any]) -> list[str]:
        """Return the required inputs that ``given`` lacks and that neither the connection nor the
        machine can supply.
        """
        known, target = self.action.inputs.get("properties", {}), self.target
        brought = {
            *given,
            *self.waived,
            *self.brought,
            *(name for name, schema in known.items() if "default" in schema),
        }
        if target is not None:
            by_machine = not target.kind.schema.get("required")
            brought |= {
                name
                for name, source in self.action.defaults
                if by_machine or source in target.values
            }
        return [name for name in self.action.inputs.get("required", ()) if name not in brought]

    async def filled_by_host(
        self, faults: Sequence[Detail], catalog: Catalog, waiter: Waiter
    ) -> bool:
        """Read missing inputs from the machine's configuration, once, if the connection type can
        sign in as the machine. Return whether the configuration had any.
        """
        if (
            self.target is None
            or self._of_host is not None
            or self.target.kind.schema.get("required")
        ):
            return False
        fillable = {f"/{name}" for name, _ in self.action.defaults}
        if not any(fault.keyword == "required" and fault.path in fillable for fault in faults):
            return False
        if not self.is_loaded:
            await self.load(catalog, waiter)
        ask = partial(
            self._opener.host_defaults,
            self.target,
            self.connector.connections[self.target.kind.key],
        )
        self._of_host = await waiter.call(ask)
        return bool(self._of_host)

    @property
    def judge(self) -> CompiledSchema | None:
        """Validator of the output; None if the action declares no schema of its output."""
        parts = self._parts
        if parts.judge is None and self.action.output:
            parts.judge = self._schemas.find(
                (*self.key, "output", self.action.key), self.action.output, noun="output"
            )
        return parts.judge

    @property
    def secrets(self) -> tuple[bool, SecretPlaces | None]:
        """True if the action's output has secrets, and the places of the secrets; None instead of
        places if all of it is secret.
        """
        found = self._parts.secrets
        if found is None:
            places = None if self.judge is None else self.judge.secret_places
            found = self._parts.secrets = (
                (True, None) if self.action.hands_out else (places is not None, places)
            )
        return found

    def secrets_in(self, inputs: Mapping[str, Any]) -> Redactor | None:
        """Return a redactor of the inputs that the action marks as secret; None if the action marks
        no input, or no marked input is given.
        """
        known = self._parts.inputs
        if known is None or known.secret_places is None:
            return None
        return Redactor(islice(secret_values(self.action.inputs, inputs), _MOST_SECRETS)) or None

    def settles_long(self, output: Mapping[str, Any]) -> bool:
        """Return True if judging and masking an output may take too long for an event loop."""
        found = self._parts.judge
        if found is None and self.action.output:
            return self._schemas.takes_long((*self.key, "output", self.action.key), output)
        if found is None:
            return steps_of(output, _UNJUDGED) > _UNJUDGED
        return steps_of(output, found.brief) > found.brief

    @property
    def judge_of_preview(self) -> CompiledSchema | None:
        """Validator of the preview of a dry run; None if the action has no preview."""
        schema = self.action.preview
        return (
            self._schemas.find((*self.key, "preview", self.action.key), schema, noun="output")
            if schema
            else None
        )

    async def load(self, catalog: Catalog, waiter: Waiter) -> None:
        """Find the code. The first call imports it, or starts its process, in a separate step,
        since both would block an event loop.

        :raises UnknownConnector: if the connector fails to import, or lacks an action that its
            manifest declares.
        """
        wanted = (self.manifest.key, self.action.key, self.manifest.version)
        load = partial(catalog.load, *wanted)
        self.connector = load() if catalog.has_loaded(*wanted) else await waiter.call(load)
        self.code, self.lending = self.connector.actions[self.action.key], self.connector
        if self.loan is not None:
            self.code, self.lending = (
                self.loan.cautious(self.code),
                await self.loan.load(catalog, waiter),
            )
        kind = None if self.target is None else self.lending.connections[self.target.kind.key]
        self.reports = kind is not None and kind.reports_begin and self.code.takes_client
        self.references = marked_places(self.action.output, "reference")
        self.is_loaded = True
        self._parts.keep(self)

    def with_code(self, code: Action) -> Plan:
        """Return the plan of another step of the action, such as a job's poll, which has no rate
        limit.
        """
        made = Plan(
            self.manifest,
            replace(self.action, rate_limit=None),
            self.target,
            self._schemas,
            self._opener,
            parts=self._parts,
        )
        self._parts.inputs = self.inputs  # what a step tells may quote the secret ones
        made.connector, made.code, made.reports, made.is_loaded = (
            self.connector,
            code,
            self.reports,
            True,
        )
        made.lending = self.connector
        made.references = self.references
        made._opening = self._opening
        return made

    def opening(self) -> OpenConnection | None:
        """Return the connection with its secrets resolved; None if the action is called without
        one.

        :raises InvalidConnection: as ``Opener.find`` does.
        """
        found = self._opening
        if found is None and self.target is not None:
            found = self._opener.find(
                self.target, self.manifest if self.loan is None else self.loan.lender, self.lending
            )
            if found.lasts:
                self._opening = found
        return found

    @property
    def kept(self) -> OpenConnection | None:
        """Connection that ``opening`` caches for further calls; None if the connection is not
        cached.
        """
        return self._opening

    def found_at(self, moment: tuple[int, int, int]) -> None:
        """Drop the verdict on the connection's hosts if catalog, connections or settings have
        changed since.
        """
        if moment != self._moment and self._opening is not None and self._opening.judge is not None:
            self._opening.judge.forget()
        self._moment = moment

    def answers_locally(self, target: CallTarget) -> bool:
        """Return whether ``opening`` gets all secrets without asking another machine."""
        return self._opener.answers_locally(target)

    async def resolved(self, how: How, dependencies: Dependencies) -> OpenConnection | None:
        """Return the connection as ``opening`` does. Read secrets of another machine within the
        deadline, without blocking a loop, and retry after an outage.
        """
        target = self.target
        if target is None or not target.refers:
            return self.opening()
        late = Unavailable("the connection's secrets were still being read")
        until, tries = (
            Until(how.deadline, partial(how.deadline.passed, Sent.NOTHING, late)),
            Tries(how.tries),
        )
        while True:
            tries.made += 1
            try:
                slots = self._opener.slots_of_secrets(target)
                return await how.waiter.open(
                    self.opening, slots, until, inline_ok=partial(self.answers_locally, target)
                )
            except JackfieldError as error:
                seconds = dependencies.backoff.wait(tries.made, error)
                if (
                    not error.retryable
                    or not tries.allow_another(error)
                    or seconds >= how.deadline.remaining()
                ):
                    raise
                await how.waiter.pause(seconds, how.cancelled)


class Served:
    """Plan that serves calls with the same names, with their terms, and their gates by the shapes
    of the calls. It is valid while the ``moment`` and the caller's ``rules`` are unchanged.
    """

    __slots__ = ("gates", "moment", "plan", "rules", "terms")

    def __init__(self, plan: Plan, moment: Moment, rules: Rules | None, terms: Terms) -> None:
        self.plan, self.moment, self.rules, self.terms = plan, moment, rules, terms
        self.gates: dict[int, Any] = {}

    def over(self, plan: Plan) -> Served:
        """Return an object with the same terms and gates and another plan, since each call over
        inline values has its own plan.
        """
        made = Served(plan, self.moment, self.rules, self.terms)
        made.gates = self.gates
        return made


class Plans(ProcessLocal):
    """Plans of one workspace: the actions that a caller may call, over which connection. The number
    is limited; the oldest is dropped first.
    """

    def __init__(
        self,
        access: Access,
        catalog: Catalog,
        known: Connections,
        targets: Targets,
        opener: Opener,
        epoch: Callable[[], int] | None,
        limit: int = 1000,
    ) -> None:
        self._access, self._catalog, self._known = access, catalog, known
        self.targets, self.opener = targets, opener
        self._epoch, self._limit = epoch, limit
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Drop all plans, also in a forked child: open connections are the parent's."""
        self._plans: BoundedCache[tuple[str, str, str, str | None], Plan] = BoundedCache(
            self._limit
        )
        self._parts = PartsByType(self._limit)
        self._served: BoundedCache[Wanted, Served] = BoundedCache(self._limit)
        self.lenders: Lenders = BoundedCache(100)

    def _read(self, given: object, how: How) -> tuple[Any, bool]:
        """Return an invocation as JSON, parsed or with its Python values converted, and whether it
        was converted.

        :raises InvalidInvocation: if it is not JSON, or exceeds the limits.
        """
        if isinstance(given, str | bytes | bytearray):
            return parse_json(given), False
        check_depth(given)
        is_plain = (
            type(given) is dict
            and type(given.get("inputs", _NOTHING)) is dict
            and not holds_objects(given)
        )
        # then nothing is converted: it is JSON as it is parsed, and its inputs an object
        if is_plain or not isinstance(given, Mapping):
            return given, False
        from jackfield.call.call_objects import members, plain

        whole = members(given)
        found = plain(whole, self._schema_of(whole, how))
        check_depth(found)
        return found, True

    def _schema_of(self, given: Mapping[str, Any], how: How) -> Mapping[str, Any]:
        """Return the input schema of the action that a call names, before ``find`` judges the call;
        an empty schema if there is none.
        """
        key, action, version = (
            given.get(name) for name in ("connector", "action", "connectorVersion")
        )
        try:
            manifest = self._catalog.for_audience(how.caller.audience).find(key, version)  # type: ignore[arg-type]  # nothing was checked yet
            return manifest.actions[action].inputs  # type: ignore[index]
        except (JackfieldError, LookupError, TypeError, AttributeError):
            return _NOTHING

    def parsed(self, given: object, call: Reached) -> Asked:
        """Parse an invocation, which may have another system's form.

        :raises InvalidInvocation: with all faults at once.
        """
        body, has_objects = self._read(given, call.how)
        try:
            found = parse_invocation(body)
        except InvalidInvocation:
            from jackfield.connections.formats import native_invocation

            caller = call.how.caller
            catalog = self._catalog.for_audience(caller.audience)
            members = native_invocation(
                body,
                lambda *wanted: seen_catalog(catalog, self._access.authorizer(caller)).find(
                    *wanted
                ),
            )
            if members is None:
                raise
            found = parse_invocation(members)
        if found.connector == HOST:
            found = self._with_intent(found)
        files = GivenFiles()
        if has_objects:
            found = replace(found, inputs=files.lift(found.inputs))
        meta, asked = call.how.meta, Asked(call.how, found, Given(body, found.inputs, files))
        meta.connector, meta.action, meta.dry_run = found.connector, found.action, found.dry_run
        call.asked = asked
        return asked

    def _with_intent(self, given: Invocation) -> Invocation:
        """Return a call with the timeout and the key that its action declares, in place of the
        caller's. If no key can be made, return the call unchanged: the check refuses it later, and
        gives the reason.
        """
        try:
            manifest = self._catalog.find(given.connector, given.connector_version)
            intent = (
                self._catalog.load(manifest.key, given.action, manifest.version)
                .actions[given.action]
                .intent
            )
            place = (manifest.key, manifest.version, "inputs", given.action)
            checked = self.targets.schemas.find(place, manifest.actions[given.action].inputs).check(
                given.inputs
            )
        except (JackfieldError, LookupError):
            return given
        if intent is None:
            return given
        given = replace(given, timeout_seconds=min(given.timeout_seconds, intent.seconds))
        found = None if intent.of is None or checked.details else attempt(intent.of, checked.value)
        if found is None or isinstance(found, Raised):
            return given
        key, about, formerly = found
        return replace(
            given,
            idempotency_key=key,
            key_space=HOST,
            about=about,
            formerly=formerly,
            kept_for=intent.kept_for,
            context={**given.context, "function": intent.function},
        )

    async def find(self, asked: Asked, call: Reached) -> Served:
        """Find connector, action and connection of a call, as far as the rules allow its caller,
        and the terms of the call.

        A plan serves an equal call again while catalog, connections and rules are unchanged. The
        rules are applied before the idempotency key and the connection are looked up.

        :raises JackfieldError: if there is no such connector, action or connection, or the rules
            forbid the call.
        """
        row, how, invocation = asked.row, asked.how, asked.invocation
        caller, name = how.caller, invocation.connection
        await how.waiter.fix_state(self._access.storage)
        # equal as long as the catalog, the connections, the rules and the settings are as they were
        moment = (
            self._catalog.generation,
            0 if self._epoch is None else self._epoch(),
            self._known.generation,
        )
        over = name if isinstance(name, str | None) else (name["type"],)
        wanted = (invocation.connector, invocation.connector_version, invocation.action, over)
        key = (caller.audience, caller.scope, caller.remote, row is None, *wanted)
        if row is not None:
            row.sees = partial(self._sees, caller)
        served = self._served.get(key)
        if (
            served is not None
            and served.moment == moment
            and served.rules is caller.rules
            and caller.ended is None
        ):
            how.meta.connector_version = served.plan.manifest.version
            if not isinstance(name, str | None):
                served = self._over_inline(served, name, asked)
        else:
            plan, terms = await self._find_plan(asked)
            plan.found_at(moment)
            if row is not None:
                row.fingerprints()
                terms = self._terms_in_workspace(plan, caller, terms.asks)
            served = Served(plan, moment, caller.rules, terms)
            if caller.ended is None and not plan.is_unconnected and plan.loan is None:
                is_inline = not isinstance(name, str | None)  # whose values are not kept
                self._served.put(
                    key,
                    served.over(self._of(plan.manifest, plan.action, None))
                    if is_inline
                    else served,
                )
        plan = served.plan
        if invocation.trace:
            require_trace(caller, None if row is None else row.rule)
        call.plan = plan
        if how.claimed is not None and plan.target is not None:
            how.claimed.require_own(plan.target.name, plan.target.id)
        if row is not None:
            row.describe(
                plan.manifest,
                plan.action,
                None if plan.target is None else plan.target.name,
                keeps=served.terms.keeps,
                keeps_unclear=served.terms.keeps_unclear,
            )
        return served

    def _over_inline(self, served: Served, given: Mapping[str, Any], asked: Asked) -> Served:
        """Return a plan for a call over inline values that reuses the parts of earlier calls over
        such a connection.

        :raises InvalidConnection: if the values break their schema.
        """
        manifest, action = served.plan.manifest, served.plan.action
        if asked.row is not None:
            asked.row.found(manifest, action)
        return served.over(
            self._of(
                manifest,
                action,
                inline_target(given, manifest, self._known, self.targets, asked.how.caller.origin),
            )
        )

    def _terms_in_workspace(self, plan: Plan, caller: Caller, asks: str | None) -> Terms:
        """Return the terms of a call that the journal records.

        :raises NotAllowed: if the workspace's guard has paused the connection.
        """
        settings = self._access.settings
        guarded = bool(settings.guards) and is_guarded(
            settings, None if plan.target is None else plan.target.name, plan.action
        )
        joins = caller.is_apart or (settings.twins or self._access.twins) == "join"
        own = () if caller.rules is None else caller.rules.quotas
        over = () if plan.target is None else plan.target.quotas
        quotas = (
            {"workspace": settings.quotas, "token": own, "connection": over}
            if settings.quotas or own or over
            else {}
        )
        return Terms(
            settings.keep_inputs,
            guarded,
            joins,
            settings.limits,
            asks,
            self._access.settle,
            quotas,
            keeps_unclear=settings.keep_doubts,
        )

    async def found_anew(self, asked: Asked, call: Reached) -> Plan:
        """Find the plan of a call as ``find`` does, and cache nothing, since the call is only
        judged.
        """
        plan, _ = await self._find_plan(asked)
        call.plan = plan
        return plan

    async def _find_plan(self, asked: Asked) -> tuple[Plan, Terms]:
        """Find the plan of a call, and the terms of the caller's rules for it."""
        how, invocation, known = asked.how, asked.invocation, self._known
        caller, waiter = how.caller, how.waiter
        if not self._access.storage.answers_locally:
            await waiter.ask(lambda: self._access.settings)
            if "." in invocation.connector:
                await waiter.ask(lambda: self._catalog.prepare(invocation.connector))
        authorizer = self._access.authorizer(caller)
        if self._access.is_gone:  # purged while this process had it open
            asked.row = None
        row = asked.row
        note = row.rule if row is not None else None
        asked.unfound = lambda: stored_secrets(invocation, known, self._catalog)
        catalog = self._catalog.for_audience(caller.audience)
        manifest, action = find_called(invocation, catalog, authorizer, how.meta, note)
        asked.unfound = None
        if row is not None:
            row.found(manifest, action)
        require_call(invocation, manifest, action, authorizer, note)
        if action.borrows and isinstance(invocation.connection, str):
            from jackfield.call.borrowed import find_over

            loan = await find_over(
                asked, manifest, action, known, catalog, authorizer, self.targets, self.lenders
            )
            if loan is not None:
                return Plan(
                    manifest, action, loan.target, self.targets.schemas, self.opener, loan
                ), Terms(asks=loan.asks)
        find = partial(
            find_target, invocation, manifest, known, self.targets, caller.origin, authorizer, note
        )
        target = (
            await waiter.call(find, inline_ok=known.answers_locally)
            if known.needs_store(invocation.connection)
            else find()
        )
        over: object = None if target is None else target.name or {}
        if action.allowed_with:
            require_others(manifest, action, over, authorizer, note)
        asks = asked_for(manifest, action, over, authorizer) if authorizer.may_ask else None
        return self._of(manifest, action, target), NO_TERMS if asks is None else Terms(asks=asks)

    def over(self, invocation: Invocation, manifest: Manifest, caller: Caller) -> Plan:
        """Return the plan of an invocation that will be made later; its connector and action are
        found and allowed.

        :raises JackfieldError: if there is no such connection, or it cannot serve the action.
        """
        action, authorizer = manifest.actions[invocation.action], self._access.authorizer(caller)
        target = find_target(
            invocation, manifest, self._known, self.targets, caller.origin, authorizer, None
        )
        return self._of(manifest, action, target)

    def _sees(self, caller: Caller, entry: Entry) -> bool:
        return sees_entry(self._access.authorizer(caller), self._catalog, entry)

    def _of(self, manifest: Manifest, action: ActionManifest, target: CallTarget | None) -> Plan:
        """Return the plan of an action over a connection. A plan over inline values serves only one
        call.

        :raises InvalidConnection: if the connection's type cannot serve the action.
        """
        if target is not None and target.kind.serves is not None:
            check_serves(manifest, target.kind, action.key)
        key = (
            manifest.key,
            manifest.version,
            action.key,
            name := None if target is None else target.name,
        )
        found = self._plans.get(key)
        if found is not None and found.manifest is manifest and found.target is target:
            return found
        parts = (
            None
            if target is None or name is not None
            else self._parts.find(manifest, action, target.kind)
        )
        made = Plan(manifest, action, target, self.targets.schemas, self.opener, parts=parts)
        if parts is None:
            self._plans.put(key, made)
        return made
