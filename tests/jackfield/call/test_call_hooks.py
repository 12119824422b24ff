"""Plugins around an invocation: their order, what they may refuse, what they span, and what their
own bugs do.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jackfield import Invocation, Jackfield, JackfieldError
from jackfield.catalog import entry_points
from jackfield.connector import Forbidden, Rejected, Sent, current_call
from jackfield.connector.hooks import Plugins, hookimpl
from jackfield.invocation import Meta
from plugboard import declare, plugged
from scripted import Answer, Script, invocation, runtime, scripted

pytestmark = pytest.mark.above_sql


class Wrapper:
    """A plugin that writes down what it sees."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    @hookimpl
    def around(
        self, invocation: Invocation, workspace: str, meta: Meta
    ) -> AbstractContextManager[None]:
        """Write down who enters, what failed, and who leaves."""
        return self.wrapped(invocation, workspace, meta)

    @contextmanager
    def wrapped(self, invocation: Invocation, workspace: str, meta: Meta) -> Iterator[None]:
        """The wrapper itself."""
        self.seen.append(f"{self.name} in {workspace} {invocation.connector}/{invocation.action}")
        try:
            yield
        except JackfieldError as error:
            self.seen.append(f"{self.name} saw {error.code}")
            raise
        finally:
            self.seen.append(f"{self.name} out {meta.invocation_id is not None}")


class Around:
    """A plugin whose hook is a function of the test."""

    def __init__(self, function: Any) -> None:
        self._function = function

    @hookimpl
    def around(self, meta: Meta) -> Any:
        """Whatever the test wants."""
        return self._function(meta)


def test_wrappers_nest(tmp_path: Path) -> None:
    """The plugin that was registered last is the outermost one; all see the invocation, the
    workspace and the meta.
    """
    seen: list[str] = []

    def turn() -> Answer:
        seen.append("runs")
        return Answer(text="x")

    plugins = [Wrapper("inner", seen), Wrapper("outer", seen)]
    with runtime(tmp_path, scripted(Script(turn)), plugins=plugins, workspace="acme") as board:
        assert board.ask().status == "succeeded"
    assert seen == [
        "outer in acme scripted/ask",
        "inner in acme scripted/ask",
        "runs",
        "inner out True",
        "outer out True",
    ]


def test_wrappers_see_failures(tmp_path: Path) -> None:
    """The failure of an invocation, of admission too, passes through every wrapper; what is no
    invocation reaches none.
    """
    seen: list[str] = []
    with runtime(
        tmp_path,
        scripted(Script(Rejected("no", sent=Sent.REFUSED))),
        plugins=[Wrapper("one", seen)],
    ) as board:
        board.ask()
        board.ask(connector="nobody")
        board.jackfield.invoke("{")
    assert [line for line in seen if "saw" in line] == [
        "one saw rejected",
        "one saw unknown_connector",
    ]
    assert len([line for line in seen if "out" in line]) == 2


@pytest.mark.parametrize("on_entry", [True, False])
def test_a_plugin_refuses(tmp_path: Path, on_entry: bool) -> None:
    """A JackfieldError from a hook or on entry refuses the invocation with its code; nothing is
    sent, and outer wrappers see it.
    """
    seen: list[str] = []
    script = Script()

    def refuse(*_: object) -> Any:
        raise Forbidden("not on Sundays", hint="Come back on Monday.")

    entered = type("Refusing", (), {"__enter__": refuse, "__exit__": lambda *_: None})
    plugins = [Around(lambda _meta: entered() if on_entry else refuse()), Wrapper("outer", seen)]
    with runtime(tmp_path, scripted(script), plugins=plugins) as board:
        result = board.ask()
    assert result.error is not None
    assert (result.status, result.error.code, result.error.message, script.tries) == (
        "failed",
        "forbidden",
        "not on Sundays",
        0,
    )
    assert ("outer saw forbidden" in seen) is on_entry


def test_a_plugin_may_have_nothing_to_say(tmp_path: Path) -> None:
    """A hook that returns None wraps nothing."""
    with runtime(tmp_path, scripted(Script()), plugins=[Around(lambda _meta: None)]) as board:
        assert board.ask().status == "succeeded"


@pytest.mark.parametrize(
    "broken", [lambda _meta: 1 / 0, lambda _meta: "no context manager"], ids=["raises", "returns"]
)
def test_a_broken_plugin_sends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: Any
) -> None:
    """A plugin that fails before the run stops it (it may be the one that authorises): our bug by
    id, its reason in the log.
    """
    script = Script()
    with (
        caplog.at_level(logging.ERROR, "jackfield"),
        runtime(tmp_path, scripted(script), plugins=[Around(broken)]) as board,
    ):
        result = board.ask()
    assert (result.error and result.error.code, script.tries) == ("internal", 0)
    assert result.meta.invocation_id in caplog.text


@pytest.mark.parametrize(
    ("turn", "status"), [("done", "succeeded"), (Rejected("no", sent=Sent.REFUSED), "failed")]
)
def test_a_plugin_that_breaks_on_exit_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, turn: Any, status: str
) -> None:
    """What was done is done: a plugin that fails after the run is in the log, and the Result
    stands.
    """

    @contextmanager
    def late(_meta: Meta) -> Iterator[None]:
        with ExitStack() as stack:
            stack.callback(lambda: 1 / 0)
            yield

    with (
        caplog.at_level(logging.ERROR, "jackfield"),
        runtime(tmp_path, scripted(Script(turn)), plugins=[Around(late)]) as board,
    ):
        result = board.ask()
    assert (result.status, result.meta.attempts) == (status, 1)
    assert "ZeroDivisionError" in caplog.text


def test_a_plugin_cannot_swallow_a_failure(tmp_path: Path) -> None:
    """A wrapper that suppresses exceptions does not make a success of a failure."""
    with runtime(
        tmp_path,
        scripted(Script(Rejected("no", sent=Sent.REFUSED))),
        plugins=[Around(lambda _meta: suppress(Exception))],
    ) as board:
        result = board.ask()
    assert (result.status, result.error and result.error.code) == ("failed", "rejected")


@pytest.mark.parametrize("is_async", [True, False])
def test_wrappers_span_await(tmp_path: Path, is_async: bool) -> None:
    """What a wrapper sets for its context is set while the action runs, in tasks as in threads, and
    not for others in between.
    """
    current: contextvars.ContextVar[str] = contextvars.ContextVar("current", default="nobody")
    seen: list[tuple[str, str]] = []

    @contextmanager
    def traced(meta: Meta) -> Iterator[None]:
        token = current.set(meta.invocation_id)
        try:
            yield
        finally:
            current.reset(token)

    async def look_later() -> Answer:
        await asyncio.sleep(0)
        return look()

    def look() -> Answer:
        call = current_call()
        assert call is not None
        return Answer(text=current.get())

    async def many(jackfield: Jackfield) -> None:
        results = await asyncio.gather(*(jackfield.ainvoke(invocation()) for _ in range(20)))
        seen.extend(
            (result.meta.invocation_id, (result.output or {})["Text"]) for result in results
        )
        assert current.get() == "nobody"

    script = Script(look_later if is_async else look)
    with runtime(tmp_path, scripted(script, is_async=is_async), plugins=[Around(traced)]) as board:
        asyncio.run(many(board.jackfield))
        one = board.ask()
        seen.append((one.meta.invocation_id, (one.output or {})["Text"]))
    assert len(seen) == 21
    assert all(mine == found for mine, found in seen)


SOURCE = """
import contextlib
from jackfield.connector.hooks import hookimpl

seen = []

@hookimpl
def around(invocation):
    seen.append(invocation.action)
    return contextlib.nullcontext()

class Other:
    @hookimpl
    def around(self, invocation):
        seen.append("other")
        return contextlib.nullcontext()

other = Other()
"""


def test_installed_plugins_are_loaded_at_the_first_call(tmp_path: Path) -> None:
    """A module or an attribute named by an entry point is a plugin; it is imported with the first
    invocation and not before.
    """
    declare(
        tmp_path,
        "audit",
        "jackfield.plugins",
        {"audit": "jackfield_audit_trail", "more": "jackfield_audit_trail:other"},
    )
    (tmp_path / "jackfield_audit_trail.py").write_text(SOURCE, encoding="utf-8")
    with plugged(tmp_path), Jackfield(connections=[], database_url="none") as jackfield:
        points = [
            (point.name, point.module, point.attribute)
            for point in entry_points()["jackfield.plugins"]
        ]
        assert ("audit", "jackfield_audit_trail", "") in points
        jackfield.invoke({"connector": "nobody", "action": "act"})
        import jackfield_audit_trail  # type: ignore[import-not-found]  # in the folder that is plugged in

        assert sorted(jackfield_audit_trail.seen) == ["act", "other"]


def test_a_plugin_that_cannot_be_imported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A plugin that is installed and broken stops every invocation: whoever installed it relies on
    it.
    """
    declare(tmp_path, "audit", "jackfield.plugins", {"audit": "jackfield_of_nobody_at_all"})
    with (
        plugged(tmp_path),
        caplog.at_level(logging.ERROR, "jackfield"),
        Jackfield(connections=[], database_url="none") as jackfield,
    ):
        result = jackfield.invoke({"connector": "nobody", "action": "act"})
    assert (result.error and result.error.code) == "internal"
    assert "'audit' of the distribution audit" in str(result.error)
    assert "jackfield_of_nobody_at_all" in caplog.text


def test_no_plugins_at_all() -> None:
    """Without plugins there is nothing to wrap with."""
    plugins = Plugins()
    assert not plugins
    assert list(plugins.around(Invocation("a", "b", {}), "default", Meta("id"))) == []


def test_what_plugins_warn_of() -> None:
    """All of them are asked each time; what they say may change. One that fails is a warning
    itself, since probes ask.
    """

    class Warner:
        def __init__(self, *texts: str) -> None:
            self.texts = list(texts)

        @hookimpl
        def warn(self) -> list[str]:
            if not self.texts:
                raise LookupError("secret")
            return self.texts

    first = Warner("a limit is off")
    plugins = Plugins((), [first, Warner("a fallback is on", "a cache is off")])
    assert sorted(plugins.warn()) == ["a cache is off", "a fallback is on", "a limit is off"]
    first.texts.clear()
    failed = f"the plugin {Warner.__qualname__} failed in its hook 'warn': LookupError"
    assert sorted(plugins.warn()) == sorted(["a cache is off", "a fallback is on", failed])
    first.texts.append("a limit is off")
    assert sorted(plugins.warn()) == ["a cache is off", "a fallback is on", "a limit is off"]
    assert Plugins().warn() == []
