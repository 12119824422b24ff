"""Claims on subscriptions: one process works on one at a time, for as long as it lives, and a
killed one costs seconds.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, trigger_stage

from forking import alone, fork
from jackfield.callers import Caller
from jackfield.connector import Hook
from jackfield.kernel.errors import Unavailable
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_store.access import Tokens
from jackfield_store.journal.instance import CLAIM, Instance
from waiting import until

_LONG = 600.0


def _renew(stage: TriggerStage) -> None:
    Instance.of(stage.pools[0].storage.database).renew()


@contextmanager
def _enabling(stage: TriggerStage, runs: list[str]) -> Iterator[None]:
    """The first server is in an ``enable`` that does not end before this is left."""
    from jackfield_echo.watching import posted

    begun, ends = threading.Event(), threading.Event()

    def enable(hook: Hook, _client: object) -> dict[str, Any]:
        runs.append(hook.url)
        begun.set()
        assert ends.wait(120.0)
        return {"registration": "r-1"}

    with mock.patch.object(posted, "enabled", enable):
        working = threading.Thread(target=stage.look)
        working.start()
        try:
            assert begun.wait(120.0)
            yield
        finally:
            ends.set()
            working.join()


def test_an_enable_that_takes_minutes_is_run_by_one_process(stage: TriggerStage) -> None:
    """The claim outlasts it, whatever the clock says, since the process renews it with its lease;
    other processes leave it alone.
    """
    made, runs = stage.add("posted"), list[str]()
    with _enabling(stage, runs):
        for _ in range(int(_LONG / CLAIM)):
            stage.move(CLAIM * 0.9)
            _renew(stage)
            stage.look(1)
    stage.look(1)
    assert (runs, stage.all().show("one")["status"]) == ([made["url"]], "active")


def test_an_enable_outlasts_the_end_of_its_process(stage: TriggerStage) -> None:
    """A process that is told to stop renews nothing more; what its threads still do has as long as
    a provider may take, twice.
    """
    made, runs = stage.add("posted"), list[str]()
    with _enabling(stage, runs):
        Instance.of(stage.pools[0].storage.database).close()
        stage.move(CLAIM * 5)
        stage.look(1)
    stage.look(1)
    assert (runs, stage.all().show("one")["status"]) == ([made["url"]], "active")


def test_a_process_ends_without_the_database(stage: TriggerStage) -> None:
    """What cannot be prolonged then does not keep it from ending."""
    stage.add("posted")
    database = stage.pools[0].storage.database
    away = mock.Mock(side_effect=Unavailable("the database is away"))
    with _enabling(stage, []), mock.patch.object(database, "record", away):
        Instance.of(database).close()
    assert away.called


def test_a_claim_whose_work_has_ended_without_a_word_is_not_renewed(stage: TriggerStage) -> None:
    """The process lives, and could not store what became of it: another one does the work when the
    claim has run out.
    """
    from jackfield_echo.watching import REGISTERED

    made = stage.add("posted")
    away = mock.Mock(side_effect=Unavailable("the database is away"))
    with (
        mock.patch.object(DueSubscriptions, "done", away),
        mock.patch.object(DueSubscriptions, "failed", away),
    ):
        stage.look()
    REGISTERED.clear()
    stage.move(CLAIM * 0.6)
    _renew(stage)
    stage.look(1)
    assert REGISTERED == {}
    stage.move(CLAIM * 0.6)
    stage.look(1)
    assert (list(REGISTERED), stage.all().show("one")["status"]) == ([made["url"]], "active")


def test_a_process_that_is_killed_in_an_enable_costs_seconds(
    tmp_path: Path, database_url: str
) -> None:
    """The next process registers the webhook once the claim has run out, and not earlier."""
    assert alone(_killed, str(tmp_path), database_url) == [
        -signal.SIGKILL,
        [],
        "pending",
        1,
        "active",
    ]


def _killed(folder: str, database_url: str) -> list[object]:
    with trigger_stage(Path(folder), database_url) as stage:
        from jackfield_echo.watching import REGISTERED, posted

        def die(*_given: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def work() -> None:
            # the databases of a child are its own, and show a server's real time until then
            stage.move(0.0)
            with mock.patch.object(posted, "enabled", die):
                stage.look()

        stage.add("posted")
        stage.move(5)  # beyond what the stage took to begin, which a server's time shows
        ended = fork(work).dies()
        stage.move(CLAIM - 1)
        stage.look(1)
        early = [ended, list(REGISTERED), stage.all().show("one")["status"]]
        stage.move(2)

        def registered() -> list[str]:
            stage.look(1)
            return list(REGISTERED)

        until(registered)  # a server holds the rows of a process that is gone until it notices
        return [*early, len(REGISTERED), stage.all().show("one")["status"]]


def test_a_token_is_revoked_while_its_webhook_is_registered(
    stage: TriggerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request may come from then on, before it is stored that the provider knows the URL: the
    provider is told that it is gone.
    """
    from jackfield_echo.watching import REGISTERED

    storage = stage.runtime.storage
    tokens = Tokens(storage.database, storage.vault, "default", stage.clock)
    made = tokens.create("manage", "watcher")
    caller = Caller("watcher", "manage", remote=True, token=made.token.id)
    stage.all(caller).add({"name": "one", "trigger": "echo/kept", "connection": "hall"})
    done = DueSubscriptions.done

    def late(due: DueSubscriptions, found: Subscription, *times: Any) -> None:
        monkeypatch.undo()
        tokens.revoke(made.token.id)
        due.ended(found, "the token was revoked")
        done(due, found, *times)

    monkeypatch.setattr(DueSubscriptions, "done", late)
    stage.look()
    shown = stage.all().show("one")
    assert (shown["status"], "revoked" in shown["reason"], REGISTERED) == ("failing", True, {})
