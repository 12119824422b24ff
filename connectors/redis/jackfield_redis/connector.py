"""The connector ``redis``: its connection type, and the list of its actions' modules."""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_redis.connection_type import LoginType

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%23b3261e'/>"
    "<text x='12' y='17' font-family='sans-serif' font-size='13' text-anchor='middle' fill='white'>R</text></svg>"
)

UNRECORDED = "Redis keeps no record of commands, and what is stored is the caller's own: there is no place for a marker."
"""Why writes have no evidence."""
connector = Connector(
    "redis",
    title="Redis",
    version="0.1.0",
    description="Read and change values, lists, hashes and streams of a Redis server, and publish messages.",
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
