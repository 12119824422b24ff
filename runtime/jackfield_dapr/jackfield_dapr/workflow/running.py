"""Runner of workflows, task by task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import InvalidInvocation, JackfieldError
from jackfield.kernel.exports import late_hints
from jackfield_dapr.workflow.documents import Workflow
from jackfield_dapr.workflow.notifying import Delivery, Invoke, notify
from jackfield_dapr.workflow.providers import Providers
from jackfield_dapr.workflow.tasks import END, Task
from jackfield_dapr.workflow.weighted import mails, weighted
from jackfield_formats.expression import ExpressionError, evaluate, readable, substitute

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

_MOST = 1000
"""Maximum number of tasks in one run, since a ``then`` may loop."""


@dataclass(slots=True)
class Outcome:
    """Outcome of a workflow: a row per task that ran, and the exit code of the worst Result.
    ``lost`` is set if any notification failed, even if the workflow continued.
    """

    workflow: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    failed: bool = False
    in_doubt: bool = False
    lost: bool = False
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as one object."""
        status = (
            "failed"
            if self.failed
            else "in_doubt"
            if self.in_doubt
            else "failed"
            if self.lost
            else "succeeded"
        )
        return {"workflow": self.workflow, "status": status, "steps": self.steps}


def prepare(
    workflow: Workflow,
    jackfield: Jackfield,
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    invoke: Invoke | None = None,
    strict: bool = False,
) -> Run:
    """Prepare a workflow's run. ``given`` is its context; expressions see it as ``$context`` and,
    over the environment, as ``.``.

    :raises InvalidInvocation: for an unsupported task or an unknown provider.
    """
    tasks = workflow.tasks
    providers = Providers(jackfield)
    for task in tasks:
        name = task.words.get("provider")
        if task.kind == "notify" and "${" not in str(name):
            weighted(name, task.type, providers, task.name)
    return Run(
        tasks,
        providers,
        invoke or jackfield.invoke,
        dict(given),
        environment,
        Outcome(workflow.name),
        strict,
    )


@dataclass(slots=True, repr=False)
class Run:
    """One run of a workflow. If all notifications of a task fail, the run ends; if only some fail,
    the task is ``partial`` with a ``warning``, and the next one runs.
    """

    tasks: Sequence[Task]
    providers: Providers
    invoke: Invoke
    context: dict[str, Any]
    environment: Mapping[str, str]
    outcome: Outcome
    strict: bool

    def run(self) -> Outcome:
        """Run all tasks in order."""
        places = {task.name: number for number, task in enumerate(self.tasks)}
        at: int | None = 0
        for _ in range(_MOST):
            if at is None or at >= len(self.tasks) or self.outcome.failed:
                return self.outcome
            task = self.tasks[at]
            target = self._step(task)
            at = (
                None
                if target in END
                else at + 1
                if target in (None, "continue")
                else places[str(target)]
            )
        self._failed(
            {"name": "then", "task": "switch"},
            InvalidInvocation(f"the workflow ran more than {_MOST:,} tasks"),
        )
        return self.outcome

    def _step(self, task: Task) -> str | None:
        """Run one task. Return its flow directive, None for the next task in order."""
        row: dict[str, Any] = {"name": task.name, "task": task.kind}
        try:
            if task.condition is not None and self._value(task.condition) in (None, False):
                self.outcome.steps.append({**row, "status": "skipped"})
                return None
            if task.kind == "notify":
                self._notify(task, row)
            elif task.kind == "set":
                self.context |= self._filled(task.words)
                self.outcome.steps.append({**row, "status": "succeeded"})
            else:
                return self._switch(task, row)
        except ExpressionError as error:
            self._failed(row, InvalidInvocation(str(error)))
        except JackfieldError as error:
            self._failed(row, error)
        return task.then

    def _switch(self, task: Task, row: dict[str, Any]) -> str | None:
        for name, condition, then in task.cases:
            if condition is None or self._value(condition) not in (None, False):
                self.outcome.steps.append({**row, "status": "succeeded", "case": name})
                return then
        self.outcome.steps.append({**row, "status": "succeeded", "case": None})
        return task.then

    def _notify(self, task: Task, row: dict[str, Any]) -> None:
        words = self._filled(task.words)
        among = weighted(words.get("provider"), task.type, self.providers, task.name)
        sent = mails(words, among, strict=self.strict)
        deliveries = notify(sent, self.invoke)
        bad = [item for item in deliveries if item.result.status == "failed"]
        doubtful = [item for item in deliveries if item.result.status == "in_doubt"]
        self.outcome.exit_code = max(
            self.outcome.exit_code, *(item.result.exit_code for item in deliveries)
        )
        self.outcome.in_doubt = self.outcome.in_doubt or bool(doubtful)
        self.outcome.lost = self.outcome.lost or bool(bad)
        self.outcome.failed = len(bad) == len(deliveries)
        status = (
            "failed"
            if self.outcome.failed
            else "in_doubt"
            if doubtful
            else "partial"
            if bad
            else "succeeded"
        )
        counts = {
            **{provider.connection: 0 for provider, _ in among},
            **Counter(str(mail["connection"]) for _, mail in sent),
        }
        row |= {"provider": among[0][0].connection if len(among) == 1 else counts, "status": status}
        if self.outcome.failed:
            row["error"] = f"all notification requests failed: {_causes(bad)}"
        elif bad:
            row["warning"] = (
                f"{len(bad)} of {len(deliveries)} notification requests failed: {_causes(bad)}"
            )
        self.outcome.steps.append({**row, "recipients": [item.to_json() for item in deliveries]})

    def _failed(self, row: dict[str, Any], error: JackfieldError) -> None:
        self.outcome.failed = True
        self.outcome.exit_code = max(self.outcome.exit_code, error.exit_code)
        self.outcome.steps.append({**row, "status": "failed", "error": error.message})

    def _filled(self, words: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = substitute(
            words, self._input(), {"context": self.context}, embedded=not self.strict
        )
        return found

    def _value(self, expression: str) -> Any:
        return evaluate(expression, self._input(), {"context": self.context})

    def _input(self) -> dict[str, Any]:
        return {**readable(self.environment), **self.context}


def _causes(bad: Sequence[Delivery]) -> str:
    causes = []
    for item in bad:
        to = item.to if isinstance(item.to, str) else ", ".join(item.to)
        causes.append(
            f"{to}: {item.result.error.message if item.result.error is not None else 'unknown'}"
        )
    return "; ".join(causes)


late_hints(__name__)
