"""First code of a child process, run as a script in a Python without site-packages: it makes the
host's packages importable.

Only the folders of ``jackfield`` and of this package become importable, not their parent folders,
which may be the host's site-packages.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _import(folder: str) -> None:
    parent, _, name = folder.rpartition("/")
    spec = PathFinder.find_spec(name, [parent])
    if spec is None or spec.loader is None:
        raise ImportError(f"there is no {name} in {parent}")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    *folders, descriptor = sys.argv[1:]
    for folder in folders:
        _import(folder)
    from jackfield_isolation.child import run

    run(int(descriptor))
