"""Meaning of the server's refusals, by the first word of its error (Redis documentation, "Redis
serialization protocol", errors).
"""

from __future__ import annotations

from jackfield.connector import Forbidden, Rejected, Unauthenticated, Unavailable
from jackfield.connector.sessions import Meaning, Meanings

LOGIN = "Check user name and password of the connection."
_CLUSTER = "Connect to the node that has the key. Clusters are not followed."
_LATER = "Send it again later."
FULL = "full"
_ROWS: dict[str, Meaning] = {
    FULL: (Unavailable, "the server has no connection left", _LATER),
    "WRONGPASS": (Unauthenticated, "the server refused the login", LOGIN),
    "NOAUTH": (Unauthenticated, "the server wants a login", LOGIN),
    "NOPERM": (
        Forbidden,
        "the user is not allowed to do this",
        "Allow the command and the key to the user (ACL SETUSER).",
    ),
    "WRONGTYPE": (
        Rejected,
        "the key holds a value of another type",
        "Use the action for that type, or another key.",
    ),
    "READONLY": (
        Rejected,
        "the server is a replica, which cannot change data",
        "Connect to the primary.",
    ),
    "OOM": (
        Unavailable,
        "the server's memory is full",
        "Raise 'maxmemory' of the server, or delete keys.",
    ),
    "MOVED": (Rejected, "the key is on another node of a cluster", _CLUSTER),
    "ASK": (Rejected, "the key is on another node of a cluster", _CLUSTER),
    "CROSSSLOT": (
        Rejected,
        "the keys are on several nodes of a cluster",
        "Send one key at a time.",
    ),
    "LOADING": (Unavailable, "the server is starting", _LATER),
    "BUSY": (Unavailable, "the server is busy with a script", _LATER),
    "CLUSTERDOWN": (Unavailable, "the cluster is down", _LATER),
    "MASTERDOWN": (Unavailable, "the replica has lost its primary", _LATER),
    "TRYAGAIN": (Unavailable, "the key is being moved to another node", _LATER),
    "NOREPLICAS": (Unavailable, "the server has too few replicas to change data", _LATER),
    "MISCONF": (
        Unavailable,
        "the server cannot store its data, and changes none",
        "Look at the server's log.",
    ),
}
"""Error class, message and hint by the first word of the server's error. A refused command has done
nothing.
"""
MEANINGS = Meanings(_ROWS, (Rejected, "the server refused the command", "Check the inputs."))
