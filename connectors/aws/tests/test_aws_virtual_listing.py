"""All services of AWS are listed without making their actions, which are made one service at a
time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from jackfield.callers.searching import found_actions, listed_connectors
from jackfield.catalog import Catalog, of_workspace
from jackfield.catalog.index import ActionIndex
from jackfield_aws.virtual import manifests
from jackfield_aws.virtual.index import Index
from jackfield_aws.virtual.ordering import MOST_USED
from jackfield_aws.virtual.source import AwsSource
from moto_rig import EVERYTHING, offer


def test_connectors_are_listed_without_making_their_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Titles, versions, the number of actions and connection types of all services are read from
    the index's first line.
    """
    monkeypatch.setattr(manifests, "ActionManifest", None)
    catalog = of_workspace(
        Catalog.installed(environment=offer(tmp_path, {"default": EVERYTHING})), "default"
    )
    offered = [entry for entry in catalog.entries() if entry.key.startswith("aws.")]
    assert sum(len(entry.actions) for entry in offered) > 19_000
    assert {"aws.s3", "aws.sqs"} <= {
        manifest.key for manifest in catalog.with_type("aws/awsDefault")
    }


def test_the_index_of_a_source_is_made_in_a_process_of_its_own_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory that a large index takes while it is made is not this process's; another one lists
    all connectors, and finds an action, from the file that was written.
    """
    environment = offer(tmp_path, {"default": EVERYTHING})
    monkeypatch.setattr(manifests, "ActionManifest", None)
    index = ActionIndex(Catalog.installed(environment=environment))
    assert index.find("list buckets", limit=1)[0][0].connector == "aws.s3"
    whole = Catalog.installed(environment=environment)
    index, catalog = ActionIndex(whole), of_workspace(whole, "default")
    assert index.kept()
    assert [entry.key for entry in listed_connectors(index, catalog)] == list(catalog)
    found, _ = found_actions(index, catalog, "list buckets", None, None, 0, 3)
    assert (found[0].connector, found[0].action) == ("aws.s3", "listBuckets")


def test_a_part_of_a_service_has_its_actions_only(tmp_path: Path) -> None:
    """An offer of single actions makes a manifest of these, with its own JSON."""
    catalog = of_workspace(
        Catalog.installed(environment=offer(tmp_path, {"default": {"services": ["sqs.send*"]}})),
        "default",
    )
    manifest = catalog.find("aws.sqs")
    assert (
        [row["key"] for row in manifest.raw["actions"]]
        == list(manifest.actions)
        == ["sendMessage", "sendMessageBatch"]
    )


def test_operations_that_people_use_come_first_and_each_has_its_resource() -> None:
    """RunInstances is first of 830 operations of EC2, not AcceptAddressTransfer; groups are
    resources, and those of few operations none.
    """
    ec2 = AwsSource().manifest("aws.ec2")
    assert list(ec2.actions)[:2] == ["runInstances", "describeInstances"]
    rows = {row.key: row for row in ec2.rows()}
    assert {
        rows[key].group for key in ("runInstances", "describeInstances", "terminateInstances")
    } == {"Instance"}
    sizes = Counter(row.group for row in rows.values() if row.group)
    assert (sizes["Transit Gateway"] > 20, min(sizes.values()) >= 3, len(sizes) < 80) == (
        True,
        True,
        True,
    )
    assert str(ec2.raw["documentationUrl"]).endswith("/ec2.html")
    assert not ec2.description.startswith(ec2.title)


def test_every_operation_that_comes_first_exists() -> None:
    """An operation that AWS renames or drops would lose its place silently."""
    index = Index()
    listed = {service: {row[0] for row in index.rows(service)} for service in MOST_USED}
    assert [
        (service, name)
        for service, names in MOST_USED.items()
        for name in names.split()
        if name not in listed[service]
    ] == []
