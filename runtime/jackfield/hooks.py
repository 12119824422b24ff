"""Hooks for plugins, as pluggy hook specifications, and the plugins that are installed.

A plugin is a module or object named by an entry point in the group ``jackfield.plugins``. The entry point's name may end in the hook that
the plugin implements (``acme.resolve_secret``, or ``acme.around+resolve_secret``): it is then imported for that hook only, so that a plugin
that resolves secrets costs nothing until a secret refers to it. Nothing is imported before the first call of a hook, and nothing at all
if no plugin implements it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from jackfield.failures import Raised, attempt
from jackfield.fork import ProcessLocal
from jackfield.invocation import Invocation, Meta

_PROJECT = "jackfield"
HOOKS = {"around": False, "request": False, "resolve_secret": True, "stage": False, "warn": False}
"""Names of the hooks; True if only the first answer that is not None counts (pluggy's ``firstresult``)."""


def hookimpl(function: Any) -> Any:
    """Mark a plugin's function as the implementation of the hook with its name."""
    import pluggy

    return pluggy.HookimplMarker(_PROJECT)(function)


class Specifications:
    """Signatures of the hooks. An implementation may leave out arguments that it does not need."""

    def around(self, invocation: Invocation, workspace: str, meta: Meta) -> AbstractContextManager[Any]:  # type: ignore[empty-body]
        """Wrap one invocation: audit, metering, authorisation, tracing.

        The result is a context manager that spans the whole run. A JackfieldError raised on entry refuses the invocation; a failure of
        the invocation passes through on exit. A wrapper cannot change the outcome on exit: an exception that it raises is logged, and
        one that it swallows still propagates.
        """

    def stage(self, name: str) -> None:
        """Observe an invocation that enters a stage: admit, check, open, run or settle. Called inside the wrappers of ``around``.

        Must not raise and must not block.
        """

    def request(self, method: str, server: str, started: float, ended: float, status: int | None) -> None:
        """Observe a request that jackfield-http or jackfield-aws has sent for an action, or for the credentials of one. Called inside the
        wrappers of ``around``, once the response has arrived (of HTTP connectors, its header), or there will be none: ``status`` is None
        then.

        ``server`` is the host, ``started`` and ``ended`` are seconds since 1970. Must not block; an exception is logged and changes
        nothing. Requests of isolated connectors are not reported.
        """

    def resolve_secret(self, kind: str, reference: Any) -> str | None:
        """Return the secret that ``{"$kind": reference}`` refers to, or None if this plugin does not support the kind.

        ``kind`` may also be the type of a Dapr secret store (``secretstores.acme.vault``), for a component's ``secretKeyRef``:
        ``reference`` is then ``{"store": {…}, "name": …, "key": …}``, with the store's metadata under names in lower case.

        The secret is cached for five minutes in this process, and read again sooner if the provider refuses the credentials. Raise a
        ValueError with the reason if it cannot be read; its text is shown to the caller and must contain no secret.
        """

    def warn(self) -> Iterable[str]:  # type: ignore[empty-body]
        """Return what an operator should know of this process although it works: a fallback that is on, a limit that is off.

        ``jackfield doctor`` without a connection and ``/readyz`` of servers and workers show each text as one of their ``warnings``, the
        latter to callers without a token: name a setting and what it changes, nothing secret. Each probe calls it, so it must not block.
        """


class Point(Protocol):
    """Entry point of a plugin, as ``catalog`` finds it."""

    @property
    def name(self) -> str:
        """Its name, which may end in the hooks that it implements."""

    @property
    def module(self) -> str:
        """Module of the plugin."""

    @property
    def attribute(self) -> str:
        """Attribute of the module that is the plugin; empty if it is the module."""


class Plugins(ProcessLocal):
    """Plugins of one runtime: those that entry points name, and those passed to it."""

    def __init__(self, points: Iterable[Point] = (), given: Iterable[object] = ()) -> None:
        self._points = tuple(points)
        self._given = tuple(given)
        self._relays: dict[str, Any] = {}
        self._has: dict[str, bool] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._points or self._given)

    def has(self, hook: str) -> bool:
        """Return whether a plugin may implement ``hook``, without importing any."""
        found = self._has.get(hook)
        if found is None:  # cached, since each invocation asks and the plugins do not change
            named = any(_may_implement(point.name, hook) for point in self._points)
            found = self._has[hook] = named or any(hasattr(plugin, hook) for plugin in self._given)
        return found

    def around(self, invocation: Invocation, workspace: str, meta: Meta) -> Sequence[AbstractContextManager[Any]]:
        """Return the context managers to enter around one invocation, outermost first."""
        found: list[AbstractContextManager[Any]] = self._relay("around").around(invocation=invocation, workspace=workspace, meta=meta)
        return found

    def stage(self, name: str) -> None:
        """Report a stage to the plugins."""
        self._relay("stage").stage(name=name)

    def request(self, method: str, server: str, started: float, ended: float, status: int | None) -> None:
        """Report a request to the plugins."""
        self._relay("request").request(method=method, server=server, started=started, ended=ended, status=status)

    def resolve_secret(self, kind: str, reference: object) -> str | None:
        """Return the first answer of a plugin that knows this kind of reference."""
        found: str | None = self._relay("resolve_secret").resolve_secret(kind=kind, reference=reference)
        return found

    def warn(self) -> list[str]:
        """Return what the plugins warn of. One that fails is a warning, too: probes must not depend on it."""
        found = attempt(self._warnings) if self.has("warn") else []
        return [f"a plugin's hook 'warn' failed: {type(found.error).__name__}"] if isinstance(found, Raised) else found

    def _warnings(self) -> list[str]:
        return [text for several in self._relay("warn").warn() for text in several]

    def _relay(self, hook: str) -> Any:
        found = self._relays.get(hook)
        if found is None:
            with self._lock:
                found = self._relays.get(hook) or _relay(self._points, self._given, hook)
                self._relays[hook] = found
        return found


def _may_implement(name: str, hook: str) -> bool:
    """Return whether the entry point ``name`` may implement ``hook``: its name lists that hook, or lists none."""
    named = set(name.rpartition(".")[2].split("+")) if "." in name else set()
    return hook in named or not named <= HOOKS.keys() or not named


def _relay(points: Iterable[Point], given: Iterable[object], hook: str) -> Any:
    import pluggy

    spec = pluggy.HookspecMarker(_PROJECT)
    for known, first in HOOKS.items():
        spec(getattr(Specifications, known), firstresult=first)
    manager = pluggy.PluginManager(_PROJECT)
    manager.add_hookspecs(Specifications)
    for point in points:
        if _may_implement(point.name, hook):
            loaded = importlib.import_module(point.module)
            manager.register(getattr(loaded, point.attribute) if point.attribute else loaded)
    for plugin in given:
        manager.register(plugin)
    return manager.hook
