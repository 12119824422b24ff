"""Findings of a connection test: its steps, and the account that the connection signs in to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Provider

if TYPE_CHECKING:
    from jackfield.kernel.errors import JackfieldError


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection test: title, outcome, message and a hint on what to do.

    ``principal`` is the authenticated identity, as written in policies (such as an ARN), if known.
    For a step that failed with an error, ``code`` is the error's code, and ``provider`` the
    provider's message. ``values`` are the names of the connection's values that the outcome depends
    on, if the author knows them. A failure is reported to the person who fills them in, a success
    only to that person.
    """

    key: str
    title: str
    passed: bool
    message: str
    mandatory: bool = True
    hint: str | None = None
    principal: str | None = None
    code: str | None = None
    provider: Provider | None = None
    values: tuple[str, ...] = ()

    @classmethod
    def failed(
        cls,
        key: str,
        title: str,
        error: JackfieldError,
        *,
        message: str = "",
        mandatory: bool = True,
        values: Iterable[str] = (),
    ) -> Step:
        """Return the step that failed with an error. ``message`` replaces the error's own;
        ``values`` are the values that the step tested, unless the error names single values.
        """
        named = values_at_fault(error)
        said = None if error.provider is None else replace(error.provider, details=None)
        text, at_fault = message or error.message, named or tuple(values)
        return cls(
            key,
            title,
            False,
            text,
            mandatory,
            error.hint,
            code=error.code,
            provider=said,
            values=at_fault,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON (docs/reference/http.md)."""
        row: dict[str, Any] = {
            "key": self.key,
            "title": self.title,
            "passed": self.passed,
            "mandatory": self.mandatory,
            "message": self.message,
        }
        said = None if self.provider is None else self.provider.to_json()
        optional = {
            "hint": self.hint,
            "principal": self.principal,
            "code": self.code,
            "provider": said,
            "values": [*self.values] or None,
        }
        return row | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Account:
    """Provider account that a connection signs in to: a stable ID, and a label that people
    recognise.
    """

    id: str
    label: str


def values_at_fault(error: JackfieldError) -> tuple[str, ...]:
    """Return the names of the connection's values that an error is about, by its details."""
    return tuple(
        dict.fromkeys(
            detail.path.split("/")[1] for detail in error.details if detail.path.startswith("/")
        )
    )
