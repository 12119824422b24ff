"""All services of AWS are listed without making their actions, which are made one service at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield.catalog import Catalog
from jackfield.catalog.index import ActionIndex
from jackfield.catalog.of_workspace import of_workspace
from jackfield.surfaces.shared.searching import found_actions, listed_connectors
from jackfield_aws.virtual import manifests
from moto_rig import EVERYTHING, offer


def test_connectors_are_listed_without_making_their_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles, versions, the number of actions and connection types of all services are read from the index's first line."""
    monkeypatch.setattr(manifests, "ActionManifest", None)
    catalog = of_workspace(Catalog.installed(environment=offer(tmp_path, {"default": EVERYTHING})), "default")
    offered = [entry for entry in catalog.entries() if entry.key.startswith("aws.")]
    assert sum(len(entry.actions) for entry in offered) > 19_000
    assert {"aws.s3", "aws.sqs"} <= {manifest.key for manifest in catalog.with_type("aws/awsDefault")}


def test_the_kept_index_lists_and_finds_what_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process lists all connectors, and finds an action, from the file that the first one has written."""
    environment = offer(tmp_path, {"default": EVERYTHING})
    ActionIndex(Catalog.installed(environment=environment)).build()
    monkeypatch.setattr(manifests, "ActionManifest", None)
    whole = Catalog.installed(environment=environment)
    index, catalog = ActionIndex(whole), of_workspace(whole, "default")
    assert index.kept()
    assert [entry.key for entry in listed_connectors(index, catalog)] == list(catalog)
    found, _ = found_actions(index, catalog, "list buckets", None, None, 0, 3)
    assert (found[0].connector, found[0].action) == ("aws.s3", "listBuckets")


def test_a_part_of_a_service_has_its_actions_only(tmp_path: Path) -> None:
    """An offer of single actions makes a manifest of these, with its own JSON."""
    catalog = of_workspace(Catalog.installed(environment=offer(tmp_path, {"default": {"services": ["sqs.send*"]}})), "default")
    manifest = catalog.find("aws.sqs")
    assert [row["key"] for row in manifest.raw["actions"]] == list(manifest.actions) == ["sendMessage", "sendMessageBatch"]


def test_the_index_of_a_source_is_made_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory that a large index takes while it is made is not this process's."""
    monkeypatch.setattr(manifests, "ActionManifest", None)
    index = ActionIndex(Catalog.installed(environment=offer(tmp_path, {"default": EVERYTHING})))
    assert index.find("list buckets", limit=1)[0][0].connector == "aws.s3"
