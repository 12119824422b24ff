"""Variables of the environment that libpq reads: none of them takes part in a connection."""

from __future__ import annotations

import struct

import pytest
from psycopg import pq

import flooding
from jackfield.connector import ANYWHERE
from jackfield.connector.servers import Address
from jackfield.connector.sessions import Login
from jackfield_postgresql.conninfo import settings
from raw_server import serving

_SERVICE = "service"
_KNOWN = {
    one.keyword.decode(): one.envvar.decode() for one in pq.Conninfo.get_defaults() if one.envvar
}
"""All settings of this libpq that have a variable."""


@pytest.mark.parametrize("tls", ["verify", "encrypt", "disable"])
def test_every_setting_that_has_a_variable_is_given(tls: str) -> None:
    """A setting that a newer libpq brings is given, too, whatever a connection's values are."""
    server, login = Address("127.0.0.1", 5432, tls), Login("ada", "secret", "shop")
    written = settings(server, login, ANYWHERE, "/dev/null/none")
    given = {one.keyword.decode() for one in pq.Conninfo.parse(written) if one.val is not None}
    assert {*_KNOWN} - given == {_SERVICE}


@pytest.mark.parametrize("name", [one for name, one in _KNOWN.items() if name != _SERVICE])
def test_variables_of_the_environment_change_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that libpq would refuse, or follow to another server, is not read: the server that
    the connection names answers.
    """
    monkeypatch.setenv(name, "hostile")
    error = b"SERROR\0C42P01\0Mno such table here\0\0"

    def talk(client: object) -> None:
        flooding.postgresql(
            client,  # type: ignore[arg-type]
            "after",
            b"E" + struct.pack("!I", len(error) + 4) + error + b"Z\0\0\0\5I",
        )

    with serving(talk) as port, flooding.runtime() as jackfield:
        values = flooding.values_for("postgresql", port)
        result = jackfield.invoke(
            {
                "connector": "postgresql",
                "action": "runQuery",
                "inputs": {"sql": "SELECT 1"},
                "timeoutSeconds": 60,
                "connection": {"type": "password", "values": values},
            }
        )
    assert result.error is not None
    assert result.error.code == "not_found", result.error
    assert "no such table here" in result.error.message
