"""Reloading of components whose files have changed; for a file that becomes unreadable, the earlier
definitions stay.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from jackfield.callers import Caller
from jackfield.kernel.exports import late_hints
from jackfield_dapr.sidecar.api import DaprApi
from jackfield_dapr.sidecar.bindings import Binding, Bindings
from jackfield_dapr.sidecar.loading import Components, look_at

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield

INTERVAL = 0.5
"""Seconds between two checks of the folders."""


def served_api(
    components: Components,
    found: Bindings,
    jackfield: Jackfield,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    *,
    origins: tuple[str, ...] = (),
    local: bool,
    stopping: threading.Event,
) -> DaprApi:
    """Return the API of components that were read, over a runtime with their connections. A thread
    follows their files until ``stopping`` is set; ``say`` gets sentences for the operator.
    """
    invoke = partial(jackfield.invoke, caller=Caller(remote=True, waits=False), on_time=True)
    token = environment.get("DAPR_API_TOKEN") or None
    api = DaprApi(
        found.by_name,
        invoke,
        components.app_id,
        token,
        origins,
        local,
        stopping,
        partial(taken_file, jackfield),
    )
    Reloading(components, environment, found, partial(apply, jackfield, api), say).start(
        stopping.is_set
    )
    return api


def taken_file(jackfield: Jackfield, identifier: str) -> bytes:
    """Return the content of a stored file that an action has returned, and delete the file, since
    the response contains it.

    :raises NotFound: if the workspace has no such file.
    """
    with closing(jackfield.files.open_by_id(jackfield.workspace, identifier)) as file:
        found = file.read()
    jackfield.files.delete(jackfield.workspace, identifier)
    return found


def apply(jackfield: Jackfield, api: DaprApi, found: Bindings) -> None:
    """Serve the bindings ``found`` from now on. Connections are replaced first, since the bindings
    name them.
    """
    jackfield.connections.known.reread(
        [{"connections": dict(found.connections)}], catalog=jackfield.catalog
    )
    api.bindings = found.by_name


class Reloading:
    """Watch on the files of components. ``apply`` gets the components to serve from now on, ``say``
    a sentence for the operator.

    A change is read once two checks in a row have found the same files, so that no file is read
    while it is written. One thread must call ``poll``.
    """

    def __init__(
        self,
        components: Components,
        environment: Mapping[str, str],
        served: Bindings,
        apply: Callable[[Bindings], None],
        say: Callable[[str], None],
    ) -> None:
        self._components = components
        self._environment = environment
        self._served = served
        self._apply = apply
        self._say = say
        # a file may have changed since, while the server started
        self._read = self._seen = served.seen

    def start(self, stopping: Callable[[], bool], interval: float = INTERVAL) -> None:
        """Poll in a daemon thread until ``stopping``."""

        def run() -> None:
            waiting = threading.Event()
            while not (waiting.wait(interval) or stopping()):
                self.poll()

        threading.Thread(target=run, name="dapr-components", daemon=True).start()

    def poll(self) -> None:
        """Check the files, and reload the components if they have changed and the change is
        complete.
        """
        before, self._seen = self._seen, look_at(self._components.folders)
        if self._seen != self._read and self._seen == before:
            self._read = self._seen
            self._reload()

    def _reload(self) -> None:
        found = self._components.read(self._environment)
        known = {problem.text for problem in self._served.problems}
        for problem in found.problems:
            if problem.text not in known:
                self._say(problem.text)
        kept = dict(_still_served(self._served, found))
        for name in kept:
            self._say(f"component '{name}': its last valid version is still served")
        connections = {
            binding.connection: self._served.connections[binding.connection]
            for binding in kept.values()
        }
        merged = Bindings(
            {**kept, **found.by_name}, {**connections, **found.connections}, found.problems
        )
        changes = ", ".join(_changes(self._served, merged))
        self._apply(merged)
        self._served = merged
        if changes:
            self._say(f"the components were reloaded: {changes}")


def _still_served(served: Bindings, found: Bindings) -> Iterator[tuple[str, Binding]]:
    """Yield the bindings that stay although they are missing now: their file or folder cannot be
    read, or they are not valid any more.
    """
    broken = {problem.path for problem in found.problems if problem.path}
    for name, binding in served.by_name.items():
        is_broken = binding.path in broken or os.path.dirname(binding.path) in broken
        if is_broken and name not in found.by_name and binding.connection not in found.connections:
            yield name, binding


def _changes(before: Bindings, after: Bindings) -> Iterator[str]:
    for name, binding in after.by_name.items():
        old = before.by_name.get(name)
        if old is None:
            yield f"'{name}' is new"
        elif (old.fields, old.limits) != (binding.fields, binding.limits) or before.connections[
            old.connection
        ] != after.connections[binding.connection]:
            yield f"'{name}' has changed"
    yield from (f"'{name}' is gone" for name in before.by_name if name not in after.by_name)


late_hints(__name__)
