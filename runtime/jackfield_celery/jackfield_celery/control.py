"""Celery's remote control, limited to commands that change nothing: Flower shows the workers, but
its buttons cannot stop them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from celery.worker.consumer.control import Control as CeleryControl

_LOG = logging.getLogger("jackfield.queue")
_READING = frozenset(
    {
        "active",
        "active_queues",
        "clock",
        "conf",
        "disable_events",
        "dump_active",
        "dump_reserved",
        "dump_revoked",
        "dump_schedule",
        "dump_tasks",
        "enable_events",
        "heartbeat",
        "ping",
        "query_task",
        "registered",
        "report",
        "reserved",
        "revoked",
        "scheduled",
        "stats",
    }
)
_INSTEAD = (
    "stop a worker with SIGTERM, cancel with POST /v1/invocations/{id}/cancel, limit with "
    "'jackfield workspaces set'"
)


class Control(CeleryControl):
    """Celery's step that receives remote commands.

    Commands that change something are refused: after ``shutdown`` and ``cancel_consumer`` a process
    would work on nothing. After ``revoke`` a worker would drop the messages of invocations, and
    after ``rate_limit`` hold them, while the journal counts on their delivery.
    """

    def __init__(self, c: Any, **options: Any) -> None:
        super().__init__(c, **options)
        self.box.node.handlers = _limited(self.box.node.handlers)


def _limited(commands: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {
        name: command if name in _READING else _refusal(name) for name, command in commands.items()
    }


def _refusal(name: str) -> Callable[..., dict[str, str]]:
    def refused(_state: object, **_arguments: object) -> dict[str, str]:
        _LOG.warning("the remote command '%s' was refused: %s", name, _INSTEAD)
        return {"error": f"jackfield's workers refuse '{name}': {_INSTEAD}"}

    return refused
