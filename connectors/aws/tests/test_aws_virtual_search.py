"""Search over all of AWS: the action that most people mean comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from everyday_queries import EVERYDAY_QUERIES
from jackfield.callers.searching import found_actions
from jackfield.catalog import Catalog, of_workspace
from jackfield.catalog.index import ActionIndex
from moto_rig import EVERYTHING, offer


@pytest.fixture(name="index", scope="module")
def _index(tmp_path_factory: pytest.TempPathFactory) -> tuple[ActionIndex, Catalog]:
    whole = Catalog.installed(
        environment=offer(tmp_path_factory.mktemp("home"), {"default": EVERYTHING})
    )
    return ActionIndex(whole), of_workspace(whole, "default")


def test_an_everyday_query_finds_its_action_first(
    index: tuple[ActionIndex, Catalog], subtests: pytest.Subtests
) -> None:
    """Of 19,797 actions, the everyday one is the first result."""
    for line in EVERYDAY_QUERIES.strip().splitlines():
        with subtests.test(line=line):
            words, _, wanted = line.partition("=")
            found, _ = found_actions(*index, words, None, None, 0, 10)
            assert f"{found[0].connector.removeprefix('aws.')} {found[0].action}" in wanted.split(
                "|"
            )


def test_a_manifest_is_read_without_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listing, searching and the manifests themselves touch the index only: no model of botocore is
    loaded.
    """
    from jackfield_aws.virtual import models

    monkeypatch.setattr(models, "service_model", None)
    catalog = of_workspace(
        Catalog.installed(environment=offer(tmp_path, {"default": EVERYTHING})), "default"
    )
    assert len([entry for entry in catalog.entries() if entry.key.startswith("aws.")]) == 439
