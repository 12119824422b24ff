"""Evidence that a caller gives with a call: where the marker goes in this request, and which read
finds it.

It is for actions that send arbitrary requests of their caller, such as ``http/request``: their
author cannot know where a marker goes.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from jackfield.connector.evidence import (
    LOOKS,
    MARKER,
    MARKER_TEXT,
    PREFIX,
    Evidence,
    EvidenceFault,
    Look,
    Marker,
    stamped,
    texts_in,
)
from jackfield.connector.proofs import Absent, Canary, When
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidInput

IN_TEXT = "{marker}"
"""Placeholder for the marker within a string."""


@dataclass(frozen=True, slots=True)
class GivenMarker(Marker):
    """Places of the marker that a caller names, if the input ``given`` has evidence: ``MARKER``
    anywhere in the inputs ``values``, and ``{marker}`` in texts of the inputs ``texts``. With the
    input ``keyed``, the provider recognizes repeats by a key, and compares their requests: all
    attempts carry one marker.
    """

    given: str = "evidence"
    values: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    keyed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the member ``marker`` of an action in a manifest."""
        keyed = {} if self.keyed is None else {"keyed": self.keyed}
        return {"given": self.given, "values": [*self.values], "texts": [*self.texts], **keyed}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GivenMarker:
        """Read the member ``marker``.

        :raises EvidenceFault: if it names no place.
        """
        values, texts = (tuple(data.get(name, ())) for name in ("values", "texts"))
        return cls(
            given=data["given"], values=values, texts=texts, keyed=data.get("keyed")
        ).checked()

    def checked(self) -> GivenMarker:
        """Return the marker, after checking that it names a place.

        :raises EvidenceFault: if it names none.
        """
        if not (self.values or self.texts):
            raise EvidenceFault(
                "'marker' needs 'values' or 'texts', the inputs in which callers place it"
            )
        return self

    def is_shared(self, inputs: Mapping[str, Any], /) -> bool:
        """Return whether all attempts of a ``write`` with these inputs carry one marker."""
        return self.keyed is not None and inputs.get(self.keyed) is not None

    def is_placed(self, inputs: Mapping[str, Any]) -> bool:
        """Return whether inputs name a place for the marker."""
        return any(names_marker(inputs.get(name)) for name in self.values) or any(
            IN_TEXT in text for name in self.texts for text in texts_in(inputs.get(name))
        )

    def refuse_foreign(self, inputs: Mapping[str, Any]) -> None:
        """Refuse evidence about the marker of another call.

        :raises InvalidInput: if the inputs contain both evidence and a marker.
        """
        if inputs.get(self.given) is None:
            return
        for name in (self.given, *self.values, *self.texts):
            if any(MARKER_TEXT.search(text) for text in texts_in(inputs.get(name))):
                about = (
                    "has a marker of jackfield, by which it finds out what became of another "
                    'call: write {"$marker": {}} or {marker}'
                )
                hint = (
                    "Nothing was sent. The marker of this call is filled in where its "
                    "placeholder is."
                )
                raise InvalidInput(
                    "1 input is not valid",
                    details=[Detail(f"/{name}", about, "pattern")],
                    hint=hint,
                )

    def filled(
        self, make: Any, given: Mapping[str, Any], sources: Mapping[str, Any], marker: str | None
    ) -> Any:
        """Return the inputs of one attempt with its marker in all its places; None if there is no
        evidence.

        If no look will be made, such as without a store, the places get another unique value: a
        provider may need an ID there.
        """
        if given.get(self.given) is None:
            return None
        value = f"{PREFIX}{marker or any_marker()}"
        filled = {name: one for name, one in given.items() if name != self.given}
        filled |= {name: with_marker(filled[name], value) for name in self.values if name in filled}
        filled |= {name: _in_texts(filled[name], value) for name in self.texts if name in filled}
        return make(filled, context={"files": sources} if sources else None)


@dataclass(frozen=True, slots=True)
class GivenEvidence(Evidence):
    """Evidence that a caller gives in the input ``given``: a read by ``action``, with ``inputs``.

    The caller adds one more input of the read, under the name ``place``, and pointers within the
    output's member ``within``. The caller's ``canary`` is the value of that input for a read of an
    existing object, and ``canaryShows`` what that read must show. The call's own inputs ``rules``
    judge the answer. The caller's ``when`` is one row without ``if``, since the caller knows the
    call.
    """

    action: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    place: str = "url"
    within: str = ""
    given: str = "evidence"
    key: str = "given"
    rules: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return one member of ``evidence`` of an action in a manifest."""
        return {
            "key": self.key,
            "given": self.given,
            "action": self.action,
            "inputs": dict(self.inputs),
            "place": self.place,
            "within": self.within,
            **({"rules": [*self.rules]} if self.rules else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GivenEvidence:
        """Read one member of ``evidence``."""
        about = (
            data["action"],
            data.get("inputs", {}),
            data.get("place", "url"),
            data.get("within", ""),
        )
        return cls(*about, data["given"], data.get("key", "given"), tuple(data.get("rules", ())))

    def of(self, inputs: Mapping[str, Any], /) -> tuple[Look, ...]:
        """Return the look of a call with these inputs; an empty tuple if the caller has given no
        evidence.

        :raises EvidenceFault: if the look proves nothing.
        """
        given = inputs.get(self.given)
        if given is None:
            return ()
        asked = {
            **self.inputs,
            self.place: {"$marker": {"text": given[self.place]}}
            if IN_TEXT in given[self.place]
            else given[self.place],
        }
        each, within, canary = (
            given.get("each"),
            self.within if given.get("each") is None else "",
            given.get("canary"),
        )
        look = Look(
            self.action,
            asked,
            None if each is None else f"{self.within}{each}",
            {f"{within}{given['pointer']}": given.get("equals", MARKER)},
            None,
            tuple(map(float, given.get("looks") or LOOKS)),
            given.get("absentAfter"),
            given.get("page"),
            self.key,
            when=_when(given.get("when"), within),
            absent=Absent.from_json(given.get("absent")),
            id=f"{within}{given.get('id', '/id')}",
            canary=None
            if canary is None
            else Canary(
                self.action,
                {**self._rules(inputs), **self.inputs, self.place: canary},
                _within(given.get("canaryShows"), self.within),
            ),
        )
        if canary is not None and IN_TEXT in canary:
            raise EvidenceFault("'canary' must read what exists without the call: it has no marker")
        return (look.checked(),)

    def _rules(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {name: inputs[name] for name in self.rules if inputs.get(name) is not None}


def _within(shows: str | Mapping[str, Any] | None, within: str) -> str | dict[str, Any] | None:
    """Return what a canary must show, with pointers into the whole output."""
    if shows is None or isinstance(shows, str):
        return None if shows is None else f"{within}{shows}"
    return {f"{within}{at}": values for at, values in shows.items()}


def _when(row: Mapping[str, Any] | None, within: str) -> tuple[When, ...]:
    """Return the caller's rules for success and failure, with pointers into the whole output."""
    if row is None:
        return ()
    took, refused = (
        {f"{within}{at}": values for at, values in row.get(name, {}).items()}
        for name in ("took", "refused")
    )
    code, message = (
        None if (at := row.get(name)) is None else f"{within}{at}" for name in ("code", "message")
    )
    return (When(took, refused, {}, code, message),)


def names_marker(value: Any) -> bool:
    """Return whether a value is, or contains, a placeholder for the marker."""
    if isinstance(value, Mapping):
        return _is_marker(value) or any(map(names_marker, value.values()))
    return isinstance(value, list | tuple) and any(map(names_marker, value))


def with_marker(value: Any, marker: str) -> Any:
    """Return a value with a marker in place of its placeholders. Other members that begin with
    ``$`` belong to the caller.
    """
    if isinstance(value, Mapping):
        return (
            stamped(value, marker)
            if _is_marker(value)
            else {name: with_marker(one, marker) for name, one in value.items()}
        )
    return [with_marker(one, marker) for one in value] if isinstance(value, list | tuple) else value


def _is_marker(value: Mapping[str, Any]) -> bool:
    return [*value] == ["$marker"] and isinstance(value["$marker"], Mapping)


def _in_texts(value: Any, marker: str) -> Any:
    if isinstance(value, str):
        return value.replace(IN_TEXT, marker)
    return (
        {name: _in_texts(one, marker) for name, one in value.items()}
        if isinstance(value, Mapping)
        else value
    )


def any_marker() -> str:
    """Return a random string in the form of a marker, for places where no look will search for
    it.
    """
    return base64.b32encode(os.urandom(16)).decode().rstrip("=").lower()
