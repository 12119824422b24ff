"""A catalogue's site over HTTP, and an installer's view of it: the updater of the TUF library,
which remembers what it has seen.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from jackfield_market.site.serving import server


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """Serve a site on a free port; its address."""
    found = server(str(site), "127.0.0.1", 0)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{found.server_address[1]}"
    found.shutdown()
    thread.join()
    found.server_close()


class Client:
    """Somebody who trusts the first root of a site."""

    def __init__(self, url: str, site: Path, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self._root = (site / "metadata" / "1.root.json").read_bytes()

    def updater(self) -> Updater:
        """An updater on what was seen before, refreshed."""
        (self.folder / "targets").mkdir(parents=True, exist_ok=True)
        paths = (
            str(self.folder / "metadata"),
            f"{self.url}/metadata/",
            str(self.folder / "targets"),
            f"{self.url}/",
        )
        found = Updater(
            *paths, config=UpdaterConfig(prefix_targets_with_hash=False), bootstrap=self._root
        )
        found.refresh()
        return found

    def find(self, path: str) -> TargetFile | None:
        """What the signed metadata says about a file now."""
        return self.updater().get_targetinfo(path)

    def download(self, path: str) -> bytes:
        """A file, verified."""
        updater = self.updater()
        target = updater.get_targetinfo(path)
        assert target is not None
        return Path(updater.download_target(target)).read_bytes()

    def custom(self, path: str) -> Any:
        """The signed statements about a file."""
        target = self.find(path)
        assert target is not None
        return target.custom
