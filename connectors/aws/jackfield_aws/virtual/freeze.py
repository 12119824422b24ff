"""Freezing of an AWS service into a connector of its own: a manifest without code, which a later
botocore does not change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from jackfield.connector import InvalidInput
from jackfield.kernel.errors import did_you_mean
from jackfield.manifest.parts import lettermark, package_of
from jackfield_aws.version import VERSION
from jackfield_aws.virtual import models
from jackfield_aws.virtual.calls import REGION
from jackfield_aws.virtual.choices import choices_of
from jackfield_aws.virtual.credentials import HANDS_OUT
from jackfield_aws.virtual.manifests import REGIONS
from jackfield_aws.virtual.names import action_key, title_of
from jackfield_aws.virtual.operations import described

Json = dict[str, Any]
_LICENSE = "Apache-2.0"
"""Licence of botocore, whose service models are the source of the manifests."""


def frozen(
    service: str, key: str, version: str, select: Sequence[str], connection_types: list[Json]
) -> Json:
    """Return a service's manifest with the operations whose action keys match ``select`` (all, if
    it is empty).

    :raises InvalidInput: if the installed botocore lacks the service, or nothing matches.
    """
    known = models.services()
    if service not in known:
        raise InvalidInput(
            f"botocore {models.botocore_version()} has no service "
            f"'{service[:80]}'{did_you_mean(service, known)}"
        )
    model = models.service_model(service)
    names = [
        name for name in sorted(models.operations(service)) if _matches(action_key(name), select)
    ]
    if not names:
        raise InvalidInput(
            f"no operation of '{service}' matches {', '.join(select)[:200]}",
            hint="Select by action keys, such as get*.",
        )
    title = str(model.metadata.get("serviceFullName") or service)
    sources: dict[str, Json] = {}
    actions = [_with_choices(service, _action(service, name), names, sources) for name in names]
    return {
        "manifestVersion": 1,
        "key": key,
        "title": title,
        "description": f"{title}, made from the service model of botocore {models.botocore_version()}.",
        "version": version,
        "icon": lettermark(
            " ".join(word for word in title.split() if word not in ("AWS", "Amazon")), "b45309"
        ),
        "categories": ["aws"],
        "documentationUrl": "https://docs.aws.amazon.com/",
        "license": _LICENSE,
        "hosts": ["*.amazonaws.com", "*.amazonaws.com.cn"],
        "model": service,
        "connectionTypes": connection_types,
        "actions": actions,
        "optionSources": [REGIONS, *(sources[key] for key in sorted(sources))],
    }


def _with_choices(service: str, row: Json, names: Sequence[str], sources: dict[str, Json]) -> Json:
    """Return the action's row, and add its inputs' option sources to ``sources``; choices from an
    unselected operation are left out.
    """
    members = {}
    for name, member in row["inputs"]["properties"].items():
        marks = member.get("x-jackfield", {})
        found = choices_of(service, name) if marks.get("options") == name else None
        if found is None or found.operation in names:
            members[name] = member
        else:
            members[name] = {
                **member,
                "x-jackfield": {key: value for key, value in marks.items() if key != "options"},
            }
        if found is not None and found.operation in names:
            about = f"Listed by {found.operation}."
            sources[name] = {
                "key": name,
                "title": title_of(name),
                "description": about,
                "needsConnection": True,
                "dependsOn": [REGION],
            }
    return {**row, "inputs": {**row["inputs"], "properties": members}}


def _matches(key: str, select: Sequence[str]) -> bool:
    return not select or any(fnmatchcase(key, pattern) for pattern in select)


def _action(service: str, name: str) -> Json:
    found = described(service, name)
    row: Json = {
        "key": action_key(name),
        "title": found.title,
        "description": found.description or found.title,
        "effect": found.effect,
    }
    return (
        row
        | found.to_json()
        | ({"handsOutCredentials": True} if name in HANDS_OUT.get(service, ()) else {})
    )


def files_of(manifest: Json) -> dict[str, str]:
    """Return the files of the connector's project by path; the same botocore yields the same
    text.
    """
    key = manifest["key"]
    package = package_of(key)
    about = json.dumps(f"{manifest['title']} for jackfield.", ensure_ascii=False)
    project = f"""[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "jackfield-{key}"
version = "{manifest["version"]}"
description = {about}
readme = "README.md"
license = "{_LICENSE}"
requires-python = ">=3.11"
dependencies = ["jackfield>=0.1,<1", "jackfield-aws>={VERSION},<1"]

[project.entry-points."jackfield.connectors"]
{key} = "{package}:aws"

# An editable install finds packages by their code, and this one has none.
[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel]
packages = ["{package}"]

# How `jackfield check` runs the actions: its loopback provider stands in for the endpoint. AWS takes a POST for most reads, too.
[tool.jackfield.check]
connection = "apiKeySecret"
headers = {{ x-amzn-RequestId = "conformance" }}
safe-posts = [
{"".join(f'    "{action["key"]}",{chr(10)}' for action in manifest["actions"] if action["effect"] != "write")}]

[tool.jackfield.check.values]
accessKeyId = "AKIAIOSFODNN7EXAMPLE"
secretAccessKey = "conformance-secret-4711"
endpoint = "${{url}}"
region = "eu-west-1"
"""
    readme = f"""# {manifest["title"]}

A connector for jackfield without code. `{package}/connector.json` was made from botocore's service model `{manifest["model"]}`:

    jackfield generate aws {manifest["model"]} --key {key} --out .
"""
    return {
        f"{package}/connector.json": json.dumps(manifest, indent=2, ensure_ascii=False) + "\n",
        "pyproject.toml": project,
        "README.md": readme,
        f"tests/test_{key.replace('-', '_')}.py": _tests(manifest, package),
    }


def _tests(manifest: Json, package: str) -> str:
    name = "".join(part.capitalize() for part in manifest["key"].split("-"))
    return f'''"""The connector keeps what every connector owes its callers, and botocore has its operations."""

import json
from pathlib import Path

import botocore.session
from jackfield.testing import Conformance

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "{package}" / "connector.json"


class Test{name}(Conformance):
    """The connector passes the rules of its grade. Raise the grade when the manifest has examples."""

    grade = "bronze"
    sample = 8


def test_actions_are_operations_of_the_service() -> None:
    """The installed botocore has the operation of each action."""
    session = botocore.session.get_session()
    names = session.get_service_model("{manifest["model"]}").operation_names
    operations = {{name[:1].lower() + name[1:] for name in names}}
    actions = json.loads(MANIFEST.read_bytes())["actions"]
    assert {{action["key"] for action in actions}} <= operations
'''
