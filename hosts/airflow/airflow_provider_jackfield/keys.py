"""Idempotency keys of tasks: the same for each try of a task, another one for any other task."""

from __future__ import annotations

import hashlib
import json
import re

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_SHOWN = 80
"""Maximum characters of an ID in a key: a key has at most 255, and its digest makes it unique."""


def task_key(dag_id: str, run_id: str, task_id: str, map_index: int = -1, part: str = "") -> str:
    """Return the idempotency key of a task, without the number of its try. ``part`` distinguishes
    several calls of one task.

    Dag and task are readable in the key, so that readers of jackfield's journal find the task. A
    digest of all parts gives each task a key of its own, whatever characters the IDs contain.
    """
    digest = hashlib.sha256(
        json.dumps([dag_id, run_id, task_id, map_index, part]).encode()
    ).hexdigest()
    return f"airflow/{_shown(dag_id)}/{_shown(task_id)}/{digest}"


def _shown(text: str) -> str:
    return _UNPRINTABLE.sub("_", text)[:_SHOWN]
