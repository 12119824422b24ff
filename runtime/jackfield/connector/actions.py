"""Declared actions and option sources: the data built from an author's declarations, in part on
demand.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector.models import DeclarationError, Inputs, Output
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.pointers import pointer
from jackfield.kernel.secrecy import Hidden
from jackfield.manifest.manifest import Effect, IdempotentBy, RateLimit, RepeatOk
from jackfield.manifest.pagination import Pagination

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from jackfield.connector.budget import Budget
    from jackfield.connector.evidence import Evidence, Marker
    from jackfield.connector.success_signs import Shown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """Choice of a form field."""

    value: str
    label: str

    def to_json(self) -> dict[str, str]:
        """Return the choice as JSON."""
        return {"value": self.value, "label": self.label}


@dataclass(frozen=True, slots=True)
class OptionSource:
    """Source of a form field's choices.

    ``takes_client`` is True if the function queries the provider, ``takes_inputs`` if it has a
    parameter ``inputs`` for the form's current values; ``depends_on`` names the inputs that change
    the choices. ``action`` is the action that it calls, by which rules decide.
    """

    key: str
    title: str
    description: str
    function: Callable[..., Iterable[Option]]
    takes_client: bool
    takes_inputs: bool = False
    depends_on: tuple[str, ...] = ()
    action: str | None = None

    def choices(self, client: Any = None, inputs: Mapping[str, Any] | None = None) -> list[Option]:
        """Return the choices. Exceptions of the function pass through.

        :raises InvalidInput: if it reads an input of ``depends_on`` that is not given.
        """
        given = Hidden({"inputs": _FormInputs(self, inputs or {})} if self.takes_inputs else {})
        del inputs
        return [*self.function(*([client] if self.takes_client else []), **given.value)]


class _FormInputs(dict[str, Any]):
    """Inputs of an option source. Reading a missing input of ``depends_on`` raises ``InvalidInput``
    with its name.
    """

    def __init__(self, source: OptionSource, inputs: Mapping[str, Any]) -> None:
        super().__init__(inputs)
        self._source = source

    def __missing__(self, name: str) -> Any:
        if name not in self._source.depends_on:
            raise KeyError(name)
        detail = Detail(pointer(name), f"'{name}' is missing: the choices depend on it", "required")
        raise InvalidInput(
            f"the option source '{self._source.key}' needs '{name}'",
            details=[detail],
            hint=f"Give '{name}'.",
        )


def one_unit(_inputs: Any) -> float:
    """Return the cost of a call whose action declares no cost."""
    return 1.0


@dataclass(frozen=True, slots=True)
class Preview:
    """Function that computes the output of a dry run from the inputs alone, and the model of that
    output.
    """

    function: Callable[[Any], Output]
    output: type[Output]


@dataclass(frozen=True, slots=True)
class JobSteps:
    """Steps of a job after its start, as actions whose inputs are the handle (as JSON). ``cancel``
    is None if the job has no such step.

    ``poll`` returns a ``jackfield.connector.jobs.PolledJob``; only ``JobFailed`` among its
    exceptions ends the job. With ``cancels_late``, a job past its deadline is cancelled: no call
    would continue its work, and its remains would stay.
    """

    poll: Action
    cancel: Action | None = None
    cancels_late: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """Idempotency key of a call's intent. ``of`` returns the key for the inputs, as JSON, and the
    values that must be equal when the key is. It also returns a function that returns these values
    as earlier versions recorded them; None: they are the same. The key replaces the caller's own.
    If ``of`` is None, the caller's is used. The key is held ``kept_for`` seconds after the call's
    end. The call times out after ``seconds``, or the caller's shorter timeout. A late answer
    counts. ``function`` names the function that is called.
    """

    of: Callable[[Mapping[str, Any]], tuple[str, Any, Callable[[], Any] | None]] | None
    kept_for: float
    seconds: float
    function: str


@dataclass(frozen=True, slots=True)
class Action:
    """Declared action: its function, its models, and the properties that the runtime needs."""

    key: str
    title: str
    description: str
    effect: Effect
    function: Callable[..., Any]
    inputs: type[Inputs]
    output: type[Output]
    takes_client: bool
    is_async: bool
    permissions: Mapping[str, tuple[str, ...]]
    pagination: Pagination | None = None
    rate_limit: RateLimit | None = None
    examples: tuple[Mapping[str, Any], ...] = ()
    idempotent_by: IdempotentBy | None = None
    key_kept: float | None = None
    sign: Shown | None = None
    """Part of the output by which the runtime knows a success (``Connector.action``); None if
    there is none, or the action's own function checks it.
    """
    repeat_ok: tuple[RepeatOk, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget | None = None
    cost: Callable[[Any], float] = one_unit
    preview: Preview | None = None
    needs_connection: bool = True
    verify: Callable[[Any, str], object] | None = None
    """Function that judges the inputs for a dry run where the action runs; None if the models and
    rules of this process have judged them.
    """
    effect_of: Callable[[Any], Effect] | None = None
    """Function that returns the effect of a call by its inputs; None if it is always ``effect``."""
    pace_by: tuple[str, ...] = ()
    """Inputs that name the throttled object, such as a bucket. Each combination of their values has
    its own rate limit.
    """
    executor: Executor | None = None
    """Threads in which an event loop calls the action; None for the shared threads of actions."""
    returns_files: bool = False
    hands_out: bool = False
    """True if the output hands out credentials."""
    borrows: bool = False
    """True if a rule can allow calls over connections of other connectors, whose actions are bound
    to HTTP requests.
    """
    allowed_with: tuple[str, ...] = ()
    """Other actions that a caller of this action must be allowed to call."""
    keywords: tuple[str, ...] = ()
    """Search words for the action, in addition to the words of its key, title and description."""
    job: JobSteps | None = None
    """Steps of a job, which ``function`` starts; None for an action that ends with its call."""
    marker: Marker | None = None
    """Place of the marker by which evidence recognizes an attempt; None if attempts carry no
    marker.
    """
    evidence: tuple[Evidence, ...] = ()
    """Reads that find the outcome of an attempt in doubt."""
    no_evidence: str | None = None
    """Author's reason for the lack of evidence; None if there is no reason."""
    intent: Intent | None = None
    """Intent that a program's function declares for its calls; None for other actions."""
    takes_streams: bool = True
    """False if stored files must be passed by value, because the action runs in another process."""
    request: Callable[[Any], Mapping[str, Any] | None] | None = None
    """Function that describes a call's request for a dry run, without sign-in and without sending
    anything; None for an action whose function builds its requests.
    """


def united(needed: Iterable[Mapping[str, Iterable[str]]]) -> Mapping[str, tuple[str, ...]]:
    """Return all permissions that several actions need, by system."""
    union: dict[str, set[str]] = {}
    for permissions in needed:
        for system, names in permissions.items():
            union.setdefault(system, set()).update(names)
    return {system: tuple(sorted(names)) for system, names in union.items()}


class OnDemand(Mapping[str, T]):
    """Actions or triggers of a connector (``noun``) by key, which separate modules declare. Each
    module is imported when its action or trigger is called or described.
    """

    def __init__(self, noun: str, on_demand: Mapping[str, str], declared: Mapping[str, T]) -> None:
        self._noun = noun
        self._on_demand = on_demand
        self._declared = declared

    def __getitem__(self, key: str) -> T:
        if key not in self._declared and key in self._on_demand:
            importlib.import_module(self._on_demand[key])
            if key not in self._declared:
                raise DeclarationError(
                    f"the module '{self._on_demand[key]}' declares no {self._noun} '{key}'"
                )
        return self._declared[key]

    def __contains__(self, key: object) -> bool:
        return key in self._declared or key in self._on_demand

    def __iter__(self) -> Iterator[str]:
        return iter({**self._on_demand, **self._declared})

    def __len__(self) -> int:
        return len({**self._on_demand, **self._declared})


def by_key(noun: str, modules: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the module of each key.

    :raises DeclarationError: for a key that is listed twice.
    """
    found: dict[str, str] = {}
    for module, keys in modules.items():
        for key in keys:
            if key in found:
                raise DeclarationError(f"{noun} '{key}' is listed twice in 'modules'")
            found[key] = module
    return found
