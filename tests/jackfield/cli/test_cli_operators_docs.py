"""The reference of the operator's commands is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jackfield.cli.commands import BUILT_IN, built_in, load_plugged, plugged

_REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
PAGE = "".join(
    (_REFERENCE / name).read_text(encoding="utf-8")
    for name in (
        "cli.md",
        "cli-manage.md",
        "cli-workspaces.md",
        "cli-database.md",
        "cli-serve.md",
        "configuration.md",
    )
)
NOUNS = ("db", "invocations", "keys", "tokens", "workspaces")


@pytest.mark.parametrize("noun", NOUNS)
def test_each_command_and_option_is_documented(noun: str) -> None:
    """The section of a noun shows each of its commands, and names each of their options."""
    section = re.split(r"^## ", PAGE.split(f"\n## {noun}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    verbs = built_in(noun) if noun in BUILT_IN else load_plugged(plugged()[noun])
    assert not callable(verbs)
    shown = {
        *re.findall(rf"jackfield {noun} ([a-z-]+)", section),
        *re.findall(r"`([a-z-]+)[` ]", section),
    }
    assert [verb for verb in verbs if verb not in shown] == []
    flags = {
        flag
        for name, verb in verbs.items()
        for flag in verb.parser(f"{noun} {name}").flags
        if flag.startswith("--")
    }
    assert sorted(flag for flag in flags - {"--help", "--json"} if flag not in section) == []


@pytest.mark.parametrize(
    "variable",
    [
        "JACKFIELD_NEW_MASTER_KEY",
        "JACKFIELD_NEW_MASTER_KEY_FILE",
        "JACKFIELD_MASTER_KEY_FILE",
        "JACKFIELD_HOME",
    ],
)
def test_each_variable_is_documented(variable: str) -> None:
    """The variables that only operators set are among the others."""
    assert variable in re.findall(r"[A-Z_]+", PAGE)
