"""Connectors in the data folder: several versions side by side, chosen by a specifier, each
importing from its own environment.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog, entry_points
from jackfield.catalog.index import ActionIndex
from jackfield.catalog.installations import InstallationFolder, index, read_receipts
from jackfield.kernel.errors import UnknownConnector
from plugboard import make_connector
from warm_child import forked

SOURCE = """
from jackfield.connector import Connector, Inputs, Output
import {needed}

class Nothing(Inputs):
    \"\"\"No input.\"\"\"

class Said(Output):
    \"\"\"The answer.\"\"\"
    number: int

connector = Connector("twin", title="Twin", version="{version}")

@connector.action("tell", effect="read")
def tell(nothing: Nothing) -> Said:
    \"\"\"Tell the number.\"\"\"
    return Said(number={needed}.NUMBER)
"""


@pytest.fixture(scope="module", autouse=True)
def forked_children() -> Iterator[None]:
    """Processes of connectors are forked: what they may do, and how they start, has tests of its
    own.
    """
    with forked():
        yield


def put(home: Path, version: str, needed: str = "needed_of_twin") -> Path:
    """Install a version of the connector ``twin``, with a module that it needs, as ``jackfield
    install`` does.
    """
    folder = home / "connectors" / "twin" / version
    site = folder / "site-packages"
    site.mkdir(parents=True)
    (site / f"{needed}.py").write_text(f"NUMBER = {version[0]}\n", encoding="utf-8")
    sys.path.insert(0, str(site))
    try:
        make_connector(site, "twin", SOURCE.format(needed=needed, version=version))
    finally:
        sys.path.remove(str(site))
        sys.modules.pop(needed, None)
    receipt = {
        "key": "twin",
        "version": version,
        "name": "jackfield-twin",
        "entryPoint": "jackfield_twin:connector",
        "paths": ["site-packages"],
    }
    (folder / "jackfield-receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    return folder


def write_index(home: Path, **pins: str) -> None:
    """Write the index of what is installed."""
    found = index(read_receipts(str(home / "connectors")), pins)
    (home / "connectors" / "installed.json").write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture
def clean() -> Iterator[None]:
    """Afterwards nothing is left on the path, or imported, that a test has installed."""
    paths, modules = sys.path[:], set(sys.modules)
    yield
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if name.startswith(("jackfield_twin", "needed_of_twin")):
            del sys.modules[name]


def call(jackfield: Jackfield, **members: Any) -> Any:
    """The result of an invocation."""
    return jackfield.invoke({"connector": "twin", "action": "tell", "inputs": {}, **members})


def test_an_empty_data_folder(home: Path) -> None:
    """Without an index nothing is installed there, and nothing is created."""
    assert InstallationFolder(str(home)).points() == []
    assert not (home / "connectors").exists()


def test_versions_side_by_side(home: Path, clean: None) -> None:
    """The highest final version is the default; a specifier chooses the highest that fits; the row
    names all versions.
    """
    for version in ("1.0.0", "1.10.0", "2.0.0rc1", "1.9.0"):
        put(home, version)
    write_index(home)
    catalog = Catalog.installed({})
    assert catalog.find("twin").version == "1.10.0"
    assert catalog.find("twin", "<1.10").version == "1.9.0"
    assert catalog.find("twin", ">=1").version == "1.10.0"
    assert catalog.find("twin", ">=2.0.0rc1").version == "2.0.0rc1"
    row = catalog.entries()[0].to_json()
    assert (row["version"], row["versions"]) == ("1.10.0", ["1.10.0", "1.9.0", "1.0.0", "2.0.0rc1"])
    with pytest.raises(
        UnknownConnector, match=re.escape("versions 1.10.0, 1.9.0, 1.0.0, 2.0.0rc1 are installed")
    ):
        catalog.find("twin", ">3")
    assert "jackfield_twin" not in sys.modules


def test_a_pinned_version(home: Path) -> None:
    """A pinned version is the default, whatever else is installed; a pin of a version that is gone
    has no effect.
    """
    put(home, "1.0.0")
    put(home, "2.0.0")
    write_index(home, twin="1.0.0")
    assert Catalog.installed({}).find("twin").version == "1.0.0"
    write_index(home, twin="0.5.0")
    assert Catalog.installed({}).find("twin").version == "2.0.0"


def test_an_installed_connector_is_invoked(home: Path, clean: None) -> None:
    """Its code is imported from its environment on the first call, with its dependency; the
    invocation chooses the version.
    """
    put(home, "1.0.0")
    put(home, "2.0.0")
    write_index(home)
    with Jackfield(connections=[], database_url="none") as jackfield:
        first = call(jackfield, connectorVersion="==1.*")
        second = call(jackfield)
    assert (first.output, first.meta.connector_version) == ({"number": 1}, "1.0.0")
    assert (second.output, second.meta.connector_version) == ({"number": 2}, "2.0.0")


def test_a_plain_catalog_does_not_run_it(home: Path) -> None:
    """A catalog without processes to isolate it in refuses an installed connector; nothing of it is
    imported here.
    """
    put(home, "1.0.0")
    write_index(home)
    with pytest.raises(UnknownConnector, match="runs in a process of its own"):
        Catalog.installed({}).load("twin")
    assert "jackfield_twin" not in sys.modules


def test_a_catalog_follows_the_data_folder(home: Path) -> None:
    """What is installed or removed while a process runs is found or gone after a look; search
    follows; what stays keeps its manifest.
    """
    put(home, "1.0.0")
    write_index(home)
    catalog = Catalog.installed({})
    search, first = ActionIndex(catalog), catalog.find("twin")
    assert [entry.version for entry in search.entries()] == ["1.0.0"]
    catalog.refresh()
    assert catalog.generation == 0
    put(home, "2.0.0")
    write_index(home)
    catalog.refresh()
    assert catalog.find("twin").version == "2.0.0"
    assert catalog.find("twin", "<2") is first
    assert [entry.version for entry in search.entries()] == ["2.0.0"]
    (home / "connectors" / "installed.json").unlink()
    catalog.refresh()
    assert (list(catalog), search.entries(), catalog.generation) == ([], [], 2)


def test_its_dependencies_do_not_extend_the_host(home: Path, clean: None) -> None:
    """Entry points in the environment of an installed connector are ignored, even if it is on the
    path.
    """
    folder = put(home, "1.0.0")
    write_index(home)
    before = entry_points()
    sys.path.append(str(folder / "site-packages"))
    assert {group: len(points) for group, points in entry_points().items()} == {
        group: len(points) for group, points in before.items()
    }
    assert list(Catalog.installed(entry_points([str(folder / "site-packages")]))) == ["twin"]


def test_a_package_of_the_host_with_its_name(home: Path, tmp_path: Path, clean: None) -> None:
    """A module of the host with the name of the package, or of a dependency, is not taken for
    it.
    """
    put(home, "1.0.0")
    write_index(home)
    other = tmp_path / "other"
    (other / "jackfield_twin").mkdir(parents=True)
    (other / "jackfield_twin" / "__init__.py").write_text("connector = None\n", encoding="utf-8")
    (other / "needed_of_twin.py").write_text("NUMBER = 7\n", encoding="utf-8")
    sys.path.insert(0, str(other))
    with Jackfield(connections=[], database_url="none") as jackfield:
        assert call(jackfield).output == {"number": 1}


def test_a_key_that_pip_has_installed_too(home: Path, tmp_path: Path) -> None:
    """A connector in the data folder and one of the same key installed by pip are both refused,
    with the ways to remove one.
    """
    put(home, "1.0.0")
    write_index(home)
    folder = tmp_path / "plugs"
    make_connector(folder, "twin", "", {"key": "twin"})
    catalog = Catalog.installed(entry_points([str(folder)]))
    with pytest.raises(
        UnknownConnector, match=re.escape("by jackfield-twin and jackfield-twin (data folder)")
    ) as caught:
        catalog.find("twin")
    assert "jackfield uninstall twin" in str(caught.value.hint)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"connectors": {"twin": {"versions": [{}]}}}', '{"connectors": 5}']
)
def test_a_damaged_index(home: Path, content: str) -> None:
    """The receipts are read in place of an index that is damaged; an unfinished installation is not
    seen.
    """
    put(home, "1.0.0")
    (home / "connectors" / "twin" / ".2.0.0.part").mkdir()
    (home / "connectors" / "twin" / "3.0.0").mkdir()
    (home / "connectors" / "installed.json").write_text(content, encoding="utf-8")
    assert [entry.to_json()["version"] for entry in Catalog.installed({}).entries()] == ["1.0.0"]
