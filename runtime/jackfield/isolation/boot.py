"""First code of a child process, run as a script in a Python without site-packages: makes ``jackfield`` importable and hands over.

Only the package's own folder is made importable, not the folder that it lies in: that may be the host's site-packages.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _import_jackfield(folder: str) -> None:
    parent = folder.rpartition("/")[0]
    spec = PathFinder.find_spec("jackfield", [parent])
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no jackfield in {parent}")
    module = module_from_spec(spec)
    sys.modules["jackfield"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _import_jackfield(sys.argv[1])
    from jackfield.isolation.child import run

    run(int(sys.argv[2]))
