"""The step-by-step test of a connection, which changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from jackfield.call.admit import CallTarget
from jackfield.call.errors_map import recognised
from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.context import Call, OpenContext, entered
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Detail, Internal, InvalidConnection, JackfieldError, Provider
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield.kernel.hints import NextStep
from jackfield.manifest.manifest import Manifest
from jackfield_store.connections.connection_rows import LastOutcome
from jackfield_store.management.weak_secrets import weak_secrets

if TYPE_CHECKING:
    from jackfield.call.open import OpenConnection, Opener
    from jackfield.catalog import Catalog
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.kernel.clock import Deadline
    from jackfield.redaction.redactor import Redactor


class TargetSource(Protocol):
    """Source of a connection's target: ``Targets`` for stored connections, or a draft itself."""

    def find(self, stored: NamedConnection, manifest: Manifest) -> CallTarget:
        """Return the target that the connection makes for a connector."""


@dataclass(slots=True)
class Trial:
    """Findings of a connection test."""

    at: str
    steps: list[Step] = field(default_factory=list)
    account: Account | None = None
    faults: list[Detail] = field(default_factory=list)
    """Faults of single values that ended the test, each with its place."""
    warnings: list[dict[str, str]] = field(default_factory=list)
    """Warnings about weak secrets, each with its place."""

    @property
    def status(self) -> Literal["ok", "failing", "untested"]:
        """``failing`` if a mandatory step failed; ``untested`` if no step passed and no account was
        found; else ``ok``.
        """
        if not all(step.passed for step in self.steps if step.mandatory):
            return "failing"
        return (
            "ok"
            if self.account is not None or any(step.passed for step in self.steps)
            else "untested"
        )

    @property
    def outcome(self) -> LastOutcome:
        """Outcome to store with the connection."""
        identifier, label = (
            (self.account.id, self.account.label) if self.account is not None else (None, None)
        )
        return LastOutcome(self.status, identifier, label, self._last_test())

    def to_json(self) -> dict[str, Any]:
        """Return the members of a connection that its last test fills in."""
        account = (
            {"account": {"id": self.account.id, "label": self.account.label}}
            if self.account is not None
            else {}
        )
        return {**account, "status": self.status, "lastTest": self._last_test()}

    def _last_test(self) -> dict[str, Any]:
        warnings = {"warnings": self.warnings} if self.warnings else {}
        return {"at": self.at, "steps": [step.to_json() for step in self.steps], **warnings}


def not_saved(trial: Trial, *, generated: bool) -> InvalidConnection:
    """Return the error for a connection whose test failed; ``generated`` if its External ID has
    just been generated.
    """
    failed = [step for step in trial.steps if step.mandatory and not step.passed]
    hint = f"{failed[0].hint} " if failed[0].hint else ""
    if generated:
        hint += (
            "Its External ID was just generated, and no role requires it yet. Save the connection "
            "untested, set up its "
            "policies, then test it. "
        )
    return InvalidConnection(
        f"the connection was not saved because its test failed: {failed[0].message}",
        details=trial.faults or [Detail("", f"{step.title}: {step.message}") for step in failed],
        hint=NextStep("save_anyway", first=hint),
    )


def serving(catalog: Catalog, stored: NamedConnection) -> Sequence[Manifest]:
    """Return the installed connectors that a stored connection serves: its own, or all of its
    family. Fully offered services of AWS are left out if there are other connectors, and isolated
    connectors if some run in this environment.

    :raises InvalidConnection: if none is installed.
    """
    fitting = unasked(catalog, stored.type)
    if not fitting:
        raise InvalidConnection(
            f"no installed connector accepts the connection '{stored.name}' of type "
            f"'{stored.type[:80]}'",
            details=[Detail("/type", "is not a connection type of an installed connector")],
            hint=NextStep("connectors"),
        )
    return fitting


def unasked(catalog: Catalog, kind: str) -> Sequence[Manifest]:
    """Return the connectors that get connections of a type without being named. Isolated connectors
    get only their own: otherwise one could declare another's family, and get its credentials with
    the next test.
    """
    fitting = catalog.chosen(catalog.with_type(kind))
    return [manifest for manifest in fitting if manifest.takes_unnamed(kind)] or fitting[:1]


def try_connection(
    stored: NamedConnection,
    catalog: Catalog,
    connections: Opener,
    targets: TargetSource,
    deadline: Deadline,
) -> Trial:
    """Test a connection: first the test of its type, then the tests of each connector that it
    serves. Secrets are reread.

    :raises InvalidConnection: if its values break the schema; nothing was sent then.
    """
    trial = Trial(
        datetime.fromtimestamp(deadline.clock.time(), UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z")
    )
    for number, manifest in enumerate(_tested_with(serving(catalog, stored))):
        connector: LoadedConnector = catalog.load(manifest.key)
        target = targets.find(stored, manifest)
        connections.forget_secrets(target)
        opening = connections.find(target, manifest, connector)
        trial.warnings = trial.warnings or weak_secrets(target.kind.schema, opening.cache.values)
        faults: list[Detail] = []
        for item in _steps(connector, opening, deadline, faults, with_type=number == 0):
            if isinstance(item, Account):
                trial.account = item
            else:
                trial.steps.append(_cleaned(item, opening.cache.redactor))
        trial.faults += [
            Detail(fault.path, opening.cache.redactor.clean(fault.message), fault.keyword)
            for fault in faults
        ]
        if trial.status == "failing":
            break
    return trial


def _tested_with(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """Yield the connectors that take part in a test, without those of a catalog source, which share
    their types and have no tests.
    """
    yield manifests[0]
    yield from (manifest for manifest in manifests[1:] if "." not in manifest.key)


def _steps(
    connector: LoadedConnector,
    opening: OpenConnection,
    deadline: Deadline,
    faults: list[Detail],
    *,
    with_type: bool,
) -> Iterator[Step | Account]:
    call = Call(deadline, threading.Event())
    context = opening.context_for(call)
    with entered(call):
        passed = True
        if with_type:
            for item in _guarded(lambda: _tested(opening, context), "open", connector, faults):
                passed = passed and (isinstance(item, Account) or item.passed or not item.mandatory)
                yield item
        if passed and connector.tests:
            for test in connector.tests:
                yield from _guarded(
                    lambda test=test: test(opening.client(call), context),  # type: ignore[misc]
                    connector.key,
                    connector,
                    faults,
                )


def _tested(opening: OpenConnection, context: OpenContext) -> Iterable[Step | Account]:
    """Run the type's own test after checking the hosts that the values name."""
    if opening.judge is not None:
        opening.judge()
    return opening.kind.test(context)


def _guarded(
    make: Callable[[], Iterable[Step | Account]],
    key: str,
    connector: LoadedConnector,
    faults: list[Detail],
) -> Iterator[Step | Account]:
    """Yield the steps of a test. If the test itself raises, yield a failed step and add faults of
    single values to ``faults``.
    """
    steps = attempt_foreign(lambda: iter(make()))
    while not isinstance(steps, Raised):
        step = attempt_foreign(next, steps, None)
        if step is None:
            return
        if isinstance(step, Raised):
            steps = step
        else:
            yield step
    error = (
        steps.error
        if isinstance(steps.error, JackfieldError)
        else recognised(connector, steps.error)
    )
    if isinstance(error, InvalidConnection):
        faults += [fault for fault in error.details if fault.path]
    yield Step.failed(
        key,
        f"Use the connection with {connector.title}",
        error or Internal(f"an unexpected {type(steps.error).__name__}"),
    )


def _cleaned(step: Step, redactor: Redactor) -> Step:
    hint = redactor.clean(step.hint) if step.hint else None
    principal = redactor.clean(step.principal) if step.principal else None
    said = _cleaned_words(step.provider, redactor) if step.provider else None
    return replace(
        step, message=redactor.clean(step.message), hint=hint, principal=principal, provider=said
    )


def _cleaned_words(said: Provider, redactor: Redactor) -> Provider:
    code, message, request = (
        redactor.clean(text) if text else None
        for text in (said.code, said.message, said.request_id)
    )
    return Provider(code, message, said.http_status, request)
