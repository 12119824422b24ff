"""``jackfield stubs``: type checkers accept right calls of five connectors, and find each
misspelling.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jackfield.cli.main import main
from jackfield.manifest.manifest import Manifest
from jackfield_market.stubs import python, typescript

NODE = Path(sys.prefix) / "node" / "node_modules" / ".bin"
CONNECTORS = ("aws-ses", "github", "http", "slack", "stripe")
SEEDED = {
    'aws_ses_calls.send_email({j}, {"to": "ada@example.com", "subjct": "Hello", "text": "Hello"})': "an input",
    'aws_ses_calls.send_mail({j}, {"to": "ada@example.com", "subject": "Hello"})': "an action",
    'aws_ses_calls.list_identities({j}, {"identityType": "EmailAdress"})': "a value",
    'aws_ses_calls.get_identity({j}, {"awsRegion": "eu-west-1"})': "a missing input",
    'aws_ses_calls.get_account({j}, {})["SendQuotas"]': "a member of the output",
    'github_calls.create_issue({j}, {"owner": "a", "repository": "b", "title": "c"})': "an input and a missing one",
    'github_calls.create_isue({j}, {"owner": "a", "repo": "b", "title": "c"})': "an action",
    'github_calls.list_gists({j}, {"perPage": "10"})': "a type",
    'github_calls.create_issue({j}, {"owner": "a", "repo": "b", "title": "c"})["htmlUrl"]': "a member of the output",
    'http_calls.request({j}, {"method": "FETCH", "url": "/"})': "a value",
    'http_calls.request({j}, {"uri": "/"})': "an input",
    'http_calls.request({j}, {"url": "/"})["statusCode"]': "a member of the output",
    'http_calls.graphql({j}, {"query": 5})': "a type",
    'slack_calls.post_message({j}, {"chanel": "C1", "text": "Hi"})': "an input",
    'slack_calls.postmessage({j}, {"channel": "C1", "text": "Hi"})': "an action",
    'slack_calls.post_message({j}, {"channel": "C1", "text": ["Hi"]})': "a type",
    'stripe_calls.create_customer({j}, {"emial": "ada@example.com"})': "an input",
    'stripe_calls.create_customer({j}, {"balance": "100"})': "a type",
    'stripe_calls.create_customer({j}, {"email": "ada@example.com"}, {o1})': "an option",
    'stripe_calls.create_customer({j}, {"email": "ada@example.com"}, {o2})': "a value of an option",
}
RIGHT = (
    'aws_ses_calls.send_email({j}, {"to": "ada@example.com", "subject": "Hello", "text": "Hello"})',
    'aws_ses_calls.get_account({j}, {})["SendQuota"]',
    (
        'github_calls.create_issue({j}, {"owner": "a", "repo": "b", "title": "c", "labels": '
        '["bug"]})["html_url"]'
    ),
    'http_calls.request({j}, {"method": "POST", "url": "/", "json": {"a": 1}})["status"]',
    'slack_calls.post_message({j}, {"channel": "C1", "text": "Hi"})',
    'stripe_calls.create_customer({j}, {"email": "ada@example.com"}, {o3})',
)
_OPTIONS = {
    "o1": ('idempotencykey="k"', '{idempotencykey: "k"}'),
    "o2": ('partial="maybe"', '{partial: "maybe"}'),
}
_OPTIONS["o3"] = ('idempotencyKey="k"', '{idempotencyKey: "k"}')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The callers of five connectors in both languages."""
    made = tmp_path_factory.mktemp("stubs")
    for language in ("--python", "--typescript"):
        assert main(("stubs", *CONNECTORS, language, "--out", str(made))) == 0
    return made


def _in_python(calls: list[str]) -> str:
    modules = "".join(f"import {python.module_name(key)}\n" for key in CONNECTORS)
    lines = [call.replace("{j}", "jackfield") for call in calls]
    for name, (given, _) in _OPTIONS.items():
        lines = [line.replace(f"{{{name}}}", given) for line in lines]
    return f"from jackfield import Jackfield\n\n{modules}\njackfield = Jackfield()\n" + "".join(
        f"{line}\n" for line in lines
    )


def _in_typescript(calls: list[str]) -> str:
    modules = "".join(
        f'import * as {python.module_name(key)} from "./{python.module_name(key)}";\n'
        for key in CONNECTORS
    )
    lines = []
    for call in calls:
        function = re.sub(
            r"_([a-z])(?=[a-z_]*\()", lambda found: found[1].upper(), call.partition(".")[2]
        )
        line = f"{call.partition('.')[0]}.{function}".replace("{j}", "caller")
        for name, (_, given) in _OPTIONS.items():
            line = line.replace(f"{{{name}}}", given)
        head, bracket, member = line.rpartition(")[")
        lines.append(f"(await {head}))[{member};" if bracket else f"await {line};")
    return (
        f"{modules}\ndeclare const caller: github_calls.Caller;\n"
        + "".join(f"{line}\n" for line in lines)
        + "export {};\n"
    )


def _found(text: str, pattern: str, source: str, first: str) -> set[int]:
    """Return which of the calls a checker complains about."""
    start = source[: source.index(first)].count("\n") + 1
    return {int(number) - start for number in re.findall(pattern, text, re.MULTILINE)}


def _run(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


def _checked(folder: Path, name: str, calls: list[str]) -> set[int]:
    """Return the calls that a checker finds wrong."""
    if name == "tsc":
        if not (NODE / "tsc").exists():
            pytest.skip("TypeScript is not installed in .venv/node ('make clients' does it)")
        source = _in_typescript(calls)
        (folder / "calls.ts").write_text(source, encoding="utf-8")
        options = (
            "--strict",
            "--noEmit",
            "--target",
            "es2022",
            "--module",
            "es2022",
            "--moduleResolution",
            "bundler",
        )
        return _found(
            _run(folder, NODE / "tsc", *options, "calls.ts"),
            r"calls\.ts\((\d+),",
            source,
            source.splitlines()[7],
        )
    source = _in_python(calls)
    (folder / "calls.py").write_text(source, encoding="utf-8")
    if name == "mypy":
        text = _run(
            folder,
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            folder / "cache",
            "calls.py",
        )
        assert "calls.py" in text or "Success" in text, text
        return _found(text, r"^calls\.py:(\d+): error", source, source.splitlines()[9])
    if not (NODE / "pyright").exists():
        pytest.skip("pyright is not installed in .venv/node ('make clients' does it)")
    text = _run(folder, NODE / "pyright", "--pythonpath", sys.executable, "calls.py")
    return _found(text, r"calls\.py:(\d+):\d+ - error", source, source.splitlines()[9])


@pytest.mark.parametrize("name", ["mypy", "pyright", "tsc"])
def test_each_misspelling_is_found(folder: Path, name: str) -> None:
    """Twenty in calls of five connectors: each checker finds all of them, and nothing in calls that
    are right.
    """
    calls = list(SEEDED)
    assert len(calls) == 20
    found = _checked(folder, name, [*RIGHT, *calls])
    right = range(len(RIGHT))
    assert [RIGHT[number] for number in right if number in found] == []
    assert [call for number, call in enumerate(calls, len(RIGHT)) if number not in found] == []


def test_a_wrong_import_is_found(folder: Path) -> None:
    """Names that jackfield's packages do not have are mistakes to a type checker, although they
    import lazily.
    """
    packages = (
        "jackfield",
        "jackfield.connector",
        "jackfield.catalog",
        "jackfield_store.access",
        "jackfield_http",
        "jackfield_aws",
    )
    lines = [f"from {package} import Jackfeild{number}" for number, package in enumerate(packages)]
    (folder / "wrong.py").write_text(
        "\n".join(lines) + "\nfrom jackfield import Jackfield\n", encoding="utf-8"
    )
    text = _run(
        folder,
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        folder / "cache",
        "wrong.py",
    )
    assert {
        int(number) for number in re.findall(r"^wrong\.py:(\d+): error", text, re.MULTILINE)
    } == set(range(1, 7))


def test_the_module_calls(folder: Path) -> None:
    """The functions are what ``Jackfield.invoke`` takes: here an action that fails before anything
    is sent.
    """
    program = (
        "import http_calls\nfrom jackfield import InvocationFailed, Jackfield\n"
        "with Jackfield(database_url='none') as runtime:\n    try:\n        "
        "http_calls.request(runtime, {'url': '/x'})\n"
        "    except InvocationFailed as error:\n        print(error.result.error.code)\n"
    )
    (folder / "program.py").write_text(program, encoding="utf-8")
    assert _run(folder, sys.executable, "program.py").strip().endswith("invalid_invocation")


def test_hostile_texts_stay_texts() -> None:
    """Descriptions, names and choices of a stranger's manifest are neither code nor the end of a
    comment.
    """
    evil = '*/ evil(); """\nimport os\\ """ \u2028 x'
    inputs = {
        "type": "object",
        "required": ["class", "a-b"],
        "properties": {
            "class": {"type": "string", "description": evil},
            "a-b": {"enum": [evil, None, True]},
            'x"]: evil(); //': {"type": "integer"},
        },
    }
    action = {
        "key": "delete",
        "title": evil,
        "description": evil,
        "effect": "write",
        "inputs": inputs,
        "output": {"$ref": "#/$defs/a"},
    }
    action["output"] = {
        "type": "object",
        "properties": {"self": {"$ref": "#/$defs/a"}},
        "$defs": {"a": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}},
    }
    about = {"title": evil, "description": evil, "version": "1.0.0"}
    raw = {"manifestVersion": 1, "key": "evil", **about, "connectionTypes": [], "actions": [action]}
    manifest = Manifest.from_json(json.loads(json.dumps(raw)))
    text, other = python.written(manifest), typescript.written(manifest)
    compiled = compile(text, "evil_calls.py", "exec")
    assert "evil" not in compiled.co_names
    assert "os" not in compiled.co_names
    assert "evil()" not in re.sub(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/', "", other, flags=re.DOTALL)
    assert "export async function delete_(" in other
