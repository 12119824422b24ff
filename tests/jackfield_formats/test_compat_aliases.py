"""Another connector joins by declaring aliases of its own: data, and not a line of code anywhere
else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import component, sidecar
from tests.jackfield_formats.foreign_files import loaded, write

from fake_aws import FakeAws
from jackfield import Jackfield
from plugboard import make_connector, plugged

FAX = '''
from jackfield.connector import ConnectionType, Connector, Inputs, Output


class Line(ConnectionType):
    """A telephone line."""

    key = "line"
    title = "Line"
    number: str

    def open(self, context):
        return self.number


class Page(Inputs):
    """A page to send."""

    to: str
    text: str


class Sent(Output):
    """A receipt."""

    receipt: str


ALIASES = {
    "dapr": {"bindings.fax": {
        "operations": {"send": "sendPage"},
        "connections": [{"when": ["number"], "type": "fax/line", "values": {"number": "number"}}],
        "inputs": {"to": "to"}, "data": "text", "result": {"receipt": "receipt"},
    }, "bindings.aws.ses": {"connections": []}, "bindings.broken": {"connections": 5}},
    "thand": {"fax": {"operations": {"notify": "sendPage"}, "kind": "fax", "inputs": {"to": "to", "text": "text"},
        "connections": [{"type": "fax/line", "values": {"number": "number"}}]}},
    "vcap": {"faxlink": {"operations": {"send": "sendPage"}, "connections": [{"type": "fax/line", "values": {"number": "number"}}]}},
}
connector = Connector("fax", title="Fax", version="1.0.0", connections=[Line], aliases=ALIASES)


@connector.action("sendPage")
def send_page(page: Page, number: str) -> Sent:
    """Send a page."""
    return Sent(receipt=f"{number}>{page.to}:{page.text}")
'''


@pytest.fixture
def fax(tmp_path: Path, aws: FakeAws) -> Iterator[None]:
    """Another connector, which declares aliases of its own, some of them broken."""
    make_connector(tmp_path / "fax", "fax", FAX)
    with plugged(tmp_path / "fax"):
        yield


def test_another_connector_joins_by_declaring_its_aliases(fax: None, folder: Path) -> None:
    """A component of its type is a binding, in its own words, without a line of code anywhere
    else.
    """
    entry = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: desk}\n"
    write(
        folder,
        "fax.yaml",
        f"{entry}spec: {{type: bindings.fax, metadata: [{{name: NUMBER, value: 1}}, {{name: to, "
        f"value: 9}}]}}\n",
    )
    with sidecar(folder) as running:
        reply = running.ask("POST", "/v1.0/bindings/desk", {"operation": "send", "data": "hello"})
    assert (reply.status, reply.headers["metadata.receipt"]) == (204, "1>9:hello")


def test_the_other_formats_are_open_too(fax: None, folder: Path) -> None:
    """Providers and service bindings are found in the same way."""
    write(
        folder,
        "a.yaml",
        "providers: {line: {name: n, provider: fax, enabled: true, config: {number: '2'}}}\n",
    )
    write(
        folder,
        "b.json",
        json.dumps(
            {"faxlink": [{"label": "faxlink", "name": "hall", "credentials": {"number": "3"}}]}
        ),
    )
    with Jackfield(connections=[str(folder)]) as runtime:
        for name, number in (("line", "2"), ("hall", "3")):
            given = {
                "connector": "fax",
                "action": "sendPage",
                "connection": name,
                "inputs": {"to": "9", "text": "x"},
            }
            assert runtime.invoke(given).unwrap() == {"receipt": f"{number}>9:x"}


def test_names_that_are_taken_or_broken_change_nothing_for_others(
    fax: None, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first connector has a name; a broken alias is logged; both leave the rest as it is."""
    write(folder, "a.yaml", component())
    with caplog.at_level(logging.WARNING, "jackfield.connections"):
        assert [item.type for item in loaded(folder).files()] == ["aws/apiKeySecret"]
    assert "'bindings.aws.ses' of dapr is already an alias of 'aws-ses'" in caplog.text
    assert (
        "its alias 'bindings.broken' of dapr is broken: 'connections' must be of the type list"
        in caplog.text
    )
