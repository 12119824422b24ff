"""Puts on the path what tests of connectors share, which stands beside the lowest of them that uses
it. Loaded by ``-p``.
"""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def shared(root: Path) -> list[str]:
    """The folders of tests with modules that are no tests."""
    modules = (
        path
        for path in root.glob("connectors/*/tests/*.py")
        if not path.name.startswith(("test_", "conftest"))
    )
    return sorted({str(path.parent) for path in modules})


if __name__ == "__main__":  # as mypy asks for them, with the connectors' own folders
    sys.stdout.write(
        ":".join(
            [
                *shared(_ROOT),
                *(str(path.parent) for path in sorted(_ROOT.glob("connectors/*/pyproject.toml"))),
            ]
        )
    )
else:
    sys.path[:0] = shared(_ROOT)
