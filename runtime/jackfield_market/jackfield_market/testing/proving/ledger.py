"""The simulated provider in one run: it records each write and whether it took effect, and plays
one fault for one write.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jackfield_market.testing.loopback_provider import CLOSE, RESET, Answer, Request, Script, Step
from jackfield_market.testing.proving.faults import Fault
from jackfield_market.testing.proving.memory import plain, told
from jackfield_market.testing.proving.writes import (
    Shape,
    address,
    excerpt,
    is_refused,
    is_write,
    key_of,
    likeness,
    line,
    repeats_by_itself,
    shape,
)

_LATER = "/accepted/accepted-1"
"""Path of the outcome of an accepted write."""
_HUNG_UP: Mapping[str, Step] = {"reset": RESET, "silent": RESET, "close": CLOSE}
_CUT = 100
"""Number of octets that are announced and not sent."""
_LOOKS = 10
"""Maximum number of reads that fail in one run, so that code that reads until it succeeds ends."""
_BLIND = Answer({"message": "status 503"}, 503)


@dataclass(frozen=True)
class Terms:
    """Behaviour of the provider: the keys that it knows, its silence and delay in seconds, and the
    requests that change nothing.
    """

    key_headers: tuple[str, ...] = ("Idempotency-Key",)
    key_members: tuple[str, ...] = ()
    ignores_keys: bool = False
    reads: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Writes after a fault that repeat nothing, by the word of whoever asks for the proof."""
    silence: float = 10.0
    late: float = 1.0
    retry_after: int = 1
    refusals: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    redirects: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Answers that redirect the same request to another address; such a request has no effect."""


@dataclass
class Entry:
    """One request. ``write`` is its number in the first run, None if the first run lacked it;
    ``took`` is True if it had an effect.

    ``guessed``: only its place, and not its content, tells its number. ``admitted``: it is one of
    the ``others`` of the terms. ``moment`` is its time of day.
    """

    request: Request
    seconds: float
    key: str | None
    write: int | None = None
    took: bool = False
    answered: str = ""
    run: int = 0
    """Number of the run that sent the request, of two concurrent runs."""
    moment: float = field(default_factory=time.time)
    admitted: bool = False
    guessed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON."""
        found = {
            "request": line(self.request),
            "body": excerpt(self.request),
            "key": self.key,
            "seconds": round(self.seconds, 2),
        }
        return {name: value for name, value in found.items() if value not in (None, "")} | {
            "took": self.took,
            "then": self.answered,
        }


class Ledger:
    """Script of a ``Provider`` for one run, or for the runs of one situation. ``entries`` are its
    writes, ``trace`` all its requests.

    ``shapes`` are the writes of the first run; the fault is played for the first request of write
    number ``at``. ``kill`` ends the process. Of two concurrent runs, each request waits until the
    other run has sent as many requests.
    """

    def __init__(
        self, terms: Terms, answer: Callable[[Request], Answer], shapes: Sequence[Shape] = ()
    ) -> None:
        self.entries: list[Entry] = []
        self.trace: list[Entry] = []
        self.kill: Callable[[], None] = lambda: None
        self.fault: Fault | None = None
        self.at: int | None = None
        self.played = False
        self.looks = 0
        """Reads by GET after the fault."""
        self.cut_off = False
        """True if the silence ended before the client gave up."""
        self._terms = terms
        self._answer = answer
        self._shapes = [*shapes]
        self._keys: dict[tuple[str, str, str], tuple[bytes, Answer]] = {}
        self._began: float | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._arrived = [0, 0]
        self._apart = False
        self._answering = 0
        self._last = 0.0
        self._turn = threading.Lock()

    def end(self) -> None:
        """Release the requests that wait for a late or silent answer."""
        self._over.set()

    def script_of(self, run: int) -> Script:
        """Return the script for one of the runs, which answers, or plays the fault."""

        def play(_number: int, request: Request) -> Step:
            with self._turn:
                self._answering += 1
                self._arrived[run] += 1
            try:
                return self._react(request, run) if self._keeps_step(run, request) else RESET
            finally:
                with self._turn:
                    self._answering -= 1
                    self._last = time.monotonic()

        return play

    def idle_since(self, moment: float) -> float:
        """Return the seconds since ``moment`` or since the last answer, whichever is later; 0 while
        a request is being answered.
        """
        with self._turn:
            return 0.0 if self._answering else time.monotonic() - max(moment, self._last)

    def _keeps_step(self, run: int, request: Request) -> bool:
        """Let a request wait for the other run, at most ``late`` seconds and only once. Return
        False if its client hangs up meanwhile.
        """
        if self.fault is None or not self.fault.twice:
            return True
        mine, until = self._arrived[run], time.monotonic() + self._terms.late
        while not self._apart and self._arrived[1 - run] < mine:
            if (left := _has_left(request)) or time.monotonic() > until:
                self._apart = True
                return not left
        return True

    def _react(self, request: Request, run: int) -> Step:
        with self._lock:
            entry = self._traced(request, run)
            read = self._read(request)
            if read is not None:
                entry.answered = f"answered {read.status}"
                return read
            entry.write, entry.guessed = self._number(request)
            entry.admitted = self._is_admitted(request)
            self.entries.append(entry)
            fault = self.fault if self.at is not None and entry.write == self.at else None
            if self.played and not (fault is not None and fault.always):
                fault = None
            if fault is None:
                return self._taken(entry)
            self.played = True
            answer = self._taken(entry) if fault.takes else None
            effect = (
                "took effect" if entry.took else "no second effect" if fault.takes else "no effect"
            )
            entry.answered = f"{effect}; {fault.seen}"
        return self._play(fault, request, answer)

    def _read(self, request: Request) -> Answer | None:
        """Answer a request that is no write, or that is redirected; return None for a write."""
        path = address(request)[1]
        if path == _LATER:
            return Answer({"id": "accepted-1", "status": "failed"})
        if not is_write(request, self._terms.reads):
            looks = self.played and request.method in ("GET", "HEAD")
            self.looks += looks
            is_blind = (
                looks and self.fault is not None and self.fault.blind and self.looks <= _LOOKS
            )
            return _BLIND if is_blind else self._answer(request)
        elsewhere = told(self._terms.redirects, request.method, path)
        return None if elsewhere is None else plain(elsewhere, {})

    def _is_admitted(self, request: Request) -> bool:
        host, path, _ = address(request)
        routes = {route: dict[str, Any]() for route in self._terms.others}
        return any(told(routes, request.method, place) is not None for place in (path, host + path))

    def _play(self, fault: Fault, request: Request, answer: Answer | None) -> Step:
        if fault.kill in ("before", "during"):
            self.kill()
        if fault.step == "silent":
            self.cut_off = not self._is_left(request)
        if fault.step == "late":
            self._over.wait(self._terms.late)
        if fault.step in _HUNG_UP:
            return _HUNG_UP[fault.step]
        if fault.status or fault.step == "garbled":
            return self._failure(fault, request)
        found = answer or Answer()
        if fault.step == "half":
            return replace(found, missing=_CUT)
        return replace(found, then=self.kill) if fault.kill == "after" else found

    def _is_left(self, request: Request) -> bool:
        """Be silent, and return True if the client hung up before the silence ended."""
        until = time.monotonic() + self._terms.silence
        while not (self._over.is_set() or _has_left(request)):
            if time.monotonic() > until:
                return False
        return True

    def _failure(self, fault: Fault, request: Request) -> Answer:
        if fault.step == "garbled":
            return Answer(
                content=b"<html><title>OK</title></html>", headers={"Content-Type": "text/html"}
            )
        if fault.status == 202:
            return Answer({"id": "accepted-1", "status": "accepted"}, 202, {"Location": _LATER})
        row = (
            told(self._terms.refusals, request.method, address(request)[1])
            if fault.status == 422
            else None
        )
        if row is not None:
            return Answer(row.get("body", {}), int(row.get("status", fault.status)))
        headers = {"Retry-After": str(self._terms.retry_after)} if fault.status == 429 else {}
        return Answer(
            {"error": {"message": f"status {fault.status}"}, "message": f"status {fault.status}"},
            fault.status,
            headers,
        )

    def _traced(self, request: Request, run: int) -> Entry:
        key = key_of(request, self._terms.key_headers, self._terms.key_members)
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        entry = Entry(request, now - self._began, key, run=run)
        self.trace.append(entry)
        return entry

    def _number(self, request: Request) -> tuple[int | None, bool]:
        """Return the number of the first run's write that a request is, None if it is none of them,
        and whether the number is a guess.

        This is the most similar write; of equal ones the last without effect, else the next. If
        none is similar, it is the missing write at the same path, whatever its content.
        """
        mine = shape(request)
        seen = [entry.write for entry in self.entries]
        scores = [likeness(mine, other) for other in self._shapes]
        is_guess = not any(scores)
        if is_guess:
            scores = [
                0.0 if at in seen else likeness(mine, other, content=False)
                for at, other in enumerate(self._shapes)
            ]
        best = max(scores, default=0.0)
        if not best:
            return None, False
        alike = [number for number, score in enumerate(scores) if score == best]
        last = next((number for number in reversed(seen) if number in alike), None)
        if last is not None and not any(
            entry.took for entry in self.entries if entry.write == last
        ):
            return last, is_guess
        return next((number for number in alike if number not in seen), alike[-1]), is_guess

    def _taken(self, entry: Entry) -> Answer:
        """Let a write take effect, unless its key or its method shows that it took effect before;
        return the answer.
        """
        request = entry.request
        place = (request.method, address(request)[1], entry.key or "")
        before = (
            self._keys.get(place)
            if entry.key is not None and not self._terms.ignores_keys
            else None
        )
        if before is not None:
            return self._again(entry, *before)
        if any(
            is_refused(request, other.request)
            for other in self.entries
            if other is not entry and other.took
        ):
            entry.answered = "its condition no longer holds: refused (412)"
            return Answer({"message": "precondition failed"}, 412)
        if any(
            repeats_by_itself(request, other.request)
            for other in self.entries
            if other is not entry and other.took
        ):
            entry.answered = f"the same {request.method} again: no second effect"
            return self._answer(request)
        entry.took, entry.answered = True, "took effect; answered"
        answer = self._answer(request)
        self._keys[place] = (request.body, answer)
        return answer

    def _again(self, entry: Entry, body: bytes, answer: Answer) -> Answer:
        if shape(replace(entry.request, body=body)) == shape(entry.request):
            entry.answered = "the same key: no second effect; the first answer"
            return answer
        entry.answered = "the key of another write: refused (422)"
        return Answer({"message": "this idempotency key was used for another request"}, 422)


def _has_left(request: Request) -> bool:
    return request.left is not None and request.left()
