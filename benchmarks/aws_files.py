"""A large file to S3 and back through a server: ``python -m benchmarks.aws_files [MIB]``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import ROOT  # noqa: F401 (it sets the path)

_MIB = 1024 * 1024


def main(size: int) -> None:
    """Print the peak memory of the server, and the seconds of each step."""
    from big_objects import measure

    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), size * _MIB)
    print(
        f"{size:,} MiB: server {found.peak / 1e6:.0f} MB at most, "
        f"{(found.peak - found.before) / 1e6:.0f} MB more than after 16 MiB"
    )
    for name, seconds in found.seconds.items():
        print(f"{name}: {seconds:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048)
