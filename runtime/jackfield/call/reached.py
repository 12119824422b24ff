"""Records of a call that its end reads, at whichever stage it ends: the request, the progress, and
the end.

In order: ``How``, which a surface makes; ``Asked``, once the call is parsed;
``call_records.Found``, once its plan is found; ``Checked``, once its inputs are valid; and
``Ended``. ``Reached`` notes the progress. All are plain classes, which are the fastest to make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.call.masking import covering
from jackfield.call.points import NO_POINTS
from jackfield.invocation.file_references import GivenFiles
from jackfield.kernel.dataclass import dataclass, field
from jackfield.redaction.marks import hidden_values, leaves
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.call.admit import CallTarget
    from jackfield.call.how import How
    from jackfield.call.open import OpenConnection
    from jackfield.call.points import Points
    from jackfield.call.record import CallRecord
    from jackfield.call.tally import Tally
    from jackfield.connector import Call
    from jackfield.connector.reading import FileSource
    from jackfield.invocation import Invocation, Meta, Result
    from jackfield.kernel.errors import JackfieldError
    from jackfield.kernel.walk import SecretPlaces
    from jackfield.manifest.manifest import ActionManifest, Manifest
    from jackfield.pacing.turn import Turn


@dataclass(frozen=True, slots=True, repr=False)
class Terms:
    """Terms of one call. Calls with the same plan and caller share them while catalog, connections,
    rules and settings are unchanged.
    """

    keeps: bool = False
    """True if the workspace stores the inputs of its invocations."""
    is_guarded: bool = False
    """True if suppressed recipients are refused."""
    joins: bool = False
    """True if an equal open write of the same caller answers the call, unless the call has a
    key.
    """
    limits: Mapping[str, float] = field(default_factory=dict)
    """Limits of the workspace."""
    asks: str | None = None
    """Sentence that names the rule by which the call waits for a person's approval; None if no rule
    requires an approval.
    """
    settle: str = "off"
    """Use of evidence about a doubt in the workspace: ``off``, ``show`` or ``on``."""
    quotas: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Quotas on effects, by owner: the ``workspace``, the caller's ``token`` and the
    ``connection``.
    """
    keeps_unclear: bool = False
    """True if the workspace stores inputs and request of a call in doubt until it is settled."""


NO_TERMS = Terms()
"""Terms of a call in a workspace without settings."""


class Planned(Protocol):
    """Plan of a call, as the code that ends the call sees it: the manifest of its action, and its
    target.
    """

    manifest: Manifest
    action: ActionManifest
    target: CallTarget | None

    @property
    def secrets(self) -> tuple[bool, SecretPlaces | None]:
        """Return whether the action's output has secrets, and the places of the secrets; None
        instead of places if all of it is secret.
        """

    def secrets_in(self, inputs: Mapping[str, Any]) -> Redactor | None:
        """Return a redactor of the inputs that the action marks as secret; None if the action marks
        no input, or no marked input is given.
        """


class Attempting(Protocol):
    """Attempts of a call, as the code that ends the call sees them.

    - ``conceals``: a policy may withhold the provider's answer: no error quotes the answer, and its
      exchanges are stored without it.
    - ``returned``: the IDs of the output's files that the attempts have stored.
    """

    asked: Asked
    turn: Turn
    current: Call | None
    opening: OpenConnection | None
    tally: Tally
    conceals: bool
    returned: list[str]

    @property
    def plan(self) -> Planned:
        """Plan of the call."""

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs; None if there are no
        secrets.
        """

    @property
    def count(self) -> int:
        """Number of attempts at the provider's operation."""

    def ended(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the run, with its cause."""

    def final(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends the call, also before its first attempt."""

    def interrupted(self) -> JackfieldError:
        """Return the error of a run that its caller or process stops."""

    def unusable(self, error: JackfieldError) -> JackfieldError:
        """Return the error that ends a run whose answer cannot be used."""

    def lost_credentials(self, error: JackfieldError) -> bool:
        """Return whether the provider refuses credentials that only a person can replace."""


class Given:
    """Content of a call, as far as it has been read. It is mutable: its inputs are unfolded and
    filled in.

    - ``body``: the invocation as JSON, as it was received.
    - ``inputs``: the inputs of the invocation, with stored files once these have been read.
    - ``files``: files that the caller passed as Python objects, by their IDs in ``inputs``.
    - ``sources``: files that the action reads as streams, by ID.
    """

    __slots__ = ("body", "files", "inputs", "sources")

    def __init__(self, body: Any, inputs: Mapping[str, Any], files: GivenFiles) -> None:
        self.body, self.inputs, self.files = body, inputs, files
        self.sources: Mapping[str, FileSource] = {}


class Asked:
    """A call as requested.

    - ``row``: the row in the journal, once it is drafted; None without a journal.
    - ``unfound``: returns the redactor of the named connection's secrets; set until connector and
      action are found.
    """

    __slots__ = ("given", "how", "invocation", "row", "unfound")

    def __init__(self, how: How, invocation: Invocation, given: Given) -> None:
        self.how, self.invocation, self.given = how, invocation, given
        self.row: CallRecord | None = None
        self.unfound: Callable[[], Redactor | None] | None = None

    @property
    def inline(self) -> object:
        """Values of an inline connection as received; None for another connection."""
        connection = self.invocation.connection
        return (
            None if connection is None or isinstance(connection, str) else connection.get("values")
        )

    def redactor(self, plan: Planned | None) -> Redactor | None:
        """Return a redactor of the secrets of the connection and the inputs, before the connection
        is open; None if there are no secrets. Even a refusal needs the redactor, since it may quote
        another value or an input that contains the secret.
        """
        return joined(
            self.connection_redactor(plan),
            None if plan is None else plan.secrets_in(self.given.inputs),
        )

    def connection_redactor(self, plan: Planned | None) -> Redactor | None:
        """Return a redactor of the connection's secrets that are known before the connection is
        open; None if no connection is known yet.
        """
        target = None if plan is None else plan.target
        if target is not None:
            return Redactor(hidden_values(target.kind.schema, target.values))
        return None if self.inline is None else Redactor(leaves(self.inline))


class Reached:
    """Progress of a call. The pipeline writes it, and the code that ends the call reads it.

    - ``asked``: set once the call is parsed.
    - ``plan``: set once it is found.
    - ``attempts``: set once the call's connection is found.
    - ``parts``: parts of gates in the call, once they are chosen, which act at ``points``.
    """

    __slots__ = ("asked", "attempts", "how", "parts", "plan", "points")
    points: Points
    parts: Sequence[Any]

    def __init__(self, how: How) -> None:
        self.how = how
        self.asked: Asked | None = None
        self.plan: Planned | None = None
        self.attempts: Attempting | None = None
        self.points, self.parts = NO_POINTS, ()

    @property
    def row(self) -> CallRecord | None:
        """Record of the call; None if nothing is recorded."""
        return None if self.asked is None else self.asked.row

    @property
    def redactor(self) -> Redactor | None:
        """Redactor of the secrets of the connection and the inputs, as far as these are known; None
        if there are no secrets.
        """
        if self.attempts is not None:
            return self.attempts.redactor
        asked = self.asked
        if asked is None:
            return None
        if asked.unfound is None:
            return asked.redactor(self.plan)
        known = asked.redactor(None) or asked.unfound()
        return None if known is None else covering(known, asked.invocation)

    def ended(self) -> Meta:
        """Complete and return the meta of a call that ends now."""
        return self.how.ended(
            self.how.meta.attempts if self.attempts is None else self.attempts.count
        )

    def release(self) -> None:
        """Release references to this call once it has ended. Reference cycles would hold its inputs
        and output until a garbage collection.
        """
        attempts, self.parts, self.points = self.attempts, (), NO_POINTS
        if self.asked is not None:
            self.asked.row = None
        if attempts is not None:
            del attempts.turn
            attempts.current = None


class Ended:
    """End of a call: the Result for the caller, and the recorded Result.

    - ``attempts``: the attempts made; None if none was made.
    - ``undecided``: an output without a policy's decision, with its context, for the journal; None
      for any other output.
    """

    __slots__ = ("attempts", "recorded", "result", "undecided")

    def __init__(
        self,
        result: Result,
        attempts: Attempting | None = None,
        recorded: Result | None = None,
        undecided: Mapping[str, Any] | None = None,
    ) -> None:
        self.result, self.attempts, self.undecided = result, attempts, undecided
        self.recorded = result if recorded is None else recorded

    def shown(self, result: Result) -> Ended:
        """Return the end with ``result`` for the caller, and the recorded Result unchanged."""
        return Ended(result, self.attempts, self.recorded, self.undecided)


def joined(own: Redactor | None, given: Redactor | None) -> Redactor | None:
    """Return one redactor of the secrets of two; None if both are None."""
    return own if given is None else given if own is None else own.joined(given)
