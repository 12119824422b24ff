"""Proofs of a look: the values of an object that mean success or failure, and the checks that a
missing object was searched for in the right place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.pointers import follow, names

Values = Mapping[str, Any]
"""Matching value, or list of matching values, by JSON Pointer."""
MOST_WHEN = 8
"""Maximum number of rows of ``when`` of one look."""
_GONE = 410
_OF_CALLERS = frozenset({401, 403, 407, 408, 425, 429})
"""Statuses about the caller, the time or the rate of requests, whatever error code they have."""
_SCALAR = (str, int, float, bool, type(None))


class ProofFault(ValueError):
    """Error for a wrong declaration of a proof."""


@dataclass(frozen=True, slots=True)
class Canary:
    """Read that must succeed in the same look before a missing object proves anything. ``action``
    is a read of the connector: of the list that would contain the object, or of an object that
    certainly exists. It uses the same connection, and its ``inputs`` name the same parent
    (``{"$input": "/project"}``). They have neither the marker nor the key. ``shows`` is what its
    output must have: a JSON Pointer to a list that is not empty, or values by JSON Pointers. A
    canary without it proves nothing.
    """

    action: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    shows: str | Values | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the member ``canary`` of an evidence."""
        members = {"inputs": dict(self.inputs), "shows": self.shows}
        return {
            "action": self.action,
            **{name: value for name, value in members.items() if value},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Canary | None:
        """Read the member ``canary``; return None if the member is missing."""
        if data is None:
            return None
        return cls(data["action"], data.get("inputs", {}), data.get("shows"))

    def is_shown(self, output: Any) -> bool:
        """Return whether an output of the read has what it must show."""
        if isinstance(self.shows, str):
            found = _at(output, self.shows, None)
            return isinstance(found, list) and bool(found)
        return bool(self.shows) and fits(output, self.shows or {})

    def check(self) -> None:
        """Require that the canary names a read, and shows something.

        :raises ProofFault: if it names none, or if what it shows is malformed.
        """
        if not self.action:
            raise ProofFault("'canary' needs 'action', a read of the connector")
        pointers = [self.shows] if isinstance(self.shows, str) else [*(self.shows or ())]
        if self.shows is not None and not (
            pointers and all(one.startswith("/") for one in pointers)
        ):
            raise ProofFault(
                "'canary.shows' is a JSON Pointer to a list that is not empty, or values by such "
                "pointers"
            )


@dataclass(frozen=True, slots=True)
class Absent:
    """Answer by which the provider says that the requested object does not exist: an HTTP
    ``status``, an error ``code`` of the provider, or both. 410 does not count: it says that the
    object existed.
    """

    status: tuple[int, ...] = ()
    code: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the member ``absent`` of an evidence."""
        return {name: [*row] for name, row in (("status", self.status), ("code", self.code)) if row}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Absent | None:
        """Read the member ``absent``; return None if the member is missing."""
        return (
            None
            if data is None
            else cls(tuple(data.get("status", ())), tuple(data.get("code", ())))
        )

    def check(self) -> None:
        """Require that the evidence identifies a missing object.

        :raises ProofFault: if any answer would count, or the answer for an object that existed.
        """
        if not (self.status or self.code):
            raise ProofFault("'absent' needs a status or a code")
        if _GONE in self.status or not all(400 <= status < 500 for status in self.status):
            raise ProofFault(
                "'absent.status' are statuses from 400 to 499, without 410, which says that the "
                "thing was there"
            )

    def fits(self, status: int | None, code: str | None) -> bool:
        """Return whether an answer with this status and code of the provider says that the object
        does not exist.
        """
        by_status = status in self.status if self.status else status not in _OF_CALLERS
        return status != _GONE and by_status and (not self.code or code in self.code)


PLAIN = Absent((404,))
"""Default answer by which a provider says that the requested object does not exist."""


@dataclass(frozen=True, slots=True)
class When:
    """Final states of a found object: ``took`` are the values for success, ``refused`` the values
    for failure. All pointers must lead to one of their values; None means a missing member, or
    null. Any other object gives no verdict, and is read again later. A row with neither means that
    an object exists only if the action has succeeded.

    ``if_`` names inputs of the call, with the values for which the row applies; None means an input
    that was not given. The first applicable row decides; without one there is no verdict. ``code``
    and ``message`` are pointers to the error of a failed object.
    """

    took: Values = field(default_factory=dict)
    refused: Values = field(default_factory=dict)
    if_: Values = field(default_factory=dict)
    code: str | None = None
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return one row of the member ``when`` of an evidence."""
        rows = {"if": self.if_, "took": self.took, "refused": self.refused}
        told = {"code": self.code, "message": self.message}
        found = {
            name: {at: _as_list(values) for at, values in row.items()}
            for name, row in rows.items()
            if row
        }
        return {**found, **{name: at for name, at in told.items() if at is not None}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> When:
        """Read one row of the member ``when``."""
        return cls(
            data.get("took", {}),
            data.get("refused", {}),
            data.get("if", {}),
            data.get("code"),
            data.get("message"),
        )

    def counts(self, inputs: Mapping[str, Any]) -> bool:
        """Return whether the row applies to a call with these inputs."""
        return all(_is_one(_at(inputs, at, None), values) for at, values in self.if_.items())

    def check(self) -> None:
        """Require that the row can distinguish success from failure.

        :raises ProofFault: if a pointer is malformed, or a value is not a string, a number or a
            Boolean.
        """
        for row in (self.took, self.refused, self.if_):
            for at, values in row.items():
                _check_pointer(at)
                if not _as_list(values) or not all(
                    isinstance(value, _SCALAR) for value in _as_list(values)
                ):
                    raise ProofFault(
                        f"'when' compares '{at}' with a text, a number, true, false or null, or "
                        "a list of them"
                    )
        for row in (self.took, self.refused):
            if row and all(None in _as_list(values) for values in row.values()):
                raise ProofFault(
                    "'when' needs a member that is there: what lacks the others may be anything"
                )
        for place in (self.code, self.message):
            if place is not None:
                _check_pointer(place)
        if self.refused and not self.took:
            raise ProofFault(
                "'when' needs 'took' beside 'refused': what has not failed may be on its way"
            )
        if (self.code or self.message) and not self.refused:
            raise ProofFault(
                "'when' has an error of a failure, and no 'refused' that says which things have "
                "failed"
            )

    def said(self, thing: Any) -> tuple[str | None, str]:
        """Return the verdict of an object, ``took``, ``refused`` or None, and the deciding values
        for display.
        """
        refused = bool(self.refused) and fits(thing, self.refused)
        took = fits(thing, self.took)
        if refused and not took:
            return "refused", self._text_of_values(thing, self.refused)
        return "took" if took and not refused else None, self._text_of_values(
            thing, self.took or self.refused
        )

    def error(self, thing: Any) -> tuple[str | None, str | None]:
        """Return code and message of a failed object's error; None for each that it lacks."""
        code, message = (
            None if at is None else _at(thing, at, None) for at in (self.code, self.message)
        )
        return _text(code), _text(message)

    def _text_of_values(self, thing: Any, row: Values) -> str:
        found = ((at, _at(thing, at, _MISSING)) for at in row)
        return ", ".join(
            f"{at} is {'not there' if value is _MISSING else _text(value) or 'empty'}"
            for at, value in found
        )


_MISSING: Any = object()


def check_proofs(
    when: Sequence[When], canary: Canary | None, absent: Absent | None, placed: Iterable[str]
) -> None:
    """Require that a look's declarations can prove an outcome. ``placed`` are the placeholders in
    the canary's inputs.

    :raises ProofFault: if the declarations cannot.
    """
    if len(when) > MOST_WHEN:
        raise ProofFault(f"'when' has at most {MOST_WHEN} rows")
    for row in when:
        row.check()
    if any(not row.if_ for row in when[:-1]):
        raise ProofFault("'when' has a row without 'if' before others, which would never count")
    if canary is not None:
        canary.check()
    if any(name.startswith(("$marker", "$key")) for name in placed):
        raise ProofFault(
            "'canary' must read what exists without the call: its inputs have neither the marker "
            "nor the key"
        )
    if absent is not None:
        absent.check()


def _check_pointer(at: str) -> None:
    if not (at.startswith("/") and all(names(at))):
        raise ProofFault(f"'when' needs JSON Pointers, such as /status, not '{at}'")


def _at(value: Any, at: str, missing: Any) -> Any:
    try:
        return follow(value, at)
    except (LookupError, ValueError):
        return missing


def fits(thing: Any, row: Values) -> bool:
    """Return whether a value has all of these values at their pointers."""
    return all(_is_one(_member(thing, at), values) for at, values in row.items())


def _member(thing: Any, at: str) -> Any:
    """Return a value of an object; None for a member that the object does not have, or whose holder
    it does not have.
    """
    found, holder = _at(thing, at, _MISSING), at
    while found is _MISSING and holder:
        holder = holder.rpartition("/")[0]
        if (around := _at(thing, holder, _MISSING)) is not _MISSING:
            return None if isinstance(around, Mapping) else _MISSING
    return found


def _is_one(found: Any, values: Any) -> bool:
    """Return whether a value is one of the declared values; 1 does not equal true."""
    return any(type(found) is type(one) and found == one for one in _as_list(values))


def _as_list(values: Any) -> list[Any]:
    return [*values] if isinstance(values, list | tuple) else [values]


def _text(value: Any) -> str | None:
    return (
        None
        if value is None or isinstance(value, Mapping | list)
        else str(value).strip()[:256] or None
    )
