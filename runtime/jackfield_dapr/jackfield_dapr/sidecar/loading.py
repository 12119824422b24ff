"""Loading of a folder's components, for a sidecar or a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from jackfield.catalog import Catalog
from jackfield.connections.formats import Problem, Surroundings
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield_dapr.sidecar.bindings import Bindings, read_bindings
from jackfield_dapr.sidecar.folder import read_folder


@dataclass(frozen=True, slots=True)
class Components:
    """Folders (or files) of components, and the application that they are loaded for; ``strict``
    refuses files that Dapr's own code refuses.
    """

    folders: tuple[str, ...]
    app_id: str = ""
    strict: bool = False

    def read(self, environment: Mapping[str, str]) -> Bindings:
        """Read the components of all folders and their problems."""
        seen = look_at(self.folders)
        around = Surroundings(
            Catalog.installed, environment, app_id=self.app_id, strict=self.strict
        )
        items = [item for folder in self.folders for item in read_folder(folder)]
        found = read_bindings((item for item in items if not isinstance(item, Problem)), around)
        return replace(
            found,
            problems=(*(item for item in items if isinstance(item, Problem)), *found.problems),
            seen=seen,
        )

    @staticmethod
    def check(found: Bindings) -> None:
        """Check that Dapr would start with these components.

        :raises InvalidConnection: if Dapr would refuse them.
        """
        fatal = [problem for problem in found.problems if problem.fatal]
        if fatal:
            raise InvalidConnection(
                f"the components cannot be loaded: {fatal[0]}",
                details=[Detail("", problem.text) for problem in fatal],
                hint=(
                    "Correct them, or set 'spec.ignoreErrors: true' for a component that may "
                    "be missing."
                ),
            )


def look_at(folders: tuple[str, ...]) -> dict[str, tuple[int, int, int]]:
    """Return size, time and inode of the files by path, for comparison. Mounted files are links,
    which are followed.
    """
    found: dict[str, tuple[int, int, int]] = {}
    for path in (path for folder in folders for path in _files(os.path.expanduser(folder))):
        try:
            status = os.stat(path)
        except OSError:
            continue
        found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def _files(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except NotADirectoryError:
        return [folder]
    except OSError:
        return []
