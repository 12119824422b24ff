"""Queued invocations through a network that forgets idle connections: nobody hears of it, and what
is sent over them is dropped.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.jackfield_celery.engine_stand import engine_stand

from database_proxy import DatabaseProxy
from jackfield_celery import broker, publisher, transport


@pytest.mark.parametrize("name", ["redis", "rabbitmq"])
def test_all_run_once_after_idle_connections_were_forgotten(
    name: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is queued then runs once, over new connections, whether the old ones had waited for
    messages or been used to publish some.
    """
    monkeypatch.setattr(transport, "_ANSWER_WITHIN", 1.0)
    monkeypatch.setattr(publisher, "_CONFIRM_WITHIN", 1.0)
    monkeypatch.setattr(broker, "_HEARTBEAT", 2)
    url = request.getfixturevalue(name).url
    port = urlsplit(url).port
    with (
        DatabaseProxy(port) as proxy,
        engine_stand(
            tmp_path, f"sqlite:///{tmp_path / 'j.db'}", url.replace(str(port), str(proxy.port))
        ) as stand,
    ):

        def step(_engine: object) -> None:
            stand.ended(stand.queue("first"), within=60)
            for round_ in range(2):
                proxy.forget()
                ids = [stand.queue(f"{round_}-{number}") for number in range(5)]
                assert {entry.status for entry in stand.ended(*ids, within=120)} == {"succeeded"}

        stand.work(step)
        assert stand.calls == dict.fromkeys(stand.calls, 1)
        assert len(stand.calls) == 11
