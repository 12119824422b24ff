"""Catalog sources: what the operator offers a workspace is found, listed and loaded; everything
else appears not to exist.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jackfield.callers import Authorizer, SeenCatalog
from jackfield.callers.rules import Rules
from jackfield.callers.searching import found_actions
from jackfield.catalog import Catalog, of_workspace
from jackfield.catalog.index import ActionIndex
from jackfield.kernel.errors import Unavailable, UnknownConnector
from jackfield.kernel.hints import NextStep
from moto_rig import offer

if TYPE_CHECKING:
    from jackfield.catalog.offering import Audience


pytestmark = pytest.mark.tree_only


def _catalog(home: Path, workspace: str = "default", **offers: Any) -> Catalog:
    return of_workspace(Catalog.installed(environment=offer(home, offers)), workspace)


@pytest.mark.parametrize(
    ("workspace", "audience"),
    [("default", "tenant"), ("default", "mcp"), ("acme", "operator"), ("acme", "tenant")],
)
def test_nothing_is_offered_to_tenants_and_over_mcp_by_default(
    tmp_path: Path, workspace: str, audience: Audience
) -> None:
    """Without the operator's file no virtual connector exists for them, and what exists is refused
    like what does not.
    """
    whole = Catalog.installed(environment={"JACKFIELD_HOME": str(tmp_path)})
    catalog = of_workspace(whole, workspace).for_audience(audience)
    assert not any("." in key for key in catalog)
    texts = set()
    for key in ("aws.s3", "aws.nope"):
        with pytest.raises(UnknownConnector) as refused:
            catalog.find(key)
        texts.add((refused.value.message.replace(key, "KEY"), refused.value.hint))
    assert audience == "operator" or texts == {
        ("no connector 'KEY' is installed", NextStep("connectors"))
    }


def test_the_operator_is_offered_all_of_aws_without_credentials(tmp_path: Path) -> None:
    """Without a file the operator's own surfaces see each service, and of each the actions that
    hand out no credentials.
    """
    catalog = of_workspace(
        Catalog.installed(environment={"JACKFIELD_HOME": str(tmp_path)}), "default"
    )
    assert sum(key.startswith("aws.") for key in catalog) > 400
    assert "listBuckets" in catalog.find("aws.s3").actions
    assert "getCallerIdentity" in catalog.find("aws.sts").actions
    assert len(catalog.find("aws.sts").actions) == len([*catalog.find("aws.sts").rows()])
    for key, action in (
        ("aws.sts", "getSessionToken"),
        ("aws.secretsmanager", "getSecretValue"),
        ("aws.s3", "createSession"),
    ):
        assert action not in catalog.find(key).actions
        assert not catalog.has(key, action, "read")
        refused = catalog.unoffered_action(key, action)
        assert refused is not None
        assert refused.message == f"'{key}.{action}' exists but is not offered here"
        assert refused.hint == (
            "The operator can offer it with the command line: 'offers add "
            f"{key}.{action} --operator'."
        )


def test_a_file_that_names_the_workspace_replaces_what_the_operator_is_offered(
    tmp_path: Path,
) -> None:
    """Whoever has limited the workspace ``default`` finds it limited; what exists says how to offer
    it, and a typing error what is near.
    """
    catalog = _catalog(tmp_path, default={"services": ["sqs"]})
    assert [key for key in catalog if key.startswith("aws.")] == ["aws.sqs"]
    with pytest.raises(UnknownConnector) as refused:
        catalog.find("aws.s3")
    assert (refused.value.message, str(refused.value.hint)) == (
        "'aws.s3' exists but is not offered here",
        "The operator can offer it with the command line: 'offers add aws.s3'.",
    )
    with pytest.raises(
        UnknownConnector, match=r"AWS has no service 's33'; did you mean 'aws\.s3'\?"
    ):
        catalog.find("aws.s33")


def test_a_running_process_reads_changed_offers(tmp_path: Path) -> None:
    """A catalog that lives sees what is offered and withdrawn; a file that cannot be used changes
    nothing.
    """
    environment = offer(tmp_path, {"acme": {"services": ["sqs"]}})
    catalog = of_workspace(Catalog.installed(environment=environment), "acme").for_audience(
        "tenant"
    )
    assert "aws.sqs" in catalog
    offer(tmp_path, {"acme": {"services": ["sts", "s3.get*"]}})
    catalog.refresh()
    assert [key for key in catalog if key.startswith("aws.")] == ["aws.s3", "aws.sts"]
    (tmp_path / "offers.json").write_text("{")
    catalog.refresh()
    assert "aws.sts" in catalog
    (tmp_path / "offers.json").unlink()
    catalog.refresh()
    assert not any("." in key for key in catalog)


def test_a_workspace_sees_only_what_it_is_offered(tmp_path: Path) -> None:
    """Services, single actions and effects limit an offer; another workspace sees nothing of it."""
    offers: dict[str, Any] = {
        "default": {"services": ["s3", "sqs.send*"], "effects": ["read", "write"]}
    }
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
    changes = (
        _catalog(tmp_path, default={"services": ["s3"], "effects": ["change"]})
        .find("aws.s3")
        .actions
    )
    assert ("getObject" in changes, "putObject" in changes) == (False, True)


def test_the_other_workspaces_share_the_offer_of_the_star(tmp_path: Path) -> None:
    """The workspace ``*`` stands for all that the file does not name."""
    offers: dict[str, Any] = {"*": {"services": ["sts"]}, "bare": {"services": []}}
    assert "aws.sts" in _catalog(tmp_path, "any", **offers)
    assert "aws.sts" not in _catalog(tmp_path, "bare", **offers)


def test_over_mcp_only_what_says_so_is_offered(tmp_path: Path) -> None:
    """An offer holds over MCP only if it says so."""
    catalog = _catalog(tmp_path, default={"services": ["sts"]})
    assert "aws.sts" in catalog
    assert "aws.sts" not in catalog.for_audience("mcp")
    assert "aws.sts" in _catalog(tmp_path, default={"services": ["sts"], "mcp": True}).for_audience(
        "mcp"
    )


def test_search_finds_what_is_offered_and_nothing_else(tmp_path: Path) -> None:
    """The index holds all offers; each workspace finds its own, in the order of their ranks, page
    by page.
    """
    offers: dict[str, Any] = {"default": {"services": ["*"]}, "small": {"services": ["sqs"]}}
    whole = Catalog.installed(environment=offer(tmp_path, offers))
    index = ActionIndex(whole)
    found, _ = found_actions(
        index, of_workspace(whole, "default"), "list buckets", None, None, 0, 5
    )
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


def test_what_others_are_offered_does_not_empty_a_search(tmp_path: Path) -> None:
    """An offer to the operator alone made MCP's search say that no action matches; it finds what it
    found before the offer.
    """
    found = []
    for offers in (
        {"default": {"services": ["sqs"], "mcp": False}},
        {"default": {"services": ["s3"], "mcp": False}},
    ):
        whole = Catalog.installed(environment=offer(tmp_path, offers))
        rows, _ = found_actions(
            ActionIndex(whole),
            of_workspace(whole, "default").for_audience("mcp"),
            "list buckets",
            None,
            None,
            0,
            50,
        )
        assert rows
        assert {("." in row.connector, row.exact) for row in rows} == {(False, False)}
        found.append({(row.connector, row.action) for row in rows})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"default": {"azure": {}}}', '{"default": {"aws": {"services": "s3"}}}']
)
def test_a_broken_file_of_offers_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    """A file that cannot be read, or names an unknown source or member, stops the start with its
    path.
    """
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
    about = manifest.actions["listObjectsV2"].content.row
    assert about["inputs"]["required"] == ["awsRegion", "Bucket"]
    assert about["permissions"] == {"aws:iam": ["s3:ListBucket"]}
