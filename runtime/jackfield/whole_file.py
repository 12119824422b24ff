"""Files that are replaced as a whole: readers find the old content or the new one, and writers take turns."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # the command line imports this before it knows whether it needs typing
if TYPE_CHECKING:
    from collections.abc import Iterator


def replace_file(path: str, *pieces: bytes, mode: int = 0o666) -> None:
    """Write ``pieces`` as the content of a file, also for after a power failure. An existing file keeps its mode.

    :param mode: of a new file, before the umask.
    :raises OSError: if it cannot be written; the old content is kept then.
    """
    partial = f"{path}.{os.getpid()}.partial"
    try:
        with open(partial, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            with suppress(FileNotFoundError):
                os.chmod(partial, os.stat(path).st_mode & 0o777)
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            os.unlink(partial)
        raise


@contextmanager
def turn(path: str) -> Iterator[None]:
    """Hold the lock file beside ``path`` while it is changed, where the system has such locks. It is released if the process dies.

    :raises OSError: if the folder or the lock file cannot be made.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with open(f"{path}.lock", "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
