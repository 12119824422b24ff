"""``clients/connect``: the package of npm that has the script which the server serves at
``/connect.js``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from jackfield import __version__
from jackfield_service.shell.pages.layout.assets import content_of

_DESCRIPTION = (
    "Open the page of a jackfield connect session in a modal or a window, and learn how it ended."
)
_MODULE = """// The same functions for `import`.
import connect from "./connect.js";

export const open = connect.open;
export default connect;
"""


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the package's generated files: its description, the script, and the module that imports
    it.
    """
    yield folder / "package.json", json.dumps(_about(), indent=2) + "\n"
    yield folder / "connect.js", content_of("embed.js").decode()
    yield folder / "connect.mjs", _MODULE


def _about() -> dict[str, object]:
    return {
        "name": "jackfield-connect",
        "version": __version__,
        "description": _DESCRIPTION,
        "license": "Apache-2.0",
        "main": "./connect.js",
        "module": "./connect.mjs",
        "types": "./connect.d.ts",
        "exports": {
            ".": {
                "import": {"types": "./connect.d.mts", "default": "./connect.mjs"},
                "require": {"types": "./connect.d.ts", "default": "./connect.js"},
            },
            "./package.json": "./package.json",
        },
        "files": ["connect.js", "connect.mjs", "connect.d.ts", "connect.d.mts", "README.md"],
        "sideEffects": False,
        "engines": {"node": ">=18"},
    }
