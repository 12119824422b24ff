"""The size of a file does not count against memory."""

from __future__ import annotations

from pathlib import Path

from big_files import measure
from file_places import IN_A_FOLDER, Place

MEGA = 1024 * 1024


@IN_A_FOLDER
def test_memory_does_not_grow_with_a_file(place: Place, tmp_path: Path) -> None:
    """48 MiB go up, through an action in the server and one in a worker, and down again; after 12
    MiB neither takes much more memory.
    """
    found = measure(tmp_path, 48 * MEGA, **place.environment)
    assert max(found.server, found.worker) < 200_000_000
    assert found.server - found.server_before < 40 * MEGA
    assert found.worker - found.worker_before < 40 * MEGA
