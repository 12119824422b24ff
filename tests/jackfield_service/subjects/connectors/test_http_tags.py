"""Actions by tag over HTTP and MCP: the tag of an action is its ``group`` in the manifest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from http_stand import Client, Stand, standing
from mcp_talk import called, remote
from plugboard import make_connector, plugged


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a connector whose actions have tags."""
    folder = tmp_path_factory.mktemp("tags")
    rows = [
        {
            "key": f"{verb}{thing}",
            "title": f"{verb.title()} {thing}",
            "description": "It does.",
            "effect": "read",
            "group": thing,
        }
        for thing in ("Parcels", "Pay & Go")
        for verb in ("list", "get", "find")
    ]
    rows = [{**row, "key": row["key"].replace(" & ", "")} for row in rows]
    raw = {
        "manifestVersion": 1,
        "key": "tagged",
        "title": "Tagged",
        "version": "1",
        "description": "With tags.",
        "actions": rows,
    }
    make_connector(folder / "site", "tagged", "", raw)
    with plugged(folder / "site"), standing(folder) as found:
        yield found


def _keys(client: Client, query: str) -> list[str]:
    return [item["action"] for item in client.get(f"/v1/actions?{query}").json["items"]]


def test_actions_are_found_by_tag(stand: Stand) -> None:
    """``tag`` narrows lists and searches, and pages follow each other."""
    client = stand.client()
    assert _keys(client, "tag=Parcels") == ["findParcels", "getParcels", "listParcels"]
    # synonyms follow the word itself
    assert _keys(client, "tag=Pay+%26+Go&q=find") == ["findPayGo", "getPayGo", "listPayGo"]
    assert _keys(client, "tag=Pay+%26+Go&q=findpay") == ["findPayGo"]
    assert _keys(client, "tag=Parcels&connector=echo") == _keys(client, "tag=invoices") == []
    first = client.get("/v1/actions?tag=Parcels&limit=2").json
    assert _keys(client, f"tag=Parcels&limit=2&cursor={first['nextCursor']}") == ["listParcels"]
    assert client.get(f"/v1/actions?tag={'x' * 201}").status == 400


def test_a_model_finds_actions_by_tag(stand: Stand) -> None:
    """``search_actions`` has the filter, too."""
    server = remote(stand.port, stand.client("read").token)
    found = called(server, "search_actions", tag="Parcels").structured_content
    assert found is not None
    assert [row["action"] for row in found["items"]] == ["findParcels", "getParcels", "listParcels"]
    assert "/tag" in str(called(server, "search_actions", tag="").content)
