"""Exchanges of calls under a policy: no answer of which it withholds something is kept, in a body
or in a header field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_rig import TOKEN, Acme
from inmemory import installed
from jackfield.connector import Connector, Inputs, Output
from jackfield.testing import Answer, Provider
from jackfield_http import HttpClient
from jackfield_store.journal.exchanges import exchanges_of
from jackfield_store.runtime import Jackfield
from policy_stub import Policy, policy_service

NUMBER = "078-05-1120"
HEAD = {"X-Number": NUMBER, "X-Request-Id": NUMBER}


class Wanted(Inputs):
    """A record to make."""

    name: str = "ada"


class Made(Output):
    """A record."""

    number: str


@pytest.fixture(name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        yield found


@pytest.mark.parametrize("status", [200, 422], ids=str)
@pytest.mark.parametrize(
    ("verdict", "is_open"),
    [
        ({"allow": True}, True),
        ({"allow": False}, False),
        ({"allow": True, "withhold": ["/elsewhere"]}, False),
        (None, False),
    ],
    ids=["allowed", "denied", "elsewhere", "undecided"],
)
def test_an_answer_is_kept_only_if_nothing_of_it_is_withheld(
    tmp_path: Path, policy: Policy, status: int, verdict: Any, *, is_open: bool
) -> None:
    """Its caller may have moved a member: where the policy withholds any, it has not judged the
    whole answer.
    """
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Acme])

    @connector.action("make", effect="write")
    def make(wanted: Wanted, api: HttpClient) -> Made:
        """Make a record."""
        return Made(number=api.post("/records", json={"name": wanted.name}).json("/number"))

    policy.decide = lambda question: verdict if question["hook"] == "output" else {"allow": True}
    script = [Answer({"number": NUMBER, "message": f"not {NUMBER}"}, status, HEAD)]
    with Provider(script) as provider, installed(tmp_path, connector) as catalog:
        shop = {"type": "acme/acmeToken", "values": {"server": provider.url, "token": TOKEN}}
        url = f"sqlite:///{tmp_path}/journal.db"
        known = [{"connections": {"shop": shop}}]
        with Jackfield(
            catalog=catalog, database_url=url, connections=known, environment=policy.environment
        ) as jackfield:
            found = jackfield.invoke(
                {
                    "connector": "acme",
                    "action": "make",
                    "connection": "shop",
                    "inputs": {},
                    "trace": True,
                }
            )
            journal = jackfield.journal
            assert journal is not None
            kept = exchanges_of(journal, found.meta.invocation_id)
            seen = json.dumps(
                [
                    kept,
                    found.to_json()
                    if verdict != {"allow": True, "withhold": ["/elsewhere"]}
                    else None,
                ]
            )
            seen += (
                json.dumps(journal.find(found.meta.invocation_id).to_json())
                if verdict in ({"allow": False}, None)
                else ""
            )
    assert kept is not None
    assert (NUMBER in json.dumps(kept), "ada" in json.dumps(kept["exchanges"][0]["request"])) == (
        is_open,
        True,
    )
    assert (NUMBER in seen) is is_open
