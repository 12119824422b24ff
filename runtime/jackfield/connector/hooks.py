"""Hooks for plugins, as pluggy hook specifications, and the installed plugins.

All plugins that implement a hook are called. A plugin is a module or object named by an entry point
in the group ``jackfield.plugins``. The entry point's name may end in the hook that the plugin
implements (``acme.warn``, or ``acme.around+warn``). It is then imported for that hook only. Nothing
is imported before the first call of a hook, and nothing at all if no plugin implements it.

A plugin that cannot be loaded, or fails, affects only itself, and is named with its distribution.
Only a broken plugin that may implement ``around`` refuses all calls, since it may be the plugin
that authorises them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jackfield.invocation import Invocation, Meta
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Internal, JackfieldError, Sent
from jackfield.kernel.failures import BrokenPart, Raised, attempt, contained, loaded
from jackfield.kernel.fork import ProcessLocal

if TYPE_CHECKING:
    from jackfield.kernel.failures import Point

_LOG = logging.getLogger("jackfield.plugins")

_PROJECT = "jackfield"
HOOKS = ("around", "judge", "request", "stage", "warn")
"""Names of the hooks."""


def hookimpl(function: Any) -> Any:
    """Mark a plugin's function as the implementation of the hook with its name."""
    import pluggy

    return pluggy.HookimplMarker(_PROJECT)(function)


class Specifications:
    """Signatures of the hooks. An implementation may leave out arguments that it does not need."""

    def around(  # type: ignore[empty-body]
        self, invocation: Invocation, workspace: str, meta: Meta
    ) -> AbstractContextManager[Any]:
        """Wrap one invocation: audit, metering, authorisation, tracing.

        The result is a context manager that spans the whole run. A JackfieldError raised on entry
        refuses the invocation; a failure of the invocation passes through on exit. A wrapper cannot
        change the outcome on exit: an exception that it raises is logged, and one that it swallows
        still propagates.
        """

    def stage(self, name: str) -> None:
        """Observe an invocation that enters a stage: admit, check, open, run or settle. It is
        called inside the wrappers of ``around``.

        It must not block; an exception is logged and changes nothing.
        """

    def judge(self, question: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Judge a listing, a call before it is made, or its output (``call.policy``). None means no
        opinion.

        A JackfieldError means that there is no decision: a listing then has no writes, a call with
        another effect than ``read`` is refused, and an output is withheld.
        """

    def request(
        self, method: str, server: str, started: float, ended: float, status: int | None
    ) -> None:
        """Observe a request that a library of connectors has sent for an action or its credentials.
        It is called inside the wrappers of ``around``, once the response (of HTTP connectors, its
        header) has arrived or will not arrive; ``status`` is None then.

        ``server`` is the host, ``started`` and ``ended`` are seconds since 1970. It must not block;
        an exception is logged and changes nothing. Requests of isolated connectors are not
        reported.
        """

    def warn(self) -> Iterable[str]:  # type: ignore[empty-body]
        """Return warnings for the operator about a process that works: an active fallback, a
        disabled limit.

        The diagnosis of this process and, to the operator's tokens, ``/readyz`` of servers and
        workers list each text among their ``warnings``; other callers see only that there are
        warnings. Name a setting and its effect, and no secret. Each probe calls it, so it must not
        block.
        """


class PluginFailed(Internal):
    """Failure of a plugin that may refuse calls: without its answer no call begins. The log has its
    cause.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}, and it may be the one that authorises calls: nothing was sent",
            hint=(
                "Repair, upgrade or uninstall the package, and restart the process. The "
                "process's log has the reason."
            ),
            sent=Sent.NOTHING,
        )


@dataclass(frozen=True, slots=True)
class _Hook:
    """Implementations of one hook by plugins, in calling order, and the broken plugins that may
    implement it.
    """

    calls: Sequence[tuple[str, Callable[..., Any]]]
    broken: Sequence[str]


class Plugins(ProcessLocal):
    """Plugins of one runtime: from entry points, and passed to the runtime."""

    def __init__(self, points: Iterable[Point] = (), given: Iterable[object] = ()) -> None:
        self._points = tuple(points)
        self._given = tuple(given)
        self._hooks: dict[str, _Hook] = {}
        self._has: dict[str, bool] = {}
        self._loaded: dict[Point, Any] = {}
        self._faults: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._logged: set[str] = set()
        self._lock = threading.RLock()

    def __bool__(self) -> bool:
        return bool(self._points or self._given)

    def has(self, hook: str) -> bool:
        """Return whether a plugin may implement ``hook``, without importing a plugin."""
        found = self._has.get(hook)
        if found is None:  # cached, since each invocation asks and the plugins do not change
            named = any(_may_implement(point.name, hook) for point in self._points)
            found = self._has[hook] = named or any(hasattr(plugin, hook) for plugin in self._given)
        return found

    def around(
        self, invocation: Invocation, workspace: str, meta: Meta
    ) -> Sequence[AbstractContextManager[Any]]:
        """Return the context managers to enter around one invocation, outermost first.

        :raises PluginFailed: if a plugin cannot be called.
        """
        hook = self._hook("around")
        if hook.broken:
            raise PluginFailed(hook.broken[0])
        made = (
            (name, _call_plugin(name, call, invocation=invocation, workspace=workspace, meta=meta))
            for name, call in hook.calls
        )
        return [_Wrapper(name, wrapper) for name, wrapper in made if wrapper is not None]

    def stage(self, name: str) -> None:
        """Report a stage to the plugins."""
        self._tell("stage", name=name)

    def judge(self, question: Mapping[str, Any]) -> list[Any]:
        """Return each judging plugin's decision on a question.

        :raises JackfieldError: if a plugin has no decision; ``PluginFailed`` if it cannot be
            called.
        """
        hook = self._hook("judge")
        if hook.broken:
            raise PluginFailed(hook.broken[0])
        found = [_call_plugin(name, call, question=question) for name, call in hook.calls]
        return [verdict for verdict in found if verdict is not None]

    def request(
        self, method: str, server: str, started: float, ended: float, status: int | None
    ) -> None:
        """Report a request to the plugins."""
        self._tell(
            "request", method=method, server=server, started=started, ended=ended, status=status
        )

    def warn(self) -> list[str]:
        """Return the plugins' warnings, and the names of broken plugins. It raises nothing, since
        probes must not fail because of plugins.
        """
        found: list[str] = []
        for name, call in self._hook("warn").calls if self.has("warn") else ():
            texts = attempt(partial(contained, _texts, call))
            if isinstance(texts, Raised):
                self._note(name, "warn", call, texts.error)
            else:
                self._faults.pop(f"warn {id(call)}", None)
                found += texts
        return [*found, *self.broken()]

    def broken(self, *, whole: bool = False) -> list[str]:
        """Return the plugins that cannot be loaded or have failed, unused plugins too. ``whole``
        adds the reasons.
        """
        for hook in HOOKS:
            if self.has(hook):
                self._hook(hook)
        return [
            self._reasons.get(about, text) if whole else text
            for about, text in [*self._faults.items()]
        ]

    def _tell(self, hook: str, **facts: Any) -> None:
        for name, call in self._hook(hook).calls:
            found = attempt(partial(contained, call, **facts))
            if isinstance(found, Raised):  # an observer's bug must not change the outcome
                self._note(name, hook, call, found.error)
            elif self._faults:
                self._faults.pop(f"{hook} {id(call)}", None)

    def _note(self, name: str, hook: str, call: object, error: Exception) -> str:
        """Note that a plugin has failed, log it the first time, and return a sentence about it."""
        key, text = (
            f"{hook} {id(call)}",
            f"{name} failed in its hook '{hook}': {type(error).__name__}",
        )
        self._faults[key] = text
        if key not in self._logged:
            self._logged.add(key)
            _LOG.warning("%s", text)
        return text

    def _hook(self, name: str) -> _Hook:
        found = self._hooks.get(name)
        if found is None:
            with self._lock:
                found = self._hooks.get(name) or self._build_hook(name)
                self._hooks[name] = found
        return found

    def _build_hook(self, hook: str) -> _Hook:
        import pluggy

        spec = pluggy.HookspecMarker(_PROJECT)
        for known in HOOKS:
            spec(getattr(Specifications, known))
        manager = pluggy.PluginManager(_PROJECT)
        manager.add_hookspecs(Specifications)
        names: dict[int, str] = {}
        broken: list[str] = []
        for point in self._points:
            if _may_implement(point.name, hook):
                about = f"the plugin '{point.name}' of the distribution {point.distribution}"
                fault = self._registered(
                    manager, names, about, _hooks_in_name(point.name), partial(self._plugin, point)
                )
                broken += [] if fault is None else [fault]
        for plugin in self._given:
            fault = self._registered(
                manager,
                names,
                f"the plugin {type(plugin).__qualname__}",
                frozenset(),
                partial(_as_it_is, plugin),
            )
            broken += [] if fault is None else [fault]
        calls = [
            (names[id(found.plugin)], _called(found))
            for found in reversed(getattr(manager.hook, hook).get_hookimpls())
        ]
        return _Hook(tuple(calls), tuple(broken))

    def _plugin(self, point: Point) -> Any:
        if point not in self._loaded:
            self._loaded[point] = loaded(point, "plugin")
        return self._loaded[point]

    def _registered(
        self,
        manager: Any,
        names: dict[int, str],
        about: str,
        listed: frozenset[str],
        find: Callable[[], Any],
    ) -> str | None:
        """Register a plugin, once. Return why it cannot be used, which is logged the first time;
        None if it can be used.
        """
        found = attempt(_register, manager, names, about, listed, find)
        if not isinstance(found, Raised):
            return None
        error = found.error
        kind = (
            error.kind
            if isinstance(error, BrokenPart)
            else str(error)
            if isinstance(error, _Unfit)
            else type(error).__name__
        )
        text = self._faults[about] = f"{about} cannot be loaded ({kind})"
        self._reasons[about] = (
            str(error) if isinstance(error, BrokenPart) else f"{about} cannot be loaded: {error}"
        )
        if about not in self._logged:
            self._logged.add(about)
            _LOG.error(
                "%s",
                self._reasons[about],
                exc_info=error if _LOG.isEnabledFor(logging.DEBUG) else None,
            )
        return text


class _Unfit(TypeError):
    """Error for a plugin that lacks the hooks that it should have."""


class _Wrapper:
    """Context manager of a plugin. An exception on entry that is not a refusal is reported with the
    plugin's name.
    """

    __slots__ = ("_name", "_wrapper")

    def __init__(self, name: str, wrapper: AbstractContextManager[Any]) -> None:
        self._name = name
        self._wrapper = wrapper

    def __enter__(self) -> None:
        _call_plugin(self._name, lambda: type(self._wrapper).__enter__(self._wrapper))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        state: TracebackType | None,
    ) -> bool | None:
        return self._wrapper.__exit__(kind, failure, state)


def _call_plugin(name: str, call: Callable[..., Any], **facts: Any) -> Any:
    """Call a plugin that may refuse.

    :raises JackfieldError: if it refuses; ``PluginFailed`` if it fails otherwise.
    """
    found = attempt(lambda: contained(call, **facts))
    if not isinstance(found, Raised):
        return found
    if isinstance(found.error, JackfieldError):
        raise found.error
    raise PluginFailed(f"{name} failed ({type(found.error).__name__})") from found.error


def _may_implement(name: str, hook: str) -> bool:
    """Return whether the entry point ``name`` may implement ``hook``: its name lists that hook, or
    lists none.
    """
    return hook in (_hooks_in_name(name) or HOOKS)


def _hooks_in_name(name: str) -> frozenset[str]:
    """Return the hooks that the name of an entry point lists after its last dot; an empty set if
    another word is among them.
    """
    named = frozenset(name.rpartition(".")[2].split("+")) if "." in name else frozenset()
    return named if named.issubset(HOOKS) else frozenset()


def _register(
    manager: Any, names: dict[int, str], about: str, listed: frozenset[str], find: Callable[[], Any]
) -> None:
    """Register a plugin unless it is registered already.

    :raises _Unfit: if it implements no hook, or lacks one that its name lists.
    """
    plugin = find()
    if id(plugin) in names:
        return
    names[id(plugin)] = about
    manager.register(plugin, str(id(plugin)))
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    missing = sorted(listed - implemented) if implemented else sorted(listed or HOOKS)[:1]
    if missing:
        raise _Unfit(
            f"it has no function '{missing[0]}' with @hookimpl"
            if listed
            else "it implements no hook with @hookimpl"
        )


def _as_it_is(plugin: object) -> object:
    return plugin


def _texts(warn: Callable[[], Iterable[object]]) -> list[str]:
    return [str(text) for text in warn()]


def _called(found: Any) -> Callable[..., Any]:
    """Return an implementation as a function of all arguments of its hook; the implementation gets
    only the arguments that it declares.
    """
    function, taken = found.function, found.argnames
    return lambda **facts: function(*(facts[name] for name in taken))


class Wrapping:
    """Context of the plugins' wrappers of one invocation.

    A wrapper that raises on entry refuses the invocation; wrappers entered before it see the
    refusal. Wrappers cannot change the outcome on exit: an exception that they raise goes to
    ``log``, and one that they swallow still propagates.
    """

    def __init__(
        self, wrappers: Iterable[AbstractContextManager[Any]], log: Callable[[Exception], None]
    ) -> None:
        self._wrappers = wrappers
        self._log = log
        self._entered = ExitStack()

    def __enter__(self) -> None:
        with ExitStack() as undo:
            undo.push(self)
            for wrapper in self._wrappers:
                self._entered.enter_context(wrapper)
            undo.pop_all()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        state: TracebackType | None,
    ) -> None:
        left = attempt(self._entered.__exit__, kind, failure, state)
        # a plugin's bug must not change the outcome of a sent request
        if isinstance(left, Raised) and left.error is not failure:
            self._log(left.error)
