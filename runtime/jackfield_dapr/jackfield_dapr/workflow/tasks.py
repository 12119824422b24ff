"""Tasks of a workflow, parsed from either form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jackfield_formats.expression import ExpressionError, check

END = frozenset({"end", "exit"})
"""Flow directives that end the workflow; ``continue`` goes to the next task."""
_DIRECTIVES = END | {"continue"}
_COMMON = frozenset({"if", "then", "on", "input", "output", "export", "timeout", "metadata"})


class TaskError(ValueError):
    """Task that is unsupported or malformed; the message names it."""


@dataclass(frozen=True, slots=True, repr=False)
class Task:
    """Task of a workflow. ``words`` are the arguments of a ``notify`` or ``set``; ``cases`` are the
    cases of a ``switch``: name, condition, target.
    """

    name: str
    kind: Literal["notify", "set", "switch"]
    words: Mapping[str, Any]
    type: str | None = None
    condition: str | None = None
    then: str | None = None
    cases: tuple[tuple[str, str | None, str], ...] = ()


def tasks_of_steps(steps: object) -> Iterator[Task]:
    """Parse the tasks of the list form: ``[{"task": "notify", "type": "email", "config": {…}}]``.

    :raises TaskError: for any other task.
    """
    if not isinstance(steps, list):
        raise TaskError("steps: must be a list")
    for number, step in enumerate(steps):
        at = f"steps[{number}]"
        if not isinstance(step, Mapping):
            raise TaskError(f"{at}: must be an object with 'task', 'type' and 'config'")
        task = step.get("task")
        if task != "notify":
            raise TaskError(
                f"{at}: the task {_task_label(task)} is not supported; supported: notify"
            )
        kind, words = step.get("type"), step.get("config")
        if kind is not None and not isinstance(kind, str):
            raise TaskError(f"{at}.type: must be a string such as email")
        if not isinstance(words, Mapping):
            raise TaskError(
                f"{at}.config: must be an object with 'provider', 'to', 'subject' and 'body'"
            )
        yield _task(str(step.get("name") or at), "notify", step, words, at, type=kind)


def tasks_of_do(do: object) -> Iterator[Task]:
    """Parse the tasks of the DSL form: ``[{"tell": {"thand": "notify", "with": {…}, "then":
    "end"}}]``.

    :raises TaskError: for any other task.
    """
    items = [{name: task} for name, task in do.items()] if isinstance(do, Mapping) else do
    if not isinstance(items, list):
        raise TaskError("do: must be a list of named tasks")
    for number, item in enumerate(items):
        if not isinstance(item, Mapping) or len(item) != 1:
            raise TaskError(f"do[{number}]: must be an object with one member, the task's name")
        ((name, task),) = item.items()
        if not isinstance(task, Mapping):
            raise TaskError(f"do[{number}].{name}: must be an object")
        yield _dsl_task(str(name), task, f"do[{number}].{name}")


def check_targets(tasks: Sequence[Task]) -> None:
    """Check that every ``then`` names a task, and that task names are unique.

    :raises TaskError: if a check fails.
    """
    names = [task.name for task in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TaskError(f"two tasks are named '{twice[:80]}'")
    for task in tasks:
        for target in (task.then, *(then for _, _, then in task.cases)):
            if target is not None and target not in _DIRECTIVES and target not in names:
                raise TaskError(f"'{task.name[:80]}': then: no task is named '{target[:80]}'")


def _dsl_task(name: str, task: Mapping[str, Any], at: str) -> Task:
    kinds = [word for word in task if word not in _COMMON and word != "with"]
    if kinds == ["thand"]:
        if task["thand"] != "notify":
            raise TaskError(
                f"{at}: the task thand {_task_label(task['thand'])} is not supported; supported: "
                "notify"
            )
        words = task.get("with")
        if not isinstance(words, Mapping):
            raise TaskError(f"{at}.with: must be an object with 'provider', 'to' and 'message'")
        return _task(name, "notify", task, words, at)
    if kinds == ["set"]:
        if not isinstance(task["set"], Mapping):
            raise TaskError(f"{at}.set: must be an object")
        return _task(name, "set", task, task["set"], at)
    if kinds == ["switch"]:
        return _task(name, "switch", task, {}, at, cases=tuple(_cases(task["switch"], at)))
    what = _task_label(kinds[0]) if kinds else "without a kind"
    raise TaskError(
        f"{at}: the task {what} is not supported; supported: thand: notify, set, switch"
    )


def _cases(cases: object, at: str) -> Iterator[tuple[str, str | None, str]]:
    if not isinstance(cases, list):
        raise TaskError(f"{at}.switch: must be a list of named cases")
    for number, item in enumerate(cases):
        here = f"{at}.switch[{number}]"
        if not isinstance(item, Mapping) or len(item) != 1:
            raise TaskError(f"{here}: must be an object with one member, the case's name")
        ((name, case),) = item.items()
        if not isinstance(case, Mapping) or not isinstance(case.get("then"), str):
            raise TaskError(
                f"{here}.{name}: must be an object with 'then' and, unless it is the default, "
                "'when'"
            )
        yield str(name), _condition(case.get("when"), f"{here}.{name}.when"), case["then"]


def _task(
    name: str,
    kind: Literal["notify", "set", "switch"],
    task: Mapping[str, Any],
    words: Mapping[str, Any],
    at: str,
    *,
    type: str | None = None,
    cases: tuple[tuple[str, str | None, str], ...] = (),
) -> Task:
    then = task.get("then")
    if then is not None and not isinstance(then, str):
        raise TaskError(f"{at}.then: must be the name of a task, 'continue', 'end' or 'exit'")
    try:
        check(words)
    except ExpressionError as error:
        raise TaskError(f"{at}: {error}") from None
    return Task(name, kind, words, type, _condition(task.get("if"), f"{at}.if"), then, cases)


def _condition(value: object, at: str) -> str | None:
    """Return a condition as an expression; the values ``true`` and ``false`` become expressions
    too. None without a condition.
    """
    if value is None:
        return None
    text = str(value).lower() if isinstance(value, bool) else value
    if not isinstance(text, str):
        raise TaskError(f"{at}: must be an expression")
    whole = text.strip() if text.strip().startswith("${") else f"${{ {text} }}"
    try:
        check(whole)
    except ExpressionError as error:
        raise TaskError(f"{at}: {error}") from None
    return whole


def _task_label(task: object) -> str:
    return f"'{task[:80]}'" if isinstance(task, str) else "without a name"
