"""A real PgBouncer before a real PostgreSQL (Debian's package), where it is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ports import free_port
from waiting import until

_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MISSING = None if _PROGRAM else "PgBouncer is not installed"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=120).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def pooled(folder: Path, url: str, mode: str = "transaction", size: int = 3) -> Iterator[str]:
    """URL of a database behind a PgBouncer with ``size`` sessions."""
    user, place = url.removeprefix("postgresql://").split("@")
    address, name = place.split("/")
    port = free_port()
    folder = folder / f"pgbouncer-{mode}"
    folder.mkdir(mode=0o755)
    file = folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n{name} = host=127.0.0.1 port={address.rpartition(':')[2]} user={user} "
        f"dbname={name}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode "
        f"= {mode}\n"
        f"default_pool_size = {size}\nmax_client_conn = 200\nunix_socket_dir =\nlogfile =\n",
        encoding="ascii",
    )
    # it refuses root
    other = ("setpriv", "--reuid", "65534", "--clear-groups") if os.geteuid() == 0 else ()
    with file.open(encoding="ascii") as content, (folder.parent / f"{mode}.log").open("wb") as log:
        running = subprocess.Popen(
            [*other, str(_PROGRAM), "/dev/stdin"], stdin=content, stdout=log, stderr=log, cwd="/"
        )
    try:
        until(lambda: _answers(port) or running.poll() is not None)
        yield f"postgresql://{user}@127.0.0.1:{port}/{name}"
    finally:
        running.kill()
        running.wait()
