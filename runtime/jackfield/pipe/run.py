"""One call on its way through the pipe: what is known of it so far, wherever it ends."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.invocation import Invocation, Meta, Result, new_invocation_id
from jackfield.invocation.file_references import GivenFiles
from jackfield.kernel.clock import arrived as _arrived
from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import attempt
from jackfield.pipe.masking import covering
from jackfield.pipe.points import NO_POINTS
from jackfield.redaction.marks import hidden_values, leaves
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.callers import Caller
    from jackfield.connector import Call
    from jackfield.connector.context import AskCaller
    from jackfield.connector.reading import FileSource
    from jackfield.invocation.claimed import Claimed
    from jackfield.kernel.clock import Deadline
    from jackfield.kernel.errors import JackfieldError
    from jackfield.kernel.walk import SecretPlaces
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.pacing.turn import Turn
    from jackfield.pipe.admit import Target
    from jackfield.pipe.evidence import Evidence
    from jackfield.pipe.handing import Channel
    from jackfield.pipe.open import OpenConnection
    from jackfield.pipe.record import Record
    from jackfield.pipe.waiter import Waiter

Follow = Callable[[Mapping[str, Any]], object]
"""Takes a call's progress. Of a job that is ``fraction``, from 0 to 1, and ``text``; of a list ``step``, the pages read, and ``text``; of a
wait ``text``. Where no fraction is known, it is 0."""
_BETWEEN = 0.1
"""Seconds between two reports of an action's own progress, at least."""
_TOLD = 1.0
"""Seconds of a wait from which on a caller who follows the call is told of it."""


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

    - ``wait``: if a call with the same idempotency key runs, wait for it up to the deadline (True) or for that many seconds.
    - ``claimed``: the delivery of a queued call.
    - ``handled``: what the caller was handling when he called, the context of all that is raised since.
    - ``holds_objects``: the caller has passed objects of Python, perhaps files.
    - ``inputs``: those of the invocation, with stored files once these have been read.
    - ``tries``: the caller's limit of attempts of a page.
    - ``follow``: is told the progress of the call while the caller waits.
    - ``given``: files that the caller passed as objects of Python, by the ids that stand for them in ``inputs``.
    - ``sources``: files that the action reads as streams, by id.
    - ``settles``: the outcome is committed before the caller gets it, unless other calls run; until a process of ours ends, it may wait.
    - ``recorded``: the Result for the journal, where that differs from what the caller is shown.
    - ``arrived``: when its request arrived, by the runtime's monotonic clock; its deadline begins then. None: when it is run.
    - ``channel``: takes the events that the action hands on, if the caller asked for them.
    - ``ask_caller``: gets from the caller what a provider asks a person; None if the caller cannot be asked.
    - ``returned``: the ids of the files that it has stored of its output.
    - ``conceals``: a policy may withhold what the provider answered: no error quotes it, and its exchanges are kept without it.
    - ``undecided``: an output that no policy has decided on, for the journal, with what goes with it; None if there is none.
    - ``parts``: the parts of gates in the call, once its plan is found, and at which ``points`` they act.
    - ``chosen``: gates of calls with the same plan and terms, by the shape of the call.
    - ``terms``: what the workspace and the caller's rules say of the call, once its plan is found.
    - ``unfound``: returns the redactor of the named connection's secrets; set until connector and action are found.
    """

    __slots__ = (
        "arrived", "ask_caller", "attempts", "caller", "cancelled", "channel", "chosen", "claimed", "conceals", "deadline", "follow",
        "given", "handled", "holds_objects", "inputs", "invocation", "meta", "parts", "plan", "points",
        "record", "recorded", "returned", "settles", "sources", "started", "terms", "tries", "undecided", "unfound", "wait", "waiter",
    )  # fmt: skip
    invocation: Invocation
    deadline: Deadline
    parts: Sequence[Any]

    def __init__(
        self,
        waiter: Waiter,
        cancelled: threading.Event | None,
        caller: Caller,
        *,
        wait: bool | float,
        claimed: Claimed | None = None,
        follow: Follow | None = None,
        arrived: float | None = None,
        settles: bool = False,
    ) -> None:
        self.arrived = _arrived() if arrived is None and claimed is None else arrived
        self.waiter, self.caller, self.wait, self.claimed, self.follow = waiter, caller, wait, claimed, follow
        self.settles = settles
        self.tries: int | None = None
        self.ask_caller: AskCaller | None = None
        self.channel: Channel | None = None
        self.meta = Meta(claimed.id if claimed is not None else new_invocation_id())
        self.handled = sys.exception()
        self.cancelled = cancelled or threading.Event()
        self.started = time.perf_counter()
        self.plan: Planned | None = None
        self.record: Record | None = None
        self.attempts: Attempting | None = None
        self.recorded: Result | None = None
        self.holds_objects = self.conceals = False
        self.terms = NO_TERMS
        self.points, self.parts = NO_POINTS, ()
        self.chosen: dict[int, Any] = {}
        self.inputs: Mapping[str, Any] = {}
        self.given = GivenFiles()
        self.sources: Mapping[str, FileSource] = {}
        self.returned: tuple[str, ...] = ()
        self.undecided: Mapping[str, Any] | None = None
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

    def tell(self, text: str, **more: int) -> None:
        """Tell a caller who follows the call how far it is."""
        if self.follow is not None:
            self.follow({"fraction": 0.0, "text": text, **more})

    @property
    def progress(self) -> Callable[[float | None, str], None] | None:
        """Follower of an action's own words about how far it is; None if nobody follows the call, or a policy may withhold them."""
        return None if self.follow is None or self.conceals else _Progress(self, self.follow)

    async def pause(self, seconds: float, code: str) -> None:
        """Wait before the call tries again after an error with this code."""
        if seconds >= _TOLD:
            self.tell(f"It waits {seconds:.0f} s before it tries again ({code}).")
        await self.waiter.pause(seconds, self.cancelled)

    def ended(self) -> Meta:
        """Complete and return the meta of a run that ends now."""
        if self.attempts is not None:
            self.meta.attempts = self.attempts.count
        self.meta.duration_ms = round((time.perf_counter() - self.started) * 1000, 3)
        return self.meta


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
