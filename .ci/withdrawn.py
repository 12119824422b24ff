"""Print what an environment has from this repository and whose projects are gone: it declares what
others declare now.
"""

from __future__ import annotations

import json
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

for found in distributions():
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    folder = Path(unquote(urlsplit(origin.get("url", "")).path))
    if origin.get("dir_info", {}).get("editable") and not (folder / "pyproject.toml").is_file():
        print(found.name)
