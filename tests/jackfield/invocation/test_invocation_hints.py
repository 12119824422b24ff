"""Next steps, each in the words of the surface that shows it (M15, L39)."""

from __future__ import annotations

import copy
import importlib
import json
import pickle
import re
from pathlib import Path
from unittest.mock import patch

import pytest

from jackfield.invocation import Meta, Result
from jackfield.kernel.errors import InvalidInput, JackfieldError
from jackfield.kernel.hints import _WORDS, NextStep, restored, worded

RUNTIME = Path(__file__).resolve().parents[3] / "runtime"
COMMAND = re.compile(
    r"'jackfield (schema|search|connectors|connections list|invocations)|schemas/|--wait|wait=True"
)


SURFACES = {
    "http": ("jackfield_service.shell", "requests.hints"),
    "mcp": ("jackfield_service.subjects.mcp", "hints"),
    "console": ("jackfield_service.shell.pages", "hints"),
}
"""Distribution of a surface, and its module of words."""


@pytest.mark.parametrize("surface", ["library", "cli", *SURFACES])
def test_m15_every_surface_has_words_of_its_own(surface: str) -> None:
    """Each surface words steps that there are; commands are the command line's only, requests
    HTTP's only, and none names a file of the repository. Without words of its own it has the
    library's.
    """
    for distribution in ("jackfield_service.subjects", "jackfield_store"):
        importlib.import_module(distribution)
    package, place = SURFACES.get(surface, ("", ""))
    words = importlib.import_module(f"{package}.{place}").WORDS if package else _WORDS[surface]
    assert words.keys() <= _WORDS["library"].keys()
    for text in words.values():
        assert "schemas/" not in text
        assert surface == "cli" or "'jackfield " not in text
        assert surface == "http" or not re.search(r"GET /|POST /|/openapi", text)
        assert text.endswith(".")
    for kind in _WORDS["library"].keys() - words.keys():
        assert worded(NextStep(kind), surface) == _WORDS["library"][kind]


def test_m15_no_hint_is_composed_elsewhere() -> None:
    """Outside of ``hints`` and the command line no text names a command that shows what is
    there.
    """
    found = {
        str(path.relative_to(RUNTIME)): COMMAND.findall(line)
        for path in RUNTIME.rglob("*.py")
        if path.name != "hints.py" and not {"cli", "commands"} & set(path.parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if "hint" in line and COMMAND.search(line)
    }
    assert found == {}


def test_a_step_is_text_that_each_surface_words() -> None:
    """As text it is the library's wording; a surface gets its own, and text of an author stays as
    it is.
    """
    step = NextStep("action_schema", connector="notes", action="add", more="Then try again.")
    error = InvalidInput("1 input is not valid", hint=step)
    assert str(error).endswith("See the schema of notes/add for its inputs. Then try again.")
    assert (
        error.to_json("cli")["hint"]
        == "'jackfield schema notes add' shows the schema of its inputs. Then try again."
    )
    importlib.import_module("jackfield_service.subjects.mcp")
    result = Result("failed", Meta("x"), error=error)
    assert result.to_json("mcp")["error"]["hint"].startswith(
        "Call get_action_guide with connector 'notes' and action 'add'"
    )
    assert worded("Ask Ada.", "http") == "Ask Ada."
    assert worded(None, "http") is None


def test_what_is_kept_names_no_surface() -> None:
    """The journal keeps the library's wording, and so do copies in other processes."""
    step = NextStep("may_be_queued", id="1")
    stored = json.loads(json.dumps(InvalidInput("x", hint=step).to_json()))
    assert stored["hint"] == str(step) == pickle.loads(pickle.dumps(step)) == copy.deepcopy(step)
    assert JackfieldError.from_json(stored).to_json("cli")["hint"] == str(step)


def test_a_step_is_read_where_nobody_has_declared_it() -> None:
    """A process without the distribution whose step it is reads it from a pickle, and words it as
    the library does.
    """
    with patch.dict(_WORDS["library"], {"polish": "Polish {what}."}):
        copied = pickle.dumps(NextStep("polish", what="it"))
    assert worded(pickle.loads(copied), "cli") == "Polish it."


@pytest.mark.parametrize("surface", ["library", "cli", *SURFACES])
@pytest.mark.parametrize("kind", ["in_doubt", "in_part", "looking", "resolve", "settling"])
def test_the_step_of_a_doubt_names_the_doubt(kind: str, surface: str) -> None:
    """Whoever reads it can send the named request or command as it stands. A page of the console is
    the invocation's own.
    """
    for distribution in (
        "jackfield_service.subjects",
        "jackfield_service.shell",
        "jackfield_store",
    ):
        importlib.import_module(distribution)
    words = worded(NextStep(kind, id="4711"), surface) or ""
    assert ("4711" in words) == (surface != "console")
    assert "{id}" not in words
    kept = restored(str(NextStep(kind, id="4711")))
    assert isinstance(kept, NextStep)
    assert kept.facts == {"id": "4711"}


def test_facts_are_not_read_as_placeholders() -> None:
    """A name with braces is quoted as it is."""
    assert "'{action}'" in str(
        worded(NextStep("action_schema", connector="{action}", action="{action}"), "mcp")
    )
