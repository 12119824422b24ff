"""Proof of code: it runs once with a provider that answers well, and then once for each write and
each situation.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jackfield.kernel.errors import InvalidInvocation
from jackfield_market.testing.loopback_provider import Answer, Provider, Request
from jackfield_market.testing.proving.authority import Authority
from jackfield_market.testing.proving.clock_keys import by_clock
from jackfield_market.testing.proving.faults import ANSWERED, FAULTS, Fault
from jackfield_market.testing.proving.ledger import Entry, Ledger, Terms
from jackfield_market.testing.proving.memory import Learned, Memory, place_of
from jackfield_market.testing.proving.targets import Case, Place, Running, strays
from jackfield_market.testing.proving.verdicts import (
    BY_ANOTHER,
    OF_ANOTHER,
    WRONG,
    Cell,
    Told,
    advice,
    verdict,
)
from jackfield_market.testing.proving.writes import (
    Shape,
    excerpt,
    is_sent_otherwise,
    likeness,
    line,
    repeats_by_itself,
    shape,
    times,
)

_MOST = 50
"""Maximum number of writes of one case that are examined."""
_CUT = (
    "A request still waited when the silence of {:g} s ended: its time-out is longer, or it has "
    "none. "
    "Give a longer --silence to see what the code does then."
)
_LINE = 80
"""Maximum length of the line of an unjudged write, in characters."""
_UNREAD = (
    "It also sent {0}, which took effect and was not in the first run. If that does the write again, "
    "it is sent twice; if it does something else, add --allow-other '{1}'."
)
_LEFT = (
    "Something of it still ran when the wait for it ended, and may send later: let it end, give a "
    "longer --silence, or prove it as a command, with which its threads end."
)
_UNENDED = "It has not ended, and may send later: give a longer --limit."
_UNPLAYED = f"Only the first {_MOST} writes are played: prove fewer at once."
_LOOK = 0.02
_STARTS = 60.0
"""Maximum wait, in seconds, for a new process to register before it is killed."""


@dataclass(frozen=True)
class Settings:
    """Settings of a proof. ``only``: the names of the situations to play; ``limit``: maximum
    duration of one run, in seconds.
    """

    terms: Terms = field(default_factory=Terms)
    told: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 200
    listed: str | None = None
    only: tuple[str, ...] = ()
    again: bool = False
    """True if effects of a second start count as the code's own fault."""
    port: int = 0
    proxy: bool = False
    limit: float = 120.0


@dataclass(frozen=True)
class Write:
    """Write of the first run."""

    number: int
    line: str
    body: str


@dataclass(frozen=True)
class CaseProof:
    """Findings about one case. ``notes`` name the parts that could not be proven."""

    name: str
    writes: tuple[Write, ...]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()

    def label(self, write: Write) -> str:
        """Return the line of a write, with its content if another write has the same line."""
        is_alone = sum(other.line == write.line for other in self.writes) == 1
        return write.line if is_alone else f"{write.line} {write.body}"[:_LINE].strip()

    def of(self, write: Write) -> list[Cell]:
        """Return the cells of a write: its verdicts in all situations."""
        return [cell for cell in self.cells if cell.write == write.number]


@dataclass
class Played:
    """Situation that was played."""

    told: Told
    ledger: Ledger
    shapes: Sequence[Shape] = ()
    left: bool = False
    """True if threads or processes of the code still ran when the wait for them ended."""

    def entries(self, write: int) -> tuple[Entry, ...]:
        """Return the requests of a write."""
        return tuple(entry for entry in self.ledger.entries if entry.write == write)

    def effects(self, write: int) -> int:
        """Return the number of times that a write took effect."""
        return times(
            [shape(entry.request) for entry in self.entries(write) if entry.took],
            self.shapes[write],
        )

    def otherwise(self, write: int) -> tuple[Entry, ...]:
        """Return the requests that repeated a write in another form after it had taken effect;
        empty unless the code reports success.
        """
        done = next((entry for entry in self.entries(write) if entry.took), None)
        if done is None or self.told.word != "success":
            return ()
        later = self.ledger.entries[self.ledger.entries.index(done) + 1 :]
        new = (
            entry
            for entry in later
            if entry.took and entry.write is None and (entry.key is None or entry.key != done.key)
        )
        return tuple(entry for entry in new if is_sent_otherwise(entry.request, done.request))

    def number(self) -> None:
        """Number similar requests by their order, if several writes that differ only in generated
        values have one request each.
        """
        for first in range(len(self.shapes)):
            group = [
                at
                for at, one in enumerate(self.shapes)
                if at == first or likeness(one, self.shapes[first])
            ]
            mine = [entry for entry in self.ledger.entries if entry.write in group]
            marks = {shape(entry.request) for entry in mine}
            if (
                group[0] == first
                and len(group) == len(mine) == len(marks)
                and not marks & {*self.shapes}
            ):
                for entry, at in zip(mine, group, strict=True):
                    entry.write = at

    def sends_another(self) -> bool:
        """Return whether a write that was not in the first run took effect after the fault."""
        return any(one.write is None for one in self._after())

    def _after(self) -> list[Entry]:
        """Return the writes that took effect after the one that met the fault."""
        entries, at = self.ledger.entries, self.ledger.at
        met = next((n for n, one in enumerate(entries, 1) if at is not None and one.write == at), 0)
        return [one for one in entries[met:] if one.took]

    def unread(self) -> list[Entry]:
        """Return the writes after the fault that took effect and are not understood.

        Understood are those that count as a repetition, that the first one's key holds together
        with it, that replace it where it had no effect, or that are admitted.
        """
        at = self.ledger.at
        mine = () if at is None else self.entries(at)
        again = () if at is None else self.otherwise(at)
        done = next((one for one in mine if one.took), None)
        new = [
            one
            for one in self._after()
            if not one.admitted
            and one not in again
            and (one.write is None or (one.guessed and one.write != at and self._is_near(one)))
        ]
        forms = [
            one
            for one in new
            if any(is_sent_otherwise(one.request, other.request) for other in mine)
        ]
        known = forms[:1]
        if done is not None:
            known = [one for one in forms if one.key is not None and one.key == done.key]
        return [one for one in new if one not in known]

    def _is_near(self, entry: Entry) -> bool:
        at = self.ledger.at
        return at is not None and shape(entry.request).is_at(self.shapes[at])

    def doubt(self) -> str:
        """Return why the run after the fault cannot be judged; empty if it can."""
        if unread := self.unread():
            request = unread[0].request
            name = line(request)
            return _UNREAD.format(f"{name} {excerpt(request)}"[:_LINE].strip(), name)
        if self.told.word == "nothing":
            return _UNENDED
        return _LEFT if self.left else ""


class Prover:
    """Player of all situations for each write of a case. ``progress`` gets the current
    situation.
    """

    def __init__(
        self, settings: Settings, progress: Callable[[str], None] = lambda _text: None
    ) -> None:
        self._settings = settings
        self._progress = progress
        self._learned = Learned()
        self._looks = False
        """True if the code reads after a failed write."""

    def prove(self, case: Case) -> CaseProof:
        """Return the findings about a case.

        :raises InvalidInvocation: if the case makes no write, or fails at a fake of jackfield's.
        """
        self._looks = False
        self._progress(f"{case.name}: first run, in which all is answered")
        first = self._first(case)
        firsts = self._writes(first.ledger.entries)
        first.shapes = shapes = [shape(entry.request) for entry in firsts]
        if not firsts or (first.told.word != "success" and hasattr(case, "answer")):
            raise _nothing(case, first)
        writes = tuple(
            Write(number, line(entry.request), excerpt(entry.request))
            for number, entry in enumerate(firsts)
        )
        cells = [*self._first_cells(writes, first)]
        notes = [f"Only the first {_MOST} writes were looked at."] if len(writes) > _MOST else []
        faults = [*self._faults(case)]
        for number, fault in enumerate(faults, 1):
            if fault.blind and not (self._looks or fault.name in self._settings.only):
                continue
            self._progress(
                f"{case.name}: situation {number} of {len(faults)}, {fault.name}: {fault.words}"
            )
            found = [*self._cells(case, fault, writes[:_MOST], shapes)]
            cells += [cell for cell, _ in found]
            if any(cut for _, cut in found):
                notes.append(_CUT.format(self._settings.terms.silence))
        cells = [*by_clock(cells, firsts)]
        return CaseProof(case.name, writes, tuple(_single(cells)), tuple(dict.fromkeys(notes)))

    def _first(self, case: Case) -> Played:
        """Play the first run. If it makes no write, play it again without the objects that it read
        last: they may have prevented the write.
        """
        self._learned = Learned()
        first = self._play(case, ANSWERED, [])
        reads = [
            place_of(entry.request) for entry in first.ledger.trace if not entry.request.changes
        ]
        if not first.ledger.entries and reads:
            looked = reads[-1].rpartition("/")[0]
            self._learned = Learned(
                absent=frozenset(path for path in reads if path.rpartition("/")[0] == looked)
            )
            first = self._play(case, ANSWERED, [])
        self._learned = self._learned.after(entry.request for entry in first.ledger.trace)
        return first

    def _faults(self, case: Case) -> Iterator[Fault]:
        for fault in FAULTS:
            wanted = fault.name in self._settings.only if self._settings.only else not fault.asked
            if wanted and (case.can_be_killed or not fault.is_started_again):
                yield fault

    def _writes(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the writes of the first run, and number each request by its write."""
        found: list[Entry] = []
        for entry in entries:
            entry.write = next(
                (number for number, one in enumerate(found) if _is_again(entry, one)), len(found)
            )
            if entry.write == len(found):
                found.append(entry)
        return found

    def _first_cells(self, writes: Sequence[Write], first: Played) -> Iterator[Cell]:
        """Judge the first run: a write without effect is lost, since it has another write's key, or
        a condition that no longer holds.
        """
        unsent = [write for write in writes if first.effects(write.number) == 0]
        told = Told("success") if unsent else first.told
        for write in writes:
            cell = self._cell(write.number, ANSWERED, first, told)
            if write in unsent:
                text = OF_ANOTHER[cell.entries[0].key is None]
                cell = replace(cell, verdict="lost", told=first.told, advice=text)
            elif write.number >= _MOST and not cell.is_wrong:
                cell = replace(cell, verdict="not judged", advice=_UNPLAYED)
            yield cell

    def _cells(
        self, case: Case, fault: Fault, writes: Sequence[Write], shapes: Sequence[Shape]
    ) -> Iterator[tuple[Cell, bool]]:
        if fault.twice:
            both = self._play(case, fault, shapes)
            yield from (
                (self._cell(write.number, fault, both, both.told), False) for write in writes
            )
            return
        for write in writes:
            played = self._play(case, fault, shapes, write.number)
            cut = played.ledger.cut_off
            self._looks = self._looks or played.ledger.looks > 0
            if not fault.takes:
                played.number()
            if not played.ledger.played:
                yield self._unreached(write.number, fault, played), cut
                continue
            yield self._cell(write.number, fault, played, played.told), cut
            for other in writes:
                if (
                    other is not write
                    and (cell := self._beside(write, other, fault, played)) is not None
                ):
                    yield cell, cut

    def _beside(self, write: Write, other: Write, fault: Fault, played: Played) -> Cell | None:
        """Return the cell of another write whose outcome is wrong: it took effect again, or was
        omitted without a report. Return None if it is right.
        """
        effects = played.effects(other.number)
        if effects > 1 or (
            effects == 0 and played.told.word == "success" and not played.sends_another()
        ):
            return self._cell(other.number, fault, played, played.told, f" of {write.line}")
        return None

    def _cell(self, write: int, fault: Fault, played: Played, told: Told, of: str = "") -> Cell:
        entries, effects = played.entries(write), played.effects(write)
        otherwise = (
            played.otherwise(write)
            if effects == 1 and fault.takes and not fault.is_started_again
            else ()
        )
        entries, effects = entries + otherwise, effects + len(otherwise)
        found = verdict(
            fault if not of else ANSWERED, effects, told, another=played.sends_another()
        )
        text = advice(found, fault, entries, told, ignores_keys=self._settings.terms.ignores_keys)
        doubt = "" if fault is ANSWERED or found in WRONG else played.doubt()
        if doubt:
            found, text = "not judged", doubt
        counts = self._settings.again or not fault.is_started_again
        trace = tuple(played.ledger.trace)
        return Cell(
            write,
            fault.name + of,
            found,
            told,
            effects,
            entries,
            BY_ANOTHER if otherwise else text,
            counts,
            trace,
        )

    def _unreached(self, write: int, fault: Fault, played: Played) -> Cell:
        text = (
            "The run did not come to this write again: keep its state in the folder that "
            "JACKFIELD_PROVE_FOLDER names."
        )
        counts = self._settings.again or not fault.is_started_again
        return Cell(
            write,
            fault.name,
            "not reached",
            played.told,
            played.effects(write),
            played.entries(write),
            text,
            counts,
        )

    def _play(
        self, case: Case, fault: Fault, shapes: Sequence[Shape], at: int | None = None
    ) -> Played:
        with (
            tempfile.TemporaryDirectory(prefix="jackfield-prove-") as home,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            folder = Path(home)
            (folder / "state").mkdir()
            authority = Authority(folder, "jackfield prove") if self._settings.proxy else None
            ledger = Ledger(self._settings.terms, self._answering(case), shapes)
            ledger.fault, ledger.at = fault, at
            with _serving(case, ledger, self._settings.port, authority) as urls:
                places = [
                    Place(
                        url,
                        folder / "state",
                        {} if authority is None else authority.environment(url),
                    )
                    for url in urls
                ]
                told, left = self._run(case, places, fault, ledger)
            return Played(told, ledger, shapes, left)

    def _answering(self, case: Case) -> Callable[[Request], Answer]:
        own: Callable[[Request], Answer] | None = getattr(case, "answer", None)
        return (
            own
            or Memory(
                self._settings.told, self._settings.status, self._settings.listed, self._learned
            ).answer
        )

    def _run(
        self, case: Case, places: Sequence[Place], fault: Fault, ledger: Ledger
    ) -> tuple[Told, bool]:
        """Run the code; return its reported outcome, and whether something of it ran on at the
        end.
        """
        known = threading.Event()
        killable = fault.kill is not None
        running: list[Running] = []
        ledger.kill = lambda: _kill(running, known)
        running += [case.start(place, killable=killable) for place in places]
        known.set()
        told = min(
            (one.wait(self._settings.limit) for one in running),
            key=lambda one: one.word != "success",
        )
        if killable:
            running.append(case.start(places[0], killable=True))
            told = running[-1].wait(self._settings.limit)
        return told, self._rest(running, places[0].folder, ledger)

    def _rest(self, running: Sequence[Running], folder: Path, ledger: Ledger) -> bool:
        """Wait for the end of the runs' background work, until it has been silent for as long as
        the provider is; then end it if possible. Return whether some still ran.
        """
        ended, terms = time.monotonic(), self._settings.terms
        patience = max(terms.silence, terms.late)
        while is_left := any(one.lingers() for one in running) or any(strays(folder)):
            is_over = time.monotonic() - ended > self._settings.limit
            if is_over or ledger.idle_since(ended) > patience:
                break
            time.sleep(_LOOK)
        ledger.end()
        for one in running:
            one.kill()
        for stray in strays(folder):
            with contextlib.suppress(OSError):
                os.kill(stray, signal.SIGKILL)
        return is_left


def _kill(running: Sequence[Running], known: threading.Event) -> None:
    known.wait(_STARTS)
    running[0].kill()


@contextlib.contextmanager
def _serving(
    case: Case, ledger: Ledger, port: int, authority: Authority | None
) -> Iterator[Sequence[str]]:
    """Serve the simulated provider where the case sends its requests, and yield its URLs; each of
    two concurrent runs has its own.
    """
    own: Any = getattr(case, "serving", None)
    if own is not None:
        with own(ledger.script_of(0)) as url:
            yield [url]
        return
    with contextlib.ExitStack() as stack:
        ports = (port, 0) if ledger.fault is not None and ledger.fault.twice else (port,)
        made = [
            Provider(ledger.script_of(run), port=one, authority=authority)
            for run, one in enumerate(ports)
        ]
        providers = [stack.enter_context(provider) for provider in made]
        try:
            yield [provider.url for provider in providers]
        finally:
            ledger.end()
            for provider in providers:
                provider.settle()


def _is_again(entry: Entry, before: Entry) -> bool:
    """Return whether a request of the first run repeats an earlier one: by its key, its method, or
    its whole content.
    """
    one, other = shape(entry.request), shape(before.request)
    if one.method != other.method or entry.key != before.key:
        return False
    if entry.key is not None:
        return one == other
    return repeats_by_itself(entry.request, before.request) or (one == other and bool(one.values))


def _single(cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield each verdict about a write in a situation once."""
    seen: set[tuple[int, str, str]] = set()
    for cell in cells:
        place = (cell.write, cell.situation, cell.verdict)
        if place not in seen:
            seen.add(place)
            yield cell


def _nothing(case: Case, first: Played) -> InvalidInvocation:
    said = f"; it said: {first.told.text}" if first.told.text else ""
    if first.ledger.entries:
        return InvalidInvocation(
            f"the fake does not answer '{case.name[:100]}'{said}",
            hint="It cannot be proved without its provider.",
        )
    asked = len(first.ledger.trace)
    hint = (
        "Name the variable with the provider's address by --base-url-variable, or let it "
        "call through the proxy: leave the option out."
    )
    if first.told.text:
        hint = f"Correct what it said, if that is why. {hint}"
    return InvalidInvocation(
        f"'{case.name[:100]}' sent no write to the provider in between ({asked} requests "
        f"came){said}",
        hint=hint,
    )
