"""What is installed is known without running its code, and what is broken breaks nothing else."""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jackfield.catalog
from inmemory import installed
from jackfield import Jackfield
from jackfield.catalog import Catalog, EntryPoint, entry_points
from jackfield.connector import Connector
from jackfield.kernel.errors import UnknownConnector
from jackfield.manifest.reading import HOST, RESERVED
from jackfield_service.subjects.events.event import OWN
from plugboard import declare, make_connector, plugged
from together import at_once

CONNECTORS = Path(__file__).parents[3] / "connectors"

MANIFEST: dict[str, Any] = {
    "manifestVersion": 1,
    "key": "good",
    "title": "Good",
    "description": "Does good.",
    "version": "1.2.3",
    "connectionTypes": [],
    "actions": [
        {"key": "help", "title": "Help", "description": "Help somebody.", "effect": "read"}
    ],
}
SOURCE = "class connector:\n    actions = {'help': None}\n    connections = {}\n"
TWICE = (
    "the connector 'good' is declared twice, by good-impostor and jackfield-good: neither is "
    "used, since either could be an impostor"
)
MARKING = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n" + SOURCE


@pytest.fixture
def plugs(tmp_path: Path) -> Iterator[Path]:
    """A folder on ``sys.path`` with one good connector in it."""
    folder = tmp_path / "plugs"
    with plugged(folder):
        make_connector(folder, "good", MARKING, MANIFEST)
        yield folder


def read(folder: Path) -> Catalog:
    """The catalog of one folder."""
    return Catalog.installed(entry_points([str(folder)]))


def rows(folder: Path, *, load: bool = False) -> dict[str, str | None]:
    """Each connector of a folder and what is wrong with it."""
    return {entry.key: entry.error for entry in read(folder).entries(load=load)}


def refusal(catalog: Catalog, key: str, version: str | None = None) -> str:
    """The message with which a connector is refused."""
    with pytest.raises(UnknownConnector) as caught:
        catalog.find(key, version)
    assert (caught.value.code, caught.value.http_status) == ("unknown_connector", 404)
    assert caught.value.hint
    return caught.value.message


def test_manifests_are_read_without_importing(plugs: Path) -> None:
    """Listing, finding and searching run no code of a connector; loading does, once."""
    catalog = read(plugs)
    assert [entry.to_json() for entry in catalog.entries()] == [
        {"key": "good", "title": "Good", "version": "1.2.3", "actions": 1, "status": "ok"}
    ]
    assert catalog.find("good").actions["help"].effect == "read"
    assert list(catalog) == ["good"]
    marker = plugs / "jackfield_good" / "imported"
    assert not marker.exists()
    assert "jackfield_good" not in sys.modules
    connector = catalog.load("good")
    assert marker.exists()
    marker.unlink()
    assert catalog.load("good") is connector
    assert not marker.exists()


def test_a_refused_invocation_imports_nothing(plugs: Path) -> None:
    """An invocation of an unknown action, or with wrong inputs, imports no code of the
    connector.
    """
    with Jackfield(connections=[], database_url="none", catalog=read(plugs)) as jackfield:
        refused = jackfield.invoke({"connector": "good", "action": "hepl"})
        assert refused.error is not None
        assert refused.error.code == "unknown_action"
        assert "did you mean 'help'?" in refused.error.message
    assert not (plugs / "jackfield_good" / "imported").exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise OSError('no such library')", "fails on import: OSError: no such library"),
        ("import jackfield_of_nobody", "fails on import: ModuleNotFoundError"),
        ("def broken(:", "fails on import: SyntaxError"),
        (
            "import sys\nsys.exit(3)",
            "fails on import: RuntimeError: the connector's code called exit(3)",
        ),
        ("other = 1", "fails on import: AttributeError"),
        ("connector = 'a string'", "is not a Connector but str"),
        (
            "class connector:\n    actions = {}\n    connections = {}",
            "has no action 'help', which its manifest describes",
        ),
    ],
    ids=["raises", "misses", "syntax", "exits", "attribute", "kind", "stale"],
)
def test_code_that_fails_breaks_nothing_else(plugs: Path, source: str, words: str) -> None:
    """Code that cannot be imported, or has not what its manifest says, is found by loading; its
    manifest is read all the same.
    """
    make_connector(plugs, "sick", source, {**MANIFEST, "key": "sick"})
    assert rows(plugs) == {"good": None, "sick": None}
    found = rows(plugs, load=True)
    assert found["good"] is None
    assert words in (found["sick"] or "")
    catalog = read(plugs)
    with pytest.raises(UnknownConnector, match="the connector 'sick'"):
        catalog.load("sick")
    assert [(entry.key, entry.version, entry.error is None) for entry in catalog.entries()] == [
        ("good", "1.2.3", True),
        ("sick", "1.2.3", False),
    ]


@pytest.mark.parametrize(
    ("source", "line"),
    [("x = 1\nraise OSError('no such library')", 2), ("x = 1\n\ndef broken(:", 3)],
)
@pytest.mark.parametrize("level", [logging.ERROR, logging.DEBUG])
def test_an_import_that_fails_is_logged_with_the_authors_line(
    plugs: Path, caplog: pytest.LogCaptureFixture, source: str, line: int, level: int
) -> None:
    """The log has the line of the connector's code, at DEBUG with the traceback; the error says
    so.
    """
    make_connector(plugs, "sick", source, {**MANIFEST, "key": "sick"})
    with (
        caplog.at_level(level, "jackfield.connector"),
        pytest.raises(UnknownConnector, match="The process's log has the line"),
    ):
        read(plugs).load("sick")
    (said,) = [
        record.getMessage() for record in caplog.records if record.name == "jackfield.connector"
    ]
    assert said.startswith("the connector 'sick' fails on import: ")
    assert f"(at {Path('jackfield_sick', '__init__.py')}:{line})" in said
    assert ("Traceback (most recent call last)" in said) == (level == logging.DEBUG)


def test_a_connection_type_that_the_code_has_not(tmp_path: Path) -> None:
    """A manifest that promises a connection type which the code has not is a broken connector to
    who invokes it, too.
    """
    manifest = {
        **MANIFEST,
        "key": "stale",
        "connectionTypes": [{"key": "token", "schema": {}}],
        "actions": [],
    }
    stale = Connector("stale", title="Stale", version="1.0.0")
    with (
        installed(tmp_path, stale, manifests={"stale": manifest}) as catalog,
        pytest.raises(UnknownConnector, match="connection type 'token'"),
    ):
        catalog.load("stale")


def test_a_connector_that_was_mended_is_loaded(plugs: Path) -> None:
    """A failed import is not remembered for good: the next one may succeed."""
    package = make_connector(plugs, "sick", "raise OSError('not yet')", {**MANIFEST, "key": "sick"})
    catalog = read(plugs)
    with pytest.raises(UnknownConnector, match="not yet"):
        catalog.load("sick")
    (package / "__init__.py").write_text(SOURCE + "# now it is longer\n", encoding="utf-8")
    assert catalog.load("sick").connections == {}
    assert {entry.key: entry.error for entry in catalog.entries(load=True)} == {
        "good": None,
        "sick": None,
    }


@pytest.mark.parametrize(("seconds", "said"), [(1.5, False), (4, True)])
def test_a_slow_import_is_told(
    plugs: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    said: bool,
) -> None:
    """An import of more than two seconds is logged with the connector, the time and the cure; a
    shorter one is not.
    """
    monkeypatch.setattr(time, "perf_counter", time.perf_counter)
    passing = (
        f"import time\n_now = time.perf_counter\ntime.perf_counter = lambda: _now() + {seconds}\n"
    )
    (plugs / "jackfield_good" / "__init__.py").write_text(passing + SOURCE, encoding="utf-8")
    assert rows(plugs, load=True) == {"good": None}
    assert (
        any(
            "the import of connector 'good' took" in one and "jackfield_good" in one
            for one in caplog.messages
        )
        is said
    )


def test_a_dotted_attribute_is_followed(plugs: Path) -> None:
    """An entry point may name an attribute of an attribute, as the packaging specification
    allows.
    """
    nested = SOURCE.replace("\n", "\n    ")
    package = make_connector(
        plugs, "deep", f"class house:\n    {nested}\n", {**MANIFEST, "key": "deep"}
    )
    catalog = Catalog(
        [EntryPoint("deep", f"{package.name}:house.connector [extra]", "jackfield-deep")]
    )
    assert catalog.load("deep").actions == {"help": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "connector.json is not JSON"),
        ("\ufeff{}", "connector.json is not JSON"),
        ("[" * 100_000, "connector.json is not JSON"),
        ("[]", "a manifest must be a JSON object"),
        ("{}", "'manifestVersion' must be 1 or 2"),
        (
            '{"manifestVersion": 3, "key": "bad", "version": "1"}',
            "'manifestVersion' must be 1 or 2",
        ),
        ('{"manifestVersion": 1}', "manifest: 'key' must be a non-empty string"),
        (
            '{"manifestVersion": 1, "key": "bad"}',
            "manifest of 'bad': 'version' must be a non-empty string",
        ),
        ('{"manifestVersion": 1, "key": "other", "version": "1"}', "its key is 'other'"),
        (b"\xff\xfe", "connector.json is not JSON"),
    ],
)
def test_a_broken_manifest_breaks_nothing_else(plugs: Path, text: str | bytes, words: str) -> None:
    """A manifest that cannot be read is listed as broken with the reason, and whoever asks for it
    is told the same.
    """
    package = make_connector(plugs, "bad", SOURCE, MANIFEST)
    (package / "connector.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = rows(plugs)
    assert found["good"] is None
    assert words in (found["bad"] or "")
    assert refusal(read(plugs), "bad") == found["bad"]
    broken = next(entry for entry in read(plugs).entries() if entry.key == "bad").to_json()
    assert (broken["status"], broken["version"], broken["actions"]) == ("broken", None, 0)


def test_all_manifests_are_read_once(plugs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is broken is left out: a manifest that cannot be read, and code that failed on import.
    Nothing is read twice.
    """
    reads = Counter[str]()
    read_text = vars(importlib.import_module("jackfield.catalog.installed"))["_folder"]

    def counted(point: EntryPoint) -> str:
        reads[point.name] += 1
        return str(read_text(point))

    monkeypatch.setattr("jackfield.catalog.installed._folder", counted)
    package = make_connector(plugs, "bad", SOURCE, MANIFEST)
    (package / "connector.json").write_text("{", encoding="utf-8")
    make_connector(plugs, "sick", "raise OSError", {**MANIFEST, "key": "sick"})
    catalog = read(plugs)
    assert [manifest.key for manifest in catalog.manifests()] == ["good", "sick"]
    assert set(reads.values()) == {1}
    with pytest.raises(UnknownConnector):
        catalog.load("sick")
    assert [manifest.key for manifest in catalog.manifests()] == ["good"]
    assert (reads["good"], reads["sick"]) == (1, 1)


_WRONG: list[Any] = [
    ({"version": ""}, "'version' must be a non-empty string"),
    ({"title": 5}, "'title' must be a string"),
    ({"description": []}, "'description' must be a string"),
    ({"actions": {}}, "'actions' must be an array of objects"),
    ({"actions": ["help"]}, "'actions' must be an array of objects"),
    ({"actions": [{}]}, "'key' must be a non-empty string"),
    (
        {"actions": [{"key": "a", "effect": "delete"}]},
        "action 'a': 'effect' must be read, idempotent or write",
    ),
    ({"actions": [{"key": "a", "inputs": []}]}, "action 'a': 'inputs' must be an object"),
    (
        {"actions": [{"key": "a", "inputs": {"properties": []}}]},
        "inputs: 'properties' must be an object",
    ),
    (
        {"actions": [{"key": "a", "inputs": {"properties": {"b": {"x-jackfield": 1}}}}]},
        "input 'b': 'x-jackfield' must be an object",
    ),
    (
        {
            "actions": [
                {
                    "key": "a",
                    "inputs": {"properties": {"b": {"x-jackfield": {"fromConnection": []}}}},
                }
            ]
        },
        "input 'b': 'fromConnection' must be a string",
    ),
    ({"actions": [{"key": "a", "output": 1}]}, "'output' must be an object"),
    (
        {"actions": [{"key": "a", "inputs": {"type": "objekt"}}]},
        "action 'a', inputs: 'type' must be one of",
    ),
    (
        {"actions": [{"key": "a", "output": {"properties": {"b": {"type": "text"}}}}]},
        "action 'a', output: 'type' must be one of",
    ),
    (
        {"connectionTypes": [{"key": "t", "schema": {"properties": {"b": {"type": "text"}}}}]},
        "not 'text'",
    ),
    ({"actions": [{"key": "a", "title": {}}]}, "'title' must be a string"),
    (
        {"actions": [{"key": "a", "permissions": {"aws:iam": "ses:SendEmail"}}]},
        "'permissions.aws:iam' must be an array of strings",
    ),
    (
        {"actions": [{"key": "a", "permissions": {"aws:iam": [5]}}]},
        "'permissions.aws:iam' must be an array of strings",
    ),
    ({"actions": [{"key": "a", "pagination": 5}]}, "'pagination' must be an object"),
    (
        {"actions": [{"key": "a", "pagination": {"tokenInput": "x"}}]},
        "'tokenOutput' must be a non-empty string",
    ),
    (
        {
            "actions": [
                {
                    "key": "a",
                    "pagination": {
                        "tokenInput": "x",
                        "tokenOutput": "y",
                        "items": "z",
                        "maxSize": True,
                    },
                }
            ]
        },
        "'pagination.maxSize' must be a whole number above 0",
    ),
    (
        {"actions": [{"key": "a", "rateLimit": {"perSecond": 0}}]},
        "'rateLimit.perSecond' must be a number above 0",
    ),
    (
        {"actions": [{"key": "a", "rateLimit": {"perSecond": "1"}}]},
        "'rateLimit.perSecond' must be a number above 0",
    ),
    (
        {"actions": [{"key": "a", "rateLimit": {"perSecond": float("nan")}}]},
        "'rateLimit.perSecond' must be a number above 0",
    ),
    ({"actions": [{"key": "a", "rateLimit": []}]}, "'rateLimit' must be an object"),
    ({"connectionTypes": [{"key": "t", "waives": "text"}]}, "'waives' must be an array of"),
    ({"connectionTypes": [{"key": "t", "serves": ["a"]}]}, "'serves' must be an object"),
    ({"connectionTypes": 5}, "'connectionTypes' must be an array of objects"),
    (
        {"connectionTypes": [{"key": "t", "schema": None}]},
        "connection type 't': 'schema' must be an object",
    ),
    (
        {"connectionTypes": [{"key": "t", "family": 5}]},
        "connection type 't': 'family' must be a string",
    ),
]


def test_a_member_of_the_wrong_kind_is_named(plugs: Path, subtests: pytest.Subtests) -> None:
    """A manifest with a member that the runtime could trip over later is broken at once, and the
    message names the member.
    """
    for number, (members, _) in enumerate(_WRONG):
        make_connector(
            plugs, f"bad-{number}", SOURCE, {**MANIFEST, "key": f"bad-{number}", **members}
        )
    found = rows(plugs)
    assert found["good"] is None
    for number, (members, words) in enumerate(_WRONG):
        with subtests.test(members=members):
            assert words in (found[f"bad-{number}"] or "")


def test_a_key_that_is_reserved(plugs: Path) -> None:
    """The events of such a connector could not be told from jackfield's own: each of those families
    is reserved. So is the key of a program's own functions.
    """
    make_connector(plugs, "schedule", SOURCE, {**MANIFEST, "key": "schedule"})
    assert "reserved" in (rows(plugs)["schedule"] or "")
    assert OWN | {"subscription", HOST} == RESERVED


@pytest.mark.parametrize(
    "key",
    ["Bad Key", "badKey", "bad_key", "bad--key", "-bad", "bad-", "7bad", "bäd", "bad.key", "²"],
)
def test_a_key_that_is_not_kebab_case(plugs: Path, key: str) -> None:
    """A connector whose key is another than contract §1 allows is listed as broken."""
    package = make_connector(plugs, "bad", SOURCE, {**MANIFEST, "key": key})
    declare(plugs, "odd", "jackfield.connectors", {key: f"{package.name}:connector"})
    assert "'key' must be kebab-case, such as aws-ses" in (rows(plugs)[key] or "")
    assert rows(plugs)["good"] is None


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"type": ["string", "null"]},
        {"properties": {"a": True, "b": {"type": ["string"]}, "c": {"type": "null"}}},
    ],
)
def test_types_that_there_are(plugs: Path, schema: Any) -> None:
    """Several types, a schema that is no object and every type that JSON Schema knows break no
    manifest.
    """
    make_connector(
        plugs,
        "fine",
        SOURCE,
        {
            **MANIFEST,
            "key": "fine",
            "actions": [{"key": "a", "inputs": {"properties": {"a": schema}}}],
        },
    )
    assert rows(plugs)["fine"] is None


def test_what_a_manifest_may_leave_out(plugs: Path) -> None:
    """Key and version are enough: titles are keys, an effect that is not declared is ``write``, and
    everything else is empty.
    """
    make_connector(
        plugs,
        "bare",
        SOURCE,
        {"manifestVersion": 1, "key": "bare", "version": "1", "actions": [{"key": "act"}]},
    )
    manifest = read(plugs).find("bare")
    action = manifest.actions["act"]
    assert (manifest.title, manifest.description, manifest.connection_types) == ("bare", "", {})
    assert (action.title, action.effect, action.inputs, action.output) == ("act", "write", {}, {})
    assert (action.pagination, action.rate_limit, action.permissions, action.defaults) == (
        None,
        None,
        {},
        (),
    )


def test_a_key_of_two_distributions_is_refused(plugs: Path) -> None:
    """Two distributions that declare one key are both named, and neither is used."""
    declare(plugs, "good-impostor", "jackfield.connectors", {"good": "jackfield_good:connector"})
    assert rows(plugs) == {"good": TWICE}
    with pytest.raises(UnknownConnector, match="declared twice"):
        read(plugs).load("good")


@pytest.mark.parametrize(
    "value",
    ["jackfield_of_nobody:connector", "", ":connector", "..x:y", "jackfield_flat:connector"],
)
def test_a_package_that_is_not_there(plugs: Path, value: str) -> None:
    """An entry point whose package is missing, has no name or is no package is a broken
    connector.
    """
    (plugs / "jackfield_flat.py").write_text("connector = 1\n", encoding="utf-8")
    declare(plugs, "gone", "jackfield.connectors", {"gone": value})
    assert rows(plugs)["good"] is None
    assert "is not installed" in (rows(plugs)["gone"] or "")


def test_a_package_without_a_manifest(plugs: Path) -> None:
    """A package without ``connector.json`` is a broken connector."""
    (make_connector(plugs, "bad", SOURCE, MANIFEST) / "connector.json").unlink()
    assert "connector.json cannot be read (No such file or directory)" in (rows(plugs)["bad"] or "")


@pytest.mark.parametrize(
    "version", [">=1.2,<2", "==1.2.3", "~=1.2", "", ">=1.2.3rc1", "!=1.0", "===1.2.3"]
)
def test_a_version_that_fits(plugs: Path, version: str) -> None:
    """A PEP 440 specifier that the installed version fits finds the connector."""
    assert read(plugs).find("good", version).version == "1.2.3"


@pytest.mark.parametrize("version", [">=2", "<1.2.3", "==1.2.4", "!=1.2.3"])
def test_no_version_that_fits(plugs: Path, version: str) -> None:
    """Where none fits, the message says which is installed."""
    assert (
        refusal(read(plugs), "good", version)
        == f"no installed version of 'good' matches '{version}'; version 1.2.3 is installed"
    )


@pytest.mark.parametrize("version", ["banana", "1.2.3", ">=1;<2", ">=", "=>1"])
def test_what_is_no_specifier(plugs: Path, version: str) -> None:
    """What is not a specifier of PEP 440 is told as such."""
    assert refusal(read(plugs), "good", version) == f"'{version}' is not a version specifier"


def test_h7_a_specifier_with_a_huge_number(plugs: Path) -> None:
    """A number of more digits than int() reads is refused like any other fault of the specifier
    (second review).
    """
    assert refusal(read(plugs), "good", ">=" + "1" * 5000).endswith("is not a version specifier")


def test_versions_before_a_release_and_versions_that_are_none(plugs: Path) -> None:
    """A pre-release counts as what is installed; what is no version at all fits no range."""
    make_connector(plugs, "early", SOURCE, {**MANIFEST, "key": "early", "version": "2.0.0rc1"})
    make_connector(plugs, "odd", SOURCE, {**MANIFEST, "key": "odd", "version": "banana"})
    catalog = read(plugs)
    assert catalog.find("early", ">=1").version == "2.0.0rc1"
    assert "version 2.0.0rc1 is installed" in refusal(catalog, "early", ">=2")
    assert catalog.find("odd").version == "banana"
    assert "version banana is installed" in refusal(catalog, "odd", ">=0")


@pytest.mark.parametrize(
    ("key", "close"), [("GOOD", "good"), ("goood", "good"), ("god", "good"), ("zzz", None)]
)
def test_the_nearest_name_is_suggested(plugs: Path, key: str, close: str | None) -> None:
    """A misspelt key is answered with the nearest one, another one with none."""
    message = refusal(read(plugs), key)
    assert message.startswith(f"no connector '{key}' is installed")
    assert (f"did you mean '{close}'?" in message) is (close is not None)
    with pytest.raises(UnknownConnector, match=f"no connector '{key}'"):
        read(plugs).load(key)


@pytest.mark.tree_only
def test_hundreds_of_connectors(tmp_path: Path) -> None:
    """Three hundred connectors are listed by key, one of them is found, and thirty broken ones
    among them spoil nothing.
    """
    for number in range(300):
        package = tmp_path / f"jackfield_many_{number}"
        package.mkdir()
        manifest = {**MANIFEST, "key": f"many-{number}"} if number % 10 else {}
        (package / "connector.json").write_text(json.dumps(manifest), encoding="utf-8")
    declare(
        tmp_path,
        "many",
        "jackfield.connectors",
        {f"many-{number}": f"jackfield_many_{number}:connector" for number in range(300)},
    )
    with plugged(tmp_path):
        catalog = read(tmp_path)
        entries = catalog.entries()
        assert len(entries) == 300
        assert [entry.key for entry in entries] == sorted(entry.key for entry in entries)
        assert sum(entry.error is not None for entry in entries) == 30
        assert catalog.find("many-299").key == "many-299"


def test_the_package_is_lazy_and_whole() -> None:
    """Each name of the package can be had, ``dir`` lists them, and any other name is refused as
    Python does.
    """
    listed = dir(jackfield.catalog)
    assert listed == sorted(jackfield.catalog.__all__)
    assert all(getattr(jackfield.catalog, name) is not None for name in listed)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        jackfield.catalog.nothing  # type: ignore[attr-defined]  # noqa: B018 (asking is the test)


def test_threads_load_a_connector_once(plugs: Path) -> None:
    """Twenty threads that need a connector at the same time get the same one."""
    catalog = read(plugs)
    loaded = at_once(20, lambda _: catalog.load("good"))
    assert len(loaded) == 20
    assert len(set(map(id, loaded))) == 1


LIAR = '''
from jackfield.connector import Connector, Field, Inputs, Output

connector = Connector("liar", title="Liar", version="1.0.0")


class Asked(Inputs):
    """Asked."""

    title: str = Field(schema={"minLength": 2}, description="A title.")


class Told(Output):
    """Told."""

    text: str = ""


@connector.action("ask", effect="write", permissions={"aws:iam": ["ses:SendEmail"]})
def ask(asked: Asked) -> Told:
    """Ask."""
    return Told(text=asked.title)
'''


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("effect",), "read", 'actions ask effect: connector.json says "read", the code "write"'),
        (
            ("inputs", "properties", "title", "minLength"),
            1,
            "actions ask inputs properties title minLength: connector.json says 1, the code 2",
        ),
        (
            ("inputs", "properties", "title", "maxLength"),
            9,
            "title maxLength: connector.json says 9, the code nothing",
        ),
        (("permissions", "aws:iam"), [], "actions ask permissions aws:iam: connector.json says []"),
        (("rateLimit",), {"perSecond": 1}, "actions ask rateLimit"),
    ],
)
def test_s8_code_that_is_not_what_its_manifest_says_is_refused(
    tmp_path: Path, place: tuple[str, ...], value: object, told: str
) -> None:
    """Effect, schemas, permissions and rate limits are compared when code is loaded; the difference
    is named, and how to cure it.
    """
    with plugged(tmp_path):
        package = make_connector(tmp_path, "liar", LIAR)
        assert rows(tmp_path, load=True) == {"liar": None}
        manifest = json.loads((package / "connector.json").read_text())
        part = manifest["actions"][0]
        for name in place[:-1]:
            part = part[name]
        part[place[-1]] = value
        (package / "connector.json").write_text(json.dumps(manifest))
        with pytest.raises(UnknownConnector) as caught:
            read(tmp_path).load("liar")
    assert told in caught.value.message
    assert "generate connector.json from the code again" in str(caught.value.hint)


def test_b10_check_sees_a_manifest_that_differs(tmp_path: Path) -> None:
    """Prose refuses no call, and ``connectors list --check`` names it all the same; what it does
    not have it does not see.
    """
    with plugged(tmp_path):
        package = make_connector(tmp_path, "liar", LIAR)
        assert read(tmp_path).differs("liar") is None
        path = package / "connector.json"
        path.write_text(path.read_text().replace("A title.", "Another title."))
        assert 'says "Another title.", the code "A title."' in str(read(tmp_path).differs("liar"))
        assert rows(tmp_path, load=True) == {"liar": None}


def test_the_connectors_of_the_repository_are_installed() -> None:
    """``make setup`` and the wheels have every connector that the repository declares, and each can
    be imported.
    """
    projects = [
        tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        for path in CONNECTORS.glob("*/pyproject.toml")
    ]
    declared = {
        key
        for project in projects
        for key in project.get("entry-points", {}).get("jackfield.connectors", {})
    }
    found = {entry.key: entry.error for entry in Catalog.installed().entries(load=True)}
    assert {"aws-ses", "github", "http", "slack", "stripe"} <= declared
    assert {key: found.get(key, "not installed") for key in declared} == dict.fromkeys(declared)
