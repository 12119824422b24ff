"""Questions that this process asks a child, in one table with the arguments and the answer of each.
Both processes validate by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, FailFast, Field

from jackfield.connector.actions import Option
from jackfield.connector.budget import Limits
from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.context import Minted
from jackfield.connector.grants import Authorization, DeviceAuthorization, Grant
from jackfield.connector.triggers import Outcome
from jackfield.schema.wording import escaped
from jackfield_isolation.shapes import JsonObject, Shape
from jackfield_isolation.shares import LARGEST_VALUE, bounded, checked_secrets

_MOST_STEPS, _MOST_OPTIONS, _MOST_DAYS = 200, 10_000, 1000
"""Maximum numbers of steps of a test, of choices and permissions, and of days of a warm-up plan."""
_MOST_EVENTS = 10_000
"""Maximum number of events of one request or page."""
_LONGEST, _LONGEST_OF_APPROVALS, _LARGEST_FILE = 4000, 10_000, 400_000
"""Maximum numbers of characters: of a text in an answer, of a text about a person's approval, and
of a verifier's file, in base64.
"""
_REASON = Annotated[str | None, Field(max_length=_LONGEST)]


@dataclass(frozen=True, slots=True)
class CallFacts:
    """Call that a question belongs to.

    ``remaining`` and ``seconds`` come from its deadline, which arriving content extends, up to
    ``longest`` seconds from now. ``files``: the call may return files; ``follows``: it fetches a
    page that the previous page has named. ``sees``: its exchanges are stored, with their
    ``bodies``.
    """

    remaining: float
    longest: float
    seconds: float
    invocation_id: str = ""
    key: str = ""
    files: bool = False
    follows: bool = False
    sees: bool = False
    bodies: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionFacts:
    """Connection that a question is about. ``number`` is the key of the child's cache; ``leases``:
    tokens of the fresh leases.
    """

    type: str
    values: Any
    connection: str | None = None
    number: int | None = None
    workspace: str = ""
    inputs: Any = None
    leases: Mapping[str, int] = field(default_factory=dict)
    grants: bool = False


@dataclass(frozen=True, repr=False)
class Asked:
    """Question in the form of its frame. ``given`` are its arguments; ``renew``: the client renews
    its credentials first; ``forget``: numbers of unused connections.
    """

    ask: str
    given: tuple[Any, ...]
    call: CallFacts
    context: ConnectionFacts | None = None
    renew: bool = False
    forget: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Pace of a call: its account, its cost, and its warm-up plan (name and daily limits)."""

    scope: str | None = None
    cost: float = 1.0
    warmup: (
        tuple[str, Annotated[tuple[float, ...], Field(max_length=_MOST_DAYS), FailFast()]] | None
    ) = None


def _brief(found: Outcome) -> Outcome:
    bounded([found.status, found.part, found.text], "an outcome")
    return found


@dataclass(frozen=True, slots=True, repr=False)
class EventFacts:
    """Event of a trigger."""

    data: JsonObject
    key: Annotated[str, Field(max_length=_LONGEST)]
    type: Annotated[str, Field(max_length=_LONGEST)] | None = None
    at: float | None = None
    reference: Annotated[str, Field(max_length=_LONGEST)] | None = None
    outcome: Annotated[Outcome, AfterValidator(_brief)] | None = None
    marker: Annotated[str, Field(max_length=_LONGEST)] | None = None
    account: Annotated[str, Field(max_length=_LONGEST)] | None = None


_EVENTS = Annotated[list[EventFacts], Field(max_length=_MOST_EVENTS), FailFast()]


@dataclass(frozen=True, slots=True, repr=False)
class ReceivedFacts:
    """Content of a webhook's request, or the reason why it is ``refused``: ``forged`` or malformed.
    ``needs`` names a file without which the request cannot be judged.
    """

    events: _EVENTS
    answer: str = ""
    refused: str = ""
    remote: JsonObject = field(default_factory=dict)
    needs: Annotated[str, Field(max_length=_LONGEST)] = ""
    media_type: Literal["text/plain", "application/json"] = "text/plain"
    headers: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class RegisteredFacts:
    """Registration of a webhook. ``gone``: no registration exists that could be renewed. An
    unfinished registration continues after ``again`` seconds.
    """

    remote: JsonObject
    lasts: float | None = None
    gone: bool = False
    again: float | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PageFacts:
    """Page of a poll. ``gone``: its checkpoint is too old for the provider."""

    events: _EVENTS
    next: JsonObject
    more: bool = False
    gone: bool = False
    unknown: _REASON = None


@dataclass(frozen=True, slots=True, repr=False)
class ListFacts:
    """Page of a list that is compared. ``next`` has one member, of the same name; ``gone`` is True
    if the provider no longer knows the page.
    """

    items: Annotated[list[tuple[str, JsonObject]], Field(max_length=_MOST_EVENTS), FailFast()]
    next: JsonObject
    gone: bool = False
    unknown: _REASON = None


class Question:
    """Kind of question. ``given`` are the types of its arguments, ``longest`` limits each text of
    the answer, in characters.
    """

    def __init__(
        self, name: str, *given: Any, answer: Any = Any, longest: int | None = _LONGEST
    ) -> None:
        self.name = name
        self.given = Shape(f"a question '{name}'", tuple[given])  # type: ignore[valid-type]
        self.answer = Shape("an answer", answer, longest)


def _escaped_account(one: Step | Account) -> Step | Account:
    return (
        Account(escaped(str(one.id)), escaped(str(one.label))) if isinstance(one, Account) else one
    )


def _light(found: Any) -> Any:
    return bounded(found, "a grant", 4 * LARGEST_VALUE) if isinstance(found, dict) else found


def _storable(found: Grant) -> Grant:
    bounded([*found.scopes], "scopes")
    checked_secrets(found.secrets)
    bounded(dict(found.value), "a grant")
    return found


def _kept(found: Authorization | DeviceAuthorization) -> Authorization | DeviceAuthorization:
    bounded(dict(found.kept), "an authorization")
    return found


def _many(kind: Any, most: int) -> Any:
    return Annotated[list[kind], Field(max_length=most), FailFast()]


_STEPS = _many(Annotated[Step | Account, AfterValidator(_escaped_account)], _MOST_STEPS)
_GRANT = Annotated[Grant, BeforeValidator(_light), AfterValidator(_storable)]
GRANT = Shape("a grant", _GRANT, _LONGEST_OF_APPROVALS)
CREDENTIAL = Shape("a credential", Minted)

# of an action, with its inputs; of a job's further steps, with its handle
CALL = Question("call", str, JsonObject)
POLL = Question("poll", str, JsonObject)
CANCEL = Question("cancel", str, JsonObject)
CHECK = Question("check", str, JsonObject, answer=None)
PREVIEW = Question("preview", str, JsonObject)
BUDGET = Question("budget", str, JsonObject, answer=Plan)
LIMITS = Question("limits", str, JsonObject, answer=Limits | None)
# of a connection: methods of its type that take a context
OPEN = Question("open", answer=None)
TEST = Question("test", answer=_STEPS)
AUTHORIZE = Question(
    "authorize",
    str,
    str,
    answer=Annotated[Authorization, AfterValidator(_kept)],
    longest=_LONGEST_OF_APPROVALS,
)
AUTHORIZED = Question(
    "authorized", JsonObject, str, JsonObject, answer=_GRANT, longest=_LONGEST_OF_APPROVALS
)
AUTHORIZE_DEVICE = Question(
    "authorize_device",
    answer=Annotated[DeviceAuthorization, AfterValidator(_kept)],
    longest=_LONGEST_OF_APPROVALS,
)
DEVICE_AUTHORIZED = Question(
    "device_authorized", JsonObject, answer=_GRANT | None, longest=_LONGEST_OF_APPROVALS
)
REVOKE = Question("revoke")
# of a connection: methods of its type that do not
NEEDED = Question("needed_permissions", list[str], answer=_many(str, _MOST_OPTIONS))
ADOPT = Question("adopt", JsonObject, answer=_GRANT, longest=_LONGEST_OF_APPROVALS)
POLICIES = Question("policies", list[str], str | None, JsonObject, answer=JsonObject)
# of a trigger
WATCH = Question("watch", str, JsonObject, answer=None)
RECEIVE = Question(
    "receive", str, str, JsonObject, float, JsonObject, answer=ReceivedFacts, longest=None
)
REGISTER = Question("register", str, str, JsonObject, answer=RegisteredFacts)
FETCH = Question("fetch", str, str, answer=str, longest=_LARGEST_FILE)
PAGE = Question("page", str, JsonObject, float, JsonObject, float, answer=PageFacts, longest=None)
LISTED = Question("listed", str, JsonObject, JsonObject, answer=ListFacts, longest=None)
# of the connector
OPTIONS = Question("options", str, JsonObject, answer=_many(Option, _MOST_OPTIONS))
EXTRA_TEST = Question("extra_test", int, answer=_STEPS)
DOCUMENTS = Question("documents", int, JsonObject, answer=JsonObject)

ACTS = frozenset({CALL, POLL, CANCEL})
"""Questions that call the provider for an action."""
QUESTIONS: Mapping[str, Question] = {
    one.name: one for one in list(vars().values()) if isinstance(one, Question)
}
"""All questions, by name."""
ASKED = Shape("a question", Asked)
