"""A connector with many actions imports the module of an action when it is first used, and a fault
there costs that action alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from jackfield.catalog import Catalog, entry_points
from jackfield.connector import Connector, DeclarationError, Inputs, Output
from jackfield.kernel.errors import UnknownConnector
from plugboard import make_connector, plugged

CONNECTOR = """
from jackfield.connector import Connector
connector = Connector(
    "big", title="Big", version="1.0.0", modules={f"{__name__}.first": ("one",), f"{__name__}.second": ("two",)},
    trigger_modules={f"{__name__}.third": ("three",), f"{__name__}.fourth": ("four",)},
)
"""
TRIGGER = """
from jackfield.connector import Inputs, Output, Polled
from jackfield_big import connector
class Thing(Output):
    id: str
@connector.poll("KEY", event=Thing)
def poll(inputs: Inputs, client: str, since: object) -> Polled:
    \"\"\"Tell of things.\"\"\"
    return Polled([], {})
"""
ACTION = """
from jackfield.connector import Field, Inputs, Output
from jackfield_big import connector
class Text(Inputs):
    text: str = Field(description="A text.")
class Length(Output):
    length: int
@connector.action("KEY", effect="read")
def act(text: Text) -> Length:
    \"\"\"Measure a text.\"\"\"
    return Length(length=len(text.text))
"""


@pytest.fixture
def big(tmp_path: Path) -> Iterator[Path]:
    """A connector of two actions, each in a module of its own; its manifest is generated from
    both.
    """
    folder = tmp_path / "plugs"
    with plugged(folder):
        package = make_connector(folder, "big", CONNECTOR, {})
        for module, key in (("first", "one"), ("second", "two")):
            (package / f"{module}.py").write_text(ACTION.replace("KEY", key), encoding="utf-8")
        for module, key in (("third", "three"), ("fourth", "four")):
            (package / f"{module}.py").write_text(TRIGGER.replace("KEY", key), encoding="utf-8")
        from jackfield_big import connector  # type: ignore[import-not-found]

        (package / "connector.json").write_text(json.dumps(connector.describe()), encoding="utf-8")
        for name in [name for name in sys.modules if name.startswith("jackfield_big")]:
            del sys.modules[name]
        yield folder


def test_only_the_module_of_the_action_is_imported(big: Path) -> None:
    """Loading a connector imports no action; loading it for an action imports that action's module;
    the manifest lists all.
    """
    catalog = Catalog.installed(entry_points([str(big)]))
    assert list(catalog.find("big").actions) == ["one", "two"]
    connector = catalog.load("big")
    assert not {"jackfield_big.first", "jackfield_big.second"} & sys.modules.keys()
    assert catalog.load("big", "one") is connector
    assert "jackfield_big.first" in sys.modules
    assert "jackfield_big.second" not in sys.modules
    assert ("two" in connector.actions, list(connector.actions), len(connector.actions)) == (
        True,
        ["one", "two"],
        2,
    )
    assert "jackfield_big.second" not in sys.modules
    assert catalog.differs("big") is None
    assert "jackfield_big.second" in sys.modules


def test_the_order_in_which_triggers_are_used_makes_no_difference(big: Path) -> None:
    """The last module's trigger is imported first: the connector is the one that its manifest
    describes, in each catalog made then.
    """
    connector = Catalog.installed(entry_points([str(big)])).load("big")
    assert [connector.triggers[key].key for key in ("four", "three")] == ["four", "three"]
    again = Catalog.installed(entry_points([str(big)]))
    assert (again.load("big", "one") is connector, list(again.find("big").triggers)) == (
        True,
        ["three", "four"],
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise OSError('no such library')", "fails on import: OSError: no such library"),
        ("", "declares no action 'two'"),
        (
            ACTION.replace("KEY", "two").replace('"read"', '"write"'),
            "differs from its manifest in actions two effect",
        ),
    ],
    ids=["raises", "empty", "differs"],
)
def test_a_fault_in_a_module_refuses_its_action_alone(big: Path, source: str, words: str) -> None:
    """The other actions of the connector stay usable, and a check of the whole connector reports
    the fault.
    """
    (big / "jackfield_big" / "second.py").write_text(
        source + "\n# longer, so that no cached bytecode is taken\n", encoding="utf-8"
    )
    catalog = Catalog.installed(entry_points([str(big)]))
    with pytest.raises(UnknownConnector) as caught:
        catalog.load("big", "two")
    assert words in caught.value.message
    assert catalog.load("big", "one").actions["one"].key == "one"
    assert [manifest.key for manifest in catalog.manifests()] == ["big"]
    assert catalog.look("big", load=True)[0].error is not None


def _declare(connector: Connector, key: str, module: str) -> None:
    class Nothing(Inputs):
        """Nothing."""

    class Done(Output):
        """Done."""

    def act(_nothing: Nothing) -> Done:
        return Done()

    act.__module__, act.__annotations__ = module, {"_nothing": Nothing, "return": Done}
    connector.action(key)(act)


def test_an_action_outside_its_module_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An action that another module declares than 'modules' says, or that 'modules' does not list,
    is a declaration error.
    """
    monkeypatch.setitem(sys.modules, "listed", ModuleType("listed"))
    connector = Connector("big", title="Big", version="1.0.0", modules={"listed": ("one",)})
    with pytest.raises(DeclarationError, match="does not list it under 'elsewhere'"):
        _declare(connector, "one", "elsewhere")
    with pytest.raises(DeclarationError, match="does not list it under 'listed'"):
        _declare(connector, "two", "listed")
    with pytest.raises(DeclarationError, match="declares no action 'one'"):
        connector.actions["one"]
    with pytest.raises(DeclarationError, match="listed twice"):
        Connector("big", title="Big", version="1.0.0", modules={"a": ("one",), "b": ("one",)})
