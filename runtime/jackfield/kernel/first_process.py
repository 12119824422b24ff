"""SIGTERM of the first process of a container: the kernel drops it as long as that process has no
handler for it.
"""

from __future__ import annotations

import ctypes
import os
import signal


def obey() -> None:
    """Make SIGTERM end this process from now on, until a command sets its own handler.

    The handler of process 1 is the C library's ``_exit``, so that it also ends a process that waits
    in a library or for a database. The exit code is the number of the signal. An earlier SIGTERM
    stays pending if the starter blocks it (``env --block-signal=TERM``, as the image does), and
    takes effect now.
    """
    if os.getpid() == 1:
        library = ctypes.CDLL(None)
        library.signal.argtypes, library.signal.restype = (
            (ctypes.c_int, ctypes.c_void_p),
            ctypes.c_void_p,
        )
        library.signal(int(signal.SIGTERM), ctypes.cast(library._exit, ctypes.c_void_p))  # noqa: SLF001 (a name of C)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
