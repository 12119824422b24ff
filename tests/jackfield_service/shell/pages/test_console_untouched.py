"""H1: the console sends what somebody entered, and nothing else: of each action of every connector,
the untouched form gives no inputs, and one with values gives these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from jackfield.manifest.manifest import Manifest
from jackfield_aws.virtual.freeze import frozen
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.instances import Instances
from jackfield_service.shell.pages.layout.form_schema import form_schema

pytest_plugins = ["browser"]

ROOT = Path(__file__).resolve().parents[4]
_AT_ONCE = 40
_VALUES = """async (forms) => {
    const found = {};
    for (const [name, [schema, value]] of Object.entries(forms)) {
        const form = document.createElement("form");
        const holder = document.createElement("div");
        Object.assign(holder.dataset, { form: "inputs", schema: JSON.stringify(schema), value: JSON.stringify(value), options: "/none/" });
        form.append(holder);
        document.body.append(form);
        document.dispatchEvent(new Event("console:content"));
        while (!holder.dataset.filled) await new Promise((done) => setTimeout(done));
        found[name] = JSON.stringify(holder.editor.getValue());
        holder.editor.destroy();
        form.remove();
    }
    return found;
}"""
"""Make each form as the page makes its own, with a value, and return what it would send."""
Forms = Iterator[tuple[str, Mapping[str, Any]]]
_LARGE = re.compile(r"\d{16}")
"""Integers that JavaScript rounds."""


def shipped() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All actions of the connectors of this repository that have a manifest."""
    for path in sorted(ROOT.glob("connectors/*/jackfield_*/connector.json")):
        yield from actions(json.loads(path.read_text(encoding="utf-8")))


def actions(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The inputs' schema of each action of a manifest."""
    for action in Manifest.from_json(manifest).actions.values():
        yield f"{manifest['key']}/{action.key}", json.loads(json.dumps(action.inputs, default=dict))


def drawn(
    browser: Browser,
    console: Console,
    schemas: Forms,
    value: Callable[[Mapping[str, Any]], Any] = lambda _schema: {},
) -> dict[str, Any]:
    """What forms with values send, by the name of the form: the values, by default none, and what
    the form made of them.
    """
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connectors/echo/actions/say")
    found: dict[str, Any] = {}
    valued = ((name, schema, value(schema)) for name, schema in schemas)
    while part := {
        name: (form_schema(schema, given=begun), begun)
        for name, schema, begun in islice(valued, _AT_ONCE)
    }:
        sent = visitor.page.evaluate(_VALUES, part)
        found |= {name: (given, json.loads(sent[name])) for name, (_, given) in part.items()}
    visitor.close()
    return found


def made(schema: Mapping[str, Any]) -> Any:
    """Inputs that fit a schema; none if there are no such without large integers."""
    for seed in range(5):
        value = Instances(schema.get("$defs", {}), Random(seed)).value(schema)
        if _LARGE.search(json.dumps(value)) is None and jsonschema_rs.validator_for(
            dict(schema)
        ).is_valid(value):
            return {
                key: item
                for key, item in value.items()
                if item != schema["properties"].get(key, {}).get("default")
            }
    return {}


def meant(value: Any) -> Any:
    """What a value says in whichever form: map or pairs, an item or a list of it, a number or its
    text, names in any order. What is empty was not entered.
    """
    if isinstance(value, Mapping):
        return {
            key: found for key, item in value.items() if (found := meant(item)) not in ("", (), {})
        }
    if isinstance(value, list):
        if value and all(
            isinstance(item, Mapping) and item.keys() == {"key", "value"} for item in value
        ):
            return meant({item["key"]: item["value"] for item in value})
        found = tuple(item for item in map(meant, value) if item not in ("", (), {}))
        if all(isinstance(item, str) for item in found):
            found = tuple(sorted({*found}))
        return found[0] if len(found) == 1 else found
    if value is None or isinstance(value, bool | str):
        return "" if value is None else value
    return str(int(value)) if value == int(value) else str(value)


@pytest.mark.parametrize("share", [10, pytest.param(1, marks=pytest.mark.campaign)])
def test_h1_untouched_forms_of_shipped_connectors_give_no_inputs(
    browser: Browser, console: Console, share: int
) -> None:
    """H1: each action of the connectors here, the curated ones among them, of which each commit
    draws a part.
    """
    found = drawn(browser, console, islice(shipped(), 0, None, share))
    assert len(found) * share > 150
    assert {name: sent for name, (_, sent) in found.items() if sent != {}} == {}


def generated() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Actions of generated connectors: of public documents, and of services of AWS."""
    documents = (
        (ROOT / "connectors/openapi/tests/documents.jsonl").read_text(encoding="utf-8").splitlines()
    )
    for number, line in enumerate(documents):
        yield from actions(
            converted(json.loads(line)["document"], Choices(key=f"sample{number}")).manifest
        )
    for service in ("ec2", "dynamodb", "lambda"):
        for action in frozen(
            service,
            service,
            "1.0.0",
            ["create*", "run*", "put*", "invoke*", "modify*", "delete*"],
            [],
        )["actions"]:
            yield f"{service}/{action['key']}", action["inputs"]


@pytest.mark.parametrize("share", [24, pytest.param(1, marks=pytest.mark.campaign)])
def test_h1_untouched_forms_of_generated_connectors_give_no_inputs(
    browser: Browser, console: Console, share: int
) -> None:
    """H1: 500 actions that were generated, of which each commit draws a part."""
    found = drawn(browser, console, islice(generated(), 0, 500, share))
    assert len(found) == -(-500 // share)
    assert {name: sent for name, (_, sent) in found.items() if sent != {}} == {}


@pytest.mark.parametrize("share", [20, pytest.param(1, marks=pytest.mark.campaign)])
def test_forms_with_values_send_these(browser: Browser, console: Console, share: int) -> None:
    """Inputs that fit the schema, as of a call that is repeated, are what the form sends, of
    shipped connectors and of generated ones.
    """
    found = drawn(
        browser,
        console,
        chain(islice(shipped(), 0, None, share), islice(generated(), 0, 500, share)),
        made,
    )
    assert sum(given != {} for given, _ in found.values()) * share > 400
    assert {name: pair for name, pair in found.items() if meant(pair[0]) != meant(pair[1])} == {}


def test_a_value_without_a_field_of_its_own_stays(browser: Browser, console: Console) -> None:
    """A connection that is edited keeps a value that the form of its type does not offer: only
    other connectors of the family use it.
    """
    connections = console.host.runtime("default").connections
    keys = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    connections.add(
        "bucket",
        "aws/apiKeySecret",
        {**keys, "region": "eu-west-1", "s3Addressing": "path"},
        force=True,
    )
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connections/bucket")
    page = visitor.page
    page.get_by_text("Change values").click()
    page.get_by_label("Secret Access Key").fill("another-key-of-forty-characters-0123456789")
    page.get_by_role("button", name="Save without testing").click()
    page.wait_for_url("**/connections/bucket?done=changed")
    values = connections.find("bucket").values
    visitor.close()
    assert (values["region"], values["s3Addressing"]) == ("eu-west-1", "path")
