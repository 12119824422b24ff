"""CPython that Debian's development branch has and this machine has not, in a root folder of its
own: it needs another libc.

This takes root, ``debootstrap`` and ``unshare``. The folder is kept in ``.cache``; its mounts are
those of one command, and end with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import ROOT

_SUITE = "sid"
_FOLDER = ROOT / ".cache" / "debian" / _SUITE
_PACKAGES = ("ca-certificates", "git", "procps", "redis-server")
_ALSO = (
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/pip.conf",
    "~/.config/pip/pip.conf",
    "~/.config/uv/uv.toml",
)
"""Files that say how package indexes are reached from here."""
_ENTER = """
root=$0 here=$1; shift
for folder in /dev /proc /tmp "$here"; do mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder" || exit 1; done
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$here" "$@"
"""


def inside(version: str) -> tuple[str, ...]:
    """Return the words before a command, which then runs where ``/usr/bin/python{version}`` is;
    nothing if that cannot be had.
    """
    if (
        not version.replace(".", "").isdigit()
        or os.geteuid()
        or not all(map(shutil.which, ("debootstrap", "unshare")))
    ):
        return ()
    if not (_FOLDER / "usr" / "bin" / f"python{version}").exists() and not _made(version):
        return ()
    for path in (
        *map(Path, _ALSO),
        Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")),
    ):
        found = path.expanduser()
        if found.is_file():
            copy = _FOLDER / found.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, copy)
    return ("unshare", "--mount", "sh", "-c", _ENTER, str(_FOLDER), str(ROOT))


def _made(version: str) -> bool:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.parent.mkdir(parents=True, exist_ok=True)
    packages = ",".join((*_PACKAGES, f"python{version}", f"python{version}-venv"))
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", _SUITE, str(_FOLDER)],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return not done.returncode
