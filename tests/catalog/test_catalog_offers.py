"""Catalog sources: what the operator offers a workspace is found, listed and loaded; everything else appears not to exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.access import Authorizer, SeenCatalog
from jackfield.access.rules import Rules
from jackfield.catalog import Catalog
from jackfield.catalog.index import ActionIndex
from jackfield.catalog.of_workspace import of_workspace
from jackfield.errors import Unavailable, UnknownConnector
from jackfield.surfaces.shared.searching import found_actions
from moto_rig import offer


def _catalog(home: Path, workspace: str = "default", **offers: Any) -> Catalog:
    return of_workspace(Catalog.installed(environment=offer(home, offers)), workspace)


def test_nothing_is_offered_by_default(tmp_path: Path) -> None:
    """Without the operator's file no virtual connector exists, and its name is unknown."""
    catalog = of_workspace(Catalog.installed(environment={"JACKFIELD_HOME": str(tmp_path)}), "default")
    assert not any("." in key for key in catalog)
    with pytest.raises(UnknownConnector):
        catalog.find("aws.s3")


def test_a_workspace_sees_only_what_it_is_offered(tmp_path: Path) -> None:
    """Services, single actions and effects limit an offer; another workspace sees nothing of it."""
    offers: dict[str, Any] = {"default": {"services": ["s3", "sqs.send*"], "effects": ["read", "write"]}}
    catalog = _catalog(tmp_path, **offers)
    assert [key for key in catalog if key.startswith("aws.")] == ["aws.s3", "aws.sqs"]
    assert sorted(catalog.find("aws.sqs").actions) == ["sendMessage", "sendMessageBatch"]
    assert "getObject" in catalog.find("aws.s3").actions
    assert "putObject" not in catalog.find("aws.s3").actions
    assert catalog.has("aws.sqs", "sendMessage")
    assert not catalog.has("aws.sqs", "purgeQueue")
    with pytest.raises(UnknownConnector):
        catalog.find("aws.ec2")
    assert not any("." in key for key in _catalog(tmp_path, "other", **offers))


def test_the_other_workspaces_share_the_offer_of_the_star(tmp_path: Path) -> None:
    """The workspace ``*`` stands for all that the file does not name."""
    offers: dict[str, Any] = {"*": {"services": ["sts"]}, "bare": {"services": []}}
    assert "aws.sts" in _catalog(tmp_path, "any", **offers)
    assert "aws.sts" not in _catalog(tmp_path, "bare", **offers)


def test_over_mcp_only_what_says_so_is_offered(tmp_path: Path) -> None:
    """An offer holds over MCP only if it says so."""
    catalog = _catalog(tmp_path, default={"services": ["sts"]})
    assert "aws.sts" in catalog
    assert "aws.sts" not in catalog.over_mcp()
    assert "aws.sts" in _catalog(tmp_path, default={"services": ["sts"], "mcp": True}).over_mcp()


def test_search_finds_what_is_offered_and_nothing_else(tmp_path: Path) -> None:
    """The index holds all offers; each workspace finds its own, in the order of their ranks, page by page."""
    offers: dict[str, Any] = {"default": {"services": ["*"]}, "small": {"services": ["sqs"]}}
    whole = Catalog.installed(environment=offer(tmp_path, offers))
    index = ActionIndex(whole)
    found, _ = found_actions(index, of_workspace(whole, "default"), "list buckets", None, None, 0, 5)
    assert (found[0].connector, found[0].action) == ("aws.s3", "listBuckets")
    small = of_workspace(whole, "small")
    first, after = found_actions(index, small, "", "aws.sqs", None, 0, 10)
    assert after == 10
    assert {row.connector for row in first} == {"aws.sqs"}
    rest, end = found_actions(index, small, "", "aws.sqs", None, after, 50)
    assert end is None
    assert len({row.action for row in [*first, *rest]}) == len(small.find("aws.sqs").actions)
    plain, _ = found_actions(index, of_workspace(whole, "bare"), "list buckets", None, None, 0, 5)
    assert not any("." in row.connector for row in plain)


@pytest.mark.parametrize("text", ["[]", "{", '{"default": {"azure": {}}}', '{"default": {"aws": {"services": "s3"}}}'])
def test_a_broken_file_of_offers_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    """A file that cannot be read, or names an unknown source or member, stops the start with its path."""
    (tmp_path / "offers.json").write_text(text)
    with pytest.raises(Unavailable, match=r"offers\.json"):
        Catalog.installed(environment={"JACKFIELD_HOME": str(tmp_path)})


def test_rules_bind_virtual_actions(tmp_path: Path) -> None:
    """Patterns of rules take the dot of a virtual connector's key, and hide what they forbid."""
    catalog = _catalog(tmp_path, default={"services": ["s3"]})
    seen = SeenCatalog(catalog, Authorizer(Rules.checked(["aws.s3/listBuckets"]), None, None))
    assert seen.has("aws.s3", "listBuckets")
    assert not seen.has("aws.s3", "putObject")
    assert [item["key"] for item in seen.find("aws.s3").raw["actions"]] == ["listBuckets"]


def test_a_virtual_action_is_described_in_full_one_at_a_time(tmp_path: Path) -> None:
    """The manifest lists actions without schemas; one action has its schemas and permissions."""
    manifest = _catalog(tmp_path, default={"services": ["s3"]}).find("aws.s3")
    assert "inputs" not in manifest.raw["actions"][0]
    about = manifest.action_json(manifest.actions["listObjectsV2"])
    assert about["inputs"]["required"] == ["awsRegion", "Bucket"]
    assert about["permissions"] == {"aws:iam": ["s3:ListBucket"]}
