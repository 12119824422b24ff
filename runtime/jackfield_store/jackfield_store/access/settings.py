"""Settings of a workspace, which its operator controls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.callers.rules import LISTS, Rules
from jackfield.kernel import stored_values
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Detail, InvalidInvocation, did_you_mean, first_faults
from jackfield.kernel.pointers import pointer
from jackfield_store.access.images import image_fault
from jackfield_store.database.faults import damaged_settings
from jackfield_store.database.setting_rows import SETTLE_RULES, TWIN_RULES

if TYPE_CHECKING:
    from jackfield_store.database import Row
    from jackfield_store.keys.vault import Vault

LIMITS = ("requestsPerSecond", "concurrent", "queued", "waiting", "connections", "storageBytes")
"""Limits of a workspace: requests over HTTP in a second, calls at once in a process, queued
invocations, calls that wait for a person, stored connections, bytes of files.
"""
RATES = {"bounceRate": "bounces", "complaintRate": "complaints"}
"""Maximum shares of a connection's messages that a guard may set, each with the counted outcome."""
MESSAGES = 1000
"""Default number of the last messages among which a guard counts."""
RETENTION_DAYS = 30
"""Default retention of finished invocations in days."""
_LONGEST = 3650
_LARGEST_BUDGET = 100_000
_LARGEST_LIMIT = 10**15
_CONNECTION = re.compile(r"\*|[A-Za-z0-9._-]{1,100}")
_THEME = ("name", "logo", "color", "scheme", "wordmark")
IMAGES = ("logo", "wordmark")
"""Members of a theme that are pictures, which lists and the audit log leave out."""
_LARGEST_LOGO = 24_000
"""Maximum characters of a logo's data: URL, since a page has at most 60 kB."""
_LONGEST_NAME = 200
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_REFERENCE = re.compile(
    r"\*|file:(?:[/~]|[A-Za-z]:).{0,999}|(?!file:)[A-Za-z][A-Za-z0-9]{0,99}:.{1,1000}"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one workspace.

    ``rules`` bind every call of the workspace; ``keep_inputs`` makes the journal store redacted
    inputs for ``retention_days``. The settings ``allow_*`` apply to connections made over HTTP or
    MCP. ``allow_references``: the secret references that they may contain, all but jackfield's own,
    or those that match a pattern such as ``env:ACME_*``. ``allow_ambient``: they may use the
    server's identity. ``allow_own_external_id``: they may bring an External ID.

    A ``suspended`` workspace refuses every call. ``limits`` bound its resources (``LIMITS``); a
    missing one means no limit, except ``waiting``, for which 0 does (``journal.room``). ``theme``
    is the default look of its connect sessions.

    ``queue_rate`` and ``queue_concurrency`` limit the queued invocations of the workspace, per
    second and at once; 0 is unlimited. ``connection_budgets`` limit the calls over a connection
    likewise, by its name or ``*``. ``guards`` protect a connection's sender; a guard has ``paused``
    the connection if too many messages bounced or drew complaints ``since`` it was set. ``twins``
    decides whether an equal write without a key joins an open one, ``join`` or ``allow``; None: the
    process's setting. ``settle`` decides on evidence about a doubt, ``off``, ``show`` or ``on``; a
    stricter setting of the operator wins. With ``settle_absent``, the proven absence of a call at
    the provider settles its doubt, too. With ``writes`` ``ask``, a write that no allow pattern
    names waits for a person; None is ``allow``. ``quotas`` bound how many calls take effect in a
    span of time (``access.quotas``). ``keep_doubts`` makes the journal store inputs and request of
    a call in doubt until it is settled.
    """

    rules: Rules = field(default_factory=Rules)
    keep_inputs: bool = False
    retention_days: int = RETENTION_DAYS
    allow_references: bool | tuple[str, ...] = False
    allow_ambient: bool = False
    allow_own_external_id: bool = False
    queue_rate: float = 0
    queue_concurrency: int = 0
    connection_budgets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    suspended: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    theme: Mapping[str, str] = field(default_factory=dict)
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    twins: str | None = None
    settle: str | None = None
    settle_absent: bool = False
    writes: str | None = None
    quotas: tuple[Mapping[str, Any], ...] = ()
    keep_doubts: bool = True

    @property
    def binding(self) -> Rules:
        """Rules that bind every call, including the rule from ``writes``."""
        return replace(self.rules, asks_writes=True) if self.writes == "ask" else self.rules

    @property
    def retention(self) -> float:
        """Retention of finished invocations in seconds."""
        return self.retention_days * 86_400.0

    @staticmethod
    def figures(paused: Mapping[str, Any]) -> str:
        """Return a text with the counts of a guard when it paused a connection: ``12 bounces, 0
        complaints, 1,000 messages``.
        """
        return ", ".join(
            f"{paused.get(noun, 0):,} {noun}" for noun in (*RATES.values(), "messages")
        )

    @property
    def refusing(self) -> tuple[str, ...]:
        """Names of the connections whose guard refuses suppressed recipients, ``*`` for each
        without a guard of its own.
        """
        return tuple(
            sorted(name for name, guard in self.guards.items() if guard.get("refuse", True))
        )

    def guard_of(self, connection: str | None) -> Mapping[str, Any] | None:
        """Return the guard of a connection, or of inline values; None for a connection without a
        guard.
        """
        return self.guards.get(connection or "*", self.guards.get("*"))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Read settings that ``to_json`` wrote; ignore members that a newer jackfield added.

        :raises TypeError: if they are of another shape.
        """
        if not isinstance(data.get("retentionDays", 0), int):
            raise TypeError("a number of days is not a number")
        known = {name: _frozen(data[member]) for name, member in _MEMBERS.items() if member in data}
        return cls(
            **{
                **known,
                "rules": Rules.from_json(data.get("rules", {})),
                "quotas": tuple(data.get("quotas", ())),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        found = {member: getattr(self, name) for name, member in _MEMBERS.items()}
        return {
            "rules": self.rules.to_json(),
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in found.items()
                if value is not None
            },
        }


def read_settings(vault: Vault, workspace: str, row: Row) -> Settings:
    """Read the settings of a workspace from its row, which has the columns ``settings`` and
    ``seal``.

    :raises Unavailable: if they cannot be read, or were changed in the database; nothing is allowed
        then.
    """
    from jackfield_store.keys import settings_seals

    try:
        return Settings.from_json(
            stored_values.parsed_object(settings_seals.checked_settings(vault, workspace, row))
        )
    except (ValueError, TypeError):
        raise damaged_settings(workspace) from None


_MEMBERS: dict[str, str] = {
    name: name.split("_")[0] + "".join(part.capitalize() for part in name.split("_")[1:])
    for name in Settings.__match_args__
    if name != "rules"
}


def changed_settings(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return ``settings`` with ``changes`` applied, whose members are named as in JSON; ``rules``
    may have some of ``allow``, ``block`` and ``approve``.

    :raises InvalidInvocation: with all faults at once.
    """
    faults = first_faults(_faults(changes))
    if faults:
        count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        named = {"rules", *_MEMBERS.values()}.issuperset(changes)
        hint = (
            "See the details."
            if named
            else f"A workspace has {', '.join(('rules', *_MEMBERS.values()))}."
        )
        raise InvalidInvocation(f"{count} not valid", details=faults, hint=hint)
    known = {
        name: _frozen(changes[member]) for name, member in _MEMBERS.items() if member in changes
    }
    if "quotas" in changes:
        known["quotas"] = tuple(changes["quotas"])
    if "limits" in changes:
        merged = {**settings.limits, **changes["limits"]}
        known["limits"] = {name: merged[name] for name in LIMITS if merged.get(name) is not None}
    if "theme" in changes:
        known["theme"] = theme_of(changes["theme"])
    if "connectionBudgets" in changes:
        known["connection_budgets"] = _merged_budgets(
            settings.connection_budgets, changes["connectionBudgets"]
        )
    if "guards" in changes:
        known["guards"] = {
            name: guard
            for name, guard in {**settings.guards, **changes["guards"]}.items()
            if guard is not None
        }
    rules = {**settings.rules.to_json(), **changes.get("rules", {})}
    return replace(settings, rules=Rules.checked(*(rules.get(name, ()) for name in LISTS)), **known)


def _faults(changes: Mapping[str, Any]) -> Iterator[Detail]:
    for member, value in changes.items():
        if member in _JUDGED:
            yield from _JUDGED[member](value)
        elif member in ("queueRate", "queueConcurrency"):
            yield from _budget_faults(f"/{member}", member.removeprefix("queue").lower(), value)
        elif member not in _MEMBERS.values():
            tail = did_you_mean(member, ["rules", *_MEMBERS.values()])
            yield Detail(f"/{member}", f"unknown setting '{member[:80]}'{tail}", "enum")
        elif member in _CHOICES:
            words = _CHOICES[member]
            if value not in (*words, None):
                absent = "is allow" if member == "writes" else "follows the server"
                yield Detail(
                    f"/{member}",
                    f"must be {', '.join(words[:-1])} or {words[-1]}; null {absent}",
                    "enum",
                )
        elif member == "allowReferences" and isinstance(value, list):
            yield from _reference_faults(value)
        elif not isinstance(value, bool):
            yield Detail(f"/{member}", "must be true or false", "type")


def quotas_renamed(
    quotas: Sequence[Mapping[str, Any]], connection: str, to: str
) -> tuple[Mapping[str, Any], ...]:
    """Return quotas with a renamed connection's new name."""
    return tuple(
        {**one, "of": {**one["of"], "connection": to}}
        if one.get("of", {}).get("connection") == connection
        else one
        for one in quotas
    )


def theme_faults(value: object) -> Iterator[Detail]:
    """Yield the faults of a theme, each at its place below ``/theme``. An empty member counts as
    missing.
    """
    if not isinstance(value, Mapping) or value.keys() - set(_THEME):
        yield Detail(
            "/theme",
            'must be {"name", "logo", "color", "scheme", "wordmark"}, each optional',
            "type",
        )
        return
    name, logo, colour, scheme, wordmark = (value.get(member) or "" for member in _THEME)
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not name.isprintable():
        yield Detail(
            "/theme/name",
            f"must be a printable text of at most {_LONGEST_NAME} characters",
            "maxLength",
        )
    for member, image in zip(IMAGES, (logo, wordmark), strict=True):
        if image and (fault := image_fault(image, _LARGEST_LOGO)) is not None:
            yield Detail(f"/theme/{member}", fault, "pattern")
    if colour and not (isinstance(colour, str) and _COLOUR.fullmatch(colour)):
        yield Detail("/theme/color", "must be a colour such as #0b5a94", "pattern")
    if scheme not in ("", "light", "dark"):
        yield Detail("/theme/scheme", "must be light or dark", "enum")


def theme_of(value: Mapping[str, str]) -> dict[str, str]:
    """Return a valid theme without its empty members."""
    return {member: value[member] for member in _THEME if value.get(member)}


def _retention_faults(value: object) -> Iterator[Detail]:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LONGEST:
        yield Detail(
            "/retentionDays", f"must be a whole number of days from 1 to {_LONGEST}", "maximum"
        )


def _budget_faults(path: str, name: str, value: object) -> Iterator[Detail]:
    kind = int | float if name == "rate" else int
    if isinstance(value, bool) or not isinstance(value, kind) or not 0 <= value <= _LARGEST_BUDGET:
        noun = (
            "a number of invocations per second"
            if name == "rate"
            else "a whole number of concurrent invocations"
        )
        yield Detail(path, f"must be {noun} from 0 (unlimited) to {_LARGEST_BUDGET:,}", "maximum")


def _limit_faults(value: object) -> Iterator[Detail]:
    if not isinstance(value, Mapping):
        yield Detail("/limits", f"must be an object with {', '.join(LIMITS)}", "type")
        return
    for name, number in value.items():
        if name not in LIMITS:
            yield Detail(
                pointer("limits", str(name)),
                f"unknown limit{did_you_mean(str(name), LIMITS)}",
                "enum",
            )
        elif number is not None and (
            isinstance(number, bool)
            or not isinstance(number, int)
            or not 0 <= number <= _LARGEST_LIMIT
        ):
            yield Detail(
                f"/limits/{name}",
                "must be a whole number that is not negative; null removes the limit",
                "minimum",
            )


def _connection_budget_faults(value: object) -> Iterator[Detail]:
    if not isinstance(value, Mapping):
        yield Detail(
            "/connectionBudgets",
            "must be an object of connections, each with 'rate' and 'concurrency'",
            "type",
        )
        return
    for connection, budget in value.items():
        path = f"{pointer('connectionBudgets', str(connection))}"
        if not _CONNECTION.fullmatch(str(connection)):
            yield Detail(
                path,
                "must be named like a connection, or * for each connection without a budget of "
                "its own",
                "pattern",
            )
        elif budget is not None and (
            not isinstance(budget, Mapping)
            or not budget
            or not budget.keys() <= {"rate", "concurrency"}
        ):
            yield Detail(
                path, "must have 'rate' or 'concurrency' and nothing else; null removes it", "type"
            )
        elif budget is not None:
            for name, number in budget.items():
                yield from _budget_faults(f"{path}/{name}", name, number)


def _quota_faults(value: object) -> Iterator[Detail]:
    # settings are read by each process, and set by few
    from jackfield_store.access.quotas import quota_faults

    yield from quota_faults(value)


def checked_quotas(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Check and return quotas from a request.

    :raises InvalidInvocation: with all faults at once, each at its place below ``/quotas``.
    """
    faults = list(_quota_faults(value))
    if faults:
        count = "1 quota is" if len(faults) == 1 else f"{len(faults)} members of quotas are"
        raise InvalidInvocation(
            f"{count} not valid", details=faults, hint="Correct what the details name."
        )
    return tuple(value)


def _guard_faults(value: object) -> Iterator[Detail]:
    if not isinstance(value, Mapping):
        yield Detail("/guards", "must be an object of connections, each with its guard", "type")
        return
    for connection, guard in value.items():
        path = pointer("guards", str(connection))
        if not _CONNECTION.fullmatch(str(connection)):
            yield Detail(
                path,
                "must be named like a connection, or * for each connection without a guard of "
                "its own",
                "pattern",
            )
        elif guard is not None and not _is_guard(guard):
            shares = (
                "'bounceRate' and 'complaintRate', shares of the messages such as 0.05, "
                "'messages', from 100 to 10,000"
            )
            yield Detail(
                path,
                f"may have 'refuse', true or false, {shares}, 'since' and 'paused'; null removes "
                "the guard",
                "type",
            )


def require_own(changes: Mapping[str, Any], present: Mapping[str, Mapping[str, Any]]) -> None:
    """Require that guards from a request do not change jackfield's own counts; ``present`` are the
    existing guards.

    :raises InvalidInvocation: if a guard changes ``since`` or ``paused``.
    """
    given = changes.get("guards")
    faults = [
        Detail(pointer("guards", str(connection), member), "is set by jackfield itself")
        for connection, guard in (given.items() if isinstance(given, Mapping) else ())
        for member in _COUNTED
        if isinstance(guard, Mapping)
        and member in guard
        and guard[member] != present.get(connection, {}).get(member)
    ]
    if faults:
        text = "a guard's 'since' and 'paused' are set by jackfield itself"
        raise InvalidInvocation(
            text,
            details=faults,
            hint="Leave them out: without 'paused', the connection is resumed.",
        )


_COUNTED = ("since", "paused")
_KINDS = {
    "refuse": bool,
    "bounceRate": int | float,
    "complaintRate": int | float,
    "messages": int,
    "since": str,
    "paused": Mapping,
}


def _is_guard(guard: object) -> bool:
    if not isinstance(guard, Mapping) or not all(
        isinstance(value, _KINDS.get(name, ())) for name, value in guard.items()
    ):
        return False
    paused = guard.get("paused", {})
    if not isinstance(paused.get("at", ""), str) or not all(
        type(paused.get(noun, 0)) is int for noun in (*RATES.values(), "messages")
    ):
        return False
    shares = [guard[rate] for rate in RATES if rate in guard]
    return (
        all(share is not True and 0 < share <= 1 for share in shares)
        and 100 <= guard.get("messages", MESSAGES) <= 10_000
    )


def _merged_budgets(
    present: Mapping[str, Mapping[str, float]], changes: Mapping[str, Mapping[str, float] | None]
) -> Mapping[str, Mapping[str, float]]:
    """Return the budgets with ``changes`` applied; a budget without limits is removed."""
    merged = {
        name: {**present.get(name, {}), **budget} if budget is not None else {}
        for name, budget in changes.items()
    }
    found = {**present, **merged}
    return {
        name: kept
        for name, budget in found.items()
        if (kept := {key: number for key, number in budget.items() if number})
    }


def _frozen(value: Any) -> Any:
    """Return a list as a tuple, and an empty list as False, which allows nothing."""
    return (tuple(value) or False) if isinstance(value, list) else value


def _reference_faults(patterns: list[object]) -> Iterator[Detail]:
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not _REFERENCE.fullmatch(pattern):
            yield Detail(
                f"/allowReferences/{index}",
                "must be a pattern such as env:ACME_*, file:/etc/acme/*, vault:* or *",
                "pattern",
            )


def _rule_faults(value: object) -> Iterator[Detail]:
    if not isinstance(value, Mapping):
        yield Detail("/rules", "must be an object with 'allow', 'block' and 'approve'", "type")
        return
    for name, patterns in value.items():
        if name not in LISTS:
            yield Detail(
                f"/rules/{name}",
                "rules have 'allow', 'block' and 'approve'",
                "additionalProperties",
            )
        elif not isinstance(patterns, list) or not all(isinstance(text, str) for text in patterns):
            yield Detail(f"/rules/{name}", "must be an array of patterns", "type")


WRITE_RULES = ("allow", "ask")
_CHOICES = {"twins": TWIN_RULES, "settle": SETTLE_RULES, "writes": WRITE_RULES}
_JUDGED: Mapping[str, Callable[[object], Iterator[Detail]]] = {
    "rules": _rule_faults,
    "retentionDays": _retention_faults,
    "connectionBudgets": _connection_budget_faults,
    "limits": _limit_faults,
    "theme": theme_faults,
    "guards": _guard_faults,
    "quotas": _quota_faults,
}
