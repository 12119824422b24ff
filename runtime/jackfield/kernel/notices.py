"""Notices to systemd (``sd_notify(3)``): the service is ready, reloads, stops, and is still
alive.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

TYPE_CHECKING = False  # as in fork
if TYPE_CHECKING:
    from collections.abc import Mapping


class Notices:
    """Notices of one process to the manager that started it; no notice is sent unless
    ``NOTIFY_SOCKET`` is set.

    With ``WatchdogSec=`` the manager restarts a service that has not called ``alive`` within the
    given time.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._is_ready = False
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watches = watched and bool(environment.get("WATCHDOG_USEC"))

    @property
    def wanted(self) -> bool:
        """True if notices have a receiver."""
        return bool(self._address)

    def alive(self) -> None:
        """Notify that the service is ready, at the first call; at every call, that it is alive."""
        if not self._is_ready:
            self._is_ready = True
            self._say("READY=1")
        if self._watches:
            self._say("WATCHDOG=1")

    def reloading(self) -> None:
        """Notify that the service reads its settings again; the next ``alive`` notifies that it is
        ready.
        """
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._is_ready = False

    def stopping(self) -> None:
        """Notify that the service stops."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if self._address:
            with (
                contextlib.suppress(OSError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaking,
            ):
                speaking.sendto(text.encode(), self._address)
