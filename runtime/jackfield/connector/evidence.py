"""Declaration of evidence: where a ``write`` leaves its marker at the provider, and which reads
find the marker again after a lost answer.

An attempt whose answer is lost is in doubt. The provider may know its outcome: a marker that only
this attempt carries proves that the attempt took effect. Evidence decides the reported outcome of
an invocation; it never sends one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from jackfield.connector.proofs import Absent, Canary, ProofFault, When, check_proofs
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Detail, InvalidInput
from jackfield.kernel.pointers import names

T = TypeVar("T")

_SECONDS = len("2031-01-31T23:59:59")
MARKER: Mapping[str, Any] = {"$marker": {}}
"""Placeholder for the marker of the attempt in doubt, in the inputs of a look and in its
comparisons; ``{"$marker": {"text": "/orders/{marker}"}}`` is a string with the marker.
"""
SENT_FROM: Mapping[str, Any] = {"$sent": "from"}
"""Placeholder for a minute before the begin of the call, as RFC 3339 in whole seconds. ``{"$sent":
"from", "as": "unix"}`` is in seconds since 1970, with ``"as": "unixText"`` as a string, with
``"as": "unixMillisText"`` as a string of milliseconds.
"""
SENT_UNTIL: Mapping[str, Any] = {"$sent": "until"}
"""Placeholder for a minute after the end of the call."""
KEY: Mapping[str, Any] = {"$key": {}}
"""Placeholder for the idempotency key that was sent to the provider."""
FRESH: Mapping[str, Any] = {"$fresh": {}}
"""Placeholder for a text that no read has had before, in the inputs of a look: no cache can have
its answer. ``{fresh}`` in the text of a marker is the same.
"""
IN_FRESH = "{fresh}"
"""Placeholder for a fresh text in the text of a marker."""
PREFIX = "jf1-"
"""Prefix of a marker at a place that people see."""
MARKER_TEXT = re.compile(r"jf1-[a-z2-7]{26}")
LOOKS = (5.0, 30.0, 300.0, 3600.0)
"""Default times of the looks for evidence, in seconds after a doubt."""
MAX_LOOKS = 12
MOST_SIMILAR = 8
"""Maximum number of values by which an object without the marker is compared with the request."""
MAX_LOOKING = 86_400.0
"""Maximum age of a doubt, in seconds, for which looks are made automatically."""
LONGEST_TEXT = 16_384
"""Maximum characters of a caller's text to which a marker is appended. A longer text may be near
the provider's limit, so it gets no marker.
"""
LONGEST_LIST = 50
"""Maximum number of items in a list, including the marker. A caller's list with as many items gets
no marker.
"""
_IDENTIFYING = ("id", "key", "name")
LONGEST_ADDRESS = 1900
"""Maximum characters of an address to which a marker is added: some providers refuse more than
2,000.
"""
LEAST_ABSENT = 300.0
"""Minimum seconds after a call's deadline before a missing object proves anything: a proxy may
deliver the request late.
"""
_FORMS: Mapping[str | None, Callable[[float], Any]] = {
    None: lambda moment: f"{iso(float(moment))}"[:_SECONDS] + "Z",
    "unix": int,
    "unixText": lambda moment: str(int(moment)),
    "unixMillisText": lambda moment: str(int(moment) * 1000),
}
"""Forms of the time of a request. All are in whole seconds: some providers read no fractions."""
_MISSING: Any = object()
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_PLACEHOLDERS = {"$marker", "$input", "$sent", "$key", "$fresh"}


class EvidenceFault(ValueError):
    """Error for a wrong declaration of a marker or of evidence."""


@dataclass(frozen=True, slots=True)
class Marker:
    """Place of the marker in a request. ``at`` is a JSON Pointer into the action's inputs,
    ``header`` a header field of HTTP; with ``agent`` it is part of the User-Agent. ``code`` names,
    in words, a place that the action's own code fills in with ``current_call().marker``. A value
    that the caller sets at the place wins: then no evidence by this marker counts.

    ``text`` is for a place that callers write to, such as the body of a comment: it is appended to
    the caller's text, with the marker in place of ``{marker}``. Choose a form that people do not
    see: ``<!-- {marker} -->`` after an empty line.

    ``value`` is for a place that accepts more than a string: the value to put there, as JSON, with
    the marker in place of ``MARKER``. A list is appended to the caller's own, unless the caller's
    has an item with the same ``id``, ``key`` or ``name``.

    ``query`` is for a place with an address to which the provider reports the outcome of the
    request: the parameter to add to the address's query. ``beside`` is for a place that is one of
    several of which the provider requires one: JSON Pointers to the others. If the caller gives no
    such address, or none of the others, there is no marker.
    """

    at: str | None = None
    header: str | None = None
    agent: bool = False
    text: str | None = None
    code: str | None = None
    value: Mapping[str, Any] | Sequence[Any] | None = None
    query: str | None = None
    beside: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the member ``marker`` of an action in a manifest."""
        members = {
            "at": self.at,
            "header": self.header,
            "agent": self.agent or None,
            "text": self.text,
            "code": self.code,
            "value": self.value,
            "query": self.query,
            "beside": [*self.beside] or None,
        }
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Marker:
        """Read the member ``marker``.

        :raises EvidenceFault: if it names no place, or several places.
        """
        agent, others = (
            data.get("agent") is True,
            (data.get("text"), data.get("code"), data.get("value"), data.get("query")),
        )
        return cls(
            data.get("at"), data.get("header"), agent, *others, tuple(data.get("beside", ()))
        ).checked()

    def checked(self) -> Marker:
        """Return the marker, after checking that it names exactly one place.

        :raises EvidenceFault: if it does not.
        """
        if [self.at is not None, self.header is not None, self.agent, self.code is not None].count(
            True
        ) != 1:
            raise EvidenceFault("'marker' needs exactly one of 'at', 'header', 'agent' and 'code'")
        if self.at is not None and not (self.at.startswith("/") and all(names(self.at))):
            raise EvidenceFault(
                "'marker.at' must be a JSON Pointer to an input, such as /externalId"
            )
        if self.beside and (self.at is None or not all(at.startswith("/") for at in self.beside)):
            raise EvidenceFault(
                "'marker.beside' needs 'at', and JSON Pointers to inputs of which the caller "
                "gives one"
            )
        if self.text is not None and (self.at is None or self.text.count("{marker}") != 1):
            raise EvidenceFault(
                "'marker.text' needs 'at', the input to which it is appended, and '{marker}' once"
            )
        if self.value is not None and (
            self.at is None or self.text is not None or [*placeholders(self.value)] != ["$marker"]
        ):
            raise EvidenceFault(
                "'marker.value' needs 'at', no 'text', and {\"$marker\": {}} once as its only "
                "placeholder"
            )
        if self.query is not None and (
            self.at is None
            or self.text is not None
            or self.value is not None
            or not _NAME.fullmatch(self.query)
        ):
            raise EvidenceFault(
                "'marker.query' needs 'at', an input that takes an address, no 'text' or "
                "'value', and a plain name"
            )
        return self

    def is_shared(self, _inputs: Mapping[str, Any], /) -> bool:
        """Return whether all attempts of a ``write`` with these inputs carry one marker."""
        return False

    def declare(self, evidence: Sequence[Evidence], effect: str, idempotent_by: str | None) -> None:
        """Check the evidence of an action with this marker.

        :raises EvidenceFault: if the evidence is wrong.
        """
        declared(self, evidence, effect, idempotent_by)

    def refuse_foreign(self, inputs: Mapping[str, Any]) -> None:
        """Refuse inputs that already have a marker, at this marker's place or as a whole value
        anywhere: it could be mistaken for another call's marker.

        :raises InvalidInput: if the inputs have a marker.
        """
        if self.at is None:
            return
        at = (
            self.at
            if any(
                MARKER_TEXT.search(self._as_read(text)) for text in texts_in(_at(inputs, self.at))
            )
            else None
        )
        if at is None:  # some providers build one value from several members
            at = next(
                (
                    f"/{name}"
                    for name, value in inputs.items()
                    if any(marker_in(text.strip()) for text in texts_in(value))
                ),
                None,
            )
        if at is not None:
            about = (
                "is a marker of jackfield, by which it finds out what became of another "
                "call: give another value"
            )
            hint = "Nothing was sent. Leave the member out, and it is filled in."
            raise InvalidInput(
                "1 input is not valid", details=[Detail(at, about, "pattern")], hint=hint
            )

    def _as_read(self, text: str) -> str:
        return text if self.query is None else unquote_plus(text)

    def filled(
        self,
        make: Callable[..., T],
        given: Mapping[str, Any],
        sources: Mapping[str, Any],
        marker: str | None,
    ) -> T | None:
        """Return the inputs of one attempt with its marker at this place, built by ``make`` from
        the JSON ``given`` and the ``sources`` of files. Return None if nothing changes: the place
        is elsewhere, or the caller has set it.
        """
        if self.at is None or marker is None or not places_marker(self, given):
            return None
        value: Any = f"{PREFIX}{marker}"
        if self.value is not None:
            before, own = _at(given, self.at), stamped(self.value, value)
            value = own if before is _MISSING else [*before, *own]
        elif self.query is not None:
            value = _with_parameter(str(_at(given, self.at)), self.query, value)
        elif self.text is not None:
            before, own = _at(given, self.at), self.text.replace("{marker}", value)
            value = own.strip() if before is _MISSING else f"{before}{own}"
        filled = put(given, names(self.at), value)
        return make(filled, context={"files": sources} if sources else None)


class Evidence:
    """One way to find the outcome of a call in doubt; ``key`` names it within its action."""

    __slots__ = ()
    key: str

    @property
    def permissions(self) -> Mapping[str, tuple[str, ...]]:
        """Further permissions that the reads need, by system; by default none."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """Return one member of ``evidence`` of an action in a manifest."""
        raise NotImplementedError

    def of(self, _inputs: Mapping[str, Any], /) -> Sequence[Evidence]:
        """Return the evidence that applies to a call with these inputs; by default only this
        one.
        """
        return (self,)

    def declare(self, evidence: Sequence[Evidence], effect: str, idempotent_by: str | None) -> None:
        """Check this and all other evidence of an action without a marker.

        :raises EvidenceFault: if the evidence is wrong.
        """
        declared(None, evidence, effect, idempotent_by)


@dataclass(frozen=True, slots=True)
class Look(Evidence):
    """Look for evidence by a ``read`` of the same connector.

    - ``action``: key of the read; ``inputs`` are its inputs, with placeholders (``MARKER``,
      ``KEY``, ``SENT_FROM``, ``FRESH``, ``{"$input": "/to"}``).
    - ``each``: JSON Pointer to the list of found objects; None if the output is the one object.
    - ``match``: values, with placeholders, by JSON Pointers into each object. All must be equal.
      ``contains``: likewise values, but a text must contain the value, and a list must have it as
      an item, or an item with its members. At least one of these values must be the marker or the
      key.
    - ``output``: JSON Pointer into the matching object; its value becomes the output of the
      invocation if it fits the action's schema.
    - ``looks``: seconds after the doubt at which the look is made.
    - ``when``: values of a found object that mean success and failure; without it, the existence of
      the object proves that the call took effect.
    - ``id``: JSON Pointer to the ID of each object, so that an object on two pages counts once.
    - ``absent_after``: seconds after the call's deadline from which "not found" proves that nothing
      took effect. It is for a read of one object by an ID made from the marker, with ``FRESH`` in
      the address. It needs a ``canary``.
    - ``absent``: answer that means "not found", if it is not a plain 404.
    - ``page``: the provider's page that documents the look's assumptions, and the date on which it
      was read; needed for ``absent_after``.
    - ``similar``: values, mostly ``{"$input": "/to"}``, by JSON Pointers into each object. An
      object with all of them and no marker proves nothing; people see it next to the request.
    - ``link``: address at the provider where people see the found object, with its values:
      ``https://dashboard.example/things/{/id}``. Or a JSON Pointer to the object's member with such
      an address.
    """

    action: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    each: str | None = None
    match: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    looks: tuple[float, ...] = LOOKS
    absent_after: float | None = None
    page: str | None = None
    key: str = "object"
    contains: Mapping[str, Any] = field(default_factory=dict)
    similar: Mapping[str, Any] = field(default_factory=dict)
    link: str | None = None
    when: Sequence[When] = ()
    canary: Canary | None = None
    absent: Absent | None = None
    id: str = "/id"

    def to_json(self) -> dict[str, Any]:
        """Return one member of ``evidence`` of an action in a manifest."""
        members: dict[str, Any] = {
            "key": self.key,
            "action": self.action,
            "inputs": dict(self.inputs),
            "each": self.each,
            "match": [
                *({"at": at, "is": value} for at, value in self.match.items()),
                *({"at": at, "contains": value} for at, value in self.contains.items()),
            ],
            "output": self.output,
            "looks": [*self.looks] if self.looks != LOOKS else None,
            "absentAfter": self.absent_after,
            "page": self.page,
            "similar": [{"at": at, "is": value} for at, value in self.similar.items()] or None,
            "link": self.link,
            "when": [row.to_json() for row in self.when] or None,
            "canary": None if self.canary is None else self.canary.to_json(),
            "absent": None if self.absent is None else self.absent.to_json(),
            "id": self.id if self.id != "/id" else None,
        }
        return {name: value for name, value in members.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Look:
        """Read one member of ``evidence``.

        :raises EvidenceFault: if it is wrong.
        """
        match, contains = (
            {row["at"]: row[how] for row in data.get("match", ()) if how in row}
            for how in ("is", "contains")
        )
        looks = tuple(map(float, data.get("looks", LOOKS)))
        about = (
            data.get("inputs", {}),
            data.get("each"),
            match,
            data.get("output"),
            looks,
            data.get("absentAfter"),
            data.get("page"),
        )
        similar = {row["at"]: row["is"] for row in data.get("similar", ())}
        more = (
            data.get("key", "object"),
            contains,
            similar,
            data.get("link"),
            tuple(map(When.from_json, data.get("when", ()))),
        )
        absence = (Canary.from_json(data.get("canary")), Absent.from_json(data.get("absent")))
        return cls(data.get("action", ""), *about, *more, *absence, data.get("id", "/id")).checked()

    def checked(self) -> Look:
        """Return the look, after checking that it can prove something.

        :raises EvidenceFault: if it compares neither marker nor key, is made too often, or "not
            found" would prove too much.
        """
        where = f"evidence '{self.key}'"
        if not self.action:
            raise EvidenceFault(f"{where} needs 'action', a read of the connector")
        placed = [*placeholders(self.match), *placeholders(self.contains)]
        if not any(name in ("$marker", "$key") for name in placed):
            raise EvidenceFault(
                f"{where} must compare the marker or the key: a similar thing without either "
                "proves nothing"
            )
        beside = [*placeholders({} if self.canary is None else self.canary.inputs)]
        named = (*placed, *placeholders(self.inputs), *placeholders(self.similar), *beside)
        unknown = next((name for name in named if name not in _PLACEHOLDERS), None)
        if unknown is not None:
            raise EvidenceFault(
                f"{where}: '{unknown}' is no placeholder: they are "
                f"{', '.join(sorted(_PLACEHOLDERS))}"
            )
        if (
            not 1 <= len(self.looks) <= MAX_LOOKS
            or [*self.looks] != sorted(self.looks)
            or not 1 <= self.looks[0] <= self.looks[-1] <= MAX_LOOKING
        ):
            raise EvidenceFault(
                f"{where}: 'looks' must be 1 to {MAX_LOOKS} rising numbers of seconds, from 1 to "
                f"{MAX_LOOKING:,.0f}"
            )
        if len(self.similar) > MOST_SIMILAR:
            raise EvidenceFault(f"{where}: 'similar' compares at most {MOST_SIMILAR} values")
        if self.link is not None and not self.link.startswith(("https://", "/")):
            raise EvidenceFault(
                f"{where}: 'link' must be an address that begins with https://, or a JSON "
                "Pointer to one"
            )
        self._check_proofs(where, beside)
        return self

    def _check_proofs(self, where: str, beside: Sequence[str]) -> None:
        try:
            check_proofs(self.when, self.canary, self.absent, beside)
        except ProofFault as fault:
            raise EvidenceFault(f"{where}: {fault}") from None
        if self.id and not self.id.startswith("/"):
            raise EvidenceFault(
                f"{where}: 'id' must be a JSON Pointer to the ID of a thing, such as /id"
            )
        if self.absent_after is not None:
            self._check_absence(where)
        elif self.canary is not None or self.absent is not None:
            raise EvidenceFault(
                f"{where}: 'canary' and 'absent' are for 'absentAfter', which says when a "
                "missing thing proves something"
            )

    def _check_absence(self, where: str) -> None:
        by_own_id = any(name in ("$marker", "$key") for name in placeholders(self.inputs))
        if self.each is not None or not by_own_id:
            raise EvidenceFault(
                f"{where}: 'absentAfter' needs a read of one thing by an ID that the marker "
                "made, not a list"
            )
        if not self.page:
            raise EvidenceFault(
                f"{where}: 'absentAfter' needs 'page', the provider's page that says when its "
                "reads are complete"
            )
        if (self.absent_after or 0.0) < LEAST_ABSENT:
            raise EvidenceFault(
                f"{where}: 'absentAfter' must be at least {LEAST_ABSENT:,.0f} seconds"
            )


@dataclass(frozen=True, slots=True)
class EventEvidence(Evidence):
    """Evidence from events of a trigger of the same connector.

    A signed event with the marker of an attempt (``TriggerEvent.marker``) proves that the attempt
    took effect. Its ``reference`` becomes the output's member that is marked
    ``Field(reference=True)``. The workspace of the call needs a subscription to the trigger, over
    the connection of the call or one of the same account.
    """

    trigger: str
    key: str = "event"

    def to_json(self) -> dict[str, Any]:
        """Return one member of ``evidence`` of an action in a manifest."""
        return {"key": self.key, "trigger": self.trigger}


@dataclass(frozen=True, slots=True)
class Record:
    """Record of one request in the provider's own log. ``error`` is the provider's error code, and
    ``refused`` jackfield's code if the provider refused the request, so that nothing took effect.
    ``shown`` are details for people, ``link`` the address of the record.
    """

    id: str
    marker: str
    at: float
    error: str | None = None
    refused: str | None = None
    account: str | None = None
    shown: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None


@dataclass(frozen=True, slots=True)
class RecordEvidence(Evidence):
    """Evidence from the provider's own log of requests: the records that a read of the connector
    ``source`` returns over the connection of the call. Callers of the provider cannot write the
    log, so it also proves that a request was refused.

    A subclass implements the reading of one log; ``permissions`` are the permissions that its read
    needs, by system. One read serves all calls in doubt with the same ``about`` and time.
    """

    source: str
    action: str
    looks: tuple[float, ...] = (120.0, 300.0, 600.0, 1200.0, 2700.0, 7200.0, 21_600.0, 86_400.0)
    key: str = "record"
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return one member of ``evidence`` of an action in a manifest."""
        return {"key": self.key, "source": self.source}

    def about(self, inputs: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return the facts of a call that a read of the log needs; None if the log has no records
        of such calls.
        """
        raise NotImplementedError

    def asked(
        self, about: Mapping[str, str], since: float, until: float, page: str | None
    ) -> Mapping[str, Any]:
        """Return the inputs of the read of one page of the log, from ``since`` to ``until`` in
        seconds since 1970.
        """
        raise NotImplementedError

    def found(
        self, about: Mapping[str, str], output: Mapping[str, Any]
    ) -> tuple[Sequence[Record], str | None]:
        """Return the records of a page that have a marker, and the token of the next page; None
        after the last.
        """
        raise NotImplementedError


def declared(
    marker: Marker | None, evidence: Sequence[Evidence], effect: str, idempotent_by: str | None
) -> None:
    """Check the evidence of an action.

    :raises EvidenceFault: if the action has evidence and is never in doubt, or evidence compares a
        marker that is placed nowhere.
    """
    if marker is not None:
        marker.checked()
    if (marker is not None or evidence) and effect != "write" and idempotent_by != "key":
        raise EvidenceFault(
            f"evidence needs the effect write, not {effect}: what may be repeated is not in doubt"
        )
    for look in evidence:
        if not isinstance(look, Look):
            if marker is None:
                raise EvidenceFault(
                    f"evidence '{look.key}' knows the attempt by its marker, and the action "
                    "places none"
                )
            continue
        look.checked()
        if marker is None and "$marker" in (
            *placeholders(look.match),
            *placeholders(look.contains),
            *placeholders(look.inputs),
        ):
            raise EvidenceFault(
                f"evidence '{look.key}' compares the marker, and the action places none"
            )
    keys = [look.key for look in evidence]
    if len(set(keys)) < len(keys):
        raise EvidenceFault("two members of 'evidence' have the same key")


def marker_in(value: object) -> str | None:
    """Return the marker in a value, without its prefix; None if the value is not a marker."""
    return (
        value.removeprefix(PREFIX)
        if isinstance(value, str) and MARKER_TEXT.fullmatch(value)
        else None
    )


def placeholders(value: Any) -> Iterator[str]:
    """Yield the names of the placeholders in a value."""
    if isinstance(value, Mapping):
        if is_placeholder(value):
            name = next(name for name in value if name.startswith("$"))
            if name == "$marker" and "{marker}" not in _text_of(value):
                name = "$marker without {marker} in its text"
            elif name == "$sent" and value.get("as") not in _FORMS:
                name = f"$sent as {value['as']}"
            yield name
            if name == "$marker" and IN_FRESH in _text_of(value):
                yield "$fresh"
            return
        for one in value.values():
            yield from placeholders(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from placeholders(one)


def _text_of(placeholder: Mapping[str, Any]) -> str:
    about = placeholder["$marker"]
    text = about.get("text") if isinstance(about, Mapping) else None
    return text if isinstance(text, str) else "{marker}"


def is_placeholder(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a placeholder, by a member that begins with ``$``."""
    return any(name.startswith("$") for name in value)


def is_free(inputs: Mapping[str, Any], at: str) -> bool:
    """Return whether a marker can be put at a place: its parent is an object, or missing."""
    found: Any = inputs
    for name in names(at)[:-1]:
        found = found.get(name, {})
        if not isinstance(found, Mapping):
            return False
    return True


def stamped(value: Any, marker: str) -> Any:
    """Return a value with a marker in place of its placeholders."""
    if isinstance(value, Mapping):
        if "$marker" in value:
            return _text_of(value).replace("{marker}", marker)
        return {name: stamped(one, marker) for name, one in value.items()}
    return [stamped(one, marker) for one in value] if isinstance(value, list | tuple) else value


def sent_as(placeholder: Mapping[str, Any], moment: float) -> Any:
    """Return the time of a request, in seconds since 1970, in the form that a placeholder names."""
    return _FORMS[placeholder.get("as")](moment)


def texts_in(value: Any) -> Iterator[str]:
    """Yield all strings in a value of JSON."""
    if isinstance(value, str):
        yield value
    for one in (
        value.values()
        if isinstance(value, Mapping)
        else value
        if isinstance(value, list | tuple)
        else ()
    ):
        yield from texts_in(one)


def put(inputs: Mapping[str, Any], steps: list[str], value: Any) -> dict[str, Any]:
    """Return a copy of the inputs with a value at a path; the caller's inputs are not modified."""
    first, *rest = steps
    return {**inputs, first: put(inputs.get(first, {}), rest, value) if rest else value}


def _at(inputs: Any, at: str) -> Any:
    for name in names(at):
        if not isinstance(inputs, Mapping) or name not in inputs:
            return _MISSING
        inputs = inputs[name]
    return inputs


def _names_in(items: Sequence[Any]) -> set[tuple[str, str]]:
    """Return the values by which a provider tells the items of a list apart, in lower case: some
    ignore the case of names.
    """
    rows = [item for item in items if isinstance(item, Mapping)]
    return {
        (name, row[name].lower())
        for row in rows
        for name in _IDENTIFYING
        if isinstance(row.get(name), str)
    }


def _takes_parameter(address: str, name: str) -> bool:
    """Return whether a parameter can be added to the query of an address that does not have it
    yet.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_address = (
        parts.scheme in ("http", "https") and bool(parts.netloc) and len(address) <= LONGEST_ADDRESS
    )
    return is_address and name not in parse_qs(parts.query, keep_blank_values=True)


def _with_parameter(address: str, name: str, value: str) -> str:
    before, hash_, fragment = address.partition("#")
    return f"{before}{'&' if '?' in before else '?'}{urlencode({name: value})}{hash_}{fragment}"


def places_marker(marker: Marker, inputs: Mapping[str, Any]) -> bool:
    """Return whether a call with these inputs carries a marker: the caller has not set its place,
    or a marker can be appended there.
    """
    if marker.at is None:
        return True
    if marker.beside and not any(
        _at(inputs, at) not in (_MISSING, None, "") for at in marker.beside
    ):
        return False
    found = _at(inputs, marker.at)
    if marker.query is not None:
        return isinstance(found, str) and _takes_parameter(found, marker.query)
    if found is not _MISSING and isinstance(marker.value, list):
        return (
            isinstance(found, list)
            and len(found) < LONGEST_LIST
            and not _names_in(found) & _names_in(marker.value)
        )
    if found is not _MISSING:
        return marker.text is not None and isinstance(found, str) and len(found) <= LONGEST_TEXT
    return is_free(inputs, marker.at)
