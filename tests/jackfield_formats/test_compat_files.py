"""Any of these files may be named as connections or imported: told by content, and a fault spoils
only what it is in.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.jackfield_dapr.sidecars import component
from tests.jackfield_formats.foreign_files import loaded, problem, write

from jackfield.connections.connection_lookup import Connections
from jackfield.connections.documents import DocumentError, split_documents
from jackfield.connections.formats import Document, recognise
from jackfield.kernel.errors import InvalidInvocation
from jackfield_dapr.workflow import read_workflows
from plugboard import declare, plugged

ADDED = """
from jackfield.connections.formats import Format, Problem
from jackfield.connections.named_connection import NamedConnection

def fits(content):
    return isinstance(content, dict) and "acmeLinks" in content

def read(documents, around):
    for document in documents:
        for name, key in document.content["acmeLinks"].items():
            if isinstance(key, str):
                yield NamedConnection(name, "aws/apiKeySecret", {"accessKeyId": key}, document.source, document.folder)
            else:
                yield Problem(f"{document.place}: acmeLinks.{name}: must be a key")

LINKS = Format("acme", 90, "Acme", "an Acme file with 'acmeLinks'", fits, read)
"""
pytest_plugins = ["shell_fixture"]

OWN = "connections: {own: {type: aws/apiKeySecret, values: {accessKeyId: A, secretAccessKey: s}}}\n"
PROVIDERS = (
    "version: '1.0'\nproviders: {mail: {name: n, provider: email.ses, enabled: true, config: "
    "{from: a@sender.test}}}\n"
)


# Which format


@pytest.mark.parametrize(
    ("sample", "form"),
    [
        ("dapr-component.yaml", "dapr"),
        ("thand-static.yaml", "thand"),
        ("thand-workflow.yaml", "thand"),
        ("vcap.json", "vcap"),
        ("prismatic-integration.yaml", "prismatic"),
        ("prismatic-instance.json", "prismatic"),
        ("dapr-request.json", None),
        ("prismatic-invocation.json", None),
        ("secrets.json", None),
    ],
)
def test_a_format_is_told_by_content(samples: Path, sample: str, form: str | None) -> None:
    """The file's name does not matter."""
    ((_, content),) = split_documents((samples / sample).read_text(), sample)
    assert recognise(content) == form


def test_a_package_adds_a_format(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A format is an entry point: it is recognised, read and named among the others; one that
    cannot be loaded is logged and left out.
    """
    path = write(tmp_path, "acme.yaml", "acmeLinks: {main: AKIA, odd: 1}\n")
    assert "expected 'connections:" in problem(path)
    declare(
        tmp_path / "plugs",
        "acme-links",
        "jackfield.connection_formats",
        {"acme": "acme_links:LINKS", "broken": "no_module:LINKS"},
    )
    write(tmp_path / "plugs", "acme_links.py", ADDED)
    with plugged(tmp_path / "plugs"):
        found = loaded(path)
        assert [(item.name, item.values) for item in found.files()] == [
            ("main", {"accessKeyId": "AKIA"})
        ]
        assert found.problems == ("acme.yaml: acmeLinks.odd: must be a key",)
        assert problem(write(tmp_path, "b.yaml", "hello")).endswith(
            "Thand 'providers', or the JSON of VCAP_SERVICES"
        )
        assert ", an Acme file with 'acmeLinks', " in problem(tmp_path / "b.yaml")
    assert "'broken' of the distribution acme-links cannot be loaded" in caplog.text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "apiVersion",
                        "kind",
                        "spec",
                        "providers",
                        "connection",
                        "inputs",
                        "key",
                        "x",
                        "VCAP_SERVICES",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_anything_is_read_or_told(content: Any) -> None:
    """Whatever a document holds, it comes to connections and sentences, never to an exception."""
    text = json.dumps({"a": content} if not isinstance(content, dict) else content)
    found = loaded("$V", V=text)
    assert all(isinstance(item, str) for item in found.problems)


JUNK: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.just([])
    | st.just({})
    | st.just(["x"])
    | st.just({"x": [{}]})
)
SAMPLES = Path(__file__).parent / "samples"
FILES = [
    "dapr-component.yaml",
    "dapr-secrets.yaml",
    "thand-static.yaml",
    "thand-workflow.yaml",
    "thand-dsl.yaml",
    "vcap.json",
    "prismatic-integration.yaml",
    "prismatic-instance.json",
]


@given(st.data())
def test_a_file_with_anything_in_the_place_of_a_part_is_read_or_told(data: st.DataObject) -> None:
    """Whatever stands where a part of a good file was, connections, sentences and refusals come of
    it, never another exception.
    """
    name = data.draw(st.sampled_from(FILES))
    contents = [content for _, content in split_documents((SAMPLES / name).read_text(), name)]
    where = data.draw(st.integers(0, len(contents) - 1))
    contents[where] = damaged(contents[where], data)
    variables = {f"V{number}": json.dumps(content) for number, content in enumerate(contents)}
    found = Connections([f"${variable}" for variable in variables], environment=variables)
    assert all(isinstance(item, str) for item in found.problems)
    documents = [Document(content, name, name) for content in contents]
    with suppress(InvalidInvocation):
        assert all(workflow.tasks is not None for workflow in read_workflows(documents))


def damaged(content: Any, data: st.DataObject) -> Any:
    """The content with junk in the place of one of its parts."""
    members = (
        list(content)
        if isinstance(content, dict)
        else list(range(len(content)))
        if isinstance(content, list)
        else []
    )
    if not members or data.draw(st.integers(0, 4)) == 0:
        return data.draw(JUNK)
    place = data.draw(st.sampled_from(members))
    changed = dict(content) if isinstance(content, dict) else list(content)
    changed[place] = damaged(content[place], data)
    return changed


def test_a_file_of_no_format_says_what_was_expected(folder: Path) -> None:
    """All formats are named."""
    told = problem(write(folder, "a.yaml", "hello: world"))
    assert told.startswith("a.yaml: expected 'connections: {")
    for word in ("Dapr Component", "Thand 'providers'", "VCAP_SERVICES", "Prismatic"):
        assert word in told


def test_files_of_secrets_are_not_told_beside_components(folder: Path) -> None:
    """A folder of components may hold the files of their secret stores; elsewhere such a file is a
    fault.
    """
    write(folder, "secrets.json", '{"a": "s"}')
    assert "secrets.json: expected" in problem(folder)
    write(folder, "outbox.yaml", component())
    assert loaded(folder).problems == ()


def test_files_may_be_mixed(samples: Path) -> None:
    """One file may hold documents of several formats, and a folder files of all of them."""
    write(samples, "mixed.yaml", f"{OWN}---\n{component('box')}---\n{PROVIDERS}")
    assert [item.name for item in loaded(samples / "mixed.yaml").files()] == ["box", "mail", "own"]
    everything = loaded(samples)
    assert {"box", "mail", "own", "outbox", "alerts", "link-eu", "Mail-by-key"} <= {
        item.name for item in everything.files()
    }


def test_a_mapping_in_code_may_be_of_any_format(samples: Path) -> None:
    """What is given in code is told in the same way."""
    document = json.loads((samples / "vcap.json").read_text())
    assert [item.name for item in loaded(document).files()] == ["link-eu"]
    assert problem({"own": 5}).startswith("given in code: connection 'own': ")


# What is wrong


_BROKEN: list[Any] = [
    ("a: [1, 2", "it is not YAML: "),
    ("\tb: 1", "it is not YAML: "),
    ("a: 1\na: 2", "the key 'a' occurs twice"),
    ("a: &a [*a]", "the alias '*a' refers to its own container, at line "),
    ("a: &a {b: *a}", "the alias '*a' refers to its own container, at line "),
    ("a: &a [x]\nb: &a [y]", "it is not YAML: found duplicate anchor"),
    ("a: &a\n  <<: *a\n  b: 1", "the alias '*a' refers to its own container, at line "),
    ("a: !!python/object/apply:os.system [ls]", "it is not YAML: "),
    (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n"
            for a, b in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "expands to more than 200,000 values",
    ),
    ("[" * 500 + "]" * 500, "it is nested deeper than 100 levels"),
    ("hello", "expected 'connections:"),
]
_AROUND = [OWN, component("own"), PROVIDERS]


def test_a_broken_document_spoils_only_itself(folder: Path, subtests: pytest.Subtests) -> None:
    """Bad YAML, doubled keys, cycles, bombs and wrong kinds are one sentence with file and
    document; the documents around them are read.
    """
    for bad, says in _BROKEN:
        for good in _AROUND:
            with subtests.test(bad=bad, says=says, good=good):
                found = loaded(
                    write(
                        folder,
                        "a.yaml",
                        f"{good}---\n{bad}\n---\n{good.replace('own', 'last').replace('mail:', 'last:')}",
                    )
                )
                assert len(found.files()) == 2
                (told,) = found.problems
                assert "a.yaml, document 2: " in told
                assert says in told


def test_lines_are_those_of_the_file(folder: Path) -> None:
    """A fault in a later document has its line in the whole file."""
    assert "at line 4, column" in problem(write(folder, "a.yaml", f"{OWN}# more\n---\na: ]\n"))


def test_a_merge_that_explodes_is_refused_at_once(folder: Path) -> None:
    """Merged mappings that double with each level end soon."""
    rows = "".join(
        f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 10)}]}}\n" for n in range(1, 10)
    )
    path = write(folder, "a.yaml", f"l0: &l0 {{k: v}}\n{rows}")
    before = time.process_time()
    assert problem(path).startswith(str(path))
    assert time.process_time() - before < 5


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_file_of_50_mb_is_not_read(folder: Path, name: str) -> None:
    """A file that is too large is refused by its size alone."""
    path = write(folder, name, "x")
    os.truncate(path, 50_000_000)
    write(folder, "b.yaml", OWN)
    found = loaded(folder)
    assert found.problems == (f"{path}: it is larger than 8,388,608 bytes",)
    assert [item.name for item in found.files()] == ["own"]


def test_a_file_full_of_faults_is_given_up(folder: Path) -> None:
    """After ten broken documents the rest of the file is not read, and that is said."""
    found = loaded(write(folder, "a.yaml", "---\na: [\n" * 1000))
    assert len(found.problems) == 11
    assert "10 of its documents are broken; the rest is not read" in found.problems[-1]


def test_merged_keys_are_not_keys_that_occur_twice(folder: Path) -> None:
    """A key of its own over a merged one is no repetition, wherever the mapping that is merged on
    stands.
    """
    text = (
        "z: &z {k: 1}\nx: {y: {w: &a {<<: *z, k: 2}}}\nb: {<<: *a}\nc: {<<: {1: one}, <<: "
        "{2: two}}\n"
    )
    ((_, content),) = split_documents(text, "a.yaml")
    assert content["x"]["y"]["w"] == content["b"] == {"k": 2}
    assert content["c"] == {"1": "one", "2": "two"}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize(
    "repeated",
    ["null", "5", "{name: n, provider: email.ses, enabled: true, config: {from: b@sender.test}}"],
)
def test_an_entry_that_occurs_twice_spoils_no_other(
    folder: Path, suffix: str, repeated: str
) -> None:
    """Neither of the two is read, since nobody knows which is meant; the field is named, and the
    entries beside them are read.
    """
    text = PROVIDERS.replace("providers: {", f"providers: {{again: {repeated}, again: {repeated}, ")
    if suffix == "json":
        text = re.sub(
            r"([\w.@]+)(?=[:,}])",
            r'"\1"',
            "{" + text.replace("'", "").replace("\n", ",").strip(",") + "}",
        )
    path = write(folder, f"a.{suffix}", text)
    assert [item.name for item in loaded(path).files()] == ["mail"]
    told = problem(path)
    assert told.startswith(
        f"{path}: providers.again: the {'key' if suffix == 'yaml' else 'member'} 'again' occurs "
        "twice"
    )
    assert told.endswith("; neither is read")


def test_many_entries_that_occur_twice_are_told_in_short(folder: Path) -> None:
    """Ten are told one by one, the others by their number."""
    rows = "".join(f"  k{n}: 1\n  k{n}: 2\n" for n in range(25))
    found = loaded(write(folder, "a.yaml", f"providers:\n{rows}"))
    assert len(found.problems) == 11
    assert found.problems[-1].endswith("a.yaml: 15 more of its entries occur twice")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "a:\n" + "- {b: c, d: e}\n" * 400_000, "it has more than 200,000 values"),
        ("a.json", '{"a": [' + "1," * 300_000 + "1]}", "it has more than 200,000 values"),
        ("a.yaml", "---\n" * 400_000, "it has more than 1,000 documents; the rest is not read"),
    ],
    ids=["values", "json", "documents"],
)
def test_a_large_file_is_given_up_soon(folder: Path, name: str, text: str, says: str) -> None:
    """What is too much is counted before anything is made of it."""
    path = write(folder, name, text)
    before = time.process_time()
    assert problem(path) == f"{path}: {says}"
    assert time.process_time() - before < 4


def test_a_thousand_documents_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is not met by a file that has just as many; keys are not counted as values."""
    monkeypatch.setattr("jackfield.connections.yaml_documents.MAX_VALUES", 2_000)
    assert len(list(split_documents("---\na: 1\n" * 1000, "a.yaml"))) == 1000
    ((_, content),) = split_documents(
        "a:\n" + "- {b: c}\n" * 990 + "b: &b [c]\nc: [*b, *b]\n", "a.yaml"
    )
    assert (len(content["a"]), content["c"]) == (990, [["c"], ["c"]])


def test_all_documents_of_a_file_share_one_limit(folder: Path) -> None:
    """Many documents that are just small enough are too large together."""
    rows = "a: &a [" + ",".join(["x"] * 300) + "]\nb: &b [" + ",".join(["*a"] * 300) + "]\n"
    found = loaded(write(folder, "a.yaml", f"---\n{rows}" * 30))
    assert "expands to more than 200,000 values" in "".join(found.problems)


DOCUMENTS = st.lists(
    st.sampled_from(
        ["a: 1\n", "# only words\n", "b: [x, y]\n", "|\n  text\n", "", "%YAML 1.1\n", "'--- a'\n"]
    ),
    min_size=1,
    max_size=5,
)


@given(DOCUMENTS)
def test_documents_are_parted_as_yaml_parts_them(pieces: list[str]) -> None:
    """Document by document we read what a YAML reader makes of the whole, where that is
    well-formed.
    """
    import yaml

    text = "---\n" + "---\n".join(piece for piece in pieces if not piece.startswith("%"))
    whole = [item for item in yaml.safe_load_all(text) if item is not None]
    assert [content for _, content in split_documents(text, "a.yaml")] == whole


def test_directives_belong_to_the_document_behind_them() -> None:
    """A directive or a comment before the first mark makes no document of its own."""
    text = "%YAML 1.1\n# words\n---\na: 1\n---\nb: 2\n"
    assert list(split_documents(text, "a.yaml")) == [
        (", document 1", {"a": 1}),
        (", document 2", {"b": 2}),
    ]


def test_json_is_one_document() -> None:
    """A file of JSON is read as JSON, and broken JSON is one fault."""
    assert list(split_documents('{"a": "---\\n"}', "a.json")) == [("", {"a": "---\n"})]
    ((_, fault),) = split_documents('{"a": 1,}', "a.json")
    assert isinstance(fault, DocumentError)
