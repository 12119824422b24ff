"""A callback: an address, and the events that it receives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from jackfield.call.events import Event
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    InvalidInvocation,
    first_faults,
)
from jackfield.kernel.pointers import pointer
from jackfield.kernel.stored_values import parsed_object, problem_of_times
from jackfield.wire.guard import Guard
from jackfield.wire.urls import target_of
from jackfield_service.subjects.events.event import check_types, fits
from jackfield_store.access.platform_tokens import pattern_of
from jackfield_store.database import Row

Origin = Literal["operator", "remote"]
Signing = Literal["hmac", "ed25519"]

COLUMNS = (
    "workspace, id, url, origin, options, secrets, status, reason, position, failing_since, "
    "warned_at, exhausted_at, probe_at, created_at, "
    "updated_at"
)
_OPTIONS = ("types", "filter", "include", "thin", "signing", "description")
MEMBERS = frozenset(("url", *_OPTIONS))
"""Members of a callback that a caller may set."""
_FILTERS = ("connector", "action", "connection", "status", "errorCode", "correlationId", "labels")
_LONGEST_URL = 2000
_LONGEST_TEXT = 200
_MOST_VALUES = 50
_CONTROL = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Options:
    """Selection of a callback's events, and of their form.

    ``types`` are types and patterns; none: all except the audit log's. ``filter`` are members of
    the data with their required value, or one of the allowed values. ``include`` may have
    ``output``, for the output of an invocation; ``thin`` leaves the data out.
    """

    types: tuple[str, ...] = ()
    filter: Mapping[str, Any] | None = None
    include: tuple[str, ...] = ()
    thin: bool = False
    signing: Signing = "hmac"
    description: str = ""

    def wants(self, event: Event) -> bool:
        """Return whether the options select an event."""
        if not (
            fits(event.type, self.types) if self.types else not event.type.startswith("audit.")
        ):
            return False
        return all(
            _matches(event.data.get(name), wanted) for name, wanted in (self.filter or {}).items()
        )

    def to_json(self) -> dict[str, Any]:
        """Return the options as a document of the HTTP API."""
        return {
            "types": list(self.types),
            "filter": dict(self.filter) if self.filter else None,
            "include": list(self.include),
            "thin": self.thin,
            "signing": self.signing,
            "description": self.description,
        }

    @classmethod
    def checked(
        cls, given: Mapping[str, Any], present: Options | None = None, *, stored: bool = False
    ) -> Options:
        """Read a caller's options, over the ``present`` options. Types of ``stored`` options may
        come from another version.

        :raises InvalidInvocation: with all faults at once.
        """
        merged = {
            **(present or cls()).to_json(),
            **{name: given[name] for name in _OPTIONS if name in given},
        }
        faults = first_faults(_faults(merged))
        if faults:
            raise invalid(faults)
        types = (
            check_types(merged["types"])
            if "types" in given and not stored
            else tuple(merged["types"])
        )
        return cls(
            types,
            merged["filter"] or None,
            tuple(dict.fromkeys(merged["include"])),
            merged["thin"],
            merged["signing"],
            merged["description"],
        )


@dataclass(frozen=True, slots=True)
class Callback:
    """A stored callback, without its secrets. Times are seconds since 1970."""

    id: str
    url: str
    origin: Origin
    options: Options
    status: str
    reason: str | None
    position: int
    failing_since: float | None
    warned_at: float | None
    exhausted_at: float | None
    probe_at: float | None
    created_at: float
    updated_at: float
    workspaces: str | None = None
    """Pattern of the workspaces of a platform; None for a callback of one workspace."""

    def to_json(self) -> dict[str, Any]:
        """Return the callback as a document of the HTTP API."""
        members = {
            "id": self.id,
            "workspaces": self.workspaces,
            "url": self.url,
            **self.options.to_json(),
            "status": self.status,
            "reason": self.reason,
            "failingSince": iso(self.failing_since),
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at),
            **problem_of_times(self.failing_since, self.created_at, self.updated_at),
        }
        return {name: value for name, value in members.items() if value is not None}


def read_callback(row: Row) -> Callback:
    """Read a row of the table ``callbacks``. Damaged options select nothing."""
    try:
        options = Options.checked(parsed_object(row.options), stored=True)
    except (InvalidInvocation, ValueError, TypeError):
        options = Options(types=("damaged",), description="its row in the database is damaged")
    return Callback(
        row.id,
        row.url,
        row.origin,
        options,
        row.status,
        row.reason,
        row.position,
        row.failing_since,
        row.warned_at,
        row.exhausted_at,
        row.probe_at,
        row.created_at,
        row.updated_at,
        pattern_of(row.workspace),
    )


def check_url(url: object, origin: Origin, guard: Guard) -> str:
    """Check the URL of a callback. A URL that was not set by the operator must be https, and public
    unless ``guard`` allows its host.

    :raises InvalidInvocation: if the URL is not allowed.
    """
    if not isinstance(url, str) or len(url) > _LONGEST_URL or _CONTROL.search(url):
        raise invalid(
            [
                Detail(
                    "/url",
                    f"must be a URL of at most {_LONGEST_URL:,} characters, without spaces",
                    "format",
                )
            ]
        )
    try:
        target, _, _ = target_of(url)
    except ValueError as error:
        raise invalid([Detail("/url", str(error), "format")]) from None
    if origin == "operator":
        return url
    try:
        guard.check(target.host, "/url")
    except InvalidConnection as error:
        raise InvalidInvocation(
            "the callback is not allowed to reach this host", details=error.details, hint=error.hint
        ) from None
    if urlsplit(url).scheme != "https" and Guard().permits(target.host):
        raise invalid(
            [
                Detail(
                    "/url", "must be https: events would cross the internet unencrypted", "pattern"
                )
            ]
        )
    return url


def invalid(faults: Sequence[Detail]) -> InvalidInvocation:
    """Return the error for a callback that cannot be stored."""
    count = (
        "1 member of the callback is"
        if len(faults) == 1
        else f"{len(faults)} members of the callback are"
    )
    return InvalidInvocation(
        f"{count} not valid",
        details=faults,
        hint=(
            'Send {"url": "https://…", "types": ["invocation.finished"]}; all but url is optional.'
        ),
    )


def stored(options: Options) -> str:
    """Return options as the JSON that ``read_callback`` reads."""
    return json.dumps(options.to_json())


def _faults(options: Mapping[str, Any]) -> Iterator[Detail]:
    types, include = options["types"], options["include"]
    if not isinstance(types, list) or not all(isinstance(text, str) for text in types):
        yield Detail("/types", "must be an array of types", "type")
    if not isinstance(include, list) or not set(map(str, include)) <= {"output"}:
        yield Detail("/include", 'must be an array; it may have "output"', "enum")
    if not isinstance(options["thin"], bool):
        yield Detail("/thin", "must be true or false", "type")
    if options["thin"] is True and include:
        yield Detail(
            "/include",
            "a thin callback gets no data, so no output either; leave one of 'thin' and "
            "'include' out",
            "not",
        )
    if options["signing"] not in ("hmac", "ed25519"):
        yield Detail("/signing", "must be 'hmac' or 'ed25519'", "enum")
    description = options["description"]
    if not isinstance(description, str) or len(description) > _LONGEST_TEXT:
        yield Detail(
            "/description", f"must be a text of at most {_LONGEST_TEXT} characters", "maxLength"
        )
    yield from _filter_faults(options["filter"])


def _filter_faults(wanted: object) -> Iterator[Detail]:
    if not isinstance(wanted, dict | None):
        yield Detail("/filter", "must be an object", "type")
        return
    for name, value in (wanted or {}).items():
        if name not in _FILTERS:
            yield Detail(
                pointer("filter", str(name)),
                f"'{str(name)[:80]}' is not one of {', '.join(_FILTERS)}",
                "additionalProperties",
            )
        elif name == "labels" and not (
            isinstance(value, dict) and all(map(_is_wanted, value.values()))
        ):
            yield Detail(
                "/filter/labels", "must be an object of strings, or of arrays of strings", "type"
            )
        elif name != "labels" and not _is_wanted(value):
            yield Detail(
                pointer("filter", name),
                f"must be a string, or an array of 1 to {_MOST_VALUES} strings",
                "type",
            )


def _is_wanted(value: object) -> bool:
    many = value if isinstance(value, list) else [value]
    return 1 <= len(many) <= _MOST_VALUES and all(
        isinstance(one, str) and len(one) <= _LONGEST_TEXT for one in many
    )


def _matches(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _matches(found.get(name), value) for name, value in wanted.items()
        )
    return found in wanted if isinstance(wanted, list) else found == wanted
