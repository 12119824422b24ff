"""Invocations from the lines of a file: options that apply to all, resuming, and the line number of each Result."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from jackfield.cli.batch import Batch
from jackfield.cli.interrupt import interruptible
from jackfield.cli.line_keys import LineKeys, report_replays
from jackfield.cli.local_files import STDIN, Files, changed, count_lines
from jackfield.cli.session import caller, open_jackfield
from jackfield.errors import InvalidInvocation
from jackfield.invocation import Meta, Result, decode, new_invocation_id

if TYPE_CHECKING:
    import threading

    from jackfield.cli.output import Output
    from jackfield.cli.parsing import Namespace


@contextmanager
def progress(stdout: TextIO, total: int | None = None) -> Iterator[Callable[[bool], None]]:
    """Yield a counter of Results. It shows the number done of ``total``, the rate and the time left if stderr is a terminal and ``stdout``
    is not: on a terminal, the Results themselves show the progress."""
    if stdout.isatty() or not sys.stderr.isatty():
        yield lambda _failed: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    done = failures = 0
    began = time.monotonic()
    known = () if total is None else (BarColumn(), TextColumn("left:"), TimeRemainingColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), *known)
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("no invocation finished yet", total=total)

        def tell(failed: bool) -> None:
            nonlocal done, failures
            done, failures = done + 1, failures + failed
            rate = done / max(0.001, time.monotonic() - began)
            of = f" of {total:,}" if total is not None else ""
            bar.update(task, completed=done, description=f"{done:,}{of} finished, {failures:,} failed, {rate:,.1f}/s")

        yield tell


_FAILED = 1
_STATUSES = frozenset({"succeeded", "failed", "in_doubt"})
_START = b'{"status":'
"""First bytes of every Result that this command prints."""
_FINAL = frozenset({"succeeded", "in_doubt"})
"""Statuses of lines that must not run again: done, or possibly done."""


@dataclass(frozen=True, slots=True)
class _Line:
    """Invocation on one line of a file. ``key`` holds the members that give it an idempotency key if it has none."""

    number: int
    content: bytes | InvalidInvocation
    key: Mapping[str, Any]


@dataclass(slots=True)
class _Tally:
    """Counters of a run, for the messages at its end."""

    given: int = 0
    last: int = 0
    worst: int = 0
    replayed: int = 0
    cancelled: list[int] = field(default_factory=list)
    unwritten: list[int] = field(default_factory=list)
    """Lines that ran and whose Results are not in the output."""
    keyless: int = 0
    """How many of them have no idempotency key."""
    replaced: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: _Line, result: Result, *, written: bool) -> None:
        """Count a Result."""
        self.given, self.last, self.worst = self.given + 1, line.number, max(self.worst, result.exit_code)
        self.replayed += result.meta.replayed
        if result.error is not None and result.error.code == "cancelled":
            self.cancelled.append(line.number)
        elif not written:
            self.unwritten.append(line.number)
            self.keyless += not line.key and "idempotencyKey" not in _own_ids(line.content)


def run_lines(path: str, changes: Mapping[str, Any], arguments: Namespace, output: Output) -> int:
    """Run each line of a file and print its Result. Return the largest exit code, at least 1 if the run stopped early.

    :raises InvalidInvocation: if the file, or the Results to resume from, cannot be read.
    """
    skip = _Skip.read(arguments.resume)
    numbered = Files().numbered(path)
    invoker, tally = caller(), _Tally()
    total = count_lines(path) if sys.stderr.isatty() and arguments.resume is None else None
    with open_jackfield(migrates=True) as jackfield, progress(output.stream, total) as tell:
        keys = LineKeys.of(jackfield, changes, wanted=not arguments.no_line_keys)
        if skip.unknown_after is not None and keys is None:
            sys.stderr.write(
                f"jackfield: the earlier Results are cut after line {skip.unknown_after}: later lines that ran and have no idempotency key "
                "run again\n"
            )

        def run(line: _Line, cancelled: threading.Event) -> tuple[_Line, Result]:
            try:
                if isinstance(line.content, InvalidInvocation):
                    raise line.content
                given = changed(line.content, changes, line.key)
            except InvalidInvocation as error:
                return line, Result("failed", Meta(new_invocation_id()), error=error)
            if changes:
                _note_replaced(line, changes, tally)
            return line, jackfield.invoke(given, wait=arguments.wait, cancelled=cancelled, caller=invoker, on_time=True)

        every = (_Line(number, content, keys.members(number, content) if keys is not None else {}) for number, content in numbered)
        batch = Batch(run, (line for line in every if not skip.skips(line.number)), arguments.concurrency)
        with interruptible(batch.stop):
            for line, result in _until_closed(batch, output):
                output.line(_row(line, result))
                tally.add(line, result, written=not output.closed)
                tell(result.exit_code != 0)
    report_replays(tally.replayed, keys)
    if output.closed:
        _report_unwritten(tally)
    else:
        _report(path, tally, batch, skip)
    # If the reader has closed stdout, some Results are lost even when all lines have run: never report success.
    return tally.worst if batch.complete and not output.closed else max(tally.worst, _FAILED)


def _until_closed(batch: Batch[_Line, tuple[_Line, Result]], output: Output) -> Iterator[tuple[_Line, Result]]:
    for item in batch.results():
        yield item
        if output.closed:
            batch.stop()


def _row(line: _Line, result: Result) -> dict[str, Any]:
    """Return the Result with its line number and, unless it succeeded, the caller's own ids of the invocation."""
    row = result.to_json("cli")
    row["meta"]["line"] = line.number
    if result.status != "succeeded":
        row["meta"] |= _own_ids(line.content)
    return row


def _own_ids(content: bytes | InvalidInvocation) -> dict[str, str]:
    try:
        given = decode(content) if isinstance(content, bytes) else None
    except InvalidInvocation:
        return {}
    if not isinstance(given, Mapping):
        return {}
    context = given.get("context")
    found = {
        "idempotencyKey": given.get("idempotencyKey"),
        "correlationId": context.get("correlationId") if isinstance(context, Mapping) else None,
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _note_replaced(line: _Line, changes: Mapping[str, Any], tally: _Tally) -> None:
    given = decode(line.content) if isinstance(line.content, bytes) else {}
    for name, value in changes.items():
        if isinstance(given, Mapping) and given.get(name, value) != value:
            tally.replaced.setdefault(name, []).append(line.number)


def _report(path: str, tally: _Tally, batch: Batch[_Line, tuple[_Line, Result]], skip: _Skip) -> None:
    """Report on stderr what the Results do not contain: an empty file, members that options replaced, and how to resume."""
    name = "stdin" if path == STDIN else f"'{path[:200]}'"
    if tally.given == 0 and batch.complete:
        sys.stderr.write(f"jackfield: {name} has no lines to run: it is empty, blank or already done\n")
    for member, numbers in sorted(tally.replaced.items()):
        sys.stderr.write(f"jackfield: an option replaced '{member}' on {len(numbers):,} lines, first on line {min(numbers)}\n")
    if skip.doubtful:
        sys.stderr.write(
            f"jackfield: lines in doubt were skipped: {_listed(skip.doubtful)}; resolve them with 'jackfield invocations resolve'\n"
        )
    total = count_lines(path) if not batch.complete else None
    if total is not None:
        left = sum(1 for number, _ in Files().numbered(path) if number > tally.last and not skip.skips(number))
        say = f"jackfield: {left:,} of {total:,} invocations were not started"
        if tally.cancelled:
            say += f", and cancelled before they were sent: {_listed(tally.cancelled)}; continue with '--resume RESULTS', where RESULTS "
            say += f"is the file with these Results ('--resume {tally.last + 1}' would skip the cancelled ones)"
        else:
            say += f"; continue with '--resume {tally.last + 1}'"
        sys.stderr.write(f"{say}\n")


def _report_unwritten(tally: _Tally) -> None:
    """Report on stderr which lines ran after the output was closed, and how to continue without running one twice."""
    if not tally.unwritten:
        return
    say = f"jackfield: lines that ran and whose Results are not in the output: {_ranges(tally.unwritten)}; "
    if not tally.keyless:
        say += "'--resume RESULTS', where RESULTS is the file with the others, replays them"
    else:
        say += f"without idempotency keys, '--resume RESULTS' would run {tally.keyless:,} of them again: use '--resume {tally.last + 1}'"
        if tally.cancelled:
            say += f", and then run those that were cancelled before they were sent: {_ranges(tally.cancelled)}"
    sys.stderr.write(f"{say}\n")


def _ranges(numbers: Sequence[int]) -> str:
    """Return increasing numbers as text, with runs as ranges: ``3, 7-12``."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _listed(numbers: Collection[int]) -> str:
    first = ", ".join(map(str, sorted(numbers)[:10]))
    return f"{first} and {len(numbers) - 10:,} more" if len(numbers) > 10 else first


@dataclass(frozen=True, slots=True)
class _Skip:
    """Lines to skip: those before a number, or those that earlier Results report as done."""

    before: int = 1
    done: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    unknown_after: int | None = None
    """Number of the last line with a Result if the earlier output was cut: later lines may have run."""

    def skips(self, number: int) -> bool:
        """Return whether to skip a line."""
        return number < self.before or number in self.done

    @classmethod
    def read(cls, word: str | None) -> _Skip:
        """Parse ``--resume``: a line number, or a file of Results that this command printed.

        :raises InvalidInvocation: if it is neither.
        """
        if word is None:
            return cls()
        if word.isascii() and word.isdecimal():
            return cls(before=int(word))
        found: dict[int, str] = {}
        cut = False
        for number, row in Files().numbered(word):
            ended = dict(_ended(row, word, number))
            found |= ended
            cut = not ended and isinstance(row, bytes) and not row.endswith(b"\n")
        done = frozenset(number for number, status in found.items() if status in _FINAL)
        doubtful = frozenset(number for number in done if found[number] == "in_doubt")
        return cls(done=done, doubtful=doubtful, unknown_after=max(found, default=0) if cut else None)


def _ended(row: bytes | InvalidInvocation, word: str, at: int) -> Iterator[tuple[int, str]]:
    """Yield the line number and status of a printed Result; nothing for a truncated last line or a dry run."""
    if isinstance(row, InvalidInvocation):
        raise row
    try:
        found = json.loads(row)
        number, status, dry = found["meta"]["line"], found["status"], found["meta"].get("dryRun")
        known = type(number) is int and number > 0 and status in _STATUSES
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        known = False
    if not known:
        start = row[: len(_START)]
        if not row.endswith(b"\n") and _START.startswith(start):
            return
        message = f"'{word[:200]}', line {at}, is not a Result with its line number in 'meta.line'"
        raise InvalidInvocation(message, hint="Give the file that the Results were written to, or the number of the line to continue at.")
    if not dry:
        yield number, status
