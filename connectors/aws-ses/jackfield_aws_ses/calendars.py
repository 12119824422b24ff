"""Calendar invitations: iCalendar text (RFC 5545) with its method (RFC 5546), an alternative part
of a message (RFC 6047).
"""

import re

from jackfield.kernel.dataclass import dataclass, field

METHODS = ("PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER")
"""Methods of RFC 5546 §1.4."""

_BEGIN, _END = "BEGIN:VCALENDAR", "END:VCALENDAR"
_FOLD = re.compile(r"\r?\n[ \t]|\r[ \t]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # RFC 5545 §3.1, CONTROL
_SHOWN = 60


class CalendarError(ValueError):
    """Error of an invitation that cannot be sent: ``reason`` is a predicate, ``pointer`` its member
    (``/text``, ``/method``).
    """

    def __init__(self, reason: str, pointer: str) -> None:
        super().__init__(reason, pointer)
        self.reason = reason
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Calendar:
    """Invitation: iCalendar text that states the method."""

    text: str = field(repr=False)
    method: str


def parse_calendar(text: str, method: str | None) -> Calendar:
    """Check an invitation. Mail clients require the method in both the text and the part's type; a
    text without one gets ``method``.

    Raises `CalendarError`.
    """
    trimmed = text.lstrip("\ufeff").strip()
    lines = _FOLD.sub("", trimmed).splitlines() or [""]
    if lines[0].strip().upper() != _BEGIN:
        raise CalendarError(f"is not iCalendar text: it must begin with {_BEGIN}", "/text")
    if lines[-1].strip().upper() != _END:
        raise CalendarError(f"is not complete iCalendar text: it must end with {_END}", "/text")
    if control := _CONTROLS.search(trimmed):
        raise CalendarError(f"contains the control character U+{ord(control[0]):04X}", "/text")
    stated = _stated(lines)
    if len(stated) > 1:
        raise CalendarError("has more than one METHOD", "/text")
    if not stated:
        return _with_method(trimmed, method)
    if stated[0] not in METHODS:
        raise CalendarError(
            f"has the METHOD '{stated[0][:_SHOWN]}'; expected one of {', '.join(METHODS)}", "/text"
        )
    if method not in (None, stated[0]):
        raise CalendarError(
            f"is {method}, but the iCalendar text has METHOD:{stated[0]}: give the same, or omit "
            "it",
            "/method",
        )
    return Calendar(trimmed, stated[0])


def _stated(lines: list[str]) -> list[str]:
    """Return the values of METHOD among the calendar's own properties, which precede its
    components.
    """
    found = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        key = name.partition(";")[0].strip().upper()
        if key == "BEGIN":
            break
        if key == "METHOD":
            found.append(value.strip().upper())
    return found


def _with_method(text: str, method: str | None) -> Calendar:
    if method is None:
        raise CalendarError(
            "is missing, and the iCalendar text has no METHOD: give 'method', such as REQUEST",
            "/method",
        )
    return Calendar(f"{text[: len(_BEGIN)]}\r\nMETHOD:{method}{text[len(_BEGIN) :]}", method)
