"""``jackfield invoke --lines --queue``: queue the invocations of a file, and print one outcome per line."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from jackfield.cli.line_keys import LineKeys, report_replays
from jackfield.cli.local_files import Files, changed
from jackfield.cli.session import caller, open_jackfield
from jackfield.errors import InvalidInvocation
from jackfield.invocation import Meta, Result, new_invocation_id

if TYPE_CHECKING:
    from jackfield.cli.output import Output
    from jackfield.cli.parsing import Namespace
    from jackfield.pipe.enqueue import Enqueued
    from jackfield.runtime import Jackfield

_AT_ONCE = 250
"""Lines per commit."""

Line = tuple[int, "bytes | InvalidInvocation", dict[str, Any]]
"""Number and content of a line, and the members that give it an idempotency key if it has none."""


def queue_lines(path: str, changes: Mapping[str, Any], arguments: Namespace, output: Output) -> int:
    """Queue each line of a file and print its id or its refusal. Return the largest exit code.

    :raises InvalidInvocation: if the file cannot be read, or there is no journal.
    """
    worst = replayed = 0
    numbered, start = Files().numbered(path), int(arguments.resume or 1)
    with open_jackfield(migrates=True) as jackfield:
        keys = LineKeys.of(jackfield, changes, wanted=not arguments.no_line_keys)
        keyed = ((number, content, keys.members(number, content) if keys is not None else {}) for number, content in numbered)
        lines = (line for line in keyed if line[0] >= start)
        for part in iter(lambda: list(islice(lines, _AT_ONCE)), []):
            for number, found in _queued(jackfield, part, changes):
                refused = isinstance(found, Result) and not found.meta.replayed
                row = found.to_json("cli") if isinstance(found, Result) else found.to_json()
                output.line({**row, "line": number} if not refused else {**row, "meta": {**row["meta"], "line": number}})
                worst = max(worst, found.exit_code if isinstance(found, Result) else 0)
                replayed += found.meta.replayed if isinstance(found, Result) else found.replayed
            if output.closed:
                sys.stderr.write(f"jackfield: stdout was closed; lines up to {part[-1][0]:,} are queued\n")
                worst = max(worst, 1)
                break
    report_replays(replayed, keys)
    return worst


def _queued(jackfield: Jackfield, part: list[Line], changes: Mapping[str, Any]) -> Iterator[tuple[int, Enqueued | Result]]:
    given = [_given(content, changes, key) for _, content, key in part]
    good = [item for item in given if not isinstance(item, Result)]
    found = iter(jackfield.enqueue_many(good, caller=caller()))
    for (number, _, _), item in zip(part, given, strict=True):
        yield number, item if isinstance(item, Result) else next(found)


def _given(content: bytes | InvalidInvocation, changes: Mapping[str, Any], key: Mapping[str, Any]) -> bytes | dict[str, Any] | Result:
    try:
        if isinstance(content, InvalidInvocation):
            raise content
        return changed(content, changes, key)
    except InvalidInvocation as error:
        return Result("failed", Meta(new_invocation_id()), error=error)
