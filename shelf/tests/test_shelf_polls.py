"""Polls of the shelf at a running server: what comes while a list is read in several pages is told
once, and nothing is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage

from clocks import StillClock
from jackfield.testing import Provider
from jackfield_http.pointers import find
from jackfield_market.testing.polled_pages import LARGEST, PolledPages
from jackfield_market.testing.polls import Chance, GrowingList
from plugboard import plugged
from processes import variables
from shelved import manifest_of, services, shelve

_ROUNDS = 4
_SOON = 86_400.0
"""Seconds until a poll is due again, whatever its interval."""


def _rows() -> Iterator[Any]:
    """Yield each poll of the shelf that reads on from a time, with the action that lists."""
    for key, service in services().items():
        if any("poll" in one.get("http", {}) for one in service.about.get("triggers", {}).values()):
            manifest = manifest_of(key)
            for row in manifest["triggers"]:
                if (poll := row["http"].get("poll")) is not None and "at" in poll:
                    action = next(
                        one for one in manifest["actions"] if one["key"] == poll["action"]
                    )
                    yield pytest.param(key, row, action["http"], id=f"{key}-{row['key']}")


class _Stage(TriggerStage):
    """Server with one connection to a service of the shelf."""

    def add_connection(self) -> None:
        """Add none: the test names the type."""


@pytest.mark.parametrize(("key", "row", "http"), [*_rows()])
def test_nothing_is_lost_between_pages(
    tmp_path: Path, key: str, row: dict[str, Any], http: dict[str, Any]
) -> None:
    """Items of one time, in more pages than one, some of which come while a page is read; the
    subscription is well in the end.
    """
    example = next(one for one in row["examples"] if "source" in one)
    about = example["source"]
    source = GrowingList(
        about, Chance(5), pages=PolledPages(http), is_ascending="ascending" in row["http"]["poll"]
    )
    manifest = json.loads(json.dumps(manifest_of(key)))
    kind = next(one for one in manifest["connectionTypes"] if "authorizes" not in one)
    with (
        Provider(source) as provider,
        variables(tmp_path, f"sqlite:///{tmp_path}/j.db") as environment,
    ):
        for server in manifest["servers"]:
            server["url"] = provider.url
            server.pop("variables", None)
        given = {
            name: provider.url if name == "server" else "acme-secret-1"
            for name in kind["schema"].get("required", ())
        }
        with (
            plugged(shelve(tmp_path / "shelved", manifest)),
            _Stage(environment, StillClock(), 1) as stage,
        ):
            stage.runtime.connections.add("main", f"{key}/{kind['key']}", given, test=False)
            stage.move(source.now - stage.now())
            added = {
                "name": "one",
                "trigger": f"{key}/{row['key']}",
                "connection": "main",
                "inputs": example.get("inputs", {}),
            }
            stage.all().add(added)
            for number in range(_ROUNDS):
                source.grows = number < _ROUNDS - 1
                source.now = max(source.now, int(stage.now()))
                if source.grows:
                    source.add(3 * LARGEST)
                stage.move(_SOON)
                stage.look()
            shown = stage.all().show("one")
            payloads = [
                event.data["payload"] for event in stage.events("*") if "payload" in event.data
            ]
    told = {(find(one, about["id"]), find(one, about["at"])) for one in payloads}
    final = [source.item(number, at) for number, at in source.rows.items()]
    lost = [one for one in final if (find(one, about["id"]), find(one, about["at"])) not in told]
    assert (shown["status"], lost) == ("active", [])
