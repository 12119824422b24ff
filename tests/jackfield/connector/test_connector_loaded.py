"""The runtime asks the same of a connector wherever its code runs and whatever it is made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from jackfield.catalog.loading import connector_at
from jackfield.connector.loaded import LoadedConnector
from jackfield.manifest.manifest import Manifest
from jackfield_aws.virtual.source import AwsSource
from jackfield_aws_ses import connector as written
from jackfield_isolation.remote.remote import RemoteConnector

GITHUB = Path(__file__).parents[3] / "connectors" / "github" / "jackfield_github"


def _bound() -> LoadedConnector:
    found: LoadedConnector = connector_at(
        "jackfield_github",
        "http",
        Manifest.from_json(json.loads((GITHUB / "connector.json").read_bytes())),
    )
    return found


KINDS: Mapping[str, Callable[[], LoadedConnector]] = {
    "written": lambda: written,
    "bound": _bound,
    "virtual": lambda: AwsSource().load("aws.sqs"),
}
# mypy compares the members; tests/jackfield_isolation, what they do
STAND_IN: Callable[..., LoadedConnector] = RemoteConnector


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_connector_has_what_the_runtime_asks_of_it(kind: str) -> None:
    """A connector that is written, bound to requests or made from a service's model has the same
    members; types are checked by mypy.
    """
    connector = KINDS[kind]()
    members = {
        *LoadedConnector.__annotations__,
        *(name for name in vars(LoadedConnector) if not name.startswith("_")),
    }
    assert [name for name in sorted(members) if not hasattr(connector, name)] == [], kind
    key = next(iter(connector.actions))
    assert (connector.actions[key].key, key in connector.connections) == (key, False)
    assert connector.describe([key])["actions"][0]["key"] == key
    assert connector.actions[key] is connector.actions[key]
