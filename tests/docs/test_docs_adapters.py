"""The adapters of ``once``: the files of ``examples/adapters`` run here as their frameworks run
them, and their page has each of them.

FastAPI and Celery are real. Of the others there is as much as an adapter names, with the
framework's rule for what is tried again; ``make adapters`` runs the same files in the frameworks
themselves.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Generic, TypeVar

import pytest
from fastapi.testclient import TestClient

from doc_pages import ROOT
from jackfield import InvocationFailed, Jackfield
from jackfield.boundary import bound

ADAPTERS = ROOT / "examples" / "adapters"
PAGES = {
    "airflow": "airflow_task",
    "celery": "celery_task",
    "fastapi": "fastapi_endpoint",
    "fastmcp": "fastmcp_tool",
    "langgraph": "langgraph_node",
    "openai-agents": "openai_agents_tool",
    "prefect": "prefect_task",
    "pydantic-ai": "pydantic_ai_tool",
    "temporal": "temporal_activity",
}
PAGE = ROOT / "docs" / "adapters" / "index.md"
LONGEST, TRIES = 60, 3

T = TypeVar("T")
Run = Callable[[ModuleType, str], Any]
"""Runs an adapter for an order, as its framework does, and returns the charge."""


class Typed(Generic[T]):
    """A class that takes a type, and whatever it is made of."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named
        self.functions: list[Any] = []

    def tool(self, *_: Any, **__: Any) -> Callable[[Any], Any]:
        """Register a tool, whose decorator was given options or not."""
        if _:
            self.functions.append(_[0])
            return _[0]  # type: ignore[no-any-return]
        return self.tool

    def add_node(self, _name: str, function: Any, retry_policy: Any) -> None:
        """Register a node."""
        self.functions += [function, retry_policy]

    def add_edge(self, *_: Any) -> None:
        """Know nothing of edges."""


class ModelRetry(Exception):
    """Asks a model to call again."""


class ToolError(Exception):
    """Is told to a model."""


class AirflowFailException(Exception):
    """Fails a task without another try."""


class ApplicationError(Exception):
    """Fails an activity."""

    def __init__(self, message: str, *details: Any, type: str, non_retryable: bool) -> None:
        super().__init__(message, *details)
        self.type, self.non_retryable = type, non_retryable


def _optioned(**options: Any) -> Callable[[Any], Any]:
    return lambda function: SimpleNamespace(function=function, **options)


def _tried(call: Callable[[], Any], is_tried_again: Callable[[Exception], bool]) -> Any:
    """Call up to three times, as the framework's rule for errors says."""
    for number in range(TRIES):
        try:
            return call()
        except Exception as error:
            if number == TRIES - 1 or not is_tried_again(error):
                raise
    return None


def _langgraph(adapter: ModuleType, order: str) -> Any:
    node, policy = adapter.graph.functions
    here = SimpleNamespace(execution_info=SimpleNamespace(thread_id="t-1", task_id=order))
    return _tried(lambda: node({"order": order, "amount": 5}, here)["charge"], policy.retry_on)


def _pydantic_ai(adapter: ModuleType, order: str) -> Any:
    context = SimpleNamespace(deps=adapter.Deps(order))
    return _tried(
        lambda: adapter.agent.functions[0](context, 5), lambda error: isinstance(error, ModelRetry)
    )


def _openai_agents(adapter: ModuleType, order: str) -> Any:
    context, said = SimpleNamespace(context=adapter.About(order)), ""
    for _ in range(TRIES):
        try:
            return adapter.pay.function(context, 5)
        except Exception as error:  # noqa: BLE001 (what the SDK catches)
            said = adapter.pay.failure_error_function(context, error)
    raise AssertionError(said)


def _temporal(adapter: ModuleType, order: str) -> Any:
    sys.modules["temporalio"].activity.info = lambda: SimpleNamespace(
        workflow_run_id="r-1", activity_id=order
    )
    return _tried(
        lambda: adapter.pay(order, 5), lambda error: not getattr(error, "non_retryable", False)
    )


def _prefect(adapter: ModuleType, order: str) -> Any:
    task = sys.modules["prefect"].made[-1]

    def is_tried_again(error: Exception) -> bool:
        return bool(
            task.retry_condition_fn(
                None, None, SimpleNamespace(result=lambda raise_on_failure: error)
            )
        )

    return _tried(lambda: task.function(order, 5), is_tried_again)


def _airflow(adapter: ModuleType, order: str) -> Any:
    task = SimpleNamespace(dag_id="checkout", run_id=order, task_id="pay", map_index=-1)
    adapter.get_current_context = lambda: {"ti": task, "params": {"order": order, "amount": 5}}  # type: ignore[attr-defined]
    pay = sys.modules["airflow.sdk"].made[-1]
    return _tried(pay, lambda error: not isinstance(error, AirflowFailException))


def _celery(adapter: ModuleType, order: str) -> Any:
    return adapter.pay.apply((order, 5), task_id=order).get()


def _fastmcp(adapter: ModuleType, order: str) -> Any:
    return _tried(
        lambda: adapter.server.functions[0](order, order, 5), lambda error: "declined" in str(error)
    )


def _fastapi(adapter: ModuleType, order: str) -> Any:
    def sent() -> Any:
        given: dict[str, Any] = {
            "json": {"order": order, "amount": 5},
            "headers": {"Idempotency-Key": order},
        }
        answer = TestClient(adapter.app).post("/charges", **given)
        if answer.is_error:
            raise ToolError(f"{answer.status_code} {answer.text}")
        return answer.json()

    return _tried(sent, lambda error: str(error).startswith("402"))


RUNS: dict[str, Run] = {
    "airflow": _airflow,
    "celery": _celery,
    "fastapi": _fastapi,
    "fastmcp": _fastmcp,
    "langgraph": _langgraph,
    "openai-agents": _openai_agents,
    "prefect": _prefect,
    "pydantic-ai": _pydantic_ai,
    "temporal": _temporal,
}


def _stands() -> dict[str, dict[str, Any]]:
    """What adapters import of frameworks that are not installed here."""
    flows, tasks = list[Any](), list[Any]()

    def task(**_: Any) -> Callable[[Any], Any]:
        def made(function: Any) -> Callable[[], None]:
            tasks.append(function)
            return lambda: None

        return made

    def flow_task(**options: Any) -> Callable[[Any], Any]:
        def made(function: Any) -> Any:
            flows.append(SimpleNamespace(function=function, **options))
            return function

        return made

    return {
        "langgraph": {},
        "langgraph.graph": {"StateGraph": Typed, "START": "start", "END": "end"},
        "langgraph.runtime": {"Runtime": Typed},
        "langgraph.types": {"RetryPolicy": SimpleNamespace},
        "pydantic_ai": {"Agent": Typed, "ModelRetry": ModelRetry, "RunContext": Typed},
        "agents": {"Agent": Typed, "RunContextWrapper": Typed, "function_tool": _optioned},
        "temporalio": {"activity": SimpleNamespace(defn=lambda function: function)},
        "temporalio.exceptions": {"ApplicationError": ApplicationError},
        "prefect": {"flow": lambda function: function, "task": flow_task, "made": flows},
        "prefect.runtime": {"flow_run": SimpleNamespace(id="f-1")},
        "airflow": {},
        "airflow.sdk": {
            "dag": lambda **_: lambda made: made,
            "task": task,
            "get_current_context": dict,
            "made": tasks,
        },
        "airflow.sdk.exceptions": {"AirflowFailException": AirflowFailException},
        "fastmcp": {"FastMCP": Typed},
        "fastmcp.exceptions": {"ToolError": ToolError},
    }


@pytest.fixture(params=PAGES)
def adapter(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ModuleType, Run]]:
    """An adapter beside its framework, or what stands for that, and how the framework runs it."""
    for name, members in _stands().items():
        found = ModuleType(name)
        vars(found).update(members)
        monkeypatch.setitem(sys.modules, name, found)
    for name in ("payments", "shop", PAGES[request.param]):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(ADAPTERS)
    monkeypatch.setenv("PAYMENTS", str(tmp_path / "payments.txt"))
    with Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/jackfield.db") as runtime:
        monkeypatch.setattr(bound, "_FOUND", [runtime.function_calls])
        yield importlib.import_module(PAGES[request.param]), RUNS[request.param]
    for name in ("payments", "shop", PAGES[request.param]):
        sys.modules.pop(name, None)


def charges() -> list[str]:
    """The orders that were charged."""
    file: Path = sys.modules["payments"].FILE
    return (
        [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines()]
        if file.exists()
        else []
    )


def in_doubt(error: BaseException) -> bool:
    """Whether an error tells of a doubt, in the framework's words."""
    return isinstance(error, InvocationFailed) or "in_doubt" in str(error)


def test_what_a_framework_repeats_happens_once(adapter: tuple[ModuleType, Run]) -> None:
    """A second run with the same identity gets the first one's value."""
    module, run = adapter
    assert [run(module, "plain"), run(module, "plain")] == ["charge of plain"] * 2
    assert charges() == ["plain"]


def test_a_doubt_is_told_and_not_tried_again(adapter: tuple[ModuleType, Run]) -> None:
    """The framework's own retry would have looked: the doubt comes out at the first try. Whoever
    asks later gets what the look finds.
    """
    module, run = adapter
    with pytest.raises(Exception, match=r".+") as caught:
        run(module, "lost")
    assert in_doubt(caught.value)
    assert run(module, "lost") == "charge of lost"
    assert charges() == ["lost"]


def test_a_refusal_stays_an_error_that_is_tried_again(adapter: tuple[ModuleType, Run]) -> None:
    """It frees the key, so that the next try of the framework, the model or the client charges."""
    module, run = adapter
    assert run(module, "busy") == "charge of busy"
    assert charges() == ["busy"]


@pytest.mark.parametrize("name", PAGES)
def test_the_page_has_each_file(name: str) -> None:
    """Each adapter of at most 60 lines has a section that names it, and says what its key is and
    what becomes of a doubt.
    """
    file = f"{PAGES[name]}.py"
    (section,) = [
        part
        for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
        if f"\n`{file}`." in part
    ]
    assert "- **Key**" in section
    assert "- **A doubt**" in section
    assert (ADAPTERS / file).read_text(encoding="utf-8").count("\n") <= LONGEST
