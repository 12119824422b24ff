"""A large file from upload to action to download, on a folder and on S3 (moto's server, in this
process): peak memory and speed.

Run ``python -m benchmarks.files [BYTES]`` for each step. The file is copied by a streaming action
in the server and by one in a worker.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import CAMPAIGN, Line

if TYPE_CHECKING:
    from big_files import Measured

SIZE = 2_000_000_000 if CAMPAIGN else 500_000_000
MOST = 200_000_000
"""Bytes of memory that a process may take at its peak."""


def lines() -> Iterator[Line]:
    """Peak memory, and the speed of the slowest step."""
    for name, found in _measured(SIZE):
        peak, (step, seconds) = (
            max(found.server, found.worker),
            max(found.seconds.items(), key=lambda item: item[1]),
        )
        measured = (
            f"peak {peak / 1e6:.0f} MB; slowest step: {step}, {SIZE / seconds / 1e6:.0f} MB/s"
        )
        yield Line(
            f"a file of {SIZE / 1e9:g} GB from upload to action to download, {name}",
            measured,
            "< 200 MB",
            peak < MOST,
        )


def main() -> None:
    """Measure both and print a table."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    for name, found in _measured(size):
        _print(name, size, found)


def _measured(size: int) -> Iterator[tuple[str, Measured]]:
    """Measure on a folder and on S3."""
    from big_files import measure
    from file_places import bucket, folder, s3_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server logs each request
    with tempfile.TemporaryDirectory() as scratch, s3_server() as port:
        for name, place in (
            ("file://", folder(Path(scratch) / "stored")),
            ("s3://", bucket(port, "bench")),
        ):
            home = Path(scratch) / name.partition(":")[0]
            home.mkdir()
            yield name, measure(home, size, **place.environment)


def _print(name: str, size: int, found: Measured) -> None:
    print(f"{name} {size:,} bytes")
    for who, peak, before in (
        ("server", found.server, found.server_before),
        ("worker", found.worker, found.worker_before),
    ):
        print(f"  {who}: peak {peak / 1e6:.0f} MB, of which {before / 1e6:.0f} MB before the file")
    for step, seconds in found.seconds.items():
        print(f"  {step}: {seconds:.1f} s, {size / seconds / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main()
