"""Threads of the shipped code are in the table of pools, or it is said why they need no shares."""

from __future__ import annotations

import ast

from tests.house.parsed import tree
from tests.house.test_house_ways import MODULES

from jackfield.kernel.shares import POOLS

_KINDS = {"Thread", "ThreadPoolExecutor", "Threads", "SharedThreads"}
_ONE = "one thread of the process, which waits for no provider"
_OWN = "threads of one call, which ends with its deadline"
_RUNTIME = "threads of one runtime, which is one workspace's"
_PROGRAM = "of a command or program of one workspace"
_NOT_SERVED = ("jackfield_market/", "jackfield_aws_ses_simulator/")
"""Packages for authors and tests, of which a server runs nothing."""
OTHERS = {
    "jackfield/call/closing.py": _ONE,
    "jackfield/call/on_loop.py": _RUNTIME,
    "jackfield/call/on_time.py": _RUNTIME,
    "jackfield/call/streams.py": _OWN,
    "jackfield/call/waiter.py": _RUNTIME,
    "jackfield/cli/batch.py": _PROGRAM,
    "jackfield/connections/connection_cache.py": "one for each lease of a connection",
    "jackfield/kernel/shares.py": "the threads of the table",
    "jackfield/tracing.py": _ONE,
    "jackfield_aws/machine/identity.py": _ONE,
    "jackfield_aws/s3/multipart.py": _OWN,
    "jackfield_aws/s3/transfers.py": _OWN,
    "jackfield_aws_ses/doctor/identity.py": _OWN,
    "jackfield_mcp/listening.py": "one for each listening connection",
    "jackfield_celery/dispatcher.py": _ONE,
    "jackfield_celery/engine.py": _ONE,
    "jackfield_celery/worker.py": _ONE,
    "jackfield_dapr/sidecar/http_server.py": _PROGRAM,
    "jackfield_dapr/sidecar/reloading.py": _PROGRAM,
    "jackfield_dapr/sidecar/serving.py": _PROGRAM,
    "jackfield_dapr/workflow/notifying.py": _PROGRAM,
    "jackfield_isolation/child.py": "of a child, which is ended",
    "jackfield_isolation/lazy_threads.py": "of a child, which is ended",
    "jackfield_isolation/process.py": "of a child, which is ended",
    "jackfield_isolation/supervisor.py": "of a child, which is ended",
    "jackfield_service/shell/commands/worker.py": "short reads of the database",
    "jackfield_service/shell/commands/worker_probes.py": _ONE,
    "jackfield_service/shell/identity/jwts.py": "one for each issuer, which the operator names",
    "jackfield_service/shell/process/master.py": _ONE,
    "jackfield_service/shell/process/readiness.py": _ONE,
    "jackfield_service/shell/process/server_context.py": "lanes and shares of requests",
    "jackfield_service/subjects/callbacks/dispatcher.py": "lanes of callbacks",
    "jackfield_service/subjects/mcp/stdio.py": _PROGRAM,
    "jackfield_store/database/batches.py": _ONE,
    "jackfield_store/database/blocked.py": "one for each blocked workspace",
    "jackfield_store/database/engine.py": _ONE,
    "jackfield_store/database/later_sync.py": _ONE,
    "jackfield_store/files/moving.py": _PROGRAM,
    "jackfield_store/journal/instance.py": _ONE,
    "jackfield_store/recording/host_looks.py": "functions of the program itself",
}
POOLED = {
    "jackfield/wire/addresses.py": ("names",),
    "jackfield_store/runtime/due_loop.py": ("looks", "polls", "triggers", "schedules"),
    "jackfield_store/queue/local.py": ("queue",),
}
"""Modules whose places are shared, with their rows; those of the queue are tasks."""


def _starts_threads(module: ast.AST) -> bool:
    calls = (node.func for node in ast.walk(module) if isinstance(node, ast.Call))
    names = (
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls
    )
    return not _KINDS.isdisjoint(names)


def test_each_pool_of_threads_has_shares_or_a_reason() -> None:
    """A module that starts threads shares its places by the table, or is listed with a reason."""
    found = {name for name, path in MODULES.items() if _starts_threads(tree(path))}
    found = {name for name in found if not name.startswith(_NOT_SERVED)}
    assert found - set(OTHERS) - set(POOLED) == set()
    assert set(OTHERS) <= found


def test_each_row_of_the_table_is_used() -> None:
    """The table of pools has a row for each shared pool, and no other."""
    assert sorted(POOLS) == sorted(name for names in POOLED.values() for name in names)
