"""What plugins may add, as pluggy hook specifications; and the plugins that are there.

A plugin is a module or object named by an entry point in the group ``jackfield.plugins``. The entry point's name may end in the hook that
the plugin implements (``acme.resolve_secret``, or ``acme.around+resolve_secret``): it is then imported for that hook only, so that a plugin
that resolves secrets costs nothing where no secret refers to it. Nothing is imported before the first call of a hook, and nothing at all
where no plugin implements it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from jackfield.fork import at_fork

if TYPE_CHECKING:
    from jackfield.invocation import Invocation, Meta

__all__ = ["HOOKS", "Plugins", "hookimpl"]

_PROJECT = "jackfield"
HOOKS = {"around": False, "resolve_secret": True, "stage": False}
"""The hooks, and whether the first answer is the only one."""


def hookimpl(function: Any) -> Any:
    """Mark a function of a plugin as the implementation of the hook of its name."""
    import pluggy

    return pluggy.HookimplMarker(_PROJECT)(function)


class Specifications:
    """The hooks. An implementation may leave out arguments that it does not need."""

    def around(self, invocation: Invocation, workspace: str, meta: Meta) -> AbstractContextManager[Any]:  # type: ignore[empty-body]
        """Wrap one invocation: audit, metering, authorisation, tracing.

        Returns a context manager, since it must span the whole run. A JackfieldError raised on entry refuses the invocation; the
        failure of the invocation passes through on exit. What a wrapper raises on exit goes to the log, and what it swallows goes on: what
        was done is done.
        """

    def stage(self, name: str) -> None:
        """An invocation comes to a stage: admit, check, open, run or settle; within the wrappers of ``around``, in the same context.

        Must not raise, nor wait for anything.
        """

    def resolve_secret(self, kind: str, reference: Any) -> str | None:
        """The secret that ``{"$kind": reference}`` means, or None where this plugin does not know the kind.

        What is found is kept for five minutes in this process, and read again sooner where the provider refuses the credentials. A
        ValueError says why it cannot be read; its text is shown to the caller, and holds no secret.
        """


class Plugins:
    """The plugins of one runtime: those installed, and those given to it. ``points`` are entry points as (name, module, attribute)."""

    def __init__(self, points: Iterable[tuple[str, str, str]] = (), given: Sequence[object] = ()) -> None:
        self._points = tuple(points)
        self._given = tuple(given)
        self._relays: dict[str, Any] = {}
        self._has: dict[str, bool] = {}
        self._lock = threading.Lock()
        at_fork(self)

    def __bool__(self) -> bool:
        return bool(self._points or self._given)

    def has(self, hook: str) -> bool:
        """Whether a plugin may implement ``hook``; nothing is imported to know it."""
        found = self._has.get(hook)
        if found is None:  # asked for each invocation; what there is stays the same
            named = any(_may_implement(name, hook) for name, _, _ in self._points)
            found = self._has[hook] = named or any(hasattr(plugin, hook) for plugin in self._given)
        return found

    def around(self, invocation: Invocation, workspace: str, meta: Meta) -> Sequence[AbstractContextManager[Any]]:
        """The context managers to enter around one invocation, outermost first."""
        found: list[AbstractContextManager[Any]] = self._relay("around").around(invocation=invocation, workspace=workspace, meta=meta)
        return found

    def stage(self, name: str) -> None:
        """Tell of a stage."""
        self._relay("stage").stage(name=name)

    def resolve_secret(self, kind: str, reference: object) -> str | None:
        """The first answer of a plugin that knows this kind of reference."""
        found: str | None = self._relay("resolve_secret").resolve_secret(kind=kind, reference=reference)
        return found

    def _relay(self, hook: str) -> Any:
        found = self._relays.get(hook)
        if found is None:
            with self._lock:
                found = self._relays.get(hook) or _relay(self._points, self._given, hook)
                self._relays[hook] = found
        return found


def _may_implement(name: str, hook: str) -> bool:
    """Whether the entry point called ``name`` may implement ``hook``: its name says so, or says nothing."""
    named = set(name.rpartition(".")[2].split("+")) if "." in name else set()
    return hook in named or not named <= HOOKS.keys() or not named


def _relay(points: Iterable[tuple[str, str, str]], given: Iterable[object], hook: str) -> Any:
    import importlib

    import pluggy

    spec = pluggy.HookspecMarker(_PROJECT)
    for known, first in HOOKS.items():
        spec(getattr(Specifications, known), firstresult=first)
    manager = pluggy.PluginManager(_PROJECT)
    manager.add_hookspecs(Specifications)
    for name, module, attribute in points:
        if _may_implement(name, hook):
            loaded = importlib.import_module(module)
            manager.register(getattr(loaded, attribute) if attribute else loaded)
    for plugin in given:
        manager.register(plugin)
    return manager.hook
