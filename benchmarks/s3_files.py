"""5 GB to S3 and from there through a server that is killed in the middle of each: ``python -m
benchmarks.s3_files [MIB]``.

It needs as many bytes of disk as the file has, and a tenth more; 6 GB at most.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.trees import TREE
from s3_measured import Found, measure

_MIB = 1024 * 1024
_MOST, _DISK = 60e6, 6e9
"""Bytes of memory above the idle server, and of disk."""


def main(size: int) -> int:
    """Print memory, seconds, requests and disk, of what was done before a failure too; return 1 if
    the memory or the disk exceeds its bound.
    """
    found = Found()
    try:
        with tempfile.TemporaryDirectory(prefix=f"{TREE.name}-s3-") as folder:
            measure(Path(folder), size * _MIB, found)
    finally:
        _print(size, found)
    too_much = [name for name, bytes_ in found.peaks.items() if bytes_ - found.warm > _MOST]
    if too_much or found.disk > _DISK:
        print(f"above the bounds: {', '.join(too_much) or 'disk'}")
        return 1
    return 0


def _print(size: int, found: Found) -> None:
    print(
        f"{size:,} MiB; idle server {found.idle / 1e6:.0f} MB after its start, "
        f"{found.warm / 1e6:.0f} MB after a small file"
    )
    for name, bytes_ in found.peaks.items():
        print(
            f"{name}: {bytes_ / 1e6:.0f} MB at most, {(bytes_ - found.warm) / 1e6:+.0f} MB to "
            "the idle server"
        )
    for name, seconds in found.seconds.items():
        print(f"{name}: {seconds:.1f} s")
    print(
        f"parts sent: {found.sent.get('up', 0):,}; ranges asked for: "
        f"{found.sent.get('down', 0):,}; disk {found.disk / 1e9:.2f} GB at most"
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5 * 1024))
