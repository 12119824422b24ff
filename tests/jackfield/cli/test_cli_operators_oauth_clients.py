"""``jackfield oauth-clients``, on SQLite and PostgreSQL."""

from __future__ import annotations

import json

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating", "warm"]
pytestmark = [pytest.mark.usefixtures("warm_python"), pytest.mark.above_sql]

_VALUES = {
    "clientId": "app",
    "clientSecret": "s-4711",
    "tokenUrl": "https://login.example.com/token",
}


def test_clients_are_managed(operator: Shell) -> None:
    """Registered, shown without the secret, rotated, hidden in a workspace, and removed."""
    path = str(operator.write("client.json", json.dumps(_VALUES)))
    made = operator.run(
        "oauth-clients",
        "add",
        "crm",
        "--server",
        "api.example.com",
        "--server",
        "*.crm.example",
        "--values",
        path,
    ).json
    assert (made["name"], made["server"], made["values"]["clientId"]) == (
        "crm",
        ["api.example.com", "*.crm.example"],
        "app",
    )
    assert "s-4711" not in json.dumps(made)
    assert operator.run("oauth-clients", "add", "crm", "--values", path).code == 2
    rotated = operator.run(
        "oauth-clients", "update", "crm", "--values", "-", stdin='{"clientSecret": "s-4712"}'
    ).json
    assert (rotated["version"], rotated["server"]) == (2, made["server"])
    assert operator.run("oauth-clients", "update", "crm", "--server", "b.example.com").json[
        "server"
    ] == ["b.example.com"]
    operator.run("workspaces", "create", "acme")
    assert [
        row["inherited"]
        for row in operator.run("oauth-clients", "list", "--workspace", "acme").json
    ] == [True]
    assert (
        operator.run("oauth-clients", "add", "crm", "--workspace", "acme", "--values", path).json[
            "inherited"
        ]
        is False
    )
    assert operator.run("oauth-clients", "remove", "crm", "--workspace", "acme").json == {
        "removed": "crm",
        "connections": 0,
    }
    assert operator.run("oauth-clients", "show", "crm").json["version"] == 3
