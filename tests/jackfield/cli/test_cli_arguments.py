"""Inputs on the command line: ``key=value`` and its relatives."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield.cli.arguments import item_types_of, read_inputs, takes_list_only
from jackfield.cli.local_files import LocalFiles
from jackfield.invocation import MAX_BYTES
from jackfield.invocation.file_references import form_of_files
from jackfield.invocation.given_files import GivenFile
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.media_types import media_type_of

FILE: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "object", "properties": {"data": {}, "contentType": {}}}]
}
PAIR: dict[str, Any] = {"type": "object", "properties": {"key": {"type": "string"}, "value": FILE}}
SCHEMA: dict[str, Any] = {
    "properties": {
        "text": {"type": "string"},
        "list": {"type": "array", "items": {"type": "string"}},
        "either": {"anyOf": [{"type": "array"}, {"type": "string"}]},
        "files": {
            "anyOf": [
                {"type": "object", "additionalProperties": FILE},
                {"type": "array", "items": PAIR},
            ]
        },
        "pairs": {"type": "array", "items": PAIR},
        "one": FILE,
    }
}

names = st.text(st.characters(exclude_characters="=:", exclude_categories=["Cs"]), min_size=1)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)
words_of_schemas = st.sampled_from(
    [
        "anyOf",
        "oneOf",
        "type",
        "items",
        "properties",
        "additionalProperties",
        "value",
        "data",
        "contentType",
    ]
)
schemas = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(words_of_schemas, inner),
    max_leaves=20,
)


def read(*words: str, schema: dict[str, Any] = SCHEMA) -> dict[str, Any]:
    """The inputs that the words give."""
    return read_inputs(words, schema, LocalFiles())


@given(names, texts)
def test_any_text_can_be_given(name: str, text: str) -> None:
    """Every text reaches its input as it is, with one more ``@`` where it starts with one."""
    written = f"@{text}" if text.startswith("@") else text
    assert read(f"{name}={written}", schema={}) == {name: text}


@given(names, values)
def test_any_json_can_be_given(name: str, value: Any) -> None:
    """``key:=JSON`` gives every JSON value."""
    assert read(f"{name}:={json.dumps(value)}", schema={}) == {name: value}


@given(st.text())
def test_any_word_is_read_or_refused(word: str) -> None:
    """A word is read or refused, nothing else: exactly where it has no name or a part that is no
    JSON or no file.
    """
    name, equals, value = word.partition("=")
    plain = (
        bool(equals and name)
        and not name.endswith(":")
        and not (value.startswith("@") and not value.startswith("@@"))
    )
    try:
        read(word)
    except InvalidInvocation:
        plain = not plain
    else:
        plain = plain or bool(equals)
    assert plain


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (["text=a"], {"text": "a"}),
        (["text="], {"text": ""}),
        (["text=a=b:=c"], {"text": "a=b:=c"}),
        (["text=@@ada"], {"text": "@ada"}),
        (["text=@@"], {"text": "@"}),
        (["list=a"], {"list": ["a"]}),
        (["list=a", "list=b"], {"list": ["a", "b"]}),
        (['list:=["a", "b"]'], {"list": ["a", "b"]}),
        (["either=a"], {"either": "a"}),
        (["either=a", "either=b"], {"either": ["a", "b"]}),
        (["other=a", "other:=2"], {"other": ["a", 2]}),
        (["data:={}", "text=x"], {"data": {}, "text": "x"}),
        (["files=hello"], {"files": "hello"}),
        (
            ['files:={"a.txt": "A"}', 'files:={"b.txt": "B"}'],
            {"files": {"a.txt": "A", "b.txt": "B"}},
        ),
    ],
)
def test_forms(words: list[str], inputs: dict[str, Any]) -> None:
    """Each form means what the contract says; one value for a list is a list of one."""
    assert read(*words) == inputs


JSON_SCHEMA: dict[str, Any] = {
    "properties": {
        "object": {"type": ["object", "null"]},
        "rows": {"$ref": "#/$defs/Rows"},
        "words": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "both": {"type": ["string", "object"]},
        "any": {"title": "Any"},
        "documents": {"type": "array", "items": FILE["anyOf"][1]},
    },
    "$defs": {"Rows": {"type": "array", "items": {"type": "object"}}},
}


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (['object={"a": 1}'], {"object": {"a": 1}}),
        (["object={a}"], {"object": "{a}"}),
        (['rows={"a": 1}', 'rows={"b": 2}'], {"rows": [{"a": 1}, {"b": 2}]}),
        (['rows={"a": 1}'], {"rows": [{"a": 1}]}),
        (['rows=[{"a": 1}]'], {"rows": [{"a": 1}]}),
        (["words=a"], {"words": ["a"]}),
        (["words=[a]"], {"words": ["[a]"]}),
        (['both={"a": 1}'], {"both": '{"a": 1}'}),
        (['words:=["a"]'], {"words": ["a"]}),
    ],
)
def test_text_that_is_an_object_or_array_is_taken_as_such_where_no_text_is(
    words: list[str], inputs: dict[str, Any]
) -> None:
    """`tags={"a": 1}` needs no colon where the schema takes an object and no text; else it stays
    text.
    """
    assert read(*words, schema=JSON_SCHEMA) == inputs


@pytest.mark.parametrize("word", ['any={"a": 1}', "any=[1]", 'words=["a"]'])
def test_text_that_may_be_meant_as_json_is_refused_with_both_forms(word: str) -> None:
    """Where the schema takes text and JSON alike, nobody is to send the text of JSON unawares."""
    with pytest.raises(InvalidInvocation, match="may be meant as JSON") as caught:
        read(word, schema=JSON_SCHEMA)
    name = word.partition("=")[0]
    assert f"{name}:=JSON" in str(caught.value.hint)
    assert ("""words:='["…"]'""" if name == "words" else f"{name}:='\"…\"'") in str(
        caught.value.hint
    )


def test_several_files_for_a_list(tmp_path: Path) -> None:
    """A list of files takes one or more of them."""
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(b"x")
    words = [f"documents=@{tmp_path}/a.bin", f"documents=@{tmp_path}/b.bin"]
    for many in (1, 2):
        assert [
            as_value(file)["data"] for file in read(*words[:many], schema=JSON_SCHEMA)["documents"]
        ] == ["eA=="] * many


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("text", "'text' is not of the form key=value"),
        ("=a", "'=a' is not of the form key=value"),
        (":=1", "':=1' is not of the form key=value"),
        ("text=@", "'text=@' has no file name"),
        (
            "data:={",
            (
                "the input 'data' is not JSON: expected property name enclosed in double quotes "
                "at line 1, column 2"
            ),
        ),
        ("data:=NaN", "the input 'data' is not JSON: NaN is not a JSON number"),
        ("data:=" + "[" * 200 + "]" * 200, "the input 'data' is nested deeper than 100 levels"),
        ("text=@/nowhere/x", "the file '/nowhere/x' cannot be read: No such file or directory"),
        ("text=@/", "the file '/' cannot be read: Is a directory"),
        ("text=@a\0b", "the file 'a\0b' cannot be read: embedded null byte"),
    ],
)
def test_refused(word: str, said: str) -> None:
    """A word that cannot be read is refused with a sentence that names it."""
    with pytest.raises(InvalidInvocation) as caught:
        read(word)
    assert caught.value.message == said


NESTED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "a.b": {"type": "string"},
        "a": {
            "type": "object",
            "properties": {"b": {"type": "string"}, "c": {"$ref": "#/$defs/C"}},
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {},
        "body": {"anyOf": [{"$ref": "#/$defs/C"}, {"type": "null"}]},
    },
    "additionalProperties": False,
    "$defs": {
        "C": {
            "type": "object",
            "properties": {
                "list": {"type": "array", "items": {}},
                "d.e": {},
                "file": FILE,
                "c": {"$ref": "#/$defs/C"},
            },
        }
    },
}


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        (["a.c.list=x"], {"a": {"c": {"list": ["x"]}}}),
        (["a.c.list=x", "a.c.list=y", "id=1"], {"a": {"c": {"list": ["x", "y"]}}, "id": "1"}),
        (["a.c.c.c.list:=[1]"], {"a": {"c": {"c": {"c": {"list": [1]}}}}}),
        (["a.b=x"], {"a.b": "x"}),
        (["a.b=x", "a.c.list=y"], {"a.b": "x", "a": {"c": {"list": ["y"]}}}),
        (["a.c.d.e=x"], {"a": {"c": {"d.e": "x"}}}),
        (
            ["labels.app.kubernetes.io/name=x", "labels.b=y"],
            {"labels": {"app.kubernetes.io/name": "x", "b": "y"}},
        ),
        (["free.x.y:=true"], {"free": {"x": {"y": True}}}),
        (["body.list=x"], {"body": {"list": ["x"]}}),
        (["bodi.list=x"], {"bodi": {"list": "x"}}),
        (["a.=x", ".a=y", "id..x=z"], {"a.": "x", ".a": "y", "id..x": "z"}),
    ],
)
def test_names_with_dots_lead_to_members(words: list[str], inputs: dict[str, Any]) -> None:
    """`a.b=x` is a member of `a`, unless an input, a member or a key of a map is called so."""
    assert read(*words, schema=NESTED) == inputs


@pytest.mark.parametrize(
    "words", [["a:={}", "a.c.list=x"], ["a.c.list=x", "a.c:={}"], ["id=x", "id.y=z"]]
)
def test_an_input_is_given_whole_or_by_its_members(words: list[str]) -> None:
    """Both together are refused: nobody could say which one is meant."""
    with pytest.raises(
        InvalidInvocation, match=r"is given whole and also by its member '(a\.c\.list|id\.y)'"
    ):
        read(*words, schema=NESTED)


def test_members_override_those_of_a_file(tmp_path: Path) -> None:
    """A member changes one value of the inputs in `--inputs`, an input all of it; files are read
    for members, too.
    """
    base = {"a": {"c": {"list": [1], "d.e": 2}}, "labels": {"x": "y"}, "id": "1"}
    (tmp_path / "x.png").write_bytes(b"\x89")
    words = ["a.c.list=x", f"a.c.file=@{tmp_path}/x.png", 'labels:={"z": "z"}', "id.y=z"]
    found = read_inputs(words, NESTED, LocalFiles(), base)
    file = found["a"]["c"]["file"]
    assert as_value(file) == {"data": "iQ==", "contentType": "image/png"}
    assert found == {
        "a": {"c": {"list": ["x"], "d.e": 2, "file": file}},
        "labels": {"z": "z"},
        "id": {"y": "z"},
    }
    assert base["a"] == {"c": {"list": [1], "d.e": 2}}


def test_text_from_a_file(tmp_path: Path) -> None:
    """``key=@file`` is the file's text in UTF-8, without a byte order mark."""
    (tmp_path / "body.txt").write_bytes("\ufeffGrüße\n".encode())
    assert read(f"text=@{tmp_path}/body.txt") == {"text": "Grüße\n"}


def test_json_from_a_file(tmp_path: Path) -> None:
    """``key:=@file`` is the JSON in the file."""
    (tmp_path / "data.json").write_text('{"a": [1]}')
    assert read(f"data:=@{tmp_path}/data.json") == {"data": {"a": [1]}}


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """An input that takes text refuses a file of other octets, and says where."""
    (tmp_path / "photo.jpg").write_bytes(b"ab\xff\xd8")
    with pytest.raises(InvalidInvocation) as caught:
        read(f"text=@{tmp_path}/photo.jpg")
    assert caught.value.message == f"the file '{tmp_path}/photo.jpg' is not UTF-8 text (byte 2)"
    assert [detail.path for detail in caught.value.details] == ["/inputs/text"]


def as_value(given: object) -> dict[str, str]:
    """A file of the command line as an action gets it by value."""
    return GivenFile(given).as_value()


def test_attachments(tmp_path: Path) -> None:
    """An input that takes files by name gets each file's octets and media type under its name,
    several as one map.
    """
    (tmp_path / "report.pdf").write_bytes(b"%PDF\xff")
    (tmp_path / "notes.txt").write_bytes(b"x")
    found = read(f"files=@{tmp_path}/report.pdf", f"files=@{tmp_path}/notes.txt")["files"]
    assert {name: as_value(file) for name, file in found.items()} == {
        "report.pdf": {
            "data": base64.b64encode(b"%PDF\xff").decode(),
            "contentType": "application/pdf",
        },
        "notes.txt": {"data": "eA==", "contentType": "text/plain"},
    }


def test_attachments_as_a_list(tmp_path: Path) -> None:
    """An input that takes files as pairs only gets pairs, also of one file and of two of one
    name.
    """
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.bin").write_bytes(folder.encode())
    (pair,) = read(f"pairs=@{tmp_path}/a/x.bin")["pairs"]
    assert (pair["key"], as_value(pair["value"])) == (
        "x.bin",
        {"data": "YQ==", "contentType": "application/octet-stream"},
    )
    assert [
        item["key"]
        for item in read(f"pairs=@{tmp_path}/a/x.bin", f"pairs=@{tmp_path}/b/x.bin")["pairs"]
    ] == ["x.bin", "x.bin"]
    with pytest.raises(
        InvalidInvocation, match=r"two files of the input 'files' are called 'x\.bin'"
    ):
        read(f"files=@{tmp_path}/a/x.bin", f"files=@{tmp_path}/b/x.bin")


def test_a_single_file(tmp_path: Path) -> None:
    """An input that takes one file gets its octets and media type."""
    (tmp_path / "x.png").write_bytes(b"\x89")
    assert as_value(read(f"one=@{tmp_path}/x.png")["one"]) == {
        "data": "iQ==",
        "contentType": "image/png",
    }


def test_stdin_has_no_name() -> None:
    """An input that takes files by name does not take stdin."""
    with pytest.raises(InvalidInvocation, match="'files' takes files by name"):
        read_inputs(["files=@-"], SCHEMA, _Empty())


class _Empty(LocalFiles):
    """Files that are all empty."""

    def read(self, path: str, at: str = "") -> bytes:
        """Nothing."""
        return b""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PDF", "application/pdf"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.tar.gz", "application/gzip"),
        ("a.csv.xz", "application/x-xz"),
        ("a.unheard-of", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_media_types(name: str, kind: str) -> None:
    """The media type comes from the name; of a compressed file it is the compression's."""
    assert media_type_of(f"/some/folder/{name}") == kind


def test_files_together_are_bounded(tmp_path: Path) -> None:
    """All files together are at most as large as an invocation may be, and no file is read
    further.
    """
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(MAX_BYTES - 10)
    files = LocalFiles()
    assert len(files.read(str(tmp_path / "large.bin"))) == MAX_BYTES - 10
    with pytest.raises(
        InvalidInvocation, match="makes the invocation larger than 67,108,864 bytes"
    ):
        files.read("/dev/zero")


@given(schemas)
def test_any_schema_can_be_looked_at(schema: Any) -> None:
    """What a schema says of files can be asked of every schema, broken ones too."""
    if isinstance(schema, dict):
        assert form_of_files({}, [schema]) in {"map", "pairs", "pair", "array", "file", "text"}
        assert takes_list_only(schema, schema) in {True, False}
        assert item_types_of(schema, schema) is None or "x" not in (
            item_types_of(schema, schema) or ()
        )
