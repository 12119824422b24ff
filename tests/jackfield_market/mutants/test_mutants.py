"""B11: the conformance suite catches each mistake by the rule that is named for it, and finds
nothing in a sound connector.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.jackfield_market.parcels import FILES, SOUND, write_files

from jackfield_market.testing import ALL_RULES, Subject, behaviour, judged
from jackfield_market.testing.listing_rules import LISTED
from jackfield_market.testing.project import Project
from jackfield_market.testing.successes import SUCCESSES
from plugboard import make_connector, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

FOLDER = Path(__file__).parent
Judge = Callable[["Mutant"], "tuple[str, ...] | None"]


@dataclass(frozen=True)
class Mutant:
    """A mistake: ``old`` stands in the sound connector's source, and ``new`` takes its place, as in
    each pair of ``also``; ``stale`` leaves its manifest as it was. With ``file``, it is in that
    file of the project.
    """

    name: str
    rule: str
    old: str = ""
    new: str = ""
    stale: bool = False
    file: str = ""
    also: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> str:
        """The sound connector with the mistake in it."""
        source = SOUND
        if self.file:
            return source
        for old, new in ((self.old, self.new), *self.also):
            assert old in source
            source = source.replace(old, new)
        return source


OF_CODE = {name: rule for name, rule in ALL_RULES.items() if rule not in (*LISTED, *SUCCESSES)}
"""Rules of a connector with code; tests/jackfield_market/test_market_listing_rules.py has the
others' mutants.
"""
MUTANTS = [
    Mutant(name, **row)
    for name, row in yaml.safe_load(
        FOLDER.joinpath("mutants.yaml").read_text(encoding="utf-8")
    ).items()
]


def _project(folder: Path, mutant: Mutant | None) -> Project:
    files = dict(FILES)
    if mutant is not None and mutant.file:
        text = files.pop(mutant.file)
        assert mutant.old in text
        if mutant.old:
            files[mutant.file] = text.replace(mutant.old, mutant.new)
    return write_files(folder, files)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """What the rule that is named for a mutant finds in it."""

    def found(mutant: Mutant) -> tuple[str, ...] | None:
        manifest = None
        if mutant.stale:
            text = (
                make_connector(tmp_path / "sound", "parcel", SOUND)
                .joinpath("connector.json")
                .read_text(encoding="utf-8")
            )
            manifest = json.loads(text)
        monkeypatch.chdir(tmp_path)  # mutants leave the folder and change the environment
        monkeypatch.setenv("PARCELS", "off")
        make_connector(tmp_path, "parcel", mutant.source, manifest)
        with plugged(tmp_path):
            return judged(Subject.of_project(_project(tmp_path, mutant)), ALL_RULES[mutant.rule])

    return found


def test_b11_the_sound_connector_keeps_every_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rule finds a fault in it, and every rule applies."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARCELS", "off")
    make_connector(tmp_path, "parcel", SOUND)
    with plugged(tmp_path):
        subject = Subject.of_project(_project(tmp_path, None))
        assert {
            name: found for name, rule in OF_CODE.items() if (found := judged(subject, rule)) != ()
        } == {}


def _sampled() -> Iterator[Any]:
    """The first mutant of each rule, and the others for campaigns."""
    seen = set()
    for mutant in MUTANTS:
        yield pytest.param(
            mutant, id=mutant.name, marks=pytest.mark.campaign if mutant.rule in seen else ()
        )
        seen.add(mutant.rule)


@pytest.mark.parametrize("mutant", list(_sampled()))
def test_b11_each_mutant_is_caught(
    judge: Judge, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule that is named for the mistake finds it. No attempt is repeated with more time: a
    sound connector must pass, not a mutant.
    """
    for name in ("_AGAIN", "_LAST"):
        monkeypatch.setattr(behaviour, name, behaviour._SHORT_DEADLINE)
    assert judge(mutant)


def test_b11_there_are_enough() -> None:
    """Each is of its own kind, and every rule is proven by one."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 80
    assert {*OF_CODE} - {mutant.rule for mutant in MUTANTS} == set()


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param((), id="alone"),
        pytest.param(("-n", "1"), marks=pytest.mark.campaign, id="xdist"),
    ],
)
def test_what_does_not_apply_is_no_skip(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Rules that cannot be asked of a connector make no test, and the summary lists them with the
    reason.
    """
    suite = (
        "from jackfield_market.testing import Conformance\n\n\nclass "
        'TestSes(Conformance):\n    key = "aws-ses"\n'
    )
    tmp_path.joinpath("test_ses_suite.py").write_text(suite, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-rs",
        "-k",
        "everything-explained",
        *workers,
        str(tmp_path),
    ]
    said = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    ).stdout
    assert "SKIPPED" not in said
    assert (
        said.count(
            "conformance of 'aws-ses': not applicable: needs a connection whose provider can be "
            "replaced by a test server"
        )
        == 1
    )
    assert "guard-is-asked" in said


@pytest.mark.parametrize(
    ("grade", "workers", "code"),
    [("bronze", (), 0), ("bronze", ("-n", "1"), 0), ("silver", (), 1)],
    ids=["above", "xdist", "within"],
)
def test_a_rule_above_the_grade_is_expected_to_fail(
    tmp_path: Path, grade: str, workers: tuple[str, ...], code: int
) -> None:
    """A suite of a lower grade passes, and its summary names the higher rule that failed, with the
    fault; a suite of that grade fails.
    """
    mutant = next(
        mutant for mutant in MUTANTS if mutant.rule == "everything-explained" and not mutant.file
    )
    make_connector(tmp_path, "parcel", mutant.source)
    _project(tmp_path, None)
    suite = (
        "from jackfield_market.testing import Conformance\n\n\nclass "
        f'TestParcel(Conformance):\n    grade = "{grade}"\n'
    )
    tmp_path.joinpath("tests", "test_parcel.py").write_text(suite, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-k",
        "everything-explained or secrets-marked",
        *workers,
        "tests",
    ]
    with plugged(tmp_path):
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == code, done.stdout
    assert done.stdout.count(
        "conformance of 'parcel': above bronze, not reached: everything-explained (silver): "
    ) == (code == 0)
    assert ("1 xfailed" if code == 0 else "1 failed") in done.stdout
