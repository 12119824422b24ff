"""Grade of a connector: every rule with its verdict and evidence, and the highest tier whose rules
hold.

The connector's code runs in a child process without the caller's environment variables, so that a
connector that exits, crashes or hangs cannot break the caller. ``python -m
jackfield_market.testing.grading TARGET ANSWER`` is the child process; it writes the report as JSON,
and reports on stdout which rule it judges.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from traceback import extract_tb
from typing import Any

from jackfield.catalog.loading import connector_at
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, did_you_mean
from jackfield.kernel.failures import OnFailure, Raised, attempt
from jackfield.kernel.local import Claim
from jackfield.manifest.declared_reads import declared_reads
from jackfield_market.author_process import plain_environment
from jackfield_market.testing.document_cures import cure_of
from jackfield_market.testing.driving import drivable
from jackfield_market.testing.project import Project
from jackfield_market.testing.recorded_examples import EXAMPLES, recorded
from jackfield_market.testing.rules import ALL_RULES, TRIGGER_RULES, reason_against
from jackfield_market.testing.subject import TIERS, Rule, Subject, Tier

NONE = "none"
"""Grade of a connector that does not reach bronze."""
LOADS = "connector-loads"
"""Name of the first rule: the connector can be imported. If it fails, no other rule can be
judged.
"""
_LOADS_SAYS = "The connector's code can be imported, and it has a manifest."
_LOADS_CURE = "Correct the error; 'python -c \"import PACKAGE\"' shows the traceback."
_TIMEOUT = 600.0
"""Maximum duration of all rules together, in seconds."""
_LOOK = 0.5
"""Seconds between two checks whether the child process must be ended."""
Obsolete = Callable[[float], bool]
"""Function that gets the child's running time in seconds, and returns True when its answer is
obsolete.
"""
Progress = Callable[[int, int, str], object]
"""Function that gets the number of the current rule, the total number of rules, and the current
rule's name.
"""
_EVIDENCE = 20
"""Maximum number of faults listed for one rule."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of one rule: ``passed`` is None if the rule does not apply. ``reason`` is the rule's
    requirement.

    ``seconds`` is its duration, including attempts that later rules also use.
    """

    name: str
    tier: Tier
    passed: bool | None
    reason: str
    cure: str
    evidence: tuple[str, ...]
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """Grade of a connector, with every rule. ``grade`` is None if only some rules were judged.
    ``warnings`` fail no rule.
    """

    connector: str
    version: str | None
    grade: str | None
    rules: tuple[Verdict, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report in the form of ``jackfield check --json``."""
        rows = [asdict(rule) | {"evidence": list(rule.evidence)} for rule in self.rules]
        more = {"warnings": [*self.warnings]} if self.warnings else {}
        return {
            "connector": self.connector,
            "version": self.version,
            "grade": self.grade,
            "rules": rows,
            **more,
        }


def graded(rules: Sequence[Verdict]) -> str:
    """Return the highest tier without a failed rule in it or below; ``none`` if a rule of the
    lowest tier failed.
    """
    failed = {rule.tier for rule in rules if rule.passed is False}
    grade = NONE
    for tier in TIERS:
        if tier in failed:
            return grade
        grade = tier
    return grade


def at_least(grade: str, wanted: str) -> bool:
    """Return whether ``grade`` is ``wanted`` or higher."""
    order = (NONE, *TIERS)
    return order.index(grade) >= order.index(wanted)


def check(
    target: str,
    *,
    write_manifest: bool = False,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Grade the project in the folder ``target``, or the installed connector of that key, in a
    child process.

    ``write_manifest`` first writes the project's connector.json again from its code. ``only`` names
    the rules to judge, without a grade; if it is empty, all rules are judged.

    :raises InvalidInvocation: if the folder's pyproject.toml declares no connector, or a rule in
        ``only`` is unknown.
    """
    for name in only:
        if name not in ALL_RULES:
            text = f"there is no rule '{name[:80]}'{did_you_mean(name, ALL_RULES)}"
            raise InvalidInvocation(text, hint="docs/reference/conformance.md lists the rules.")
    key = Project.read(Path(target)).key if os.path.isdir(target) else target
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            __name__,
            os.path.abspath(target) if os.path.isdir(target) else target,
            str(answer),
            *only,
        ]
        command += ["--write-manifest"] if write_manifest else []
        _, fault = _ended(command, progress)
        if not answer.is_file():
            return _unloadable(key, fault, only)
        found: Mapping[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    rules = tuple(
        Verdict(**{**rule, "evidence": tuple(rule["evidence"])}) for rule in found["rules"]
    )
    return Report(
        found["connector"],
        found["version"],
        found["grade"],
        rules,
        tuple(found.get("warnings", ())),
    )


def write_manifest(folder: Path, obsolete: Obsolete | None = None) -> str:
    """Write a project's connector.json from its code, in a child process; return the path within
    the folder.

    :raises InvalidInvocation: if the code cannot be imported, or ``obsolete`` returns True.
    """
    project = Project.read(folder)
    path = project.package / "connector.json"
    code, fault = _ended(
        [sys.executable, "-m", __name__, os.path.abspath(folder), "", "--write-manifest"],
        obsolete=obsolete,
    )
    if code != 0:
        raise InvalidInvocation(f"the connector cannot be described: {fault}", hint=_LOADS_CURE)
    return path.relative_to(folder).as_posix()


def _ended(
    command: Sequence[str], progress: Progress | None = None, obsolete: Obsolete | None = None
) -> tuple[int, str]:
    """Run the child process, and return its exit code and a description of its end, with the last
    line of its stderr.
    """
    environment = {
        **plain_environment(),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    expired, ended, began = threading.Event(), threading.Event(), time.monotonic()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
        OnFailure(process.kill),
    ):

        def watch() -> None:
            while not ended.wait(_LOOK):
                passed = time.monotonic() - began
                if passed > _TIMEOUT or (obsolete is not None and obsolete(passed)):
                    expired.set()
                    process.kill()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            for line in process.stdout or ():
                if progress is not None:
                    progress(*json.loads(line))
            code = process.wait()
        finally:
            ended.set()
            watcher.join()
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    if expired.is_set():
        return 1, f"the rules have not ended within {_TIMEOUT:.0f} seconds"
    return code, f"the process of the connector ended with {code}" + (
        f": {lines[-1][:300]}" if lines else ""
    )


def _unloadable(key: str, fault: str, only: Sequence[str]) -> Report:
    loads = Verdict(
        LOADS, "bronze", passed=False, reason=_LOADS_SAYS, cure=_LOADS_CURE, evidence=(fault,)
    )
    others = [
        _verdict(rule, None, ["the connector cannot be loaded"], rule.cure) for rule in _rules(only)
    ]
    return Report(key, None, None if only else NONE, (loads, *others))


def _rules(only: Sequence[str]) -> list[Rule]:
    return [rule for name, rule in ALL_RULES.items() if not only or name in only]


def _verdict(rule: Rule, passed: bool | None, evidence: Sequence[str], cure: str) -> Verdict:
    more = [f"and {len(evidence) - _EVIDENCE} more"] if len(evidence) > _EVIDENCE else []
    return Verdict(rule.name, rule.tier, passed, rule.says, cure, (*evidence[:_EVIDENCE], *more))


def report(subject: Subject, only: Sequence[str] = (), progress: Progress | None = None) -> Report:
    """Judge every rule in this process, or the rules named by ``only``; return the report."""
    loads = Verdict(
        LOADS,
        "bronze",
        passed=True,
        reason=_LOADS_SAYS,
        cure=_LOADS_CURE,
        evidence=(f"imported {subject.module}",),
    )
    verdicts, rules = [loads], _rules(only)
    for number, rule in enumerate(rules, 1):
        if progress is not None:
            progress(number, len(rules), rule.name)
        began = time.perf_counter()
        verdict = _judge(subject, rule)
        verdicts.append(replace(verdict, seconds=round(time.perf_counter() - began, 3)))
    about, grade = subject.manifest, None if only else graded(verdicts)
    return Report(about.key, about.version, grade, tuple(verdicts), declared_reads(about.whole()))


def _judge(subject: Subject, rule: Rule) -> Verdict:
    reason, cure = reason_against(subject, rule), cure_of(rule, subject.manifest)
    if reason is not None:
        return _verdict(rule, None, [reason], cure)
    found = attempt(list, rule.check(subject))
    if isinstance(found, Raised):
        fault = f"the rule cannot be judged: {_described(found.error, str(subject.folder))}"[:300]
        return _verdict(rule, passed=False, evidence=[fault], cure=cure)
    faults = [str(fault) for fault in found]
    return _verdict(rule, not faults, faults or [_seen(subject, rule)], cure)


def _seen(subject: Subject, rule: Rule) -> str:
    """Return the evidence that a rule has no faults."""
    if rule.name == EXAMPLES:
        return f"replayed {sum(1 for _ in recorded(subject))} examples"
    if rule.name in TRIGGER_RULES:
        return f"tried {_counted(len(subject.connector.triggers), 'trigger')}"
    if rule.drives:
        left = "".join(f"; left out {key}: {why}" for key, why in subject.left_out.items())
        ran = sum(1 for _ in drivable(subject, hanging=True))
        return (
            f"ran {ran} of {_counted(len(subject.manifest.actions), 'action')} against a "
            f"loopback provider{left}"
        )
    if rule.of_project:
        return "read the project's files"
    actions, types = len(subject.manifest.actions), len(subject.manifest.connection_types)
    return f"read {_counted(actions, 'action')} and {_counted(types, 'connection type')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _subject(target: str, *, write_manifest: bool) -> Subject:
    if os.path.isdir(target):
        project = Project.read(Path(target))
        sys.path.insert(0, str(project.package.parent))
        if write_manifest:
            _write_manifest(project)
        return Subject.of_project(project)
    found = Subject.installed(target)
    try:
        project = Project.read(found.folder.parent)
    except JackfieldError:  # installed from a wheel
        return found
    return Subject.of_project(project) if project.key == target else found


def _write_manifest(project: Project) -> None:
    connector = connector_at(project.module, project.attribute)
    text = json.dumps(connector.describe(), indent=2, ensure_ascii=False) + "\n"
    (project.package / "connector.json").write_text(text, encoding="utf-8")


def _described(error: Exception, folder: str) -> str:
    """Describe an exception on one line, with its last place in the folder's code."""
    text = f"{type(error).__name__}: {getattr(error, 'message', error)}".replace("\n", " ")
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if frame.filename.startswith(folder + os.sep)
    ]
    return (
        f"{text} (at {os.path.relpath(frames[-1].filename, folder)}:{frames[-1].lineno})"
        if frames
        else text
    )


def main(words: Sequence[str], progress: Progress) -> int:
    """Grade the target in this process, and write the report into the file ``words[1]`` (if not
    empty); return the exit code.
    """
    target, answer, *rest = words
    subject = attempt(_subject, target, write_manifest="--write-manifest" in rest)
    if isinstance(subject, Raised):
        sys.stderr.write(f"{_described(subject.error, target)}\n")
        return 1
    if answer:
        only = [name for name in rest if name in ALL_RULES]
        Path(answer).write_text(
            json.dumps(report(subject, only, progress).to_json()), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    told = Claim().stream  # what the connector prints goes to stderr

    def tell(*rule: object) -> None:
        """Report the rule that is judged to the parent process."""
        told.write(json.dumps(rule) + "\n")
        told.flush()

    code = main(sys.argv[1:], tell)
    os._exit(code)  # threads of a connector that hangs do not keep the process
