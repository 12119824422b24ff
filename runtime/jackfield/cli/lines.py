"""``jackfield invoke --lines``: run or queue the invocations of a file, one per line.

Options apply to all lines; a run can be resumed; each Result names its line; a key for each line
prevents it from running twice.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from jackfield.cli.batch import Batch
from jackfield.cli.interrupt import interruptible
from jackfield.cli.local_files import STDIN, LocalFiles, changed, count_lines
from jackfield.cli.session import caller, open_jackfield
from jackfield.invocation import Enqueued, Meta, Result, decode, line_keys, new_invocation_id
from jackfield.invocation.line_keys import LineKeys
from jackfield.invocation.result import WAITING_CODE
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.hints import NextStep, worded

if TYPE_CHECKING:
    import threading

    from jackfield.cli.output import Output
    from jackfield.cli.parsing import Namespace
    from jackfield.invocation import Enqueued
    from jackfield.runtime import Jackfield

_FAILED = 1
_STATUSES = frozenset({"succeeded", "failed", "in_doubt", "running"})
_START = b'{"status":'
_FINAL = frozenset({"succeeded", "in_doubt", "running"})
"""Statuses of lines that must not run again: done, or possibly done."""
_AT_ONCE = 250


def _line_keys(
    jackfield: Jackfield, changes: Mapping[str, Any], *, wanted: bool
) -> LineKeys | None:
    """Return the keys for a run with these options; None if no keys are wanted, there is no
    journal, or nothing is run.

    :raises JackfieldError: if the journal cannot be opened.
    """
    journal = jackfield.journal if wanted and not changes.get("dryRun") else None
    return None if journal is None else LineKeys(journal.fingerprint, changes.get("connection"))


def report_replays(count: int, keys: LineKeys | None) -> None:
    """Report on stderr how many lines were replayed from the journal."""
    if count:
        again = "; '--no-line-keys' would run them again" if keys is not None else ""
        say = "1 line was" if count == 1 else f"{count:,} lines were"
        sys.stderr.write(f"jackfield: {say} replayed from the journal, not run again{again}\n")


@contextmanager
def progress(stdout: TextIO, total: int | None = None) -> Iterator[Callable[[bool], None]]:
    """Yield a counter of Results. It displays the number done of ``total``, the rate and the time
    left if stderr is a terminal and ``stdout`` is not. On a terminal, the Results themselves are
    the progress. Without rich (extra ``tables``), it displays nothing.
    """
    if stdout.isatty() or not sys.stderr.isatty() or find_spec("rich") is None:
        yield lambda _failed: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    done = failures = 0
    began = time.monotonic()
    known = () if total is None else (BarColumn(), TextColumn("left:"), TimeRemainingColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), *known)
    with Progress(
        *columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task("no invocation finished yet", total=total)

        def tell(failed: bool) -> None:
            nonlocal done, failures
            done, failures = done + 1, failures + failed
            rate = done / max(0.001, time.monotonic() - began)
            of = f" of {total:,}" if total is not None else ""
            bar.update(
                task,
                completed=done,
                description=f"{done:,}{of} finished, {failures:,} failed, {rate:,.1f}/s",
            )

        yield tell


@dataclass(frozen=True, slots=True)
class _Line:
    """Invocation on one line of a file. ``key`` holds the members that set an idempotency key if it
    has none.
    """

    number: int
    content: bytes | InvalidInvocation
    key: Mapping[str, Any]


@dataclass(slots=True)
class _Tally:
    given: int = 0
    last: int = 0
    worst: int = 0
    replayed: int = 0
    cancelled: list[int] = field(default_factory=list)
    unwritten: list[int] = field(default_factory=list)
    """Numbers of the lines that ran and whose Results are not in the output."""
    keyless: int = 0
    """Number of invocations without an idempotency key."""
    replaced: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: _Line, result: Result, *, written: bool) -> None:
        """Count a Result."""
        self.given, self.last, self.worst = (
            self.given + 1,
            line.number,
            max(self.worst, result.exit_code, key=_rank),
        )
        self.replayed += result.meta.replayed
        if result.error is not None and result.error.code == "cancelled":
            self.cancelled.append(line.number)
        elif not written:
            self.unwritten.append(line.number)
            self.keyless += not line.key and "idempotencyKey" not in _own_ids(line.content)


def _rank(code: int) -> float:
    """Return the severity of an exit code: waiting for an approval ranks between success and
    failure.
    """
    return 0.5 if code == WAITING_CODE else code


def run_lines(path: str, changes: Mapping[str, Any], arguments: Namespace, output: Output) -> int:
    """Run the invocations of a file, one per line, and print their Results. Return the largest exit
    code, at least 1 if the run stopped early.

    :raises InvalidInvocation: if the file, or the Results to resume from, cannot be read.
    """
    skip = _Skip.read(arguments.resume)
    numbered = LocalFiles().numbered(path)
    invoker, tally = caller(), _Tally()
    total = count_lines(path) if sys.stderr.isatty() and arguments.resume is None else None
    with (
        open_jackfield(arguments, migrates=True) as jackfield,
        progress(output.stream, total) as tell,
    ):
        keys = _line_keys(jackfield, changes, wanted=not arguments.no_line_keys)
        if skip.unknown_after is not None and keys is None:
            sys.stderr.write(
                f"jackfield: the earlier Results are cut after line {skip.unknown_after}: later "
                "lines that ran and have no idempotency key "
                "run again\n"
            )

        def run(line: _Line, cancelled: threading.Event) -> tuple[_Line, Result]:
            given = _apply_options(line, changes)
            if isinstance(given, Result):
                return line, given
            if changes:
                _note_replaced(line, changes, tally)
            return line, jackfield.invoke(
                given, wait=arguments.wait, cancelled=cancelled, caller=invoker, on_time=True
            )

        batch = Batch(
            run,
            (line for line in _keyed(numbered, keys) if not skip.skips(line.number)),
            arguments.concurrency,
        )
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
    # If the reader has closed stdout, some Results are lost even when all lines have run: never
    # report success.
    return tally.worst if batch.complete and not output.closed else max(tally.worst, _FAILED)


def _until_closed(
    batch: Batch[_Line, tuple[_Line, Result]], output: Output
) -> Iterator[tuple[_Line, Result]]:
    for item in batch.results():
        yield item
        if output.closed:
            batch.stop()


def _row(line: _Line, result: Result) -> dict[str, Any]:
    """Return the Result with its line number and, unless it succeeded, the caller's own IDs of the
    invocation.
    """
    row = result.to_json("cli")
    row.setdefault("meta", {})["line"] = line.number
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


def _report(
    path: str, tally: _Tally, batch: Batch[_Line, tuple[_Line, Result]], skip: _Skip
) -> None:
    """Report on stderr the facts that the Results do not contain: an empty file, members that
    options replaced, and how to resume.
    """
    name = "stdin" if path == STDIN else f"'{path[:200]}'"
    if tally.given == 0 and batch.complete:
        sys.stderr.write(
            f"jackfield: {name} has no lines to run: it is empty, blank or already done\n"
        )
    for member, numbers in sorted(tally.replaced.items()):
        sys.stderr.write(
            f"jackfield: an option replaced '{member}' on {len(numbers):,} lines, first on line "
            f"{min(numbers)}\n"
        )
    if skip.doubtful:
        sys.stderr.write(
            f"jackfield: lines in doubt were skipped: {_text_of(skip.doubtful)}. "
            f"{worded(NextStep('skipped'), 'cli')}\n"
        )
    total = count_lines(path) if not batch.complete else None
    if total is not None:
        left = sum(
            1
            for number, _ in LocalFiles().numbered(path)
            if number > tally.last and not skip.skips(number)
        )
        say = f"jackfield: {left:,} of {total:,} invocations were not started"
        if tally.cancelled:
            say += (
                f", and cancelled before they were sent: {_text_of(tally.cancelled)}; "
                "continue with '--resume RESULTS', where RESULTS "
            )
            say += (
                f"is the file with these Results ('--resume {tally.last + 1}' would skip the "
                "cancelled ones)"
            )
        else:
            say += f"; continue with '--resume {tally.last + 1}'"
        sys.stderr.write(f"{say}\n")


def _report_unwritten(tally: _Tally) -> None:
    """Report on stderr the lines that ran after the output was closed, and how to continue without
    running a line twice.
    """
    if not tally.unwritten:
        return
    say = (
        "jackfield: lines that ran and whose Results are not in the output: "
        f"{_ranges(tally.unwritten)}; "
    )
    if not tally.keyless:
        say += "'--resume RESULTS', where RESULTS is the file with the others, replays them"
    else:
        say += (
            f"without idempotency keys, '--resume RESULTS' would run {tally.keyless:,} of "
            f"them again: use '--resume {tally.last + 1}'"
        )
        if tally.cancelled:
            say += (
                ", and then run those that were cancelled before they were sent: "
                f"{_ranges(tally.cancelled)}"
            )
    sys.stderr.write(f"{say}\n")


def _ranges(numbers: Sequence[int]) -> str:
    """Return increasing numbers as a string, with runs as ranges: ``3, 7-12``."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _text_of(numbers: Collection[int]) -> str:
    first = ", ".join(map(str, sorted(numbers)[:10]))
    return f"{first} and {len(numbers) - 10:,} more" if len(numbers) > 10 else first


@dataclass(frozen=True, slots=True)
class _Skip:
    """Lines to skip: lines before a number, or lines that earlier Results report as done."""

    before: int = 1
    done: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    unknown_after: int | None = None
    """Number of the last line with a Result if the earlier output was truncated, so that later
    lines may have run; else None.
    """

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
        for number, row in LocalFiles().numbered(word):
            ended = dict(_ended(row, word, number))
            found |= ended
            cut = not ended and isinstance(row, bytes) and not row.endswith(b"\n")
        done = frozenset(number for number, status in found.items() if status in _FINAL)
        doubtful = frozenset(number for number in done if found[number] == "in_doubt")
        return cls(
            done=done, doubtful=doubtful, unknown_after=max(found, default=0) if cut else None
        )


def _ended(row: bytes | InvalidInvocation, word: str, at: int) -> Iterator[tuple[int, str]]:
    """Yield the line number and status of a printed Result; nothing for a truncated last line or a
    dry run.
    """
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
        raise InvalidInvocation(
            message,
            hint=(
                "Give the file that the Results were written to, or the number of the line "
                "to continue at."
            ),
        )
    if not dry:
        yield number, status


def queue_lines(path: str, changes: Mapping[str, Any], arguments: Namespace, output: Output) -> int:
    """Queue each line of a file and print its ID or its refusal. Return the largest exit code.

    :raises InvalidInvocation: if the file cannot be read, or there is no journal.
    """
    worst = replayed = 0
    numbered, start = LocalFiles().numbered(path), int(arguments.resume or 1)
    with open_jackfield(arguments, migrates=True) as jackfield:
        keys = _line_keys(jackfield, changes, wanted=not arguments.no_line_keys)
        lines = (line for line in _keyed(numbered, keys) if line.number >= start)
        for part in iter(lambda: list(islice(lines, _AT_ONCE)), []):
            for number, found in _queued(jackfield, part, changes):
                refused = isinstance(found, Result) and not found.meta.replayed
                row = found.to_json("cli") if isinstance(found, Result) else found.to_json()
                output.line(
                    {**row, "line": number}
                    if not refused
                    else {**row, "meta": {**row["meta"], "line": number}}
                )
                waits = isinstance(found, Enqueued) and found.status == "waiting"
                worst = max(
                    worst,
                    found.exit_code if isinstance(found, Result) else WAITING_CODE * waits,
                    key=_rank,
                )
                replayed += found.meta.replayed if isinstance(found, Result) else found.replayed
            if output.closed:
                sys.stderr.write(
                    f"jackfield: stdout was closed; lines up to {part[-1].number:,} are queued\n"
                )
                worst = max(worst, 1)
                break
    report_replays(replayed, keys)
    return worst


def _queued(
    jackfield: Jackfield, part: list[_Line], changes: Mapping[str, Any]
) -> Iterator[tuple[int, Enqueued | Result]]:
    given = [_apply_options(line, changes) for line in part]
    good = [item for item in given if not isinstance(item, Result)]
    found = iter(jackfield.enqueue_many(good, caller=caller()))
    for line, item in zip(part, given, strict=True):
        yield line.number, item if isinstance(item, Result) else next(found)


def _keyed(
    numbered: Iterator[tuple[int, bytes | InvalidInvocation]], keys: LineKeys | None
) -> Iterator[_Line]:
    for number, content in numbered:
        key = (
            keys.members(number, content) if keys is not None and isinstance(content, bytes) else {}
        )
        if keys is not None and keys.ended_at == number:
            most = f"{line_keys.MOST_KEYS:,} different ones have one"
            sys.stderr.write(
                f"jackfield: from line {number:,} on, lines get no idempotency key: {most}\n"
            )
        yield _Line(number, content, key)


def _apply_options(line: _Line, changes: Mapping[str, Any]) -> bytes | dict[str, Any] | Result:
    """Return the invocation of a line with the members that options set, or a failed Result for an
    unreadable line.
    """
    try:
        if isinstance(line.content, InvalidInvocation):
            raise line.content
        return changed(line.content, changes, line.key)
    except InvalidInvocation as error:
        return Result("failed", Meta(new_invocation_id()), error=error)
