"""Atomic writing of files: readers find the old content or the new one, and unchanged files are
left alone.
"""

from __future__ import annotations

import os

from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import replace_file


def write_file(path: str, content: bytes) -> bool:
    """Write a file and its folders; return False if it had this content already.

    :raises InvalidInvocation: if it cannot be written.
    """
    try:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if file.read() == content:
                    return False
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise InvalidInvocation(
            f"the file '{path}' cannot be written: {error.strerror}",
            hint="Check the path and its permissions.",
        ) from None
    return True


def write_secret(path: str, content: bytes) -> None:
    """Write a new file that only its owner may read, in a folder that only its owner may enter.

    :raises InvalidInvocation: if it exists or cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InvalidInvocation(
            f"the file '{path}' cannot be written: {error.strerror}",
            hint="Check the path and its permissions.",
        ) from None
