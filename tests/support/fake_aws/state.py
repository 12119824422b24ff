"""An account's ledger with a log, counters and a script of faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from jackfield_aws_ses_simulator.aws.call import Call
from jackfield_aws_ses_simulator.aws.ledger import Ledger
from jackfield_aws_ses_simulator.aws.messages import SentMessage

from .faults import Script
from .options import Settings

_SENDS = frozenset({"SendEmail", "SendRawEmail"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request that was read whole. `parameters` leaves message content out; `at` is the fake's
    clock.
    """

    service: str
    operation: str
    region: str
    parameters: dict[str, Any]
    headers: dict[str, str] = field(repr=False)
    at: float
    access_key_id: str

    @property
    def name(self) -> str:
        """`sesv2:SendEmail`."""
        return f"{self.service}:{self.operation}"


class State(Ledger):
    """One fake's memory; `changed` is notified at each connection, request and message."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        super().__init__(settings, clock)
        self.settings = settings
        self.script = Script(settings.script)
        self.open_connections = 0
        self._forget()

    def configure(self, settings: Settings) -> None:
        """Replace the settings; a new script counts from the next reset()."""
        self.settings = self.account = settings

    def _forget(self) -> None:
        self._log: list[tuple[Call, float]] = []
        self.messages = []
        self.counts: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        self.connections = self.received = self._unread = self._recipients = 0
        self._recent = {}

    def reset(self, sessions: bool = False) -> None:
        """Log, messages, counters and script as at the start; sessions only if asked."""
        with self.changed:
            self._forget()
            self.script = Script(self.settings.script)
            if sessions:
                self.sessions, self.records = {}, {}

    def connected(self, by: int) -> None:
        """Count a connection that opened (1) or closed (-1)."""
        with self.changed:
            self.connections += max(by, 0)
            self.open_connections += by
            self.changed.notify_all()

    def log(self, call: Call) -> None:
        """Write a call down and count it."""
        with self.changed:
            self._log.append((call, self.now()))
            self.counts[call.name] += 1
            self.received += call.operation in _SENDS
            self.changed.notify_all()

    @property
    def requests(self) -> list[Request]:
        """The calls as they are shown; made when asked for, as a benchmark never asks."""
        return [
            Request(
                call.service,
                call.operation,
                call.region,
                call.parameters,
                call.http.headers,
                at,
                call.access_key_id,
            )
            for call, at in list(self._log)
        ]

    def accept_unread(self, name: str) -> None:
        """Count a send that nobody looked at."""
        with self.changed:
            self.counts[name] += 1
            self.received += 1
            self._unread += 1
            self.changed.notify_all()

    def scripted(self, call: Call) -> Any:
        """Return the scripted answer to a call; of a list the next, and the last one for ever."""
        found = self.settings.answers[call.operation]
        if callable(found):
            return found(call)
        if not isinstance(found, list):
            return found
        with self.changed:
            turn = self.turns[call.operation]
            self.turns[call.operation] += 1
        return found[min(turn, len(found) - 1)]

    @property
    def accepted(self) -> int:
        """Sends that were accepted."""
        return len(self.messages) + self._unread

    def as_json(self) -> dict[str, Any]:
        """Return the whole state, in JSON form."""
        return {
            "connections": self.connections,
            "received": self.received,
            "accepted": self.accepted,
            "calls": [request.name for request in self.requests],
            "requests": list(map(_shown, self.requests)),
            "messages": list(map(_message, list(self.messages))),
            "sessions": list(map(_shown, list(self.sessions.values()))),
        }


_CONTENT = ("headers", "subject", "text", "html", "kind")


def _shown(item: Any, more: Iterable[str] = ()) -> dict[str, Any]:
    """Return the members of a dataclass that may be shown, and more, in camelCase."""
    names = (*(known.name for known in fields(item) if known.repr), *more)
    return {_camel(name): getattr(item, name) for name in names}


def _camel(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(map(str.title, words))


def _message(message: SentMessage) -> dict[str, Any]:
    shown = _shown(message, _CONTENT)
    del shown["simple"]
    return {
        **shown,
        "attachments": [_shown(item, ("size", "sha256")) for item in message.attachments],
    }
