"""Declaration of a connector: its connection types, its actions and the option sources of its
forms.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from jackfield.connector.actions import (
    Action,
    JobSteps,
    OnDemand,
    OptionSource,
    Preview,
    by_key,
    one_unit,
    united,
)
from jackfield.connector.connection_steps import Step
from jackfield.connector.context import OpenContext
from jackfield.connector.models import (
    ConnectionType,
    DeclarationError,
    Documents,
    Explain,
    Inputs,
    Output,
    check_evidence,
    spelt_out,
)
from jackfield.connector.streamed import returns_files
from jackfield.connector.triggers import Triggers
from jackfield.kernel.dataclass import replace
from jackfield.manifest.manifest import Effect, IdempotentBy, Json, RateLimit, RepeatOk
from jackfield.manifest.pagination import Pagination

if typing.TYPE_CHECKING:
    from jackfield.connector.budget import Budget
    from jackfield.connector.evidence import Evidence, Marker
    from jackfield.connector.success_signs import Shown


Example = Json | tuple[Json, Json] | tuple[str, Json, Json]
"""Example of an action: a title, an invocation and a result; or inputs and output, with an optional
title before them.
"""

F = TypeVar("F", bound=Callable[..., Any])

ConnectionTest = Callable[[Any, OpenContext], Iterable[Step]]
"""Function that maps the open client and the context to the steps that this connector adds to a
connection test.
"""


class _Permissions(Mapping[str, tuple[str, ...]]):
    """Permissions of all actions together, by system. Reading them imports the modules of all
    actions.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        self._actions = actions
        self._united: Mapping[str, tuple[str, ...]] | None = None

    def __getitem__(self, system: str) -> tuple[str, ...]:
        return self._union()[system]

    def __iter__(self) -> Iterator[str]:
        return iter(self._union())

    def __len__(self) -> int:
        return len(self._union())

    def _union(self) -> Mapping[str, tuple[str, ...]]:
        if self._united is None:
            self._united = united(action.permissions for action in self._actions.values())
        return self._united


class Connector(Triggers):
    """One external system, as declared by its author. ``explain`` maps the client's exceptions to
    errors with codes.

    ``modules`` maps the name of a module to the keys of the actions that it declares on this
    connector. Such a module is imported when one of its actions is called or described.
    ``trigger_modules`` does the same for triggers.

    ``hosts`` are the public hosts that the connector connects to, in addition to hosts in a
    connection's values: ``api.acme.example``, or ``*.acme.example``. An isolated connector reaches
    no other hosts.
    """

    def __init__(
        self,
        key: str,
        *,
        title: str,
        version: str,
        description: str = "",
        connections: Sequence[type[ConnectionType]] = (),
        explain: Explain | None = None,
        icon: str | None = None,
        categories: Sequence[str] = (),
        documentation_url: str | None = None,
        license: str | None = None,
        hosts: Sequence[str] = (),
        aliases: Mapping[str, Any] | None = None,
        modules: Mapping[str, Sequence[str]] | None = None,
        trigger_modules: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(trigger_modules or {})
        self.key = key
        self.title = title
        self.version = version
        self.description = description
        self.connections = {kind.key: kind for kind in connections}
        if len(self.connections) < len(connections):
            raise DeclarationError(
                f"connector '{key}' lists two connection types with the same key"
            )
        self.explain = explain
        self.about: dict[str, Any] = {
            "icon": icon,
            "categories": list(categories),
            "documentationUrl": documentation_url,
            "license": license,
            "hosts": list(hosts),
        }
        self.aliases = dict(aliases or {})
        self._on_demand = by_key("action", modules or {})
        self._declared: dict[str, Action] = {}
        self.actions: Mapping[str, Action] = OnDemand("action", self._on_demand, self._declared)
        self.option_sources: dict[str, OptionSource] = {}
        self.tests: list[ConnectionTest] = []
        self.test_permissions: dict[str, tuple[str, ...]] = {}
        self.documents: list[Documents] = []

    def _example(self, key: str, title: str | None, one: Example) -> Json:
        if not isinstance(one, tuple):
            return one
        from jackfield.manifest.parts import example

        own, inputs, output = one if len(one) == 3 else (title or spelt_out(key), *one)
        return example(self.key, self.version, key, own, inputs, output)

    def __repr__(self) -> str:
        return f"Connector({self.key!r}, {self.version!r})"

    def action(
        self,
        key: str,
        *,
        effect: Effect = "write",
        title: str | None = None,
        permissions: Mapping[str, Sequence[str]] | None = None,
        pagination: Pagination | None = None,
        rate_limit: RateLimit | None = None,
        examples: Sequence[Example] = (),
        idempotent_by: IdempotentBy | None = None,
        key_kept: float | None = None,
        sign: Shown | None = None,
        repeat_ok: Sequence[RepeatOk] = (),
        schema: Mapping[str, Any] | None = None,
        budget: Budget | None = None,
        cost: Callable[[Any], float] = one_unit,
        preview: Callable[[Any], Output] | None = None,
        needs_connection: bool = True,
        effect_of: Callable[[Any], Effect] | None = None,
        pace_by: Sequence[str] = (),
        hands_out_credentials: bool = False,
        allowed_with: Sequence[str] = (),
        borrows_connections: bool = False,
        keywords: Sequence[str] = (),
        kind: Literal["call", "job"] = "call",
        marker: Marker | None = None,
        evidence: Sequence[Evidence] = (),
        no_evidence: str | None = None,
        request: Callable[[Any], Mapping[str, Any] | None] | None = None,
    ) -> Callable[[F], F]:
        """Declare the decorated function as an action. The function itself is returned unchanged.

        Its first parameter gets the inputs, the second (if any) the open client; it returns an
        Output. ``schema`` adds JSON Schema keywords to the inputs as a whole (``anyOf`` over
        required members). An example is a title, an invocation and a result; or a pair of inputs
        and output, with an optional title before them.

        ``budget`` paces the calls by the provider's own limits, in place of ``rate_limit``;
        ``cost`` gets the inputs and returns how much a call counts, such as its recipients.

        ``pace_by`` lists the inputs (their names in JSON) that name the throttled object: a bucket,
        a table, a URL. A throttle then slows only the calls with the same values; without
        ``pace_by``, all calls of the action over the connection. A ``rate_limit`` applies to all
        calls.

        Two parameters refine the effect ``idempotent``:

        - ``idempotent_by="key"``: the provider recognises a repeated request by
          ``Call.idempotency_key``. An attempt that did not read that key counts as a ``write``.
          ``key_kept`` is the number of seconds for which the provider remembers a key, by its own
          documentation; without it, 600. A request of unknown outcome is not sent again later.
        - ``repeat_ok``: when an earlier attempt may have succeeded, these error codes of a retry
          (``not_found``, ``conflict``) mean that it did. The output then consists of the model's
          defaults.

        ``sign`` is the part of the output that only the provider sends. It is a JSON Pointer to a
        member that is not empty, or values by pointers, such as ``{"/status": "OK"}``. A change
        whose output lacks it has an unknown outcome: a gateway may have answered.

        ``effect_of`` gets the inputs and returns the effect of this call, for an action that is a
        ``write`` only with some inputs. Rules and the journal still treat the action as a
        ``write``. ``preview`` computes the output of a dry run: a function of the inputs alone that
        returns an Output and sends nothing. The runtime calls it if the boolean input ``preview``
        is true, and refuses that input without ``dryRun``.

        ``hands_out_credentials=True`` declares that the whole output is a credential: rules treat
        the action as a ``write``, and only its caller sees the output. ``Field(secret=True)`` hides
        single members. ``allowed_with`` lists other actions that the rules must also allow to the
        caller, over the same connection. It is for outputs that let their holder do the same, such
        as a signed URL.

        ``borrows_connections=True`` lets rules allow calls over connections of other connectors
        (docs/reference/any-path.md), judged by the inputs ``method`` and ``url``.

        ``keywords`` are phrases by which people search for the action and that its texts lack, such
        as "charge a card".

        ``kind="job"`` declares a class with the methods ``start``, ``poll`` and ``cancel``
        (``jackfield.connector.jobs``) as an action that outlasts its call. The effect is that of
        ``start``. ``needs_connection=False`` declares an action that has no client and sends no
        requests: invocations may omit ``connection``.

        ``marker`` is the place of each attempt's marker in a ``write``; ``evidence`` lists the
        reads that find it after a lost answer (``jackfield.connector.evidence``). ``no_evidence``
        is the reason why there is none.

        ``request`` describes the request of a call, for ``meta.request`` of a dry run. It gets the
        inputs, secrets masked, and returns the members of that object, or None.

        :raises DeclarationError: for a duplicate key, an unknown effect, a parameter that does not
            fit the effect, or a wrong signature.
        """

        def declare(function: F) -> F:
            if key in self._declared:
                raise DeclarationError(f"action '{key}' is declared twice")
            listed = self._on_demand.get(key)
            if listed != function.__module__ and (
                listed is not None or function.__module__ in self._on_demand.values()
            ):
                raise DeclarationError(
                    f"action '{key}': 'modules' of the connector does not list it under "
                    f"'{function.__module__}'"
                )
            if effect not in typing.get_args(Effect):
                raise DeclarationError(
                    f"action '{key}': effect must be one of {', '.join(typing.get_args(Effect))}"
                )
            started: Callable[..., Any] = function
            steps, handle = None, None
            if kind == "job":
                from jackfield.connector.jobs import check_job, declared_steps, start_of, steps_of

                ours = {
                    "pagination": pagination,
                    "repeat_ok": repeat_ok,
                    "hands_out_credentials": hands_out_credentials,
                }
                check_job(key, **ours, marker=marker, evidence=evidence)
                steps = function()
                inputs, handle, output, takes_client = declared_steps(steps, key)
                started = start_of(steps, handle)
            else:
                inputs, output, takes_client = _signature(function, key)
            _check_repeats(key, effect, output, idempotent_by, key_kept, repeat_ok)
            _check_sign(key, sign, effect, kind)
            if effect_of is not None and effect != "write":
                raise DeclarationError(
                    f"action '{key}': 'effect_of' needs the effect write, the most cautious one"
                )
            if (
                unknown := next(
                    iter(
                        set(pace_by)
                        - {one.alias or name for name, one in inputs.model_fields.items()}
                    ),
                    None,
                )
            ) is not None:
                raise DeclarationError(
                    f"action '{key}': pace_by names '{unknown}', which is no input"
                )
            check_evidence(key, marker, evidence, no_evidence, effect, idempotent_by)
            _check_connection(
                key,
                inputs,
                takes_client=takes_client,
                needs=needs_connection,
                borrows=borrows_connections,
            )
            action = Action(
                key=key,
                title=title or spelt_out(key),
                description=inspect.getdoc(function) or "",
                effect=effect,
                function=started,
                inputs=inputs,
                output=output,
                takes_client=takes_client,
                is_async=inspect.iscoroutinefunction(started),
                permissions={system: tuple(names) for system, names in (permissions or {}).items()},
                pagination=pagination,
                rate_limit=rate_limit,
                examples=tuple(self._example(key, title, one) for one in examples),
                idempotent_by=idempotent_by,
                key_kept=key_kept,
                sign=sign,
                repeat_ok=tuple(repeat_ok),
                schema=dict(schema or {}),
                budget=budget,
                cost=cost,
                preview=None if preview is None else _preview(preview, inputs, key),
                needs_connection=needs_connection,
                effect_of=effect_of,
                pace_by=tuple(pace_by),
                returns_files=returns_files(output),
                hands_out=hands_out_credentials,
                borrows=borrows_connections,
                allowed_with=tuple(allowed_with),
                keywords=tuple(keywords),
                marker=marker,
                evidence=tuple(evidence),
                no_evidence=no_evidence,
                request=request,
            )
            if handle is not None:  # of a job
                late = getattr(steps, "cancels_late", False) is True
                action = replace(
                    action,
                    job=JobSteps(*steps_of(action, steps, handle, output), cancels_late=late),
                )
            self._declared[key] = action
            return function

        return declare

    def options(
        self, key: str, *, title: str | None = None, depends_on: Sequence[str] = ()
    ) -> Callable[[F], F]:
        """Declare the decorated function as an option source. It returns a sequence of `Option`,
        and gets the open client if it needs one.

        A parameter ``inputs`` gets the form's current values; ``depends_on`` names the inputs that
        change the choices.
        """

        def declare(function: F) -> F:
            taken = inspect.signature(function).parameters.keys()
            about = (title or spelt_out(key), inspect.getdoc(function) or "")
            self.option_sources[key] = OptionSource(
                key,
                *about,
                function,
                bool(taken - {"inputs"}),
                "inputs" in taken,
                tuple(depends_on),
            )
            return function

        return declare

    @typing.overload
    def test(self, function: ConnectionTest) -> ConnectionTest: ...

    @typing.overload
    def test(
        self, *, permissions: Mapping[str, Sequence[str]]
    ) -> Callable[[ConnectionTest], ConnectionTest]: ...

    def test(
        self,
        function: ConnectionTest | None = None,
        *,
        permissions: Mapping[str, Sequence[str]] | None = None,
    ) -> ConnectionTest | Callable[[ConnectionTest], ConnectionTest]:
        """Declare the decorated function as part of the connection test.

        It gets the open client and the context, yields Steps, and must not change anything.
        ``permissions`` are the permissions that it needs, by system; the policies made for a
        connection allow them too.
        """

        def declare(function: ConnectionTest) -> ConnectionTest:
            self.tests.append(function)
            for system, names in (permissions or {}).items():
                self.test_permissions[system] = (*self.test_permissions.get(system, ()), *names)
            return function

        return declare if function is None else declare(function)

    def policy_documents(self, function: Documents) -> Documents:
        """Declare the decorated function as a source of documents for the policies of a connection.

        It gets the documents made so far by name, and the connection's values; it returns documents
        to add or replace.
        """
        self.documents.append(function)
        return function

    @property
    def on_demand(self) -> Collection[str]:
        """Keys of the actions whose modules are imported on demand."""
        return self._on_demand.keys()

    def describe(self, actions: Collection[str] | None = None) -> dict[str, Any]:
        """Return the connector's manifest, with all its actions or only some."""
        from jackfield.connector.manifests import describe

        return describe(self, actions)

    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Return the permissions of all actions together, by system. They are computed on first
        access.
        """
        return _Permissions(self.actions)


def _check_connection(
    key: str, inputs: type[Inputs], *, takes_client: bool, needs: bool, borrows: bool
) -> None:
    if takes_client and not needs:
        raise DeclarationError(f"action '{key}' takes a client, so it needs a connection")
    if borrows and not {"method", "url"} <= inputs.model_fields.keys():
        raise DeclarationError(
            f"action '{key}' borrows connections, so its inputs need 'method' and 'url'"
        )


def _check_repeats(
    key: str,
    effect: Effect,
    output: type[Output],
    by: IdempotentBy | None,
    kept: float | None,
    repeat_ok: Sequence[RepeatOk],
) -> None:
    if (by is not None or repeat_ok) and effect != "idempotent":
        raise DeclarationError(
            f"action '{key}': idempotent_by and repeat_ok need the effect idempotent, not {effect}"
        )
    if by not in (None, *typing.get_args(IdempotentBy)):
        raise DeclarationError(
            f"action '{key}': idempotent_by must be {' or '.join(typing.get_args(IdempotentBy))}"
        )
    if kept is not None and (by != "key" or not 0 < kept < math.inf):
        raise DeclarationError(
            f"action '{key}': key_kept is a number of seconds, and needs idempotent_by=\"key\""
        )
    unknown = sorted({*repeat_ok} - {*typing.get_args(RepeatOk)})
    if unknown:
        raise DeclarationError(
            f"action '{key}': repeat_ok must be of {', '.join(typing.get_args(RepeatOk))}, not "
            f"'{unknown[0]}'"
        )
    needed = (
        [name for name, field in output.model_fields.items() if field.is_required()]
        if repeat_ok
        else []
    )
    if needed:
        raise DeclarationError(
            f"action '{key}': repeat_ok needs a default for each output field, and '{needed[0]}' "
            "has none"
        )


def _check_sign(key: str, sign: Shown | None, effect: Effect, kind: str) -> None:
    if sign is None:
        return
    if effect == "read" or kind == "job":
        raise DeclarationError(
            f"action '{key}': a sign is for a change that ends with its call; a job has its handle"
        )
    pointers = [sign] if isinstance(sign, str) else [*sign]
    if not pointers or not all(one.startswith("/") for one in pointers):
        raise DeclarationError(
            f"action '{key}': sign is a JSON Pointer, such as '/id', or values by such pointers"
        )


def _preview(function: Callable[[Any], Output], inputs: type[Inputs], key: str) -> Preview:
    taken, output, takes_client = _signature(
        function, f"{key}' and its preview '{getattr(function, '__name__', '')}"
    )
    flag = inputs.model_fields.get("preview")
    if taken is not inputs or takes_client:
        raise DeclarationError(
            f"action '{key}': its preview must take the action's inputs, and nothing else"
        )
    if flag is None or flag.annotation is not bool or flag.default is not False:
        raise DeclarationError(
            f"action '{key}': a preview needs the input 'preview', a boolean that is false by "
            "default"
        )
    return Preview(function, output)


def _signature(function: Callable[..., Any], key: str) -> tuple[type[Inputs], type[Output], bool]:
    parameters = list(inspect.signature(function).parameters.values())
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        raise DeclarationError(
            f"action '{key}': the annotation '{error.name}' is not defined in its module"
        ) from None
    if not 1 <= len(parameters) <= 2:
        raise DeclarationError(
            f"action '{key}' must take its inputs, and the client if it needs one"
        )
    inputs, output = hints.get(parameters[0].name), hints.get("return")
    if not (isinstance(inputs, type) and issubclass(inputs, Inputs)):
        raise DeclarationError(
            f"action '{key}': the first parameter must be annotated with an Inputs model"
        )
    if not (isinstance(output, type) and issubclass(output, Output)):
        raise DeclarationError(
            f"action '{key}': the return value must be annotated with an Output model"
        )
    return inputs, output, len(parameters) == 2
