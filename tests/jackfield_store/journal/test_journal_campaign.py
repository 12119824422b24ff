"""Workers that are killed again and again under a queue; ``tests/campaigns/queue_campaign.py`` runs
the same in full.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from jackfield_store.database import open_database
from queue_campaign import Campaign, may_unshare, run, small_disk

SMALL = Campaign(invocations=24, seconds=4.0, kill_every=2.0, locked=0.5, full=0.5, patience=60.0)
LARGER = Campaign(invocations=80, seconds=8.0, kill_every=2.0, locked=2.0, full=1.0)


@pytest.mark.above_sql
@pytest.mark.parametrize(
    "campaign",
    [
        pytest.param(SMALL, id="small"),
        pytest.param(LARGER, id="larger", marks=pytest.mark.campaign),
    ],
)
def test_v1_to_v6_every_accepted_invocation_ends_truthfully(
    database_url: str, tmp_path: Path, campaign: Campaign
) -> None:
    """Whatever worker is killed, wherever it runs, and though the database is locked and its disk
    full for a while: soon (15 s in the larger campaign) all have ended, nothing was sent twice,
    nothing that was accepted has failed, and whoever was not killed still runs.
    """
    with ExitStack() as stack:
        disk, url = None, database_url
        if url.startswith("sqlite") and may_unshare():
            disk = stack.enter_context(small_disk(24))
            url = f"sqlite:///{disk}/queue.db"
        open_database(url, migrate=True).close()
        figures = run(campaign, url, tmp_path, disk)
    assert figures.open == []
    assert figures.wrong == []
    assert figures.died == []
    assert figures.accepted + figures.refused == campaign.invocations
    assert figures.accepted > campaign.invocations / 2
