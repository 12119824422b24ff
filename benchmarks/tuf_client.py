"""Command line that TUF's conformance suite drives: the market's own refresh of a catalogue's
metadata, and download of a target.

The suite prefixes target files with their digests, which the market switches off for its sites;
here it is on. All else is the market's.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from tuf.ngclient import Updater, UpdaterConfig

from jackfield_market.installing import sources
from jackfield_market.repository import METADATA


def _main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    for name in ("--metadata-url", "--metadata-dir", "--target-dir", "--target-base-url"):
        parser.add_argument(name)
    parser.add_argument("--target-name", action="append", default=[])
    verbs = parser.add_subparsers(dest="verb")
    verbs.add_parser("init").add_argument("root")
    verbs.add_parser("refresh")
    verbs.add_parser("download")
    given, _ = parser.parse_known_args(words)
    kept = Path(given.metadata_dir)
    if given.verb == "init":
        shutil.copyfile(given.root, kept / "root.json")
        shutil.copyfile(given.root, _first(kept))
        return 0
    with TemporaryDirectory() as folder:
        updater = _refreshed(given, kept, folder)
        for name in given.target_name if given.verb == "download" else ():
            found = updater.get_targetinfo(name)
            if found is None:
                return 1
            if updater.find_cached_target(found) is None:
                updater.download_target(found)
    return 0


def _first(kept: Path) -> Path:
    """Return where the root of the first use is kept: beside the folder of the metadata, in which
    the suite wants nothing else.
    """
    return kept.with_name(f"{kept.name}.first-root.json")


def _refreshed(given: argparse.Namespace, kept: Path, folder: str) -> Updater:
    (Path(folder) / METADATA).symlink_to(kept.resolve(), target_is_directory=True)
    site = given.metadata_url.rstrip("/").removesuffix(f"/{METADATA}")

    def with_prefixes(**settings: Any) -> UpdaterConfig:
        return UpdaterConfig(**{**settings, "prefix_targets_with_hash": True})

    class Placed(Updater):
        """The market's updater, with the folder and address that the suite has for targets."""

        def __init__(
            self,
            folder: str,
            url: str,
            _targets: str,
            _site: str,
            *more: Any,
            bootstrap: bytes | None,
        ) -> None:
            super().__init__(
                folder, url, given.target_dir, given.target_base_url, *more, bootstrap=bootstrap
            )

    with patch.multiple(sources, UpdaterConfig=with_prefixes, Updater=Placed):
        return sources._refreshed(sources.Source.parse(site), folder, _first(kept).read_bytes())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
