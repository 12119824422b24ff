"""Calls of a host's task: a write and a read, noted in a file once the task was told that they
succeeded.

The host's program gives what they need in environment variables: ``HOST_URL`` is the provider's,
``HOST_DATABASE`` the database's, and ``HOST_TOLD`` names the file, which tests read to know what
was told to whom.
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield_store.runtime import Jackfield


@functools.cache
def _runtime_of(_process: int) -> Jackfield:
    found: type[Jackfield] = importlib.import_module("jackfield").Jackfield
    connection = {
        "connections": {
            "m": {"type": "http/bearer", "values": {"server": os.environ["HOST_URL"], "token": "t"}}
        }
    }
    return found(connections=[connection], database_url=os.environ["HOST_DATABASE"])


def runtime() -> Jackfield:
    """The runtime of this process, which nothing closes: it lives as long as its module."""
    return _runtime_of(os.getpid())


def invocation(method: str, path: str = "/x") -> dict[str, Any]:
    """An invocation of the provider."""
    return {
        "connector": "http",
        "action": "request",
        "connection": "m",
        "inputs": {"url": path, "method": method},
        "timeoutSeconds": 600,
    }


def call() -> None:
    """Make both calls, and note what was told."""
    for method in ("POST", "GET"):
        result = runtime().invoke(invocation(method))
        result.unwrap()
        told(result.meta.invocation_id)


def told(identifier: str) -> None:
    """Note that a call was told as succeeded."""
    note = os.open(os.environ["HOST_TOLD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(note, f"{identifier}\n".encode())
    finally:
        os.close(note)


def wait() -> None:
    """Make a call that the provider does not answer; note what the host raises into it."""
    try:
        runtime().invoke(invocation("POST", "/slow"))
    except BaseException as raised:
        told(type(raised).__name__)
        raise
    told("nothing")
