"""Connection files: what is read, and a sentence for each fault while the rest loads."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jackfield.connections.connection_lookup import Connections, sources_from
from jackfield.connections.named_connection import NamedConnection, Source
from jackfield.kernel.errors import InvalidConnection, UnknownConnection
from waiting import until

GOOD = {"type": "echo/token", "values": {"token": "t"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one good file."""
    (tmp_path / "good.yaml").write_text(
        "connections:\n  hall:\n    type: echo/token\n    values: {token: t}\n", encoding="utf-8"
    )
    return tmp_path


def loaded(folder: Path, name: str, content: str | bytes) -> Connections:
    """The connections of a folder with one more file in it."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Connections([folder])


def problem(connections: Connections, name: str) -> str:
    """The only sentence about faults; it names the file, and the good file was read all the
    same.
    """
    assert "hall" in [item.name for item in connections.files()]
    (sentence,) = connections.problems
    assert name in sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def test_yaml(folder: Path) -> None:
    """A YAML file holds connections by name; values are what JSON would have, and a type without
    values has none.
    """
    text = """
        # the mail of acme
        connections:
          acme-ses: &acme
            type: aws-ses/awsAssumeRole
            values:
              roleARN: arn:aws:iam::123456789012:role/acme
              durationSeconds: 900
              since: 2024-01-01
              12: number
              nested: {deep: [1, true, null, 2.5]}
          other: *acme
          bare: {type: echo/token}
          empty:
            type: echo/token
            values:
        """
    connections = loaded(folder, "acme.yml", text)
    assert connections.problems == ()
    assert [item.name for item in connections.files()] == [
        "acme-ses",
        "bare",
        "empty",
        "hall",
        "other",
    ]
    acme = connections.find("acme-ses")
    assert (acme.type, acme.source, acme.folder, acme.version) == (
        "aws-ses/awsAssumeRole",
        "acme.yml",
        str(folder),
        1,
    )
    assert acme.values == {
        "roleARN": "arn:aws:iam::123456789012:role/acme",
        "durationSeconds": 900,
        "since": "2024-01-01",
        "12": "number",
        "nested": {"deep": [1, True, None, 2.5]},
    }
    assert json.loads(json.dumps(acme.values)) == acme.values
    assert connections.find("bare").values == connections.find("empty").values == {}


@pytest.mark.parametrize("name", ["more.json", "more.JSON", "more.yaml"])
def test_json(folder: Path, name: str) -> None:
    """JSON is read as such, in a file of YAML too; a byte order mark in front means nothing."""
    connections = loaded(
        folder,
        name,
        "\ufeff"
        + json.dumps(
            {"connections": {"more": GOOD}}, indent="\t" if name.lower() != "more.yaml" else 2
        ),
    )
    assert connections.problems == ()
    assert connections.find("more").values == {"token": "t"}


def test_flow_style_is_yaml(folder: Path) -> None:
    """A YAML file may begin with a brace and still be no JSON."""
    assert (
        loaded(folder, "flow.yaml", "{connections: {flow: {type: echo/token}}}").find("flow").type
        == "echo/token"
    )


def test_several_documents(folder: Path) -> None:
    """A YAML file may hold several documents; empty ones among them say nothing."""
    text = "connections: {one: {type: a/b}}\n---\n# nothing\n---\nconnections: {two: {type: a/b}}\n"
    connections = loaded(folder, "many.yaml", text)
    assert [item.name for item in connections.files()] == ["hall", "one", "two"]
    assert connections.problems == ()


def test_a_broken_document_spoils_what_follows_only(folder: Path) -> None:
    """Documents before the broken one are read."""
    connections = loaded(
        folder,
        "many.yaml",
        "connections: {one: {type: a/b}}\n---\nconnections: {two: 1}\n---\nconnections: [\n",
    )
    assert [item.name for item in connections.files()] == ["hall", "one"]
    assert len(connections.problems) == 2


def test_folders_are_read_by_name_and_not_deeper(folder: Path) -> None:
    """Of a folder, the files ending in .yaml, .yml and .json are read, in the order of their names;
    sub-folders are not.
    """
    (folder / "sub").mkdir()
    (folder / "sub" / "deep.yaml").write_text("connections: {deep: {type: a/b}}", encoding="utf-8")
    (folder / "notes.txt").write_text("no connections", encoding="utf-8")
    (folder / ".hidden").write_text("nothing", encoding="utf-8")
    assert [item.name for item in Connections([folder]).files()] == ["hall"]
    assert Connections([folder]).problems == ()


def test_files_and_mappings_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, folders and mappings go together; a mapping may be of names or have ``connections``
    like a file; ``~`` is the home.
    """
    monkeypatch.setenv("HOME", str(folder))
    connections = Connections(["~/good.yaml", {"code": GOOD}, {"connections": {"more": GOOD}}])
    assert [(item.name, item.source) for item in connections.files()] == [
        ("code", "given in code"),
        ("hall", "good.yaml"),
        ("more", "given in code"),
    ]
    assert connections.find("code").folder == "."


def test_no_sources() -> None:
    """Without sources there are no connections and no problems."""
    connections = Connections()
    assert (connections.files(), connections.problems) == ([], ())


def test_sources_from_the_environment() -> None:
    """JACKFIELD_CONNECTIONS names files and folders; empty parts mean nothing."""
    assert sources_from({}) == sources_from({"JACKFIELD_CONNECTIONS": ""}) == []
    assert sources_from({"JACKFIELD_CONNECTIONS": os.pathsep.join(["a.yaml", "", "b"])}) == [
        "a.yaml",
        "b",
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bad.yaml", "connections: [", "it is not YAML"),
        ("bad.yaml", "connections:\n\t- x", "line 2, column 1"),
        ("bad.yaml", b"connections: \xff", "it is not UTF-8 text (byte 13)"),
        ("bad.yaml", "a: *unknown", "undefined alias"),
        (
            "bad.yaml",
            "connections: !!python/object/apply:os.system [exit]",
            "could not determine a constructor",
        ),
        (
            "bad.yaml",
            "connections: {a: {type: !!binary aGk=}}",
            "could not determine a constructor",
        ),
        (
            "bad.yaml",
            "connections: {a: {values: {b: !!set {c, d}}}}",
            "could not determine a constructor",
        ),
        ("bad.yaml", "? [a, b]\n: c", "unhashable"),
        ("bad.yaml", "n: " + "9" * 5000, "it is not YAML"),
        (
            "bad.yaml",
            "connections:\n  a: {type: x}\n  a: {type: y}\n",
            "connections.a: the key 'a' occurs twice at line 3, column 3",
        ),
        (
            "bad.yaml",
            "connections: {a: {values: [{b: 1, b: 2}]}}",
            "connections.a.values[0]: the key 'b' occurs twice at line 1, column 35",
        ),
        ("bad.yaml", "a: {'b': 1, \"b\": 2}", "the key 'b' occurs twice"),
        (
            "bad.json",
            '{"connections": {"a": 1, "a": 2}}',
            "connections.a: the member 'a' occurs twice in one object",
        ),
        ("bad.json", '{"connections": {}', "it is not JSON"),
        ("bad.json", "connections: {}", "it is not JSON"),
        ("bad.json", "[" * 100_000, "it is nested deeper than 100 levels"),
        ("bad.json", '{"a":' * 101 + "1" + "}" * 101, "it is nested deeper than 100 levels"),
        ("bad.yaml", "a: " + "[" * 100_000, "it is nested deeper than 100 levels"),
        (
            "bad.yaml",
            "a: &a [*a]",
            "the alias '*a' refers to its own container, at line 1, column 8",
        ),
        (
            "bad.yaml",
            "\na: &a {b: &b {c: *a}}",
            "the alias '*a' refers to its own container, at line 2, column 18",
        ),
    ],
)
def test_a_file_that_cannot_be_read(
    folder: Path, name: str, content: str | bytes, words: str
) -> None:
    """A file that is broken, foreign, doubled, endless or too deep is one sentence, and the other
    files load.
    """
    assert words in problem(loaded(folder, name, content), name)


def test_aliases_do_not_explode(folder: Path) -> None:
    """A few lines that stand for a billion nodes are refused before anybody walks them."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 10)
    ]
    assert "expands to more than 200,000 values" in problem(
        loaded(folder, "bomb.yaml", "\n".join(lines)), "bomb.yaml"
    )


def test_merge_keys_are_merged(folder: Path) -> None:
    """YAML's merge keys work, and what they bring may be written over."""
    text = (
        "x: &base {type: echo/token, values: {token: a}}\nconnections:\n  one: {<<: "
        "*base}\n  two: {<<: *base, values: {token: b}}\n"
    )
    connections = loaded(folder, "merged.yaml", text)
    assert connections.find("one").values == {"token": "a"}
    assert connections.find("two").values == {"token": "b"}


def test_large_files_are_refused(folder: Path) -> None:
    """A file of nine megabytes is not read."""
    content = "# " + "x" * (9 * 1024 * 1024) + "\nconnections: {a: {type: b/c}}\n"
    assert "it is larger than 8,388,608 bytes" in problem(
        loaded(folder, "large.yaml", content), "large.yaml"
    )


def test_what_is_not_there(folder: Path) -> None:
    """A file that is missing and a folder called like a file are sentences too."""
    (folder / "odd.yaml").mkdir()
    missing = str(folder / "missing.yaml")
    connections = Connections([folder, missing])
    assert [item.name for item in connections.files()] == ["hall"]
    odd, gone = connections.problems
    assert odd.startswith(str(folder / "odd.yaml"))
    assert gone == f"{missing}: it cannot be read: No such file or directory"


def test_a_folder_that_cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that may not be listed is a sentence, and the other sources load."""
    listdir = os.listdir
    locked = folder / "locked"
    locked.mkdir()

    def refuse(path: Any) -> list[str]:
        if os.fspath(path) == str(locked):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr("jackfield.connections.files.os.listdir", refuse)
    connections = Connections([locked, folder])
    assert "Permission denied" in problem(connections, str(locked))


@pytest.mark.parametrize(
    ("entry", "member", "words"),
    [
        ({"no name!": GOOD}, "no name!", "a name is 1 to 100 letters"),
        ({"": GOOD}, "", "a name is 1 to 100 letters"),
        ({"n" * 101: GOOD}, "n" * 100, "a name is 1 to 100 letters"),
        ({"line\n": GOOD}, "line", "a name is 1 to 100 letters"),
        ({"été": GOOD}, "été", "a name is 1 to 100 letters"),
        ({".": GOOD}, "'.'", "including at least one letter or digit"),
        ({"..": GOOD}, "'..'", "including at least one letter or digit"),
        ({"-_.": GOOD}, "'-_.'", "including at least one letter or digit"),
        ({"bad": "text"}, "bad", "must be an object with 'type' and 'values'"),
        ({"bad": None}, "bad", "must be an object with 'type' and 'values'"),
        ({"bad": {}}, "bad", "'type' must name a connection type"),
        ({"bad": {"type": 5}}, "bad", "'type' must name a connection type"),
        ({"bad": {"type": "a/b", "value": {}}}, "bad", "'value' is not a member of a connection"),
        ({"bad": {"type": "a/b", "values": []}}, "bad", "'values' must be an object"),
        ({"bad": {"type": "a/b", "values": ""}}, "bad", "'values' must be an object"),
        ({"bad": {"type": "a/b", "values": False}}, "bad", "'values' must be an object"),
    ],
)
def test_a_connection_of_the_wrong_shape(
    folder: Path, entry: dict[str, Any], member: str, words: str
) -> None:
    """A member of the wrong shape is named with its file, and the others of its file load."""
    connections = loaded(folder, "odd.json", json.dumps({"connections": {**entry, "fine": GOOD}}))
    assert "fine" in [item.name for item in connections.files()]
    (sentence,) = connections.problems
    assert "odd.json" in sentence
    assert member in sentence
    assert words in sentence


@pytest.mark.parametrize(
    "content", ["5", "[]", "text", "conections: {}", "connections: []", "connections: 5"]
)
def test_a_document_of_the_wrong_shape(folder: Path, content: str) -> None:
    """A document without connections is told, with an example of what is expected or how it could
    be read.
    """
    assert "connections" in problem(loaded(folder, "odd.yaml", content), "odd.yaml")


def test_a_name_in_two_files_is_an_error_of_that_name(folder: Path) -> None:
    """Neither of two definitions is used; both files are named; the list shows the first; other
    names are not touched.
    """
    (folder / "a.json").write_text(
        json.dumps({"connections": {"hall": {"type": "other/token"}, "mine": GOOD}}),
        encoding="utf-8",
    )
    connections = Connections([folder])
    with pytest.raises(
        InvalidConnection, match=r"'hall' is defined more than once: in a\.json and good\.yaml"
    ) as caught:
        connections.find("hall")
    assert caught.value.hint
    assert connections.find("mine").type == "echo/token"
    assert [(item.name, item.type) for item in connections.files()] == [
        ("hall", "other/token"),
        ("mine", "echo/token"),
    ]
    assert connections.problems == (
        "the connection 'hall' is defined more than once: in a.json and good.yaml",
    )


def test_a_name_in_two_files_of_one_name(folder: Path) -> None:
    """Where the files are called the same, their folders tell them apart."""
    (folder / "sub").mkdir()
    (folder / "sub" / "good.yaml").write_text("connections: {hall: {type: a/b}}", encoding="utf-8")
    with pytest.raises(InvalidConnection) as caught:
        Connections([folder, folder / "sub"]).find("hall")
    assert f"{folder / 'good.yaml'} and {folder / 'sub' / 'good.yaml'}" in caught.value.message


@pytest.mark.parametrize("alone", ["path", "text", "mapping"])
def test_a_source_alone(folder: Path, alone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, text or not, is one source and not one for each of its letters; nor is a mapping one
    for each of its names.
    """
    monkeypatch.chdir(folder)
    sources: dict[str, Source] = {
        "path": Path("good.yaml"),
        "text": "good.yaml",
        "mapping": {"hall": GOOD},
    }
    (folder / "other.yaml").write_text("connections: {other: {type: a/b}}", encoding="utf-8")
    connections = Connections(sources[alone])
    assert ([item.name for item in connections.files()], connections.problems) == (["hall"], ())


def test_names_are_found_exactly(folder: Path) -> None:
    """A name that there is not is refused with the nearest one, and with what could not be read."""
    connections = loaded(folder, "bad.yaml", "connections: [")
    with pytest.raises(
        UnknownConnection, match="no connection is named 'Hall'; did you mean 'hall'"
    ) as caught:
        connections.find("Hall")
    assert "bad.yaml" in (caught.value.hint or "")
    with pytest.raises(UnknownConnection, match=r"no connection is named 'zzz'(?!;)"):
        connections.find("zzz")


def test_a_connection_hides_its_values() -> None:
    """Neither the text of a connection nor a pickle of it tells its values."""
    stored = NamedConnection("hall", "echo/token", {"token": "s3cret"}, "a.yaml")
    assert repr(stored) == str(stored) == "<NamedConnection hall echo/token>"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(stored)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(
    st.sampled_from(["any.json", "any.yaml"]),
    st.one_of(JSON, st.fixed_dictionaries({"connections": JSON})),
    st.text(max_size=40),
)
def test_any_content_is_read_or_told(tmp_path: Path, name: str, value: Any, text: str) -> None:
    """Whatever a file holds, the answer is connections and sentences that name the file, never an
    exception.
    """
    for content in (json.dumps(value), text):
        (tmp_path / name).write_text(content, encoding="utf-8", errors="replace")
        connections = Connections([tmp_path / name])
        assert all(name in sentence for sentence in connections.problems)
        assert all(item.type for item in connections.files() if item.values)


def token_of(connections: Connections, name: str) -> object:
    """The token of a connection; None if there is no such connection."""
    found = connections.in_files(name)
    return None if found is None else found.values["token"]


def written(path: Path, *names: str, token: str = "one") -> None:
    """Write a file of connections as editors do: beside it, then in its place."""
    about = {
        "connections": {name: {"type": "echo/token", "values": {"token": token}} for name in names}
    }
    path.with_name("new").write_text(json.dumps(about), encoding="utf-8")
    path.with_name("new").replace(path)


def test_files_that_change_are_read_again(tmp_path: Path) -> None:
    """A file and the files of a folder are followed: values that change, connections that come and
    go. What stays is the same object.
    """
    (tmp_path / "more").mkdir()
    written(tmp_path / "a.json", "hall", "door")
    written(tmp_path / "more" / "b.json", "gate")
    connections = Connections([tmp_path / "a.json", tmp_path / "more"])
    before, door = connections.generation, connections.find("door")
    written(tmp_path / "more" / "b.json", "gate", token="two")
    until(lambda: token_of(connections, "gate") == "two")
    assert connections.generation == before + 1
    assert connections.find("door") is door
    written(tmp_path / "more" / "c.json", "roof")
    until(lambda: token_of(connections, "roof") == "one")
    (tmp_path / "more" / "c.json").unlink()
    until(lambda: token_of(connections, "roof") is None)
    assert [item.name for item in connections.files()] == ["door", "gate", "hall"]


def test_a_file_that_cannot_be_read_any_more_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is damaged or removed while calls go on leaves what was read before, and the log
    says why; a good one is taken again.
    """
    path = tmp_path / "a.json"
    written(path, "hall")
    connections = Connections([path])
    path.write_text("{", encoding="utf-8")
    until(
        lambda: (
            token_of(connections, "hall") == "one" and "what was read before stays" in caplog.text
        )
    )
    caplog.clear()
    path.unlink()
    until(
        lambda: (
            token_of(connections, "hall") == "one" and "what was read before stays" in caplog.text
        )
    )
    assert connections.problems == ()
    written(path, "hall", token="two")
    until(lambda: token_of(connections, "hall") == "two")
