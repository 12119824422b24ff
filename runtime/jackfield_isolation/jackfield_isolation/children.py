"""All child processes of this process, and the loader that gives the catalog a proxy of an isolated
connector.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.fork import ProcessLocal

if TYPE_CHECKING:
    from jackfield.catalog import EntryPoint
    from jackfield.manifest.manifest import Manifest
    from jackfield_isolation.lazy_threads import LazyThreads
    from jackfield_isolation.program import Program
    from jackfield_isolation.remote.remote import RemoteConnector
    from jackfield_isolation.sessions import Sessions
    from jackfield_isolation.supervisor import Supervisor, WatchThread


_MORE_FACTS = 256 * 1024
"""Maximum size in bytes of a child's facts about its connector beyond the manifest."""


_MOST_SUPERVISORS = 1000


class Children(ProcessLocal):
    """Child processes of the isolated connectors of one catalog. Nothing is imported or started
    before the first is loaded.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._common: tuple[Sessions, WatchThread] | None = None
        self._supervisors: dict[tuple[Program, str], Supervisor] = {}
        self._former: list[Supervisor] = []
        self._threads: list[LazyThreads] = []
        self._ends: Counter[str] = Counter()
        self._lock = threading.Lock()

    def load(self, manifest: Manifest, point: EntryPoint) -> RemoteConnector:
        """Start the connector that ``point`` names in a child process, and return its proxy.

        :raises ImportError: if the connector cannot run.
        :raises Unavailable: if the process cannot be started now.
        """
        from jackfield.wire.outbound import ENVIRONMENT, way_out
        from jackfield_isolation.process import Broken, Ended
        from jackfield_isolation.program import Policy, Program, authorities
        from jackfield_isolation.remote.channel import Channel
        from jackfield_isolation.remote.remote import RemoteConnector

        policy = Policy.from_environment(self._environment)
        trusted = authorities(self._environment)
        largest = 2 * len(json.dumps(manifest.whole())) + _MORE_FACTS
        program = Program(
            manifest.key,
            manifest.version,
            point.module,
            point.attribute,
            point.paths,
            policy,
            trusted,
            largest,
        )
        self._replace_described(program)
        first = self._supervisor(program, "")
        try:
            first.started()
            hello = first.described
        except Broken as fault:
            raise ImportError(f"its process {fault}") from None
        except Ended as end:
            raise Unavailable(
                f"the process of the connector '{manifest.key}' {end}",
                hint="Try again later.",
                sent=Sent.NOTHING,
            ) from None
        route = way_out(self._environment, usual=ENVIRONMENT)
        channel = Channel(manifest, partial(self._supervisor_for, program), first.sessions, route)
        self._threads.append(channel.threads)
        return RemoteConnector(manifest, channel, hello)

    def _supervisor_for(self, program: Program, workspace: str) -> Supervisor:
        """Return the supervisor for a workspace's questions.

        :raises ValueError: if the policy separates workspaces, and the asking workspace is not
            known.
        """
        if program.policy.per_workspace and not workspace:
            raise ValueError(
                "a question to an isolated connector without the workspace that asks it"
            )
        return self._supervisor(program, workspace)

    def _supervisor(self, program: Program, workspace: str) -> Supervisor:
        from jackfield_isolation.sessions import Sessions
        from jackfield_isolation.supervisor import Supervisor, WatchThread

        key = (program, workspace if program.policy.per_workspace else "")
        found = self._supervisors.get(key)
        if found is None:
            with self._lock:
                sessions, thread = self._common = self._common or (Sessions(), WatchThread())
                # it has described the connector only
                found = self._supervisors.get(key) or self._supervisors.pop((program, ""), None)
                found = found or Supervisor(
                    program, sessions, thread, self._note_end, self._make_room
                )
                self._supervisors[key] = found
        return found

    def _make_room(self, newest: Supervisor) -> None:
        """End the longest idle processes if there are too many, and remove supervisors without a
        process.
        """
        with self._lock:
            known = sorted(self._supervisors.items(), key=lambda item: item[1].used_at)
            empty = [item for item in known if item[1].is_resting][
                : max(0, len(known) - _MOST_SUPERVISORS)
            ]
            for key, _ in empty:
                del self._supervisors[key]
        for _, one in empty:
            one.retire()
        running = [one for _, one in known if one.processes]
        idle = [one for one in running if one.is_idle and one is not newest]
        for one in idle[: max(0, len(running) - newest.program.policy.processes)]:
            one.rest()

    def _replace_described(self, program: Program) -> None:
        """Remove the supervisors of a program that was loaded before, since its files now belong to
        another installation.
        """
        with self._lock:
            former = [
                key
                for key, found in self._supervisors.items()
                if key[0] == program and found.is_described
            ]
            gone = [self._supervisors.pop(key) for key in former]
            self._former = [*(one for one in self._former if one.processes), *gone]
        for found in gone:
            found.retire()

    def processes(self) -> list[int]:
        """Return the process IDs of the running child processes."""
        return [number for found in list(self._supervisors.values()) for number in found.processes]

    def ends(self) -> dict[str, int]:
        """Return the numbers of child processes that ended by themselves, or were ended for
        misbehaviour, by connector.
        """
        return dict(self._ends)

    def _note_end(self, connector: str) -> None:
        with self._lock:
            self._ends[connector] += 1

    def close(self) -> None:
        """End all child processes."""
        for found in [*self._supervisors.values(), *self._former]:
            found.close()
        for threads in self._threads:
            threads.shutdown()
        if self._common is not None:
            self._common[1].close()
