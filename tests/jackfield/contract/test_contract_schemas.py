"""The published schemas say what the runtime does: what it takes, what it answers, what it
reads.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema_specifications import REGISTRY as SPECIFICATIONS  # type: ignore[import-untyped]
from referencing import Registry, Resource

from clocks import FakeClock
from jackfield import Invocation, Jackfield
from jackfield.catalog import Catalog, EntryPoint
from jackfield.invocation import MAX_TIMEOUT
from jackfield.kernel.errors import CODES, InvalidInvocation
from jackfield.manifest.manifest import Manifest

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("invocation", "result", "manifest", "install-policy", "lock", "receipt")
MANIFESTS = sorted(
    [
        *ROOT.glob("connectors/*/jackfield_*/connector.json"),
        *ROOT.glob("tests/connectors/*/jackfield_*/connector.json"),
    ]
)
_LARGE = 60_000
"""Bytes of a manifest from which on jsonschema takes seconds."""


@cache
def schema(name: str) -> dict[str, Any]:
    """A committed schema."""
    loaded: dict[str, Any] = json.loads(
        (ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    )
    return loaded


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator for a committed schema, which knows the others and nothing of any network."""
    contents = [schema(other) for other in NAMES]
    known = [(item["$id"], Resource.from_contents(item)) for item in contents]
    # now, and not again for each reference
    registry: Registry[Any] = SPECIFICATIONS.with_resources(known).crawl()
    # one without a resolver would make one whose schema is crawled for each reference
    made: Any = Draft202012Validator
    found: Draft202012Validator = made(
        schema(name),
        registry=registry,
        format_checker=FormatChecker(),
        _resolver=registry.resolver(schema(name)["$id"]),
    )
    return found


@cache
def fast_validator(name: str) -> Any:
    """The other implementation's validator for a committed schema."""
    contents = [schema(other) for other in NAMES]
    registry = jsonschema_rs.Registry([(item["$id"], item) for item in contents])
    return jsonschema_rs.validator_for(
        schema(name), registry=registry, validate_formats=name == "manifest"
    )


def faults(name: str, value: object) -> list[str]:
    """What the schema has against a value, in one line each."""
    return [
        f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(value)
    ]


def accepted(value: object) -> bool:
    """Whether the runtime reads this as an invocation."""
    try:
        Invocation.from_json(value)
    except InvalidInvocation:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_json_schema_with_a_stable_name(name: str) -> None:
    """Each published schema is valid JSON Schema 2020-12, and its name carries its major
    version.
    """
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == f"https://jackfield.dev/schemas/{name}/1"
    assert schema(name)["title"]
    assert schema(name)["description"]


@pytest.mark.parametrize("name", NAMES)
def test_objects_of_the_schemas_are_closed(name: str) -> None:
    """Every object with named members says that it takes no others."""

    def walk(node: object, path: str) -> list[str]:
        if isinstance(node, list):
            return [
                fault
                for number, item in enumerate(node)
                for fault in walk(item, f"{path}/{number}")
            ]
        if not isinstance(node, dict):
            return []
        is_open = (
            node.get("type") == "object"
            and "properties" in node
            and node.get("additionalProperties") is not False
        )
        below = [fault for key, item in node.items() for fault in walk(item, f"{path}/{key}")]
        return [path, *below] if is_open else below

    exceptions = {"/$defs/object", "/$defs/described"}  # any JSON Schema of an object
    assert set(walk(schema(name), "")) <= exceptions


# What a caller may write: an invocation, then some members replaced by anything at all.

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
OBJECT = st.dictionaries(st.text(max_size=5), ANYTHING, max_size=3)
WORD = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=8)
INLINE = st.fixed_dictionaries({"type": WORD}, optional={"values": OBJECT, "other": ANYTHING})
CONTEXT = st.fixed_dictionaries(
    {},
    optional={
        "traceparent": WORD,
        "correlationId": WORD,
        "labels": st.dictionaries(WORD, WORD | ANYTHING, max_size=2),
        "other": ANYTHING,
    },
)
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "connector": WORD,
    "action": WORD,
    "connection": WORD | INLINE,
    "inputs": OBJECT,
    "idempotencyKey": st.text(max_size=300),
    "timeoutSeconds": st.floats(-1, MAX_TIMEOUT + 1)
    | st.integers(-1, int(MAX_TIMEOUT) + 1)
    | st.just(float("inf")),
    "dryRun": st.booleans(),
    "connectorVersion": st.sampled_from([">=1", "==1.0.0", "", " ", "\t", "x"]),
    "onDoubt": st.sampled_from(["report", "retry", "Report", ""]),
    "partial": st.sampled_from(["warn", "fail", "Fail", ""]),
    "context": CONTEXT,
}
USUAL = st.fixed_dictionaries(
    {"connector": WORD, "action": WORD},
    optional={
        name: value for name, value in MEMBERS.items() if name not in ("connector", "action")
    },
)
ODD = st.builds(
    lambda usual, odd, gone: {
        name: value for name, value in {**usual, **odd}.items() if name not in gone
    },
    USUAL,
    st.dictionaries(st.sampled_from([*MEMBERS, "Inputs", "timeout", ""]), ANYTHING, max_size=2),
    st.lists(st.sampled_from(sorted(MEMBERS)), max_size=1),
)


@given(USUAL | ODD | ANYTHING)
@example({"connector": "\x1f", "action": "0"})
@example({"connector": "a", "action": "b", "connection": "c\x7f"})
def test_schema_takes_what_the_runtime_takes(value: object) -> None:
    """The invocation schema accepts exactly what the runtime reads, in two independent
    implementations.
    """
    assert (faults("invocation", value) == []) == accepted(value)
    assert fast_validator("invocation").is_valid(value) == accepted(value)


@pytest.mark.parametrize(
    ("member", "value", "fine"),
    [
        ("idempotencyKey", "order-4711 mail", True),
        ("idempotencyKey", "k" * 255, True),
        ("idempotencyKey", "k" * 256, False),
        ("idempotencyKey", "", False),
        ("idempotencyKey", "key\n", False),
        ("idempotencyKey", "schlüssel", False),
        ("timeoutSeconds", 0, False),
        ("timeoutSeconds", 0.001, True),
        ("timeoutSeconds", 900, True),
        ("timeoutSeconds", 900.001, False),
        ("timeoutSeconds", True, False),
        ("timeoutSeconds", "30", False),
        ("connection", "acme-ses", True),
        ("connection", {"type": "apiKeySecret", "values": {}}, True),
        ("connection", {"values": {}}, False),
        ("connection", {"type": "apiKeySecret", "name": "x"}, False),
        ("connection", None, False),
        ("inputs", None, False),
        ("onDoubt", "retry", True),
        ("onDoubt", "RETRY", False),
        ("partial", "fail", True),
        ("partial", True, False),
        ("context", {"labels": {"team": "a"}}, True),
        ("context", {"labels": {"team": 1}}, False),
        ("context", {"trace": "x"}, False),
        ("idempotencykey", "x", False),
    ],
)
def test_edges_of_an_invocation(member: str, value: object, fine: bool) -> None:
    """At the edges of contract §2 schema and runtime say the same."""
    invocation = {"connector": "echo", "action": "say", member: value}
    assert (accepted(invocation), faults("invocation", invocation) == []) == (fine, fine)


@pytest.fixture
def jackfield(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A runtime with the echo connector and one connection."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "connectors" / "echo"))
    catalog = Catalog([EntryPoint("echo", "jackfield_echo:connector", "jackfield-echo")])
    connections = {"hall": {"type": "echo/token", "values": {"token": "squirrel"}}}
    with Jackfield(connections=[connections], catalog=catalog, clock=FakeClock()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, None),
        ({"dryRun": True}, None),
        ({"action": "list", "inputs": {"fetchAll": True}}, None),
        ({"action": "list", "inputs": {}}, None),
        ({"connector": "ecko"}, "unknown_connector"),
        ({"connectorVersion": ">=9"}, "unknown_connector"),
        ({"action": "sing"}, "unknown_action"),
        ({"connection": "attic"}, "unknown_connection"),
        ({"connection": {"type": "tokens", "values": {}}}, "invalid_invocation"),
        ({"connection": {"type": "token", "values": {}}}, "invalid_connection"),
        ({"inputs": {"text": "a", "times": 0, "lauter": 1}}, "invalid_input"),
        ({"unknown/member~": 1}, "invalid_invocation"),
        ({"inputs": {"text": "a", "fault": {"kind": "rejected"}}}, "rejected"),
        ({"inputs": {"text": "a", "fault": {"kind": "unauthenticated"}}}, "unauthenticated"),
        ({"inputs": {"text": "a", "fault": {"kind": "bug"}}}, "internal"),
        ({"inputs": {"text": "a", "fault": {"kind": "throttled"}}}, "rate_limited"),
        ({"action": "post", "inputs": {"text": "a", "fault": {"kind": "reset"}}}, "in_doubt"),
        ({"action": "wrong", "inputs": {"key": "a", "value": "b"}}, "invalid_output"),
    ],
)
def test_real_results_fit_the_schema(
    jackfield: Jackfield, more: dict[str, Any], code: str | None
) -> None:
    """What the runtime answers, good or bad, is what the result schema describes."""
    invocation = {
        "connector": "echo",
        "action": "say",
        "inputs": {"text": "hello"},
        "timeoutSeconds": 30,
        **more,
    }
    answer = json.loads(json.dumps(jackfield.invoke(invocation).to_json()))
    assert answer.get("error", {}).get("code") == code
    assert faults("result", answer) == []


META = {
    "invocationId": "01991c8e-7a8a-7c6e-8d1e-0f4f3a2b1c0d",
    "attempts": 1,
    "durationMs": 1.5,
    "replayed": False,
}
ERROR = {"code": "rejected", "message": "no", "retryable": False}


@pytest.mark.parametrize(
    "result",
    [
        {"status": "succeeded", "meta": META},
        {"status": "succeeded", "output": {}, "error": ERROR, "meta": META},
        {"status": "succeeded", "output": {}, "meta": {**META, "dryRun": True, "attempts": 0}},
        {"status": "succeeded", "meta": {**META, "dryRun": True}},
        {"status": "failed", "meta": META},
        {"status": "failed", "output": {}, "error": ERROR, "meta": META},
        {"status": "failed", "error": {**ERROR, "code": "in_doubt"}, "meta": META},
        {"status": "in_doubt", "error": ERROR, "meta": META},
        {"status": "failed", "error": {**ERROR, "code": "oops"}, "meta": META},
        {"status": "failed", "error": {**ERROR, "retryable": True}, "meta": META},
        {"status": "failed", "error": {**ERROR, "provider": {"status": 400}}, "meta": META},
        {"status": "failed", "error": {**ERROR, "details": [{"path": "/to"}]}, "meta": META},
        {
            "status": "succeeded",
            "output": {},
            "meta": {**META, "invocationId": "01991c8e-7a8a-4c6e-8d1e-0f4f3a2b1c0d"},
        },
        {
            "status": "succeeded",
            "output": {},
            "meta": {key: value for key, value in META.items() if key != "replayed"},
        },
        {"status": "running", "meta": META},
    ],
)
def test_results_that_cannot_be(result: dict[str, Any]) -> None:
    """The result schema refuses what contract §3 rules out."""
    assert faults("result", result) != []


def test_every_code_is_in_the_result_schema() -> None:
    """The codes of the error tree and those of the schema are the same."""
    assert set(schema("result")["properties"]["error"]["properties"]["code"]["enum"]) == set(CODES)


def test_manifests_fit_the_schema() -> None:
    """Every connector's manifest, examples included, is what the manifest schema describes, and the
    runtime reads it.
    """
    for path in MANIFESTS:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        assert [str(error) for error in fast_validator("manifest").iter_errors(manifest)] == [], (
            path.parent.name
        )
        assert Manifest.from_json(manifest).key == manifest["key"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path,
            marks=() if path.stat().st_size < _LARGE else pytest.mark.campaign,
            id=path.parent.name,
        )
        for path in MANIFESTS
    ],
)
def test_implementations_agree_about_manifests(path: Path) -> None:
    """A second implementation of JSON Schema finds no fault in a manifest either; it takes seconds
    for the largest ones.
    """
    assert faults("manifest", json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_examples_of_manifests_fit_their_own_schemas(path: Path) -> None:
    """The inputs and outputs of a manifest's examples are what the action's own schemas allow."""
    manifest = json.loads(path.read_text(encoding="utf-8"))
    shared = {"$defs": manifest.get("$defs", {})}
    for action in manifest["actions"]:
        for shown in action["examples"]:
            assert (
                shown["invocation"]["action"] == shown["result"]["meta"]["action"] == action["key"]
            )
            Draft202012Validator({**shared, **action["inputs"]}).validate(
                shown["invocation"]["inputs"]
            )
            Draft202012Validator({**shared, **action["output"]}).validate(
                shown["result"].get("output", {})
            )


def _manifest(**more: Any) -> dict[str, Any]:
    text = {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "additionalProperties": False,
    }
    action = {
        "key": "say",
        "title": "Say",
        "description": "",
        "effect": "read",
        "inputs": text,
        "output": text,
        **more.pop("action", {}),
    }
    kind = {
        "key": "token",
        "title": "Token",
        "description": "",
        "auth": "apiKey",
        "schema": text,
        "setup": "",
        **more.pop("kind", {}),
    }
    about = {
        "manifestVersion": 1,
        "key": "echo",
        "title": "Echo",
        "description": "",
        "version": "1.0.0",
    }
    return {**about, "connectionTypes": [kind], "actions": [action], "optionSources": [], **more}


_TRIGGER: dict[str, Any] = {
    "key": "opened",
    "title": "Opened",
    "description": "",
    "kind": "webhook",
    "inputs": {"type": "object"},
    "event": {"type": "object"},
}


_NO_SAMPLES: tuple[dict[str, Any], ...] = (
    {"title": 7},
    {"request": {}},
    {"source": {"item": {}, "id": "/id"}},
    {"events": "t-1"},
    {"registrations": "hooks"},
)


def test_a_trigger_has_examples_of_requests_and_of_lists() -> None:
    """Each has a title; a request has a body, and a list an item with the places of its ID and its
    time.
    """
    source = {
        "item": {"id": 1, "at": 2},
        "id": "/id",
        "at": "/at",
        "items": "/tickets",
        "since": "from",
    }
    samples: list[dict[str, Any]] = [
        {"request": {"body": []}, "events": [{}], "registrations": "/hooks"},
        {"source": source},
        {},
    ]
    row = {**_TRIGGER, "examples": [{"title": "A ticket", **sample} for sample in samples]}
    assert faults("manifest", _manifest(triggers=[row])) == []


def test_a_small_manifest_is_enough() -> None:
    """A connector needs no icon, no examples and no option sources."""
    assert faults("manifest", _manifest()) == []


def _inputs(**field: Any) -> dict[str, Any]:
    return {
        "inputs": {"type": "object", "properties": {"text": field}, "additionalProperties": False}
    }


@pytest.mark.parametrize(
    "more",
    [
        {"key": "Echo"},
        {"key": "echo_1"},
        {"version": "one"},
        {"manifestVersion": 3},
        {"author": "x"},
        {"action": {"key": "say-it"}},
        {"action": {"effect": "delete"}},
        {"action": {"inputs": {"type": "array"}}},
        {"action": {"inputs": {"type": "object", "properties": {}}}},
        {"action": _inputs(type="object", properties={"a": {}})},
        {"action": _inputs(type="string", format="password")},
        {"action": _inputs(type="string", writeOnly=True)},
        {"action": _inputs(type="nothing")},
        {"action": _inputs(type="string", **{"x-jackfield": {"colour": "red"}})},
        {"action": _inputs(anyOf=[{"type": "object", "properties": {"a": {}}}])},
        {"action": {"permissions": {"aws:iam": "ses:SendEmail"}}},
        {"action": {"rateLimit": {"perSecond": 0}}},
        {"action": {"pagination": {"tokenInput": "nextToken"}}},
        {
            "action": {
                "examples": [
                    {
                        "title": "x",
                        "invocation": {"action": "say"},
                        "result": {"status": "succeeded"},
                    }
                ]
            }
        },
        {"kind": {"family": "AWS"}},
        {"kind": {"setup": None}},
        *(
            {"triggers": [{**_TRIGGER, "examples": [{"title": "A ticket", **sample}]}]}
            for sample in _NO_SAMPLES
        ),
    ],
)
def test_manifests_that_cannot_be(more: dict[str, Any]) -> None:
    """The manifest schema refuses what contract §5 rules out."""
    assert faults("manifest", _manifest(**more)) != []


@pytest.mark.campaign  # 'make drift', which 'make test' runs, is this command
def test_generated_files_are_those_that_the_code_makes() -> None:
    """Schemas, manifests and reference pages are committed as the code makes them."""
    done = subprocess.run(
        [sys.executable, "-B", str(ROOT / ".ci" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_drift_is_told_and_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --check the generator lists what differs and writes nothing; without it, it writes; then
    nothing differs.
    """
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("generate", ROOT / ".ci" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    # it is made from the packages of the repository
    monkeypatch.setattr(generate.packages_above, "module", lambda _root: "a module")
    # so are those from the shelf's
    monkeypatch.setattr(generate.shelf_tasks, "files", lambda _shelf: [])
    for kind in ("_PAGES", "_SCHEMAS"):  # their texts are judged by 'make drift'; here any will do
        monkeypatch.setattr(
            generate, kind, {name: lambda name=name: name for name in getattr(generate, kind)}
        )
    codes = []
    for arguments in (["--check"], [], ["--check"]):
        monkeypatch.setattr(sys, "argv", ["generate.py", *arguments])
        codes.append(generate.main())
    listed = capsys.readouterr().out.split()
    assert codes == [1, 0, 0]
    copies = {
        f"runtime/jackfield/invocation/schemas/{name}.schema.json"
        for name in ("invocation", "result")
    }
    pages = {f"docs/reference/{name}.md" for name in ("option-sources", *generate._PAGES)}
    made = {
        "server.json",
        "shelf/service.schema.json",
        "schemas/state.schema.json",
        "deploy/grafana/dashboards/jackfield.json",
        "runtime/jackfield/kernel/packages.py",
    } | {*(f"schemas/{name}.schema.json" for name in NAMES)}
    told = {f"docs/tutorial/{name}.md" for name in generate.cookbook.PAGES}
    package = {f"clients/connect/{name}" for name in ("connect.js", "connect.mjs", "package.json")}
    assert set(listed) == {*pages, *told, *made, *copies, *package}
    assert len(listed) == 2 * len(set(listed))
