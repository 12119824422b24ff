"""The components of a folder, as a sidecar or a server takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jackfield.catalog import Catalog
from jackfield.connections.foreign import Problem, Surroundings
from jackfield.errors import Detail, InvalidConnection
from jackfield.surfaces.dapr.bindings import Bindings, read_bindings
from jackfield.surfaces.dapr.folder import read_folder

__all__ = ["Components"]


@dataclass(frozen=True, slots=True)
class Components:
    """Where components are, and for which application they are loaded; ``strict`` refuses what Dapr's own code refuses."""

    folder: str
    app_id: str = ""
    strict: bool = False

    def read(self, environment: Mapping[str, str]) -> Bindings:
        """What the folder holds, and what is wrong with it."""
        around = Surroundings(Catalog.installed, environment, app_id=self.app_id, strict=self.strict)
        items = list(read_folder(self.folder))
        found = read_bindings((item for item in items if not isinstance(item, Problem)), around)
        return replace(found, problems=(*(item for item in items if isinstance(item, Problem)), *found.problems))

    @staticmethod
    def check(found: Bindings) -> None:
        """Do nothing where Dapr would start with these.

        :raises InvalidConnection: where it would not.
        """
        fatal = [problem for problem in found.problems if problem.fatal]
        if fatal:
            raise InvalidConnection(
                f"the components cannot be loaded: {fatal[0]}",
                details=[Detail("", problem.text) for problem in fatal],
                hint="Correct them, or set 'spec.ignoreErrors: true' for a component that may be missing.",
            )
