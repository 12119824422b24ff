"""Restarts of a server under 200 requests a second, by ``make campaign``: no error, no refused
connection, no write twice or lost.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from restart_campaign import Campaign, run

pytest_plugins = ["postgres"]
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(os.name != "posix", reason="descriptors are passed on by POSIX systems"),
]
_MANY = Campaign(rate=200, seconds=60.0, restarts=6)


def test_restarts_under_load_lose_nothing(tmp_path: Path, database_url: str) -> None:
    """Six times, a new process takes the socket over and the old one stops: each of 12,000 requests
    is answered with 200, over new connections and kept ones, and the journal has each write once.
    """
    figures = run(_MANY, tmp_path, database_url)
    sys.stdout.write(f"{figures}\n")
    assert figures.told == {"200": _MANY.rate * _MANY.seconds}, str(figures)
    assert (len(figures.writes), figures.lost) == (_MANY.rate * _MANY.seconds / 2, []), str(figures)
