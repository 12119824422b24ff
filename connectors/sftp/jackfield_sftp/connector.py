"""The connector ``sftp``: its connection type, and the list of its actions' modules."""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_sftp.connection_type import LoginType

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%233a5a40'/>"
    "<text x='12' y='17' font-family='sans-serif' font-size='13' text-anchor='middle' "
    "fill='white'>F</text></svg>"
)
UNRECORDED = "The server keeps no record of who has moved, made or deleted a file."
"""Reason why writes have no evidence."""

connector = Connector(
    "sftp",
    title="SFTP",
    version="0.1.0",
    description="List, read, write, move and delete files of a server over SSH.",
    connections=[LoginType],
    icon=_ICON,
    categories=["files"],
    documentation_url="https://man.openbsd.org/sftp-server",
    license="Apache-2.0",
    modules={
        f"{__package__}.files": (
            "readFile",
            "writeFile",
            "downloadFile",
            "uploadFile",
            "moveFile",
            "deleteFile",
        ),
        f"{__package__}.folders": ("listFiles", "createFolder"),
    },
    trigger_modules={f"{__package__}.watching": ("files",)},
)
