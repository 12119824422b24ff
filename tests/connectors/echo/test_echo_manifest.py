"""The echo connector's manifest is what its code says."""

from __future__ import annotations

import json

from jackfield.connector import describe
from plugboard import ECHO, plugged


def test_connector_json_is_up_to_date() -> None:
    """``connector.json`` is generated from the code and equal to it."""
    with plugged(ECHO):
        from jackfield_echo import connector

        assert json.loads(
            (ECHO / "jackfield_echo" / "connector.json").read_text(encoding="utf-8")
        ) == describe(connector)
