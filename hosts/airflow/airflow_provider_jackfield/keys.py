"""Idempotency keys of tasks: the same for each try of a task, another one for any other task."""

from __future__ import annotations

import hashlib
import json
import re

_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_SHOWN = 80
"""Characters of an ID that are shown: a key has at most 255, and the digest decides."""


def task_key(dag_id: str, run_id: str, task_id: str, map_index: int = -1, part: str = "") -> str:
    """Return the key of a task, without the number of its try; ``part`` tells several calls of one task apart.

    Dag and task are readable in the key, so that whoever looks at jackfield's journal finds the task. The digest is over all parts,
    so that no two tasks share a key, however their IDs are written.
    """
    digest = hashlib.sha256(json.dumps([dag_id, run_id, task_id, map_index, part]).encode()).hexdigest()
    return f"airflow/{_shown(dag_id)}/{_shown(task_id)}/{digest}"


def _shown(text: str) -> str:
    return _UNPRINTABLE.sub("_", text)[:_SHOWN]
