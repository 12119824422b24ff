"""Settings of a workspace, which its operator controls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from jackfield.access.rules import Rules
from jackfield.errors import Detail, InvalidInvocation, did_you_mean

RETENTION_DAYS = 30
"""Default retention of finished invocations in days."""
_LONGEST = 3650
_REFERENCE = re.compile(r"\*|file:(?:[/~]|[A-Za-z]:).{0,999}|(?!file:)[A-Za-z][A-Za-z0-9]{0,99}:.{1,1000}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one workspace.

    ``rules`` bind every call of the workspace; ``keep_inputs`` makes the journal store redacted inputs for ``retention_days``. The
    others limit connections made over HTTP or MCP: which secret references they may contain (all but jackfield's own, or those that
    match a pattern such as ``env:ACME_*``), whether they may use the server's own identity, and whether they may bring an
    External ID of their own.
    """

    rules: Rules = field(default_factory=Rules)
    keep_inputs: bool = False
    retention_days: int = RETENTION_DAYS
    allow_references: bool | tuple[str, ...] = False
    allow_ambient: bool = False
    allow_own_external_id: bool = False

    @property
    def retention(self) -> float:
        """Retention of finished invocations in seconds."""
        return self.retention_days * 86_400.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Read settings that ``to_json`` wrote; ignore members that a newer jackfield added.

        :raises TypeError: if they are of another shape.
        """
        if not isinstance(data.get("retentionDays", 0), int):
            raise TypeError("a number of days is not a number")
        known = {name: _frozen(data[member]) for name, member in _MEMBERS.items() if member in data}
        return cls(**{**known, "rules": Rules.from_json(data.get("rules", {}))})

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        found = {member: getattr(self, name) for name, member in _MEMBERS.items()}
        return {
            "rules": self.rules.to_json(),
            **{name: list(value) if isinstance(value, tuple) else value for name, value in found.items()},
        }


def read_settings(workspace: str, text: str) -> Settings:
    """Read the settings of a workspace from its row.

    :raises Unavailable: if they cannot be read; nothing is allowed then.
    """
    from jackfield.database.faults import damaged_settings
    from jackfield.database.stored_values import parsed_object

    try:
        return Settings.from_json(parsed_object(text))
    except (ValueError, TypeError):
        raise damaged_settings(workspace) from None


_MEMBERS = {
    member.name: member.name.split("_")[0] + "".join(part.capitalize() for part in member.name.split("_")[1:])
    for member in fields(Settings)
    if member.name != "rules"
}


def changed_settings(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return ``settings`` with ``changes`` applied, whose members are named as in JSON; ``rules`` may have ``allow``, ``block`` or
    both.

    :raises InvalidInvocation: with all faults at once.
    """
    faults = list(_faults(changes))
    if faults:
        count = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        raise InvalidInvocation(f"{count} not valid", details=faults, hint=f"A workspace has {', '.join(('rules', *_MEMBERS.values()))}.")
    known = {name: _frozen(changes[member]) for name, member in _MEMBERS.items() if member in changes}
    rules = {**settings.rules.to_json(), **changes.get("rules", {})}
    return replace(settings, rules=Rules.checked(rules["allow"], rules["block"]), **known)


def _faults(changes: Mapping[str, Any]) -> Iterator[Detail]:
    for member, value in changes.items():
        if member == "rules":
            yield from _rule_faults(value)
        elif member == "retentionDays":
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LONGEST:
                yield Detail("/retentionDays", f"must be a whole number of days from 1 to {_LONGEST}", "maximum")
        elif member not in _MEMBERS.values():
            tail = did_you_mean(member, ["rules", *_MEMBERS.values()])
            yield Detail(f"/{member}", f"unknown setting '{member[:80]}'{tail}", "enum")
        elif member == "allowReferences" and isinstance(value, list):
            yield from _reference_faults(value)
        elif not isinstance(value, bool):
            yield Detail(f"/{member}", "must be true or false", "type")


def _frozen(value: Any) -> Any:
    """Return a list as a tuple, and an empty one as False, which allows nothing."""
    return (tuple(value) or False) if isinstance(value, list) else value


def _reference_faults(patterns: list[object]) -> Iterator[Detail]:
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not _REFERENCE.fullmatch(pattern):
            yield Detail(f"/allowReferences/{index}", "must be a pattern such as env:ACME_*, file:/etc/acme/*, vault:* or *", "pattern")


def _rule_faults(value: object) -> Iterator[Detail]:
    if not isinstance(value, Mapping):
        yield Detail("/rules", "must be an object with 'allow' and 'block'", "type")
        return
    for name, patterns in value.items():
        if name not in ("allow", "block"):
            yield Detail(f"/rules/{name}", "rules have 'allow' and 'block'", "additionalProperties")
        elif not isinstance(patterns, list) or not all(isinstance(text, str) for text in patterns):
            yield Detail(f"/rules/{name}", "must be an array of patterns", "type")
