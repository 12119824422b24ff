"""Evidence that shipped connectors declare finds what each of their calls has made, whatever became
of its answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clocks import StillClock, look_while_due, time_passes
from jackfield.connector.evidence import MARKER_TEXT
from jackfield.connector.proofs import When
from jackfield.kernel.pointers import names
from jackfield.testing import Answer, Provider, Request
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from jackfield_store.runtime.runtime_pool import RuntimePool
from settling_home import settling_home

_TREE = Path(__file__).parents[3] / "connectors"
_PAGES = {
    "github": "https://github.com/octocat/Hello-World/issues/4711",
    "stripe": "https://dashboard.stripe.com/search?query=4711",
}
"""Where people see the thing that a call has made."""
_TYPES = {"github": "accessToken", "slack": "botToken", "stripe": "secretKey"}
"""Connection types that name their server."""


def _rows() -> Iterator[Any]:
    """Yield each action of a connector made of JSON that declares evidence."""
    for file in sorted(_TREE.glob("*/jackfield_*/connector.json")):
        manifest = json.loads(file.read_text())
        for row in manifest["actions"]:
            if "evidence" in row and "http" in row:
                yield pytest.param(manifest["key"], row, id=f"{manifest['key']}-{row['key']}")


class _Account:
    """Provider that does what it is asked, once for equal requests, and hangs up; its lists show
    that from then on.
    """

    def __init__(
        self, row: Mapping[str, Any], inputs: Mapping[str, Any], *, effective: bool = True
    ) -> None:
        self.row, self.inputs, self.effective = row, inputs, effective
        self.made: list[dict[str, Any]] = []
        self.writes: list[Request] = []

    def __call__(self, _number: int, request: Request) -> Any:
        """Take a write and hang up; answer a list."""
        if request.method != "GET":
            self.writes.append(request)
            if self.effective and request.body not in [before.body for before in self.writes[:-1]]:
                self.made.append(
                    {
                        "id": 4711,
                        "html_url": _PAGES["github"],
                        **self._body(request),
                        **self._success(),
                    }
                )
            return "close"
        each = names(self.row["evidence"][0].get("each", ""))
        if not each:
            return Answer({"id": 4711, **(self.made[0] if self.made else {"metadata": {}})})
        items: Any = [{"id": 1, "body": "by somebody else", "metadata": {}}, *self.made]
        return Answer(items if each == ["items"] else {each[0]: items, "has_more": False})

    def _success(self) -> dict[str, Any]:
        """Return the members by which the thing of these inputs says that the action has
        succeeded.
        """
        rules = [When.from_json(rule) for rule in self.row["evidence"][0].get("when", ())]
        rule = next((rule for rule in rules if rule.counts(self.inputs)), When())
        return {
            at[1:]: values[0] if isinstance(values, list) else values
            for at, values in rule.took.items()
        }

    def _body(self, request: Request) -> dict[str, Any]:
        if self.row["http"]["body"]["encode"] == "json":
            return dict(json.loads(request.body))
        flat = dict(parse_qsl(request.body.decode()))
        metadata = {
            name[9:-1]: value for name, value in flat.items() if name.startswith("metadata[")
        }
        return {
            **{name: value for name, value in flat.items() if "[" not in name},
            "metadata": metadata,
        }


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home where evidence settles doubts."""
    with settling_home(tmp_path) as found:
        yield found


_ROWS = [*_rows()]
assert len(_ROWS) > 25, "connectors lie elsewhere"


@pytest.mark.parametrize(("connector", "row"), _ROWS)
@pytest.mark.parametrize("effective", [True, False], ids=["took", "lost"])
def test_a_lost_call_is_found_by_its_marker(
    environment: dict[str, str], connector: str, row: dict[str, Any], *, effective: bool
) -> None:
    """The example of each action, its answer lost: found if it took effect, in doubt if not; each
    write is one, and is marked.
    """
    inputs = {
        name: value
        for name, value in row["examples"][0]["invocation"]["inputs"].items()
        if name != "metadata"
    }
    clock, account = StillClock(), _Account(row, inputs, effective=effective)
    with Provider(account) as provider:
        pool = RuntimePool(environment, clock)
        try:
            runtime = pool.find("default")
            time_passes(0.0, clock, pool.storage.database)
            values = {"token": "sk_test_a-secret-of-the-account", "server": provider.url}
            runtime.connections.add("mine", f"{connector}/{_TYPES[connector]}", values, test=False)
            lost = runtime.invoke(
                {
                    "connector": connector,
                    "action": row["key"],
                    "connection": "mine",
                    "inputs": inputs,
                    "timeoutSeconds": 5,
                }
            )
            assert lost.status == "in_doubt", lost.error
            sent = {request.body for request in account.writes}
            assert len(sent) == 1  # a provider that knows keys compares the requests of one
            assert len(MARKER_TEXT.findall(sent.pop().decode())) == 1
            writes = len(account.writes)
            clock.advance(7.0)
            time_passes(0.0, clock, pool.storage.database)
            look_while_due(EvidenceLoop(pool))
            assert runtime.journal is not None
            entry = runtime.journal.find(lost.meta.invocation_id).to_json()
        finally:
            pool.close()
    found = [one["result"] for one in entry["looks"]]
    # what needs an input that the example lacks is not looked for
    nothing = ["nothing"] * len(row["evidence"])
    assert entry["status"] == ("succeeded" if effective else "in_doubt"), entry["looks"]
    assert found == ["matched"] if effective else found and found == nothing[: len(found)], entry[
        "looks"
    ]
    assert len(account.writes) == writes
    if effective and connector in _PAGES:
        assert entry["looks"][0]["link"] == _PAGES[connector], row["evidence"]
