"""B11: the conformance suite catches each mistake by the rule that is named for it, and finds nothing in a sound connector."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from jackfield.testing import RULES, Subject, judged
from plugboard import make_connector, plugged

FOLDER = Path(__file__).parent
SOUND = FOLDER.joinpath("sound.py").read_text(encoding="utf-8")
Judge = Callable[[str, str], "tuple[str, ...] | None"]


@dataclass(frozen=True)
class Mutant:
    """A mistake: ``old`` stands in the sound connector's source, and ``new`` takes its place, as in each pair of
    ``also``; ``stale`` leaves its manifest as it was."""

    name: str
    rule: str
    old: str
    new: str
    stale: bool = False
    also: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> str:
        """The sound connector with the mistake in it."""
        source = SOUND
        for old, new in ((self.old, self.new), *self.also):
            assert old in source
            source = source.replace(old, new)
        return source


MUTANTS = [Mutant(name, **row) for name, row in yaml.safe_load(FOLDER.joinpath("mutants.yaml").read_text(encoding="utf-8")).items()]


@pytest.fixture
def judge(tmp_path: Path) -> Judge:
    """What a rule finds in a connector of that source; ``stale``: whose manifest is the sound one's."""

    def found(source: str, rule: str, *, stale: bool = False) -> tuple[str, ...] | None:
        manifest = None
        if stale:
            text = make_connector(tmp_path / "sound", "parcel", SOUND).joinpath("connector.json").read_text(encoding="utf-8")
            manifest = json.loads(text)
        make_connector(tmp_path, "parcel", source, manifest)
        with plugged(tmp_path):
            return judged(Subject.installed("parcel"), RULES[rule])

    return found


@pytest.mark.parametrize("rule", RULES)
def test_b11_the_sound_connector_keeps_every_rule(judge: Judge, rule: str) -> None:
    """No rule finds a fault in it, and every rule applies."""
    assert judge(SOUND, rule) == ()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_b11_each_mutant_is_caught(judge: Callable[..., tuple[str, ...] | None], mutant: Mutant) -> None:
    """The rule that is named for the mistake finds it."""
    assert judge(mutant.source, mutant.rule, stale=mutant.stale)


def test_b11_there_are_enough() -> None:
    """The nine of the review and twelve more, each of its own kind."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 21


def test_b11_the_page_lists_every_rule() -> None:
    """The reference names each rule as it is, with what it says: names are stable, since grades are computed from them."""
    page = FOLDER.parents[1].joinpath("docs", "reference", "conformance.md").read_text(encoding="utf-8")
    rows = [tuple(cell.strip(" `") for cell in line.split("|")[1:3]) for line in page.splitlines() if line.startswith("| `")]
    assert rows == [(rule.name, rule.says) for rule in RULES.values()]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_what_does_not_apply_is_no_skip(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Rules that cannot be asked of a connector make no test, and the summary lists them with the reason."""
    suite = 'from jackfield.testing import Conformance\n\n\nclass TestSes(Conformance):\n    key = "aws-ses"\n'
    tmp_path.joinpath("test_ses_suite.py").write_text(suite, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *workers, str(tmp_path)]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False).stdout
    assert "SKIPPED" not in said
    assert said.count("conformance of 'aws-ses': not applicable: no required value of a connection type is a URI") == 1
    assert "guard-is-asked" in said
