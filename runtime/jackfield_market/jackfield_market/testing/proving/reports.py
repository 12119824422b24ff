"""Formats of a proof: a table, JSON, JUnit's XML, or a page of HTML."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from jackfield.cli import tables
from jackfield.kernel.markup import Markup, Tags, table
from jackfield_market.testing.proving.engine import CaseProof, Write
from jackfield_market.testing.proving.faults import ANSWERED, FAULTS
from jackfield_market.testing.proving.verdicts import OPEN, ORDER, WRONG, Cell, Verdict

_STYLE = Markup(
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 "
    "1rem;color:#1f2933;background:#fff}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #d9e2ec}"
    "code,pre{font:14px/1.4 "
    "ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}.wrong{color:#9f1239;font-weight:600}"
)
_WORDS = {fault.name: fault.words for fault in (ANSWERED, *FAULTS)}
_COLUMNS = ("case", "write", "verdict", "situations", "if started again")
_MOST = 24
"""Maximum number of requests of a run that a report lists; of longer runs, it lists only the
requests of one write.
"""
_LINE = 80
"""Maximum number of displayed characters of a body."""
_H = Tags()


@dataclass(frozen=True)
class Proof:
    """Findings about a target."""

    target: str
    cases: tuple[CaseProof, ...]

    @property
    def writes(self) -> int:
        """Return the number of writes."""
        return sum(len(case.writes) for case in self.cases)

    def having(self, verdict: Verdict, *, counts: bool = True) -> int:
        """Return the number of writes with a verdict in situations that count, or with
        ``counts=False`` in the others.
        """
        rows = ((case, write) for case in self.cases for write in case.writes)
        return sum(
            any(cell.verdict == verdict and cell.counts is counts for cell in case.of(write))
            for case, write in rows
        )

    @property
    def is_wrong(self) -> bool:
        """Return whether a counting verdict is a fault, or a write was sent again in no
        situation.
        """
        return self.unproved > 0 or any(
            cell.is_wrong and cell.counts for case in self.cases for cell in case.cells
        )

    @property
    def is_right(self) -> bool:
        """Return whether no counting verdict is a fault, and all of them could be given."""
        return not self.is_wrong and not self.having("not judged")

    @property
    def unproved(self) -> int:
        """Return the number of writes that were sent again in no situation."""
        played = (
            [cell for cell in case.of(write) if cell.situation != ANSWERED.name]
            for case in self.cases
            for write in case.writes
        )
        return sum(
            bool(cells) and all(cell.verdict == "not reached" for cell in cells) for cells in played
        )

    def sentences(self) -> Iterator[str]:
        """Yield the findings, in sentences; the last sentence names the fault."""
        for case in self.cases:
            yield from case.notes
        if unproved := self.unproved:
            yield (
                f"{unproved} of {_writes(self.writes)} came again in no situation. Is there "
                "memory of earlier runs?"
            )
        elif unreached := self.having("not reached"):
            yield f"{unreached} of {_writes(self.writes)} did not come again in every situation."
        if any(
            worst(case.of(write)) == "told as unknown"
            for case in self.cases
            for write in case.writes
        ):
            yield (
                "Told as unknown: it took effect, and the code ends with a failure. Whoever "
                "reads that has to look before sending again."
            )
        if again := self.having("sent twice", counts=False):
            count = f"{again} of {_writes(self.writes)}"
            yield (
                f"Started again after a kill, or twice at once, {count} would be sent twice: "
                "add --again to count these as failures."
            )
        yield self._headline()

    def _headline(self) -> str:
        counts = {verdict: self.having(verdict) for verdict in WRONG}
        wrong = [
            f"{count} of {_writes(self.writes)} would be {verdict}"
            for verdict, count in counts.items()
            if count
        ]
        if self.unproved:
            wrong.append(f"nothing is proved of {self.unproved} of {_writes(self.writes)}")
        if unjudged := self.having("not judged"):
            wrong.append(f"{unjudged} of {_writes(self.writes)} could not be judged")
        text = (
            "; ".join(wrong)
            or f"0 of {_writes(self.writes)} would be {', '.join(WRONG[:-1])} or {WRONG[-1]}"
        )
        return f"{text[0].upper()}{text[1:]}."

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        cases = [
            {
                "name": case.name,
                "notes": list(case.notes),
                "writes": [
                    {"write": write.line, "body": write.body, "verdict": worst(case.of(write))}
                    | {"situations": [cell.to_json() for cell in case.of(write)]}
                    for write in case.writes
                ],
            }
            for case in self.cases
        ]
        counts = {
            "writes": self.writes,
            "sentTwice": self.having("sent twice"),
            "reportedFalsely": self.having("reported falsely"),
            "lost": self.having("lost"),
            "notReached": self.having("not reached"),
            "notJudged": self.having("not judged"),
        }
        return {
            "target": self.target,
            "passed": self.is_right,
            **counts,
            "summary": [*self.sentences()][-1],
            "cases": cases,
        }


def _writes(count: int) -> str:
    return f"{count} write{'' if count == 1 else 's'}"


def worst(cells: Sequence[Cell], *, counts: bool = True) -> Verdict:
    """Return the worst verdict about a write, of the cells that count or of the others; ``not
    reached`` without any.
    """
    return min(
        (cell.verdict for cell in cells if cell.counts is counts),
        key=ORDER.index,
        default="not reached",
    )


def text(proof: Proof, *, whole: bool = False) -> str:
    """Return the table of the writes, the requests of the faults, and the findings; with ``whole``,
    the requests of all situations.
    """
    out = io.StringIO()
    rows = [row for case in proof.cases for write in case.writes for row in _rows(case, write)]
    shown_always = {"write", "verdict", "situations"} | (
        {"case"} if len(proof.cases) > 1 else set()
    )
    columns = [
        name
        for name in _COLUMNS
        if name in shown_always or (name != "case" and any(row[name] for row in rows))
    ]
    out.write(tables.table(rows, columns, out))
    for case in proof.cases:
        for write in case.writes:
            shown = [
                cell
                for cell in case.of(write)
                if whole or (cell.counts and _is_told(cell)) or cell.verdict == "not reached"
            ]
            out.writelines(_paragraphs(case.label(write), shown, whole=whole))
    out.write("\n" + "".join(f"{sentence}\n" for sentence in dict.fromkeys(proof.sentences())))
    return out.getvalue()


def _is_told(cell: Cell) -> bool:
    """Return whether a report tells the requests of a cell, since it is a fault, or what happened
    after a fault is not understood.
    """
    return cell.is_wrong or (cell.verdict == "not judged" and cell.situation != ANSWERED.name)


def _rows(case: CaseProof, write: Write) -> Iterator[dict[str, str]]:
    """Yield a row for each fault of a write, and for what could not be judged; without them, one
    row for its worst verdict.
    """
    counted = [cell for cell in case.of(write) if cell.counts]
    wrong = sorted({cell.verdict for cell in counted if cell.is_open}, key=ORDER.index)
    beside = [cell for cell in case.of(write) if cell.is_wrong and not cell.counts]
    again = f"{worst(beside, counts=False)}: {_names(beside)}" if beside else ""
    for found in wrong or [worst(counted)]:
        names = _names([cell for cell in counted if cell.verdict == found])
        yield {
            "case": case.name,
            "write": case.label(write),
            "verdict": found,
            "situations": names,
            "if started again": again,
        }


def _names(cells: Sequence[Cell]) -> str:
    return ", ".join(dict.fromkeys(cell.situation.partition(" of ")[0] for cell in cells))


def _paragraphs(label: str, cells: Sequence[Cell], *, whole: bool) -> Iterator[str]:
    """Yield the situations of a write, grouped by verdict and cure, with the requests of the first
    of each group.
    """
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.verdict, cell.situation if whole else cell.advice), []).append(cell)
    for (verdict, _), found in groups.items():
        first = found[0]
        yield f"\n{label}: {verdict}\n  {_when(first)}\n"
        yield from _requests(first)
        who, why = (
            "one run" if _is_twice(first) else "the code",
            f" ({first.told.text})" if first.told.text else "",
        )
        yield f"            {who} said: {first.told.word}{why}\n"
        if len(found) > 1:
            yield f"  likewise in {', '.join(cell.situation for cell in found[1:])}\n"
        if first.advice:
            yield f"  To change: {first.advice}\n"


def _requests(cell: Cell) -> Iterator[str]:
    """Yield a line for each request of the run; of a long run, only for the write's requests."""
    shown = cell.trace if len(cell.entries) < len(cell.trace) <= _MOST else cell.entries
    for entry in shown:
        key = "" if entry.key is None else f" [key {entry.key}]"
        row = entry.to_json()
        run = f"run {entry.run + 1}  " if _is_twice(cell) else ""
        yield (
            f"  {entry.seconds:6.2f} s  {run}{row['request']} "
            f"{_cut(row.get('body', ''))}{key} -> {entry.answered}\n"
        )
    if left := max(len(cell.trace) - len(shown), 0):
        yield f"            and {left} other requests\n"


def _is_twice(cell: Cell) -> bool:
    return cell.situation == "twice-at-once"


def _cut(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[:_LINE]}…"


def _when(cell: Cell) -> str:
    name, _, other = cell.situation.partition(" of ")
    if name == ANSWERED.name and not cell.effects:
        return f"in {name}: all was answered as it came, and this had no effect"
    return f"in {name}{f' of {other}' if other else ''}: {_WORDS[name]}"


def junit(proof: Proof) -> str:
    """Return JUnit's XML: a test case for each write and situation that counts."""
    suite = Element("testsuite", name=f"jackfield prove {proof.target}")
    cells = [
        (case, write, cell)
        for case in proof.cases
        for write in case.writes
        for cell in case.of(write)
        if cell.counts
    ]
    for case, write, cell in cells:
        label = case.label(write)
        test = SubElement(suite, "testcase", classname=f"{case.name} {label}", name=cell.situation)
        if cell.is_wrong:
            failure = SubElement(
                test, "failure", message=f"{cell.verdict} {_when(cell)}", type=cell.verdict
            )
            failure.text = "".join(_paragraphs(label, [cell], whole=False))
        elif cell.verdict == "not judged":
            SubElement(test, "error", message=cell.advice, type=cell.verdict)
        elif cell.verdict == "not reached":
            SubElement(test, "skipped", message=cell.advice)
    failures = sum(cell.is_wrong for _, _, cell in cells)
    errors = sum(cell.verdict == "not judged" for _, _, cell in cells)
    suite.attrib |= {"tests": str(len(cells)), "failures": str(failures), "errors": str(errors)}
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def html(proof: Proof) -> str:
    """Return the report as an HTML page without external resources."""
    head = _H.head(
        _H.meta(charset="utf-8"),
        _H.meta(name="viewport", content="width=device-width,initial-scale=1"),
        _H.title(f"jackfield prove: {proof.target}"),
        _H.style(_STYLE),
    )
    sentences = [*dict.fromkeys(proof.sentences())]
    rows = [
        _cells(case, write, row)
        for case in proof.cases
        for write in case.writes
        for row in _rows(case, write)
    ]
    columns = ("Write", "Verdict", "Situations", "What to change")
    labels = [(case, write, case.label(write)) for case in proof.cases for write in case.writes]
    found = [
        _H.section(_H.h2(f"{case.name}: {label}"), *_details(label, case.of(write)))
        for case, write, label in labels
    ]
    body = _H.body(
        _H.h1(f"What {proof.target} does when an answer is lost"),
        _H.p(_H.strong(sentences[-1])),
        [_H.p(sentence) for sentence in sentences[:-1]],
        table("Writes", columns, rows, empty="No writes."),
        found,
    )
    return f"<!doctype html>\n{_H.html(head, body, lang='en')}\n"


def _cells(case: CaseProof, write: Write, row: Mapping[str, str]) -> list[Markup]:
    cures = dict.fromkeys(
        cell.advice
        for cell in case.of(write)
        if cell.verdict == row["verdict"] and cell.counts and cell.advice
    )
    name = _H.span(row["verdict"], class_="wrong" if row["verdict"] in OPEN else None)
    return [
        _H.code(f"{case.name} {row['write']}"),
        name,
        _H.join([row["situations"]]),
        _H.join([" ".join(cures)]),
    ]


def _details(label: str, cells: Sequence[Cell]) -> Iterator[Markup]:
    for cell in cells:
        title = _H.summary(
            _H.span(cell.verdict, class_="wrong" if cell.is_open and cell.counts else None),
            f" {_when(cell)}",
        )
        yield _H.details(title, _H.pre("".join(_paragraphs(label, [cell], whole=False)).strip()))
