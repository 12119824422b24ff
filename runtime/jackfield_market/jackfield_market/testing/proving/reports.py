"""A proof as text: as a table, JSON, JUnit's XML, or a page of HTML."""

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
from jackfield_market.testing.proving.verdicts import ORDER, WRONG, Cell, Verdict

_STYLE = Markup(
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1f2933;background:#fff}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #d9e2ec}"
    "code,pre{font:14px/1.4 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}.wrong{color:#9f1239;font-weight:600}"
)
_WORDS = {fault.name: fault.words for fault in (ANSWERED, *FAULTS)}
_COLUMNS = ("case", "write", "verdict", "situations", "if started again")
_H = Tags()


@dataclass(frozen=True)
class Proof:
    """Findings about a target."""

    target: str
    cases: tuple[CaseProof, ...]

    @property
    def writes(self) -> int:
        """Number of writes."""
        return sum(len(case.writes) for case in self.cases)

    def having(self, verdict: Verdict, *, counts: bool = True) -> int:
        """Return how many writes have a verdict in a situation that counts, or in one that does not."""
        rows = ((case, write) for case in self.cases for write in case.writes)
        return sum(any(cell.verdict == verdict and cell.counts is counts for cell in case.of(write)) for case, write in rows)

    @property
    def is_right(self) -> bool:
        """True if nothing that counts is wrong, and each write came again in some situation."""
        return not self.unproved and not any(cell.is_wrong and cell.counts for case in self.cases for cell in case.cells)

    @property
    def unproved(self) -> int:
        """Number of writes that came again in no situation."""
        played = ([cell for cell in case.of(write) if cell.situation != ANSWERED.name] for case in self.cases for write in case.writes)
        return sum(bool(cells) and all(cell.verdict == "not reached" for cell in cells) for cells in played)

    def sentences(self) -> Iterator[str]:
        """Yield what was found out, in sentences; the last one is about what would be sent twice."""
        for case in self.cases:
            yield from case.notes
        if unproved := self.unproved:
            yield f"{unproved} of {_writes(self.writes)} came again in no situation: nothing is proved. Is there memory of earlier runs?"
        elif unreached := self.having("not reached"):
            yield f"{unreached} of {_writes(self.writes)} did not come again in every situation."
        if any(worst(case.of(write)) == "told as unknown" for case in self.cases for write in case.writes):
            yield "Told as unknown: it took effect, and the code ends with a failure. Whoever reads that has to look before sending again."
        for verdict, words in (("lost", "lost, and nobody told of it"), ("reported falsely", "reported falsely")):
            if found := self.having(verdict):  # type: ignore[arg-type]
                yield f"{found} of {_writes(self.writes)} would be {words}."
        if again := self.having("sent twice", counts=False):
            count = f"{again} of {_writes(self.writes)}"
            yield f"Started again after a kill, or twice at once, {count} would be sent twice; with --again, that fails."
        yield f"{self.having('sent twice')} of {_writes(self.writes)} would be sent twice{' by the code itself' if again else ''}."

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
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
        }
        return {"target": self.target, "passed": self.is_right, **counts, "summary": [*self.sentences()][-1], "cases": cases}


def _writes(count: int) -> str:
    return f"{count} write{'' if count == 1 else 's'}"


def worst(cells: Sequence[Cell], *, counts: bool = True) -> Verdict:
    """Return the worst counting verdict about a write, else the worst of the others."""
    return min((cell.verdict for cell in cells if cell.counts is counts), key=ORDER.index, default="not reached")


def text(proof: Proof, *, whole: bool = False) -> str:
    """Return the table of the writes, the requests of what is wrong, and the sentences; ``whole``: of all situations."""
    out = io.StringIO()
    rows = [row for case in proof.cases for write in case.writes for row in _rows(case, write)]
    shown_always = {"write", "verdict", "situations"} | ({"case"} if len(proof.cases) > 1 else set())
    columns = [name for name in _COLUMNS if name in shown_always or (name != "case" and any(row[name] for row in rows))]
    out.write(tables.table(rows, columns, out))
    for case in proof.cases:
        for write in case.writes:
            shown = [cell for cell in case.of(write) if whole or (cell.is_wrong and cell.counts) or cell.verdict == "not reached"]
            out.writelines(_paragraphs(case.label(write), shown, whole=whole))
    out.write("\n" + "".join(f"{sentence}\n" for sentence in dict.fromkeys(proof.sentences())))
    return out.getvalue()


def _rows(case: CaseProof, write: Write) -> Iterator[dict[str, str]]:
    """Yield a row for each fault of a write; if there is none, one for what is worst."""
    counted = [cell for cell in case.of(write) if cell.counts]
    wrong = sorted({cell.verdict for cell in counted if cell.is_wrong}, key=ORDER.index)
    beside = [cell for cell in case.of(write) if cell.is_wrong and not cell.counts]
    again = f"{worst(beside, counts=False)}: {_names(beside)}" if beside else ""
    for found in wrong or [worst(counted)]:
        names = _names([cell for cell in counted if cell.verdict == found])
        yield {"case": case.name, "write": case.label(write), "verdict": found, "situations": names, "if started again": again}


def _names(cells: Sequence[Cell]) -> str:
    return ", ".join(dict.fromkeys(cell.situation.partition(" of ")[0] for cell in cells))


def _paragraphs(label: str, cells: Sequence[Cell], *, whole: bool) -> Iterator[str]:
    """Yield the situations of a write that have the same verdict and cure together, with the requests of the first."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.verdict, cell.situation if whole else cell.advice), []).append(cell)
    for (verdict, _), found in groups.items():
        first = found[0]
        yield f"\n{label}: {verdict}\n  {_when(first)}\n"
        for entry in first.entries:
            key = "" if entry.key is None else f" [key {entry.key}]"
            row = entry.to_json()
            yield f"  {entry.seconds:6.2f} s  {row['request']} {row.get('body', '')[:80]}{key} -> {entry.answered}\n"
        yield f"            the code said: {first.told.word}{f' ({first.told.text})' if first.told.text else ''}\n"
        if len(found) > 1:
            yield f"  likewise in {', '.join(cell.situation for cell in found[1:])}\n"
        if first.advice:
            yield f"  To change: {first.advice}\n"


def _when(cell: Cell) -> str:
    name, _, other = cell.situation.partition(" of ")
    return f"in {name}{f' of {other}' if other else ''}: {_WORDS[name]}"


def junit(proof: Proof) -> str:
    """Return JUnit's XML: a test case for each write and situation that counts."""
    suite = Element("testsuite", name=f"jackfield prove {proof.target}")
    cells = [(case, write, cell) for case in proof.cases for write in case.writes for cell in case.of(write) if cell.counts]
    for case, write, cell in cells:
        label = case.label(write)
        test = SubElement(suite, "testcase", classname=f"{case.name} {label}", name=cell.situation)
        if cell.is_wrong:
            failure = SubElement(test, "failure", message=f"{cell.verdict} {_when(cell)}", type=cell.verdict)
            failure.text = "".join(_paragraphs(label, [cell], whole=False))
        elif cell.verdict == "not reached":
            SubElement(test, "skipped", message=cell.advice)
    failures = sum(cell.is_wrong for _, _, cell in cells)
    suite.attrib |= {"tests": str(len(cells)), "failures": str(failures)}
    return tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def html(proof: Proof) -> str:
    """Return a page that needs nothing else."""
    head = _H.head(
        _H.meta(charset="utf-8"),
        _H.meta(name="viewport", content="width=device-width,initial-scale=1"),
        _H.title(f"jackfield prove: {proof.target}"),
        _H.style(_STYLE),
    )
    sentences = [*dict.fromkeys(proof.sentences())]
    rows = [_cells(case, write, row) for case in proof.cases for write in case.writes for row in _rows(case, write)]
    columns = ("Write", "Verdict", "Situations", "What to change")
    labels = [(case, write, case.label(write)) for case in proof.cases for write in case.writes]
    found = [_H.section(_H.h2(f"{case.name}: {label}"), *_details(label, case.of(write))) for case, write, label in labels]
    body = _H.body(
        _H.h1(f"What {proof.target} does when an answer is lost"),
        _H.p(_H.strong(sentences[-1])),
        [_H.p(sentence) for sentence in sentences[:-1]],
        table("Writes", columns, rows, empty="No writes."),
        found,
    )
    return f"<!doctype html>\n{_H.html(head, body, lang='en')}\n"


def _cells(case: CaseProof, write: Write, row: Mapping[str, str]) -> list[Markup]:
    cures = dict.fromkeys(cell.advice for cell in case.of(write) if cell.verdict == row["verdict"] and cell.counts and cell.advice)
    name = _H.span(row["verdict"], class_="wrong" if row["verdict"] in WRONG else None)
    return [_H.code(f"{case.name} {row['write']}"), name, _H.join([row["situations"]]), _H.join([" ".join(cures)])]


def _details(label: str, cells: Sequence[Cell]) -> Iterator[Markup]:
    for cell in cells:
        title = _H.summary(_H.span(cell.verdict, class_="wrong" if cell.is_wrong and cell.counts else None), f" {_when(cell)}")
        yield _H.details(title, _H.pre("".join(_paragraphs(label, [cell], whole=False)).strip()))
