"""A row of the page: a piece of software, how it is run, what its documentation promises, and the
same write through jackfield.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Place = Literal["python", "node", "mcp", "nango", "activepieces"]
"""Environment that the packages are installed into: one for Python, and one of npm for each
engine.
"""

NONE_FOUND = "no promise found"


@dataclass(frozen=True)
class Promise:
    """What documentation says about repeats, in our words, and the address of the page that says
    it. ``text`` is empty if none does.
    """

    text: str = ""
    source: str = ""


@dataclass(frozen=True)
class Software:
    """A piece of software that makes one write.

    ``packages`` are installed, and the version of the first is shown. ``program`` is the text of a
    program; or ``words`` are a command, in which ``{python}`` and ``{modules}`` are its
    environment's. ``settings`` are those that are not its own defaults.
    ``answers``, ``arguments`` and ``files`` are handed to ``jackfield prove``, with ``options``.
    ``once`` is the same program within a boundary of jackfield, ``ours`` an action of a connector:
    CONNECTOR/ACTION.
    """

    name: str
    packages: tuple[str, ...]
    promise: Promise
    place: Place = "python"
    program: str = ""
    words: tuple[str, ...] = ()
    settings: str = ""
    answers: str = ""
    arguments: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    once: str = ""
    ours: str = ""

    @property
    def row(self) -> str:
        """Name for ``make prove-public ROW=…``, and of its folder."""
        return (
            "".join(one if one.isalnum() else "-" for one in self.name.lower())
            .strip("-")
            .replace("--", "-")
            .replace("--", "-")
        )

    @property
    def package(self) -> str:
        """Name of the first package, without a version."""
        first = self.packages[0]
        return first[0] + first[1:].partition("@")[0].partition("==")[0]

    @property
    def digest(self) -> str:
        """Digest of all that decides what a run finds: not of its settings in words, and of what
        documentation says.
        """
        text = repr(replace(self, promise=Promise(), settings="", name=""))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


ONCE = (
    "import os\n"
    "os.environ['JACKFIELD_HOME'] = os.environ['JACKFIELD_PROVE_FOLDER']\n"
    "from jackfield import once\n"
)
"""First lines of a program that has a boundary: its journal lies in the folder of the run."""
POST = (
    "import requests\n"
    "def post() -> None:\n"
    "    requests.post('https://api.example.com/orders', json={'sku': 'lamp'}, "
    "timeout=30).raise_for_status()\n"
)
"""One write with requests, for what stands around a function."""
GUARDED = ONCE + POST + "post = once('order', key=lambda: 'order-1')(post)\n"
"""The same write with a boundary."""


def boundary(imports: str, call: str) -> str:
    """Return a program that makes ``call`` within a boundary."""
    return (
        f"{ONCE}{imports}\nwith once('write', key='write-1') as block:\n    "
        f"block.sending()\n    {call}\n"
    )
