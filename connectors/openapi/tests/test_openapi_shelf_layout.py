"""The layout of a shelf's files: short lines, one member a line, long texts folded; what they say,
and their comments, stay.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from jackfield.cli.main import main
from jackfield.connector import InvalidInput
from jackfield_openapi.reading import parsed
from jackfield_openapi.shelf.layout import LONGEST, SCHEMA, formatted

SHELF = Path(__file__).resolve().parents[3] / "shelf"
FILES = jsonschema_rs.Draft202012Validator(
    json.loads((SHELF / "service.schema.json").read_text(encoding="utf-8"))
)
WORDS = " ".join(f"word{number}" for number in range(60))
VALUES: dict[str, Any] = {
    "a text": "It's so.",
    "a long text": WORDS,
    "a long list": [WORDS, "short"],
    "two spaces": WORDS.replace(" ", "  "),
    "lines": "1. One.\n2. Two.\n",
    "long lines": f"1. {WORDS}\n2. Two.\n",
    "long lines, open": f"{WORDS}\n\n{WORDS}",
    "more ends": "a\nb\n\n\n",
    "an indented line": f"a\n  b {WORDS}",
    "a first line that is indented": "  a\nb",
    "a space at the end": "a \nb",
    "a tab": "\ta\n b",
    "only lines": "\n\n",
    "one line's end": "a\n",
    "a sign": "- a: {b}, [c] #d",
    "words of YAML": ["true", "null", "1", "1.5", "~", "yes", "on", "2026-01-31", ""],
    "types": [True, False, None, 1, 1.5, {}, [], ""],
    "control characters": "a\x07b",
    "other scripts": "für 日本 🎉",
    "a bell": "\u2028",
    "deep": {"a": {"b": {"c": {"d": [{"e": 1}, {"f": [[1, 2], [3]]}]}}}},
    "wide": {f"m{number}": {"a": number} for number in range(5)},
    "a quoted key": {"200": 1, "a: b": 2, "": 3, "#": 4},
    "a colon at the end": "a:",
    "a long word": f"https://acme.example/{'x' * 200}",
    "a long word among others": f"See https://acme.example/{'x' * 200} for {WORDS}",
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("place", ["block", "flow", "list", "list of lists"])
def test_what_a_file_says_stays(name: str, place: str) -> None:
    """Whatever a value is, and wherever it stands; formatting again changes nothing."""
    value = json.dumps(VALUES[name], ensure_ascii=name != "other scripts")
    text = {
        "block": f"a:\n  b: {value}\n  c: 1\n",
        "flow": f"a: {{b: {value}, c: {{d: 1}}}}\n",
        "list": f"a:\n  - {value}\n  - b: {value}\n    c: 2\n",
        "list of lists": f"a: [[{value}, {{b: {value}, c: {{}}}}], []]\n",
    }[place].encode()
    made = formatted(text, "x")
    assert parsed(made, "x") == parsed(text, "x")
    assert formatted(made, "x") == made
    if " " in str(VALUES[name]) and name in (
        "a long text",
        "a long list",
        "long lines",
        "long lines, open",
        "deep",
        "wide",
    ):
        assert max(map(len, made.decode().splitlines())) <= LONGEST


def test_members_have_lines_of_their_own() -> None:
    """What fits stays on a line, but for several members with members; what is in lines stays
    so.
    """
    text = (
        "a: {x: {b: 1, c: [1, 2]}, y: {d: {}}}\ne: {f: {g: 1}}\nh:\n  i: 1\nrows: [{a: 1}, "
        "{b: 2}]\none: [{a: 1}]\n"
    )
    lines = [
        "a:",
        "  x: {b: 1, c: [1, 2]}",
        "  y: {d: {}}",
        "e: {f: {g: 1}}",
        "h:",
        "  i: 1",
        "rows:",
        "  - {a: 1}",
        "  - {b: 2}",
        "one: [{a: 1}]",
    ]
    assert formatted(text.encode(), "x").decode().splitlines() == [SCHEMA, *lines]


def test_comments_stay() -> None:
    """Those of a line go above what it says; what only looks like one is none."""
    text = (
        "# First.\na: 1  # One.\nb:\n  # Below.\n  c: 'no # comment'\n  d: http://x/#y\n  e: "
        "|\n    # text\n"
    )
    text += "  f: {g: 1,  # Within.\n    h: 2}\n# Last.\n"
    assert formatted(text.encode(), "x").decode().splitlines() == [
        SCHEMA,
        "# First.",
        "# One.",
        "a: 1",
        "b:",
        "  # Below.",
        "  c: 'no # comment'",
        "  d: http://x/#y",
        "  e: |",
        "    # text",
        "  # Within.",
        "  f: {g: 1, h: 2}",
        "# Last.",
    ]


@pytest.mark.parametrize(
    "text",
    ["a: &x {b: 1}\nc: *x\n", "- a\n", "a: [", "a: 1\na: 2\nb: !!python/object:os.system x\n"],
)
def test_what_cannot_be_formatted(text: str) -> None:
    """It is refused, and the file is left as it is."""
    with pytest.raises(InvalidInput):
        formatted(text.encode(), "x")


def test_the_command(tmp_path: Path) -> None:
    """``format`` writes, once; ``--check`` tells; ``new`` begins a file that is in the layout."""
    folder = ["--shelf", str(tmp_path)]
    assert main(["shelf", "new", "acme", *folder]) == 0
    assert main(["shelf", "format", "--check", *folder]) == 0
    file = tmp_path / "services/acme.yaml"
    before = file.read_bytes()
    file.write_bytes(before.replace(b"info:\n  title: Acme\n", b"info:\n  title:   Acme\n"))
    assert main(["shelf", "format", "--check", *folder]) == 1
    assert main(["shelf", "format", "acme", *folder]) == 0
    assert (file.read_bytes(), main(["shelf", "format", "other", *folder])) == (before, 2)


def _files() -> list[Any]:
    return [
        pytest.param(file, id=file.stem) for file in sorted((SHELF / "services").glob("*.yaml"))
    ]


@pytest.mark.parametrize("file", _files())
def test_the_shelf_is_in_its_layout(file: Path) -> None:
    """Each file is, and editors know all that it has; a line is longer only where a word is."""
    content = file.read_bytes()
    assert formatted(content, file.name) == content, "run 'make fix'"
    found = FILES.iter_errors(parsed(content, file.name))
    assert [f"{'/'.join(map(str, one.instance_path))}: {one.message[:200]}" for one in found] == []
    assert [
        line
        for line in content.decode().splitlines()
        if len(line) > LONGEST and " " in line.strip().removeprefix("- ")
    ] == []


FAULTS: dict[str, Any] = {
    "a member of the file's own": {"x-shelf": {"colour": 1}},
    "an error that is none": {
        "x-shelf": {
            "errors": {"rows": [{"status": 429, "error": "rate_limited", "wait": {"hours": 1}}]}
        }
    },
    "a kind of pages": {"x-shelf": {"paging": {"next": {"kind": "scroll"}}}},
    "a kind of sign-in": {"x-shelf": {"signIns": {"a": {"kind": "magic"}}}},
    "a sign-in without its address": {"x-shelf": {"signIns": {"a": {"kind": "oauth2"}}}},
    "a member of an operation": {
        "paths": {
            "/a": {"get": {"operationId": "a", "responses": {}, "x-jackfield": {"colour": 1}}}
        }
    },
    "an effect": {
        "paths": {
            "/a": {"get": {"operationId": "a", "responses": {}, "x-jackfield": {"effect": "some"}}}
        }
    },
    "a fact without its day": {"x-shelf": {"seen": [{"about": "a", "url": "https://a.example"}]}},
}


@pytest.mark.parametrize("name", FAULTS)
def test_editors_show_slips(name: str) -> None:
    """A member that nobody reads, and a value that is refused, are underlined where they are
    written.
    """
    whole = parsed((SHELF / "services/zoom.yaml").read_bytes(), "x")
    for place, changes in FAULTS[name].items():
        whole[place] |= changes
    assert not FILES.is_valid(whole)
