"""``jackfield check``: grade a connector, as JSON, a table, lines, SARIF or a badge."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jackfield import __version__
from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.hidden import visible

if TYPE_CHECKING:
    from jackfield_market.testing.grading import Report, Verdict

_TIERS = ("bronze", "silver", "gold", "platinum")
_FAILED = 1
_QUIET = 10.0
"""Seconds between two lines of progress where stderr is no terminal."""
_COLOURS = {
    "none": "#9f1239",
    "bronze": "#92400e",
    "silver": "#52606d",
    "gold": "#8a6d00",
    "platinum": "#0f766e",
}
"""Fill colours of a badge by grade, dark enough for white text (contrast of at least 4.5)."""


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "path",
        metavar="PATH",
        help="the folder of a connector's pyproject.toml, or the key of an installed connector",
    )
    parser.add_argument(
        "--at-least",
        choices=_TIERS,
        default="bronze",
        help="exit with code 1 if the grade is lower (default: bronze)",
    )
    parser.add_argument(
        "--write-manifest",
        action="store_true",
        help="first write connector.json anew from the code",
    )
    parser.add_argument(
        "--rule",
        metavar="NAME",
        action="append",
        default=[],
        help="judge only this rule, without a grade; repeatable",
    )
    parser.add_argument(
        "--format",
        choices=("lines",),
        help="print the grade and a line for each fault, for a log or a pager",
    )
    parser.add_argument(
        "--sarif", metavar="FILE", help="also write the failed rules as SARIF 2.1.0"
    )
    parser.add_argument("--badge", metavar="FILE", help="also write the grade as an SVG image")


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_market.testing.grading import at_least, check

    _require(arguments.path)
    if arguments.badge and arguments.rule:
        raise InvalidInvocation(
            "a badge shows the grade, for which all rules are judged",
            hint="Leave out --rule or --badge.",
        )
    progress = _Progress()
    try:
        report = check(
            arguments.path,
            write_manifest=arguments.write_manifest,
            only=arguments.rule,
            progress=progress,
        )
    finally:
        progress.end()
    for warning in report.warnings:
        sys.stderr.write(f"jackfield check: {warning}\n")
    if arguments.sarif:
        _write(
            arguments.sarif,
            json.dumps(sarif(report, arguments.path), indent=2, ensure_ascii=False) + "\n",
        )
    if arguments.badge:
        _write(arguments.badge, badge(str(report.grade)))
    if arguments.format and not arguments.json:
        output.text("".join(f"{line}\n" for line in _lines(report)))
    elif output.for_people:
        _show(report, output)
    else:
        found = report.to_json()
        output.value(
            found
            if arguments.json or arguments.rule
            else found | {"rules": [_short(rule) for rule in found["rules"]]}
        )
        if not arguments.json and _failed(report):
            sys.stderr.write(f"jackfield check: {_summary(report)}; '--format lines' prints them\n")
    if report.grade is None:
        return _FAILED if _failed(report) else 0
    return 0 if at_least(report.grade, arguments.at_least) else _FAILED


class _Progress:
    """Progress of a check on stderr: the rule that is being judged. A terminal shows one line;
    elsewhere a line follows every ten seconds.
    """

    def __init__(self) -> None:
        self._is_drawn = sys.stderr.isatty()
        self._said = time.monotonic()

    def __call__(self, number: int, total: int, rule: str) -> None:
        if self._is_drawn:
            sys.stderr.write(f"\r\x1b[Kjackfield check: rule {number} of {total}: {rule}")
        elif time.monotonic() - self._said >= _QUIET:
            self._said = time.monotonic()
            sys.stderr.write(f"jackfield check: rule {number} of {total}: {rule}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Remove the progress line."""
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")


def _failed(report: Report) -> list[Verdict]:
    return [rule for rule in report.rules if rule.passed is False]


def _summary(report: Report) -> str:
    failed = f"{len(_failed(report))} of {len(report.rules)} rules failed"
    grade = report.grade if report.grade in _TIERS or report.grade is None else "no grade"
    return f"{report.connector}: {failed if grade is None else f'{grade}, {failed}'}"


def _lines(report: Report) -> Iterator[str]:
    """Yield the grade, then a line for each fault, those of the lowest tier first: a rule with its
    tier, its evidence, and the remedy.
    """
    yield _summary(report)
    for rule in sorted(_failed(report), key=lambda rule: _TIERS.index(rule.tier)):
        for text in rule.evidence:
            yield visible(
                " ".join(f"{rule.name} ({rule.tier}): {text}. {rule.cure}".split()), kept=""
            )


def _show(report: Report, output: Output) -> None:
    """Print the table of rules, those that failed last, where a terminal ends. For a connector that
    cannot be loaded, print the first rule and the number of the others.
    """
    rules = report.to_json()["rules"]
    loads = rules[0]["passed"]
    shown = sorted(rules, key=lambda rule: rule["passed"] is False) if loads else rules[:1]
    output.rows(
        [_row(rule) for rule in shown], ("rule", "tier", "verdict", "seconds", "evidence", "cure")
    )
    if not loads:
        output.text(
            f"\nThe other {len(rules) - 1} rules cannot be judged before the connector can be "
            "loaded."
        )
    output.text(f"\n{_summary(report)}\n")


def _require(path: str) -> None:
    if os.path.isdir(path):
        return
    if os.sep in path or path in {".", ".."}:
        raise InvalidInvocation(
            f"'{path[:200]}' is not a folder",
            hint="Give the folder of a connector's pyproject.toml.",
        )
    Catalog.installed().find(path)


def _short(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a rule with its evidence and remedy where it failed, else its name and verdict."""
    return rule if rule["passed"] is False else {"name": rule["name"], "passed": rule["passed"]}


def _row(rule: Mapping[str, Any]) -> dict[str, str]:
    verdict = {True: "passed", False: "failed", None: "not applicable"}[rule["passed"]]
    evidence = "; ".join(rule["evidence"])
    cure = rule["cure"] if rule["passed"] is False else ""
    return {
        "rule": rule["name"],
        "tier": rule["tier"],
        "verdict": verdict,
        "seconds": f"{rule['seconds']:.1f}",
        "evidence": evidence,
        "cure": cure,
    }


def sarif(report: Report, path: str) -> dict[str, Any]:
    """Return the failed rules as a SARIF 2.1.0 log: an error below bronze, else a warning."""
    rules = [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.reason},
            "help": {"text": rule.cure},
            "properties": {"tier": rule.tier},
        }
        for rule in report.rules
    ]
    file = "pyproject.toml" if os.path.isdir(path) else "connector.json"
    place = {
        "physicalLocation": {"artifactLocation": {"uri": file}},
        "logicalLocations": [{"name": report.connector, "kind": "module"}],
    }
    results = [
        {
            "ruleId": rule.name,
            "ruleIndex": index,
            "level": "error" if rule.tier == "bronze" else "warning",
            "message": {"text": f"{text}. {rule.cure}"},
            "locations": [place],
        }
        for index, rule in enumerate(report.rules)
        if rule.passed is False
        for text in rule.evidence
    ]
    driver = {"name": "jackfield check", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "results": results,
        "properties": {} if report.grade is None else {"grade": report.grade},
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }


def badge(grade: str) -> str:
    """Return an SVG image with the grade."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="20" role="img" '
        f'aria-label="jackfield: {grade}">'
        f'<title>jackfield: {grade}</title><rect width="68" height="20" fill="#333"/>'
        f'<rect x="68" width="82" height="20" fill="{_COLOURS[grade]}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,sans-serif" font-size="11">'
        f'<text x="34" y="14">jackfield</text><text x="109" y="14">{grade}</text></g></svg>\n'
    )


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInvocation(
            f"'{name}' cannot be written: {error.strerror}", hint="Choose another file."
        ) from None


VERBS = {"": Verb("Grade a connector by what it declares and does.", _declare, _run)}
