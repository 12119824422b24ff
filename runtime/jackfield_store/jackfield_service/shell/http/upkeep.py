"""Upkeep of a server process, once a second: changed certificates, SIGHUP, and notices to
systemd.
"""

from __future__ import annotations

import asyncio
import multiprocessing

from jackfield.kernel.notices import Notices
from jackfield.kernel.signals import HANGUPS
from jackfield_service.shell.http.certificates import Certificates
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_store.resources.renewal import renew


class Upkeep:
    """Renewal of one process's files, in one thread at a time, so that no request waits."""

    def __init__(self, server: ServerContext, certificates: Certificates | None) -> None:
        self._server = server
        self._certificates = certificates
        self._renewing: asyncio.Task[bool] | None = None
        # a worker's parent speaks for it
        self._notices = Notices({}) if multiprocessing.parent_process() is not None else Notices()

    async def tick(self) -> None:
        """Reload all files after a SIGHUP, or certificates that changed, and notify systemd that
        the process is alive.
        """
        if self._renewing is not None and not self._renewing.done():
            self._notices.alive()
            return
        if HANGUPS.take():
            self._notices.reloading()
            self._renew(everything=True)
        elif self._certificates is not None and self._certificates.changed():
            self._renew(everything=False)
        else:
            self._notices.alive()

    def _renew(self, *, everything: bool) -> None:
        storage = self._server.storage if everything else None
        certificates = [] if self._certificates is None else [self._certificates.renewed]
        self._renewing = asyncio.ensure_future(
            self._server.briefly(lambda: renew(storage, certificates))
        )

    def end(self) -> None:
        """Notify systemd that the server stops."""
        self._notices.stopping()
