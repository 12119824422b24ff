"""One call on its way through the pipe: what is known of it so far, wherever it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.invocation import Invocation, Meta, Result
from jackfield.invocation.file_references import GivenFiles
from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import attempt
from jackfield.pipe.masking import covering
from jackfield.pipe.points import NO_POINTS
from jackfield.redaction.marks import hidden_values, leaves
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.connector import Call
    from jackfield.connector.reading import FileSource
    from jackfield.kernel.errors import JackfieldError
    from jackfield.kernel.walk import SecretPlaces
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.pacing.turn import Turn
    from jackfield.pipe.admit import Target
    from jackfield.pipe.evidence import Evidence
    from jackfield.pipe.how import Follow, How
    from jackfield.pipe.open import OpenConnection
    from jackfield.pipe.record import Record

_BETWEEN = 0.1
"""Seconds between two reports of an action's own progress, at least."""


@dataclass(frozen=True, slots=True, repr=False)
class Terms:
    """Terms of one call. Calls with the same plan and caller share them while catalog, connections, rules and settings are as they were."""

    keeps: bool = False
    """True if the workspace keeps the inputs of its invocations."""
    is_guarded: bool = False
    """True if suppressed recipients are refused."""
    joins: bool = False
    """True if an equal write of the same caller that is open answers it, unless it has a key."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of the workspace."""
    asks: str | None = None
    """Rule that lets the call wait for a person's approval; None if there is none."""
    settle: str = "off"
    """What becomes of evidence about a doubt of the workspace: ``off``, ``show`` or ``on``."""


NO_TERMS = Terms()
"""Terms of a call whose plan was not found yet, and of one in a workspace without settings."""


class Planned(Protocol):
    """Plan of a call, as those see it who end the call: the manifest of its action, and its target."""

    manifest: Manifest
    action: ActionManifest
    target: Target | None

    @property
    def secrets(self) -> tuple[bool, SecretPlaces | None]:
        """Return whether the action's output has secrets, and where."""

    def secrets_in(self, inputs: Mapping[str, Any]) -> Redactor | None:
        """Return a redactor of the inputs that the action marks as secret; None if it marks none, or none is given."""


class Attempting(Protocol):
    """Attempts of a call, as those see them who end the call."""

    run: Run
    turn: Turn
    current: Call | None
    opening: OpenConnection | None
    evidence: Evidence

    @property
    def plan(self) -> Planned:
        """Plan of the call."""

    @property
    def count(self) -> int:
        """Number of attempts started at the provider's operation."""

    def ended(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run, with its cause."""

    def final(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the call, also before its first attempt."""

    def interrupted(self) -> JackfieldError:
        """Return the error of a run that its caller or process stops."""

    def unusable(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends a run whose answer cannot be used."""

    def lost_credentials(self, error: JackfieldError) -> bool:
        """Return whether the provider refuses the credentials, and only a person can replace them."""


class Run:
    """One call. Its stages fill it in; whoever ends it, at any stage, reads it.

    - ``how``: how it is made.
    - ``holds_objects``: the caller has passed objects of Python, perhaps files.
    - ``inputs``: those of the invocation, with stored files once these have been read.
    - ``given``: files that the caller passed as objects of Python, by the ids that stand for them in ``inputs``.
    - ``sources``: files that the action reads as streams, by id.
    - ``returned``: the ids of the files that it has stored of its output.
    - ``conceals``: a policy may withhold what the provider answered: no error quotes it, and its exchanges are kept without it.
    - ``parts``: the parts of gates in the call, once its plan is found, and at which ``points`` they act.
    - ``chosen``: gates of calls with the same plan and terms, by the shape of the call.
    - ``terms``: what the workspace and the caller's rules say of the call, once its plan is found.
    - ``unfound``: returns the redactor of the named connection's secrets; set until connector and action are found.
    """

    __slots__ = (
        "attempts", "chosen", "conceals", "given", "holds_objects", "how", "inputs", "invocation", "parts", "plan", "points", "record",
        "returned", "sources", "terms", "unfound",
    )  # fmt: skip
    invocation: Invocation
    parts: Sequence[Any]

    def __init__(self, how: How) -> None:
        self.how = how
        self.plan: Planned | None = None
        self.record: Record | None = None
        self.attempts: Attempting | None = None
        self.holds_objects = self.conceals = False
        self.terms = NO_TERMS
        self.points, self.parts = NO_POINTS, ()
        self.chosen: dict[int, Any] = {}
        self.inputs: Mapping[str, Any] = {}
        self.given = GivenFiles()
        self.sources: Mapping[str, FileSource] = {}
        self.returned: list[str] = []
        self.unfound: Callable[[], Redactor | None] | None = None

    @property
    def inline(self) -> object:
        """Values of an inline connection as received; None without one."""
        connection = self.invocation.connection if hasattr(self, "invocation") else None
        return None if connection is None or isinstance(connection, str) else connection.get("values")

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs; None if there are none.

        The connection's are those of the open one, else of the values known so far. They are needed even for a refusal, which may quote
        another value or an input that contains the secret.
        """
        own, given = self._connection_redactor, self.given_secrets
        return own if given is None else given if own is None else own.joined(given)

    @property
    def given_secrets(self) -> Redactor | None:
        """Redactor of the inputs that the action marks as secret; None if there are none."""
        return None if self.plan is None else self.plan.secrets_in(self.inputs)

    @property
    def _connection_redactor(self) -> Redactor | None:
        if self.attempts is not None and self.attempts.opening is not None:
            return self.attempts.opening.cache.redactor
        if self.unfound is not None:
            known = self.unfound()
            redactor = self._redactor_so_far() or known
            return None if redactor is None else covering(redactor, self.invocation)
        return self._redactor_so_far()

    def _redactor_so_far(self) -> Redactor | None:
        target = None if self.plan is None else self.plan.target
        if target is None and self.inline is None:
            return None
        if target is None:
            return Redactor(leaves(self.inline))
        schema, values = target.kind.schema, target.values
        return Redactor(hidden_values(schema, values))

    def release(self) -> None:
        """Release what refers back to this call once it has ended: cycles would keep its inputs and output until a garbage collection."""
        self.record, attempts, self.parts, self.points = None, self.attempts, (), NO_POINTS
        if attempts is not None:
            del attempts.run, attempts.turn
            attempts.current = None

    @property
    def progress(self) -> Callable[[float | None, str], None] | None:
        """Follower of an action's own words about how far it is; None if nobody follows the call, or a policy may withhold them."""
        return None if self.how.follow is None or self.conceals else _Progress(self, self.how.follow)

    def ended(self) -> Meta:
        """Complete and return the meta of a run that ends now."""
        return self.how.ended(self.how.meta.attempts if self.attempts is None else self.attempts.count)


class _Progress:
    """Words of an action about its progress, for who follows the call: without secrets, never less than before, ten times a second at most.
    A follower that fails changes nothing."""

    __slots__ = ("_follow", "_fraction", "_last", "_run")

    def __init__(self, run: Run, follow: Follow) -> None:
        self._run, self._follow = run, follow
        self._fraction, self._last = 0.0, -_BETWEEN

    def __call__(self, fraction: float | None, text: str) -> None:
        """Tell them."""
        now = monotonic()
        if now - self._last < _BETWEEN and (fraction or 0.0) < 1:
            return
        redactor, self._last = self._run.redactor, now
        self._fraction = max(self._fraction, min(1.0, fraction or 0.0))
        shown = text if redactor is None else redactor.clean(text)
        attempt(self._follow, {"fraction": self._fraction, "text": shown})


class Ended:
    """End of a call: the Result that its caller is shown, and the one that is recorded. ``undecided`` is an output that no policy has
    decided on, for the journal, with what goes with it; None if there is none."""

    __slots__ = ("recorded", "result", "run", "undecided")

    def __init__(
        self, run: Run, result: Result, recorded: Result | None = None, undecided: Mapping[str, Any] | None = None
    ) -> None:  # fmt: skip
        self.run, self.result, self.recorded, self.undecided = run, result, result if recorded is None else recorded, undecided

    def shown(self, result: Result) -> Ended:
        """Return the end of a call whose caller is shown another Result than what was recorded."""
        return Ended(self.run, result, self.recorded, self.undecided)
