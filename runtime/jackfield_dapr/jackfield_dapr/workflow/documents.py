"""Workflows in documents: all are parsed, and unsupported tasks are refused by name before anything
is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jackfield.connections.formats import Document
from jackfield.kernel.errors import InvalidInvocation, did_you_mean
from jackfield_dapr.workflow.tasks import (
    Task,
    TaskError,
    check_targets,
    tasks_of_do,
    tasks_of_steps,
)


@dataclass(frozen=True, slots=True, repr=False)
class Workflow:
    """One workflow. ``key`` is its key in an object of workflows, or its name; ``tasks`` are in
    order.
    """

    key: str
    name: str
    place: str
    enabled: bool
    content: Mapping[str, Any]

    @property
    def tasks(self) -> Sequence[Task]:
        """Tasks in order.

        :raises InvalidInvocation: if a task is unsupported or malformed.
        """
        try:
            found = tuple(self._tasks())
            check_targets(found)
        except TaskError as error:
            raise InvalidInvocation(
                f"{self.place}: the workflow '{self.name[:100]}': {error}",
                hint="Nothing was sent. Only the task types notify, set and switch are supported.",
            ) from None
        return found

    def _tasks(self) -> Iterator[Task]:
        content = self.content
        inner = content.get("workflow")
        if isinstance(inner, Mapping):
            content = inner
        if "steps" in content:
            yield from tasks_of_steps(content["steps"])
        elif "do" in content:
            yield from tasks_of_do(content["do"])
        else:
            raise TaskError("it needs 'steps' or 'do'")


def read_workflows(documents: Iterable[Document]) -> list[Workflow]:
    """Read the workflows of all documents in order; documents without workflows are skipped.

    :raises InvalidInvocation: if ``workflows`` is neither a list nor an object.
    """
    return [workflow for document in documents for workflow in _workflows(document)]


def find_workflow(
    workflows: Sequence[Workflow], name: str | None, faults: Sequence[str] = (), without: str = ""
) -> Workflow:
    """Return the workflow with the key or name ``name``; without a name, the only workflow.
    ``faults`` describe unreadable parts of the file, ``without`` is the hint for a file without
    workflows.

    :raises InvalidInvocation: if no workflow or several match, or the workflow is not enabled.
    """
    unread = f" Parts of the file cannot be read: {'; '.join(faults[:3])}." if faults else ""
    if name is not None:
        found = _find_workflow(workflows, name, without, unread)
    elif len(workflows) == 1:
        found = workflows[0]
    else:
        what = (
            f"the file has {len(workflows)} workflows" if workflows else "the file has no workflow"
        )
        hint = (
            f"Name one of {_text_of_keys(workflows)}."
            if workflows
            else without or "See 'jackfield run --help'."
        )
        raise InvalidInvocation(what, hint=hint + unread)
    if not found.enabled:
        raise InvalidInvocation(
            f"the workflow '{found.name[:100]}' is not enabled", hint="Set 'enabled: true'."
        )
    return found


def _find_workflow(workflows: Sequence[Workflow], name: str, without: str, unread: str) -> Workflow:
    """Find a workflow by key, then by name. A name used twice is refused, since either workflow
    would send mail.
    """
    found = [item for item in workflows if item.key == name] or [
        item for item in workflows if item.name == name
    ]
    if not found:
        tail = did_you_mean(name, [label for item in workflows for label in (item.key, item.name)])
        hint = (
            without
            if without and not workflows
            else f"The file has {_text_of_keys(workflows) or 'none'}."
        )
        raise InvalidInvocation(
            f"no workflow is named '{name[:100]}'{tail}", hint=f"{hint}{unread}"
        )
    if len(found) > 1:
        places = " and ".join(item.place for item in found[:10])
        raise InvalidInvocation(
            f"{len(found)} workflows are named '{name[:100]}': {places}",
            hint="Rename all but one of them.",
        )
    return found[0]


def _text_of_keys(workflows: Sequence[Workflow]) -> str:
    return ", ".join(item.key for item in workflows[:10])


def _workflows(document: Document) -> Iterator[Workflow]:
    content = document.content
    if not isinstance(content, Mapping):
        return
    if {"document", "do"} <= content.keys():
        yield _workflow("", content, document.place)
    entries = content.get("workflows")
    if isinstance(entries, Mapping):
        for key, entry in entries.items():
            yield _workflow(str(key), entry, f"{document.place}: workflows.{key}")
    elif isinstance(entries, list):
        for number, entry in enumerate(entries):
            yield _workflow("", entry, f"{document.place}: workflows[{number}]")
    elif entries is not None:
        raise InvalidInvocation(
            f"{document.place}: workflows: must be a list, or an object of workflows by key"
        )


def _workflow(key: str, entry: object, place: str) -> Workflow:
    if not isinstance(entry, Mapping):
        raise InvalidInvocation(
            f"{place}: a workflow must be an object with 'name' and 'steps', or 'document' and 'do'"
        )
    inner = entry.get("workflow")
    about = inner.get("document") if isinstance(inner, Mapping) else entry.get("document")
    named = about.get("name") if isinstance(about, Mapping) else None
    name = str(entry.get("name") or named or key or "workflow")
    return Workflow(key or name, name, place, entry.get("enabled") is not False, entry)
