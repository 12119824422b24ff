"""Gates: features of calls are parts that can be left out, and one more takes a module and a place
in the order.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.house.parsed import nodes
from tests.house.test_house_floors import RUNTIME

from jackfield.call.call_records import Checked, Found
from jackfield.call.gate import RECORDED, Gate, Passing
from jackfield.call.plan import Plan
from jackfield.call.points import POINTS
from jackfield.call.reached import Ended, Terms
from jackfield.gates.policies import Policies
from jackfield.kernel.errors import NotAllowed
from jackfield_store.gates.order import ordered
from plugboard import make_echo
from scripted import Panel, Script, runtime, scripted

_ORDER = (
    "Limits",
    "Judging",
    "Keys",
    "Approvals",
    "Guards",
    "Twins",
    "Evidence",
    "Jobs",
    "Parts",
    "Quotas",
    "Paces",
)
_WHOLE: dict[str, Any] = {"idempotencyKey": "k", "maxBytes": 100_000}


@contextmanager
def over(folder: Path, database: str, script: Script) -> Iterator[Panel]:
    """A runtime over a database, or over none."""
    url = "none" if database == "none" else f"sqlite:///{folder / 'j.db'}"
    with runtime(folder / "home", scripted(script), database_url=url) as board:
        yield board


def let(board: Panel, gates: Any) -> None:
    """Let calls pass these gates."""
    object.__setattr__(board.jackfield.pipeline, "gates", tuple(gates))
    board.jackfield.pipeline.plans._begin_anew()


@pytest.mark.parametrize(
    "folder",
    [
        "jackfield/call",
        "jackfield_store/jackfield_store/recording",
        "jackfield_store/jackfield_store/journal",
    ],
)
def test_stages_and_rows_know_no_gate(folder: str) -> None:
    """Who reads the page, the row or the journal meets no feature's gate, not for types either."""
    found = {
        (path.name, name)
        for path in (RUNTIME / folder).rglob("*.py")
        for node in nodes(path)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [one.name for one in getattr(node, "names", [])]
        )
        if isinstance(node, ast.Import | ast.ImportFrom) and ".gates" in name
    }
    assert found == set()


def test_one_order_serves_all_points(tmp_path: Path) -> None:
    """It is what the runtime has; each gate acts at some point, and each point is some gate's."""
    with over(tmp_path, "sqlite", Script()) as board:
        gates = board.jackfield.pipeline.gates
        assert [type(gate).__name__ for gate in gates] == list(_ORDER)
    acting = {
        name
        for gate in gates
        for name in POINTS
        if getattr(gate.part, name) is not getattr(Passing, name)
    }
    assert acting == set(POINTS)
    assert all(
        any(getattr(gate.part, name) is not getattr(Passing, name) for name in POINTS)
        for gate in gates
    )


@pytest.mark.parametrize("left_out", [*_ORDER, "all"])
def test_calls_do_without_any_gate(tmp_path: Path, left_out: str) -> None:
    """Without one feature, or all, calls are made, fail and are rehearsed as ever, and are
    recorded.
    """
    with over(tmp_path, "sqlite", Script("done", KeyError("no"))) as board:
        let(
            board,
            [
                gate
                for gate in board.jackfield.pipeline.gates
                if left_out not in ("all", type(gate).__name__)
            ],
        )
        assert board.ask(**_WHOLE).output == {"Text": "done"}
        assert board.ask(dryRun=True).status == "succeeded"
        assert board.ask().status == "in_doubt"
        assert board.jackfield.journal is not None
        statuses = [entry.status for entry in board.jackfield.journal.entries()[0]]
        assert sorted(statuses) == ["in_doubt", "succeeded", "succeeded"]


_MODULES = [
    f"{package}.gates.{path.stem}"
    for package, folder in (
        ("jackfield", "jackfield/gates"),
        ("jackfield_store", "jackfield_store/jackfield_store/gates"),
    )
    for path in sorted((RUNTIME / folder).glob("*.py"))
    if path.stem not in ("__init__", "order", "policies", "unrecorded")
]
"""Modules of gates that have nothing but a gate."""
_WITHOUT = """
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from jackfield.call import invoke
from jackfield.call.gate import Gate, Passing

DELETED, HOME = sys.argv[1], Path(sys.argv[2])
assert not [name for name in sys.modules if ".gates." in name], "a stage has imported a gate"


class Deleted:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name == DELETED else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        class Nothing(Gate):
            part = Passing
            __init__ = lambda self, *given, **named: None
            applies = lambda self, plan, terms, shape: False

        vars(module)[module.__name__.rpartition(".")[2].capitalize()] = Nothing


sys.meta_path.insert(0, Deleted())
from jackfield import Jackfield
from jackfield_store.runtime import Jackfield as Stored

OVER = {"connector": "echo", "connection": {"type": "echo/token", "values": {"token": "t"}}, "inputs": {"text": "hello"}}
for made, url in ((Jackfield, "none"), (Stored, f"sqlite:///{HOME / 'j.db'}")):
    with made(connections=[], database_url=url) as jackfield:
        for more in ({"action": "say"}, {"action": "post"}, {"action": "say", "dryRun": True}):
            print(jackfield.invoke({**OVER, **more}).status)
assert DELETED in sys.modules, "no order has the gate"
"""


@pytest.mark.parametrize("module", _MODULES)
def test_a_deleted_gate_is_missed_by_its_place_in_the_order_alone(
    tmp_path: Path, module: str
) -> None:
    """With the module of any one gate deleted the stages are imported, and calls are made, with a
    journal and without. Its place in the order is taken by a gate that does nothing; who used more
    of the module would fail.
    """
    paths = os.pathsep.join([*make_echo(tmp_path / "plugs"), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "JACKFIELD_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", _WITHOUT, module, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.returncode) == (["succeeded"] * 6, 0), done.stderr


def test_a_call_without_features_has_no_part(tmp_path: Path) -> None:
    """A plain call passes no gate."""
    with over(tmp_path, "none", Script("done")) as board:
        made: list[Any] = []
        let(board, [_Counted(made, gate) for gate in board.jackfield.pipeline.gates])
        assert board.ask().status == "succeeded"
        assert made == []
        assert board.ask(maxBytes=1000).status == "succeeded"
        assert [type(part).__module__ for part in made] == ["jackfield.gates.parts"]


class _Counted(Gate):
    """A gate whose parts are kept."""

    def __init__(self, made: list[Any], gate: Gate) -> None:
        self._made, self._gate, self.part = made, gate, gate.part  # type: ignore[misc]

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply where the gate does."""
        return self._gate.applies(plan, terms, shape)

    def of(self, found: Found) -> Passing:
        """Keep its part."""
        part = self._gate.of(found)
        self._made.append(part)
        return part


class _Sunday(Passing):
    __slots__ = ()
    told: ClassVar[list[str]] = []

    async def check(self, checked: Checked) -> None:
        """Refuse it on Sundays."""
        if checked.found.plan.action.rule_effect != "read":
            raise NotAllowed("not allowed: today is Sunday")

    async def output(self, ended: Ended) -> Ended:
        """Note how it has ended."""
        self.told.append(ended.result.status)
        return ended


class Sundays(Gate):
    """Refuses recorded writes on Sundays."""

    part = _Sunday

    def applies(self, plan: Plan, terms: Terms, shape: int) -> bool:
        """Apply to recorded calls."""
        return bool(shape & RECORDED)


def test_one_more_feature_is_one_more_gate(tmp_path: Path) -> None:
    """It refuses before anything is opened, dry runs, too; the refusal is recorded."""
    _Sunday.told.clear()
    script = Script("done")
    with over(tmp_path, "sqlite", script) as board:
        let(board, [*board.jackfield.pipeline.gates, Sundays()])
        results = [board.ask(), board.ask(dryRun=True)]
        assert [result.error.code for result in results if result.error is not None] == [
            "not_allowed"
        ] * 2
        assert board.jackfield.journal is not None
        assert [entry.error_code for entry in board.jackfield.journal.entries()[0]] == [
            "not_allowed"
        ] * 2
    assert (script.tries, _Sunday.told) == (0, ["failed", "failed"])


def test_a_misspelt_point_is_refused() -> None:
    """It would never be asked."""
    with pytest.raises(
        TypeError, match="'befor_begin' is no point of a call; known are admit, check"
    ):
        type("Odd", (Passing,), {"befor_begin": lambda _self: None})
    assert (
        tuple(
            name
            for name in vars(Passing)
            if not name.startswith("_") and callable(getattr(Passing, name))
        )
        == POINTS
    )


def test_the_order_is_data() -> None:
    """Whoever reads it needs no runtime."""
    policies = Policies(_NoPlugins(), None, None)  # type: ignore[arg-type]
    assert [type(gate).__name__ for gate in ordered(policies, rides=False)] == list(_ORDER)


class _NoPlugins:
    def has(self, _hook: str) -> bool:
        """Return False: there are none."""
        return False
