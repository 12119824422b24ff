"""A home where evidence settles doubts, and a call in it whose answer is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from clocks import StillClock, look_while_due, time_passes
from jackfield_store.database import open_database
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from jackfield_store.runtime.runtime_pool import RuntimePool


@contextmanager
def settling_home(folder: Path) -> Iterator[dict[str, str]]:
    """Make the environment of a process of that home, with a database, and set it."""
    url = f"sqlite:///{folder / 'jackfield.db'}"
    open_database(url, migrate=True).close()
    found = {
        **os.environ,
        "JACKFIELD_HOME": str(folder),
        "JACKFIELD_DATABASE_URL": url,
        "JACKFIELD_SETTLE": "on",
    }
    with mock.patch.dict(os.environ, found, clear=True):
        yield found


def looked_for(
    environment: Mapping[str, str], kind: str, values: Mapping[str, Any], call: Mapping[str, Any]
) -> dict[str, Any]:
    """Make a call over a connection of a type with these values, whose answer is lost, look for
    what became of it, and return its entry.
    """
    clock = StillClock()
    with closing(RuntimePool(environment, clock)) as pool:
        runtime = pool.find("default")
        time_passes(0.0, clock, pool.storage.database)
        runtime.connections.add("mine", kind, values, test=False)
        lost = runtime.invoke({**call, "connection": "mine", "timeoutSeconds": 5})
        assert lost.status == "in_doubt", lost.error
        clock.advance(7.0)
        time_passes(0.0, clock, pool.storage.database)
        look_while_due(EvidenceLoop(pool))
        assert runtime.journal is not None
        return runtime.journal.find(lost.meta.invocation_id).to_json()
