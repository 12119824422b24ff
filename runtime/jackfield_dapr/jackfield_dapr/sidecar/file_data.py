"""Content of files in outputs: inline as base64, or stored if it is large."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from jackfield_dapr.sidecar.calls import BindingError, ReadFile

MAX_DATA = 64 * 1024 * 1024
"""Maximum bytes of a response's data, which are held in memory."""


def file_octets(file: Any, read_file: ReadFile) -> bytes:
    """Return the content of a file of an output.

    :raises BindingError: if it is larger than ``MAX_DATA``.
    """
    if not isinstance(file, Mapping):
        return b""
    if "data" in file:
        return base64.b64decode(str(file["data"]))
    if int(file.get("size") or 0) > MAX_DATA:
        raise BindingError(
            f"the response has {file['size']} bytes; a binding returns at most {MAX_DATA}"
        )
    return read_file(str(file["file"]))
