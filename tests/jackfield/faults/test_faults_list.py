"""A list that meets faults is fetched again, page by page: nothing is missing, nothing comes twice
(issue 2, acceptance).
"""

from __future__ import annotations

import gc
import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from clocks import StillClock
from fake_aws import refused_url
from rig import Rig, WakingClock, key_values

Fault = dict[str, Any]
LIST, STS = "ses:ListIdentities", "sts:AssumeRole"
XML = "text/xml"
FAULTS: dict[str, Fault] = {
    "reset": {"do": "reset"},
    "close": {"do": "close"},
    "500": {"do": "status", "status": 500},
    "502": {"do": "status", "status": 502},
    "503": {"do": "status", "status": 503, "code": "ServiceUnavailable"},
    "504": {"do": "status", "status": 504},
    "cut": {"do": "cut"},
    "cut-at-once": {"do": "cut", "bytes": 0},
    "empty": {"do": "body", "contentType": XML},
    "html": {
        "do": "body",
        "body": "<html><body>Please log in</body></html>",
        "contentType": "text/html",
    },
    "other-xml": {"do": "body", "body": "<Unexpected/>", "contentType": XML},
    "no-xml": {"do": "body", "body": "{}", "contentType": "application/json"},
    "throttled": {"do": "status", "status": 400, "code": "Throttling", "message": "Rate exceeded"},
}


def _names(count: int) -> list[str]:
    return [f"user{number:05}@example.com" for number in range(count)]


def _on(fault: Fault, **more: Any) -> Fault:
    return {**fault, "operation": LIST, **more}


def _passes(times: int = 1) -> Fault:
    return {"do": "pass", "operation": LIST, "times": times}


@pytest.mark.parametrize("name", FAULTS)
def test_a_page_is_fetched_again(name: str, tmp_path: Path) -> None:
    """Twice a fault, then an answer: the whole list, and no retry but ours."""
    with Rig(tmp_path, script=[_on(FAULTS[name], times=2)], identities=_names(30)) as rig:
        result = rig.list()
        assert result.unwrap() == {"Identities": _names(30)}
        assert (rig.aws.counts[LIST], result.meta.attempts, result.meta.complete) == (3, 3, True)


def test_a_hang_leaves_time_for_another_try(tmp_path: Path) -> None:
    """A page that hangs does not use up the whole deadline: it is fetched again."""
    with Rig(tmp_path, script=[_on({"do": "hang"})], identities=_names(3)) as rig:
        result = rig.list(timeout=8)
        assert result.unwrap() == {"Identities": _names(3)}
        assert rig.aws.counts[LIST] == 2


def test_a_drip_leaves_time_for_another_try(tmp_path: Path) -> None:
    """Nor does a page that drips; its connection is closed, as a ResourceWarning would show."""
    with Rig(tmp_path, script=[_on({"do": "drip", "seconds": 0.1})], identities=_names(3)) as rig:
        assert rig.list(timeout=8).unwrap() == {"Identities": _names(3)}
        assert rig.aws.counts[LIST] == 2
    gc.collect()


@pytest.mark.parametrize("name", [*FAULTS, "hang"])
def test_faults_that_stay_end_the_list_in_time(name: str, tmp_path: Path) -> None:
    """A fault that stays is tried at least five times, then it is unavailable, rate limited or a
    timeout; never in doubt.
    """
    fault = FAULTS.get(name, {"do": "hang"})
    with Rig(tmp_path, script=[_passes(), _on(fault, always=True)]) as rig:
        # loads the code and opens the connection, which takes a busy machine longer than a short
        # deadline
        rig.list().unwrap()
        result = rig.list(timeout=4 if name == "hang" else 60).to_json()
        code = {"hang": "timeout", "throttled": "rate_limited"}.get(name, "unavailable")
        assert (result["status"], result["error"]["code"], result["error"]["retryable"]) == (
            "failed",
            code,
            True,
        )
        tries = rig.aws.counts[LIST] - 1
        # the deadline may end a try early
        assert result["meta"]["attempts"] - tries in ((0, 1) if name == "hang" else (0,))
        assert tries >= (2 if name == "hang" else 5)


def test_refused_connections_are_repeated(tmp_path: Path) -> None:
    """An endpoint that refuses connections for a while: the whole list."""
    back: list[Any] = []
    clock = WakingClock(lambda: back.pop()() if back else None)
    with Rig(tmp_path, clock=clock, identities=_names(5), values=key_values()) as rig:
        rig.aws.stop()
        back[:] = [rig.aws.start, lambda: None]
        result = rig.list()
        assert (result.unwrap(), result.meta.attempts) == ({"Identities": _names(5)}, 3)


def test_an_endpoint_that_stays_away_is_unavailable(tmp_path: Path) -> None:
    """No connection at all: unavailable after six tries."""
    with refused_url() as url, Rig(tmp_path, values=key_values(endpoint=url)) as rig:
        result = rig.list().to_json()
        assert (result["error"]["code"], result["meta"]["attempts"]) == ("unavailable", 6)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(1, 5))]
)
def test_long_lists_with_faults_are_whole(seed: int, tmp_path: Path) -> None:
    """2,500 identities on 25 pages with a fault of every kind strewn over them: each identity once,
    in order.
    """
    dice = random.Random(seed)
    faults = [_on(FAULTS[name]) for name in FAULTS] * 2
    dice.shuffle(faults)
    script, left = [], list(faults)
    while left:
        run, left = left[: (many := dice.randint(1, 4))], left[many:]
        script += [*run, _passes()]
    with Rig(tmp_path, script=script, identities=_names(2500)) as rig:
        result = rig.list(timeout=900, fetchAll=True, pageSize=100)
        assert result.unwrap() == {"Identities": _names(2500)}
        assert result.meta.complete is True
        assert rig.aws.counts[LIST] == 25 + len(faults)
        assert result.meta.attempts == 1 + len(faults)


def test_pages_keep_to_one_call_a_second(tmp_path: Path) -> None:
    """An account that allows one call a second throttles none of 2,500 identities in three pages;
    the first page does not wait.
    """
    with Rig(
        tmp_path, identities=_names(2500), rates={"ListIdentities": 1.0}, clock=StillClock()
    ) as rig:
        result = rig.list(fetchAll=True)
        assert len(result.unwrap()["Identities"]) == 2500
        assert (rig.aws.counts[LIST], result.meta.attempts) == (3, 1)
        times = [request.at for request in rig.aws.requests if request.name == LIST]
        assert [later - earlier >= 0.95 for earlier, later in itertools.pairwise(times)] == [
            True,
            True,
        ]
        assert len(rig.clock.slept) == 2


def test_one_page_does_not_wait(tmp_path: Path) -> None:
    """Without another page there is nothing to pace."""
    with Rig(tmp_path, identities=_names(1000)) as rig:
        assert len(rig.list(fetchAll=True).unwrap()["Identities"]) == 1000
        assert (rig.clock.slept, rig.aws.counts[LIST]) == ((), 1)


def test_a_list_that_gives_up_can_be_resumed(tmp_path: Path) -> None:
    """Where a later page fails for good, the pages so far come with the token that fetches the
    rest: nothing is missing or doubled.
    """
    script = [_passes(12), _on(FAULTS["503"], times=6)]
    with Rig(tmp_path, script=script, identities=_names(2500)) as rig:
        first = rig.list(timeout=900, fetchAll=True, pageSize=100)
        assert first.meta.complete is False
        found = list(first.unwrap()["Identities"])
        assert len(found) == 1200
        token = first.unwrap()["NextToken"]
        while token:
            page = rig.list(pageSize=1000, nextToken=token).unwrap()
            found += page["Identities"]
            token = page.get("NextToken")
        assert found == _names(2500)


def test_a_list_out_of_time_can_be_resumed(tmp_path: Path) -> None:
    """The deadline between two pages is no failure either."""
    with Rig(tmp_path, identities=_names(500)) as rig:
        result = rig.list(timeout=2.5, fetchAll=True, pageSize=100)
        assert result.meta.complete is False
        found = result.unwrap()["Identities"]
        # as far as the machine comes; all five pages would take four seconds
        assert len(found) in (100, 200, 300)
        assert found == _names(len(found))
        assert "NextToken" in result.unwrap()


def test_a_token_loop_stops(tmp_path: Path) -> None:
    """A token that comes a second time ends the list with an error after two calls."""
    loop = (
        "<ListIdentitiesResponse "
        'xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><ListIdentitiesResult><Identities><member>a@example.com</member>'
        "</Identities><NextToken>again</NextToken></ListIdentitiesResult></ListIdentitiesResponse>"
    )
    with Rig(
        tmp_path, script=[_on({"do": "body", "body": loop, "contentType": XML}, always=True)]
    ) as rig:
        result = rig.list(fetchAll=True).to_json()
        assert (result["status"], result["error"]["code"], rig.aws.counts[LIST]) == (
            "failed",
            "unavailable",
            2,
        )
        assert "token" in result["error"]["message"]


def test_sts_faults_do_not_spoil_a_list(tmp_path: Path) -> None:
    """A role that cannot be assumed twice in a row: the whole list."""
    with Rig(
        tmp_path,
        script=[{"do": "status", "status": 503, "operation": STS, "times": 2}],
        identities=_names(3),
    ) as rig:
        assert rig.list().unwrap() == {"Identities": _names(3)}
        assert rig.aws.calls() == [STS, STS, STS, LIST]
