"""The connector ``redis``: its connection type, and the list of its actions' modules."""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_redis.connection_type import LoginType

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='5' fill='%23ff4438'/>"
    "<path fill='%23fff' transform='translate(4.8 4.8) scale(.6)' d='"
    "M22.71 13.145c-1.66 2.092-3.452 4.483-7.038 4.483-3.203 0-4.397-2.825-4.48-5.12.701 1.484 "
    "2.073 2.685 4.214 2."
    "63 4.117-.133 6.94-3.852 6.94-7.239 0-4.05-3.022-6.972-8.268-6.972-3.752 0-8.4 1.428-11.455 "
    "3.685C2.59 6.937 3"
    ".885 9.958 4.35 9.626c2.648-1.904 4.748-3.13 6.784-3.744C8.12 9.244.886 17.05 0 18.425c.1 "
    "1.261 1.66 4.648 2.4"
    "24 4.648.232 0 .431-.133.664-.365a100.49 100.49 0 0 0 5.54-6.765c.222 3.104 1.748 6.898 "
    "6.014 6.898 3.819 0 7."
    "604-2.756 9.33-8.965.2-.764-.73-1.361-1.261-.73zm-4.349-5.013c0 1.959-1.926 2.922-3.685 "
    "2.922-.941 0-1.664-.24"
    "7-2.235-.568 1.051-1.592 2.092-3.225 3.21-4.973 1.972.334 2.71 1.43 2.71 2.619z"
    "'/></svg>"
)

UNRECORDED = (
    "Redis keeps no record of commands, and what is stored is the caller's own: there is no "
    "place for a marker."
)
"""Reason why writes have no evidence."""
connector = Connector(
    "redis",
    title="Redis",
    version="0.1.0",
    description=(
        "Read and change values, lists, hashes and streams of a Redis server, and publish messages."
    ),
    connections=[LoginType],
    icon=_ICON,
    categories=["database"],
    documentation_url="https://redis.io/docs/latest/commands/",
    license="Apache-2.0",
    modules={
        f"{__package__}.strings": ("getValue", "setValue", "setValueIfAbsent", "incrementValue"),
        f"{__package__}.keys": ("listKeys", "deleteKeys", "expireKey"),
        f"{__package__}.lists": ("listItems", "pushItems", "popItems"),
        f"{__package__}.hashes": ("getHash", "setHashFields"),
        f"{__package__}.streams": ("readStream", "addToStream", "publishMessage"),
    },
    trigger_modules={f"{__package__}.watching": ("newEntries",)},
)
