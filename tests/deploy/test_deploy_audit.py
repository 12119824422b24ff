"""What ``make audit`` writes and finds: the bill of materials, licences, hashes, and advisories
that fit.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.tree_only
CI = Path(__file__).parents[2] / ".ci"


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module."""
    monkeypatch.syspath_prepend(str(CI))
    sys.modules.pop("audit", None)
    import audit

    return audit


def _record(
    *events: dict[str, str], name: str = "PyYAML", versions: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    return {
        "id": "OSV-1",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": name},
                "ranges": ranges,
                "versions": list(versions),
            }
        ],
        **more,
    }


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        (_record({"introduced": "0"}, {"fixed": "6.0.4"}), True),
        (_record({"introduced": "0"}, {"fixed": "6.0.3"}), False),
        (_record({"introduced": "6.1"}), False),
        (_record({"introduced": "5"}, {"last_affected": "6.0.3"}), True),
        (_record({"introduced": "5"}, {"last_affected": "6.0.2"}), False),
        (_record({"introduced": "0"}, {"fixed": "5"}, {"introduced": "6"}), True),
        (_record(versions=("6.0.3",)), True),
        (_record({"introduced": "0"}, {"fixed": "no version"}), True),
        (_record({"introduced": "0"}, name="another"), False),
    ],
)
def test_an_advisory_fits_a_version(audit: ModuleType, record: dict[str, Any], fits: bool) -> None:
    """Ranges and versions of OSV records are read as their schema says; one that cannot be read
    counts, so that somebody looks.
    """
    assert audit.affected([record], {"pyyaml": "6.0.3"}) == (
        [("OSV-1", "pyyaml", "6.0.3")] if fits else []
    )


def test_advisories_are_read_from_files_and_folders(audit: ModuleType, tmp_path: Path) -> None:
    """A file holds one record, a list, or ``vulns``; withdrawn ones do not count."""
    one = _record({"introduced": "0"})
    (tmp_path / "one.json").write_text(json.dumps(one))
    (tmp_path / "many.json").write_text(
        json.dumps([one, {**one, "withdrawn": "2026-01-01T00:00:00Z"}])
    )
    (tmp_path / "vulns.json").write_text(json.dumps({"vulns": [one]}))
    assert len(list(audit.advisories([tmp_path]))) == 3
    assert len(list(audit.advisories([tmp_path / "one.json"]))) == 1


def test_each_pin_has_a_hash(audit: ModuleType) -> None:
    """``constraints-hashed.txt`` has each version of ``constraints.txt``, with at least one
    digest.
    """
    assert audit.unlike_hashes() == []


def test_packages_for_hosts_are_audited(
    audit: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in ``hosts`` is in the bill of materials, with version and licence, and its wheel
    is built, too.
    """
    projects = {path.parent for path in CI.parent.glob("hosts/*/pyproject.toml")}
    assert {*audit.HOSTS} == projects
    found = {one["name"]: one for one in audit.bill(audit.shipped(["jackfield"]), {})["components"]}
    assert found["airflow-provider-jackfield"]["licenses"] == [{"license": {"name": "Apache-2.0"}}]
    assert found["airflow-provider-jackfield"]["version"] == found["jackfield"]["version"]
    commands: list[list[str]] = []
    monkeypatch.setattr(audit.subprocess, "run", lambda words, **_: commands.append(words))
    audit.built(tmp_path)
    assert {*map(str, projects)} <= {words[-1] for words in commands}


def test_the_bill_of_materials_names_all_that_is_shipped(audit: ModuleType) -> None:
    """What our distributions need with every extra is in it, with version, licence and hashes;
    tools of developers are not.
    """
    parts = audit.shipped(["jackfield", "jackfield-aws", "jackfield-http", "jackfield-market"])
    found = audit.bill(parts, audit.hashes())
    names = {one["name"] for one in found["components"]}
    assert {"jackfield", "pydantic", "jsonschema-rs", "botocore", "starlette", "tuf"} <= names
    assert not names & {"pytest", "moto", "mypy", "ruff"}
    for one in found["components"]:
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert one["licenses"], one["name"]
        ours = one["name"].startswith("jackfield") or one["name"] in audit.hosted()
        assert ours or one["externalReferences"][0]["hashes"], one["name"]
