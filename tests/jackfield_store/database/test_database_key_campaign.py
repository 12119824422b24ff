"""Data keys move between wrappers while calls go on and rotations are killed;
``tests/campaigns/key_campaign.py`` has the processes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import boto3
import pytest
from tests.jackfield_vault.vault_server import VaultServer

from key_campaign import Campaign, prepare
from moto_server import moto_server

SECONDS = float(os.environ.get("KEY_CAMPAIGN_SECONDS", "18"))


@pytest.mark.campaign
def test_keys_move_while_calls_go_on(database_url: str, tmp_path: Path) -> None:
    """File, KMS, Transit, another key of KMS: no process sees an error, and the last key alone
    opens everything.
    """
    with moto_server() as aws, VaultServer() as vault:
        vault.transit.make("ours")
        client = boto3.Session("AKIASETUP", "setup", region_name="eu-central-1").client(
            "kms", endpoint_url=aws
        )
        keys = [f"aws-kms://{client.create_key()['KeyMetadata']['Arn']}" for _ in range(2)]
        identity = {
            "AWS_ACCESS_KEY_ID": "AKIAHOST",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL": aws,
        }
        environment = {**os.environ, **vault.environment(), **identity}
        prepare(database_url, tmp_path, environment)
        campaign = Campaign(
            database_url, tmp_path, environment, [keys[0], "vault-transit://transit/ours", keys[1]]
        )
        reports = campaign.run(SECONDS)
        assert [report["faults"] for report in reports] == [[], []]
        count, wrong = campaign.unreadable()
    rotations, calls = campaign.held("rotations"), campaign.held("calls")
    sys.stdout.write(
        f"{campaign.reached:,.0f} calls/s, {campaign.rotations} rotations, {campaign.kills} "
        f"killed, sealed {count}; write transactions: "
        f"{_shown(rotations)} of rotations, {_shown(calls)} of calls\n"
    )
    assert (count > 0, wrong, campaign.kills > 0) == (True, 0, True)
    # beside what the calls of this run take: the machine may be busy
    assert rotations[len(rotations) * 9 // 10] <= calls[-1]


def _shown(held: list[float]) -> str:
    """Write the number, the median, the 99th percentile and the longest."""
    return (
        f"{len(held):,} "
        f"({', '.join(f'{held[place] * 1000:.1f}' for place in (len(held) // 2, len(held) * 99 // 100, -1))} "
        "ms)"
    )
