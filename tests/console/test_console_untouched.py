"""H1: the console sends what somebody entered, and nothing else: of each action of every connector, the untouched form gives no inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from jackfield.manifest import Manifest
from jackfield.surfaces.console.form_schema import form_schema
from jackfield_aws.virtual.freeze import frozen
from jackfield_openapi.conversion import Choices, converted

pytest_plugins = ["browser"]

ROOT = Path(__file__).resolve().parents[2]
_AT_ONCE = 40
_UNTOUCHED = """async (forms) => {
    const found = {};
    for (const [name, schema] of Object.entries(forms)) {
        const form = document.createElement("form");
        const holder = document.createElement("div");
        Object.assign(holder.dataset, { form: "inputs", schema: JSON.stringify(schema), value: "{}", options: "/none/" });
        form.append(holder);
        document.body.append(form);
        document.dispatchEvent(new Event("console:content"));
        while (!holder.dataset.filled) await new Promise((done) => setTimeout(done));
        const value = JSON.stringify(holder.editor.getValue());
        if (value !== "{}") found[name] = value;
        holder.editor.destroy();
        form.remove();
    }
    return found;
}"""
"""Make each form as the page makes its own, and return the values of those that have any."""


def shipped() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All actions of the connectors of this repository that have a manifest."""
    for path in sorted(ROOT.glob("connectors/*/jackfield_*/connector.json")):
        yield from actions(json.loads(path.read_text(encoding="utf-8")))


def actions(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The inputs' schema of each action of a manifest."""
    for action in Manifest.from_json(manifest).actions.values():
        yield f"{manifest['key']}/{action.key}", action.inputs


def drawn(browser: Browser, console: Console, schemas: Iterator[tuple[str, Mapping[str, Any]]]) -> tuple[int, dict[str, str]]:
    """How many forms were made, and the values of those that are not empty."""
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connectors/echo/actions/say")
    count = 0
    found: dict[str, str] = {}
    while part := {name: form_schema(schema) for name, schema in islice(schemas, _AT_ONCE)}:
        count += len(part)
        found |= visitor.page.evaluate(_UNTOUCHED, part)
    visitor.close()
    return count, found


def test_h1_untouched_forms_of_shipped_connectors_give_no_inputs(browser: Browser, console: Console) -> None:
    """H1: each action of the connectors here, the curated ones among them."""
    count, found = drawn(browser, console, shipped())
    assert count > 150
    assert found == {}


def generated() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Actions of generated connectors: of public documents, and of services of AWS."""
    documents = (ROOT / "connectors/openapi/tests/documents.jsonl").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(documents):
        yield from actions(converted(json.loads(line)["document"], Choices(key=f"sample{number}")).manifest)
    for service in ("ec2", "dynamodb", "lambda"):
        for action in frozen(service, service, "1.0.0", ["create*", "run*", "put*", "invoke*", "modify*", "delete*"], [])["actions"]:
            yield f"{service}/{action['key']}", action["inputs"]


@pytest.mark.parametrize("share", [6, pytest.param(1, marks=pytest.mark.campaign)])
def test_h1_untouched_forms_of_generated_connectors_give_no_inputs(browser: Browser, console: Console, share: int) -> None:
    """H1: 500 actions that were generated, of which each commit draws a part."""
    count, found = drawn(browser, console, islice(generated(), 0, 500, share))
    assert count == -(-500 // share)
    assert found == {}
