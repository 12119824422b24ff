"""Dapr's ``Resiliency`` documents: the time-out and the retries of output bindings.

The time-out becomes the deadline of a call, the retries the limit of its attempts. The action's
effect still decides which attempts may be repeated, and the waits between attempts are jackfield's
own. Circuit breakers, and policies of other targets, are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jackfield.connections.formats import Document, Problem, Surroundings
from jackfield.invocation import MAX_TIMEOUT
from jackfield_dapr.sidecar.durations import seconds_of

T = TypeVar("T")
_KIND = "Resiliency"
_DEFAULTS = (
    "DefaultBindingComponentOutbound",
    "DefaultComponentOutbound",
    "DefaultComponent",
    "Default",
)
"""Beginnings of the names of default policies that apply to an output binding, the most specific
first.
"""
_FOREVER = 2**31
"""Number of attempts of a policy without a limit: the deadline ends them."""


class _PolicyError(ValueError):
    """Policy or target that cannot be read; the message names the member."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a call of one output binding; None stands for jackfield's default."""

    timeout: float | None = None
    tries: int | None = None


@dataclass(slots=True)
class Resiliency:
    """Policies of all documents of an application; a later document replaces policies and targets
    of the same name.
    """

    timeouts: dict[str, float] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    targets: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Outbound policies by component, each with its place."""
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, documents: Iterable[Document], around: Surroundings) -> Resiliency:
        """Read the documents for this application; an unreadable one becomes a problem, and the
        others are used.
        """
        found = cls()
        for document in documents:
            if is_resiliency(document) and _is_ours(document.content, around):
                found._add(document)
        return found

    def of(self, component: str) -> Limits:
        """Return the limits of an output binding, from the policies that it names, or else from the
        default policies.
        """
        place, named = self.targets.get(component, ("", {}))
        timeout = self._policy(self.timeouts, named.get("timeout"), "Timeout", f"{place}.timeout")
        tries = self._policy(self.retries, named.get("retry"), "Retry", f"{place}.retry")
        return Limits(timeout or None, tries)

    def unknown(self, components: Iterable[str]) -> Iterator[Problem]:
        """Yield a problem for each target that is not among ``components``."""
        for name in self.targets.keys() - {*components}:
            yield Problem(
                f"{self.targets[name][0]}: not used: no output binding of this application is "
                f"named '{name[:80]}'"
            )

    def _policy(self, policies: Mapping[str, Any], named: object, kind: str, place: str) -> Any:
        if named is None:
            return next(
                (policies[name] for one in _DEFAULTS if (name := f"{one}{kind}Policy") in policies),
                None,
            )
        if named not in policies:
            self.problems.append(
                Problem(
                    f"{place}: no policy is named '{str(named)[:80]}': jackfield's default applies"
                )
            )
        return policies.get(str(named))

    def _add(self, document: Document) -> None:
        name = _member(document.content, "metadata").get("name")
        at = f"{document.place}: Resiliency '{str(name)[:80]}'"
        spec = _member(document.content, "spec")
        policies, targets = _member(spec, "policies"), _member(spec, "targets")
        self._add_policies(policies, at)
        components = _member(targets, "components")
        for component, target in components.items():
            outbound = _member(target, "outbound") if isinstance(target, Mapping) else {}
            self.targets[str(component)] = (
                f"{at}: spec.targets.components.{str(component)[:80]}.outbound",
                outbound,
            )
        unused = ["spec.policies.circuitBreakers"] if policies.get("circuitBreakers") else []
        unused += [f"spec.targets.{other}" for other in targets if other != "components"]
        unused += [
            f"spec.targets.components.{one}.inbound"
            for one, target in components.items()
            if _member(target, "inbound")
        ]
        if unused:
            self.problems.append(Problem(f"{at}: not used: {', '.join(unused)}"))

    def _add_policies(self, policies: Mapping[str, Any], at: str) -> None:
        self._add_each(policies, "timeouts", _seconds, self.timeouts, at)
        self._add_each(policies, "retries", _tries, self.retries, at)

    def _add_each(
        self,
        policies: Mapping[str, Any],
        kind: str,
        read: Callable[[object], T],
        known: dict[str, T],
        at: str,
    ) -> None:
        for name, value in _member(policies, kind).items():
            try:
                known[str(name)] = read(value)
            except _PolicyError as error:
                self.problems.append(
                    Problem(
                        f"{at}: spec.policies.{kind}.{str(name)[:80]}: {error}: the policy is "
                        "not used"
                    )
                )


def is_resiliency(document: Document) -> bool:
    """Return whether a document has policies."""
    return bool(document.content.get("kind") == _KIND)


def _is_ours(content: Mapping[str, Any], around: Surroundings) -> bool:
    scopes, namespace = content.get("scopes"), _member(content, "metadata").get("namespace")
    wanted = around.environment.get("NAMESPACE")
    return (not scopes or around.app_id in scopes) and (
        not wanted or not namespace or namespace == wanted
    )


def _member(content: Any, name: str) -> Mapping[str, Any]:
    value = content.get(name) if isinstance(content, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _seconds(value: object) -> float:
    """Return a duration of Go (``1m30s``) or a number of milliseconds, in seconds; at most an
    invocation's maximum.
    """
    text = f"{value}ms" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    try:
        return min(MAX_TIMEOUT, seconds_of(text))
    except ValueError as error:
        raise _PolicyError(str(error)) from None


def _tries(value: object) -> int:
    """Return the limit of attempts of a retry policy; without a limit, the deadline ends them."""
    most = value.get("maxRetries", -1) if isinstance(value, Mapping) else None
    try:
        retries = int(str(most))
    except ValueError:
        raise _PolicyError(
            "must be an object whose 'maxRetries' is a number, -1 for no limit"
        ) from None
    return _FOREVER if retries < 0 else retries + 1
