"""Next steps, each in the words of the surface that shows it (M15, L39)."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path

import pytest

from jackfield.invocation import Meta, Result
from jackfield.kernel.errors import InvalidInput, JackfieldError
from jackfield.kernel.hints import _STEPS, SURFACES, NextStep, worded

RUNTIME = Path(__file__).resolve().parents[3] / "runtime"
COMMAND = re.compile(r"'jackfield (schema|search|connectors|connections list|invocations)|schemas/|--wait|wait=True")


@pytest.mark.parametrize("kind", sorted(_STEPS))
def test_m15_every_step_has_the_words_of_every_surface(kind: str) -> None:
    """Each surface has its wording; commands are the command line's only, requests HTTP's only, and none names a file of the repository."""
    assert set(_STEPS[kind]) == set(SURFACES)
    for surface, text in _STEPS[kind].items():
        assert "schemas/" not in text, surface
        assert surface == "cli" or "'jackfield " not in text, surface
        assert surface == "http" or not re.search(r"GET /|POST /|/openapi", text), surface
        assert text.endswith("."), surface


def test_m15_no_hint_is_composed_elsewhere() -> None:
    """Outside of ``hints`` and the command line no text names a command that shows what is there."""
    found = {
        str(path.relative_to(RUNTIME)): COMMAND.findall(line)
        for path in RUNTIME.rglob("*.py")
        if path.name != "hints.py" and not {"cli", "commands"} & set(path.parts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if "hint" in line and COMMAND.search(line)
    }
    assert found == {}


def test_a_step_is_text_that_each_surface_words() -> None:
    """As text it is the library's wording; a surface gets its own, and text of an author stays as it is."""
    step = NextStep("action_schema", connector="notes", action="add", more="Then try again.")
    error = InvalidInput("1 input is not valid", hint=step)
    assert str(error).endswith("See the schema of notes/add for its inputs. Then try again.")
    assert error.to_json("cli")["hint"] == "'jackfield schema notes add' shows the schema of its inputs. Then try again."
    result = Result("failed", Meta("x"), error=error)
    assert result.to_json("mcp")["error"]["hint"].startswith("Call get_action_guide with connector 'notes' and action 'add'")
    assert worded("Ask Ada.", "http") == "Ask Ada."
    assert worded(None, "http") is None


def test_what_is_kept_names_no_surface() -> None:
    """The journal keeps the library's wording, and so do copies in other processes."""
    step = NextStep("resolve", id="1")
    stored = json.loads(json.dumps(InvalidInput("x", hint=step).to_json()))
    assert stored["hint"] == str(step) == pickle.loads(pickle.dumps(step)) == copy.deepcopy(step)
    assert JackfieldError.from_json(stored).to_json("cli")["hint"] == str(step)


def test_facts_are_not_read_as_placeholders() -> None:
    """A name with braces is quoted as it is."""
    assert "'{action}'" in str(worded(NextStep("action_schema", connector="{action}", action="{action}"), "mcp"))
