"""Our scan for entry points says what ``importlib.metadata`` says, without importing anything."""

from __future__ import annotations

import importlib.metadata
import string
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.catalog import EntryPoint, entry_points

Point = tuple[str, str, str]
"""Group, name, value."""


def ours(folders: Iterable[str]) -> list[Point]:
    """What our scan finds."""
    found = entry_points(folders)
    return sorted(
        (group, point.name, point.value) for group, points in found.items() for point in points
    )


def theirs(folders: Iterable[str]) -> list[Point]:
    """What the standard library finds, under its own rule for distributions that are found
    twice.
    """
    found: list[Point] = []
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions(path=list(folders)):
        name = getattr(distribution, "_normalized_name")  # noqa: B009 (not in its stubs; what its own entry_points() goes by)
        if name not in seen:
            seen.add(name)
            found += [
                (point.group, point.name, point.value)
                for point in distribution.entry_points
                if point.group.startswith("jackfield.")
            ]
    return sorted(found)


def write(folder: Path, name: str, text: str | bytes | None) -> None:
    """Write the metadata of a distribution; ``text`` is its entry_points.txt, None for none."""
    info = folder / name
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name.partition('-')[0]}\nVersion: 1.0\n", encoding="utf-8"
    )
    if text is not None:
        (info / "entry_points.txt").write_bytes(text if isinstance(text, bytes) else text.encode())


def test_this_environment() -> None:
    """On the environment that runs the tests both scans agree, and our connectors are among what
    they find.
    """
    assert ours(sys.path) == theirs(sys.path)
    assert ("jackfield.connectors", "aws-ses", "jackfield_aws_ses:connector") in ours(sys.path)
    default = entry_points()
    assert sorted(
        (group, point.name, point.value) for group, points in default.items() for point in points
    ) == ours(sys.path)


_WORD = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=8)
_BLANKS = st.sampled_from(["", " ", "\t", "   "])
_GROUPS = st.sampled_from(
    [
        "jackfield.connectors",
        "jackfield.plugins",
        "jackfield.commands",
        "console_scripts",
        "jackfield",
        "other.x",
    ]
)
_EXTRAS = st.sampled_from(["", " [x]", " [x, y]", "[x]"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """One line of an entry_points.txt: a section, a point, a comment or nothing."""
    kind = draw(st.sampled_from(["section", "point", "point", "point", "comment", "blank"]))
    before, after = draw(_BLANKS), draw(_BLANKS)
    if kind == "section":
        return f"{before}[{draw(_GROUPS)}]{after}"
    if kind == "comment":
        return f"{before}#{draw(_WORD)} = {draw(_WORD)}{after}"
    if kind == "blank":
        return before
    return f"{before}{draw(_WORD)}{draw(_BLANKS)}={draw(_BLANKS)}{draw(_WORD)}:{draw(_WORD)}{draw(_EXTRAS)}{after}"


_TEXTS = st.builds("\n".join, st.lists(lines(), max_size=12))
_NAMES = st.sampled_from(["one", "two_parts", "Two.Parts", "two__parts", "three", "THREE"])


@pytest.mark.tree_only
@given(
    st.lists(
        st.dictionaries(st.tuples(_NAMES, st.sampled_from(["dist", "egg"])), _TEXTS, max_size=2),
        max_size=3,
    ),
    st.booleans(),
)
def test_any_folders(contents: list[dict[tuple[str, str], str]], first_section: bool) -> None:
    """On any folders of distributions both scans find the same points: comments, blanks, extras,
    sections and doubles included.
    """
    with tempfile.TemporaryDirectory() as base:
        folders = []
        for number, content in enumerate(contents):
            folder = Path(base, str(number))
            folder.mkdir()
            # two spellings of one distribution in one folder have no defined order
            chosen = {
                name.lower().replace("_", "").replace(".", ""): (name, kind)
                for name, kind in content
            }
            for name, kind in chosen.values():
                text = content[name, kind]
                write(
                    folder,
                    f"{name}-1.0.{kind}-info",
                    f"[jackfield.connectors]\n{text}" if first_section else _sectioned(text),
                )
            folders.append(str(folder))
        assert ours(folders) == theirs(folders)


def _sectioned(text: str) -> str:
    """Without what stands before the first section, which the standard library does not take."""
    rows = text.split("\n")
    starts = [index for index, row in enumerate(rows) if row.strip().startswith("[")]
    return "\n".join(rows[starts[0] :]) if starts else ""


def test_parts_of_a_value() -> None:
    """A value has a module, an attribute and maybe extras; blanks between them mean nothing."""
    point = EntryPoint("echo", " jackfield_echo.actions : connector [extra] ", "jackfield-echo")
    assert (point.module, point.attribute) == ("jackfield_echo.actions", "connector")
    assert EntryPoint("echo", "jackfield_echo", "x").attribute == ""
    assert repr(EntryPoint("a", "b:c", "d")) == "EntryPoint('a', 'b:c', 'd')"


def test_the_first_distribution_on_the_path_counts(tmp_path: Path) -> None:
    """As in an import: a distribution that is found again further down the path is passed over,
    however its name is spelt.
    """
    for folder, name in (
        ("a", "jackfield_notes-1.0.dist-info"),
        ("b", "Jackfield.Notes-2.0.dist-info"),
        ("c", "jackfield_notes.egg-info"),
    ):
        write(tmp_path / folder, name, f"[jackfield.connectors]\nnotes = {folder}:connector\n")
    folders = [str(tmp_path / name) for name in "abc"]
    for order in (folders, folders[::-1], folders[1:] + folders[:1]):
        found = entry_points(order)["jackfield.connectors"]
        assert [(point.module, point.distribution) for point in found] == [
            (Path(order[0]).name, "jackfield-notes")
        ]


def test_what_is_not_readable_is_passed_over(tmp_path: Path) -> None:
    """Missing folders, files on the path, metadata without entry points, bytes that are no text:
    none of it spoils the rest.
    """
    write(tmp_path, "none-1.0.dist-info", None)
    write(tmp_path, "binary-1.0.dist-info", b"[jackfield.connectors]\nx = \xff:y\n")
    write(
        tmp_path,
        "odd-1.0.dist-info",
        "[jackfield.connectors]\nno point\n; a = comment:too\n= \nfine = a:b\n",
    )
    (tmp_path / "file.egg-info").write_text("Metadata-Version: 1.0\n", encoding="utf-8")
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = entry_points([str(tmp_path / "missing"), str(tmp_path / "file"), str(tmp_path)])
    points = found["jackfield.connectors"]
    assert [(point.name, point.value) for point in points] == [("", ""), ("fine", "a:b")]


def test_an_empty_entry_is_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Python's own path, an empty text means the current folder."""
    write(tmp_path, "here-1.0.dist-info", "[jackfield.commands]\nhere = here:main\n")
    monkeypatch.chdir(tmp_path)
    assert [point.name for point in entry_points([""])["jackfield.commands"]] == ["here"]


def test_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan reads names only: no module of any distribution is there afterwards."""
    write(tmp_path, "trap-1.0.dist-info", "[jackfield.plugins]\ntrap = jackfield_trap_module\n")
    (tmp_path / "jackfield_trap_module.py").write_text(
        "raise SystemExit('imported')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    assert "jackfield_trap_module" in [
        point.module for point in entry_points()["jackfield.plugins"]
    ]
    assert [
        name for name in set(sys.modules) - before if not name.startswith("jackfield.catalog")
    ] == []
