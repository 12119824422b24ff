"""Names of MCP tools keep to what the strictest clients accept, and stay the same whatever else is
installed.
"""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import pytest

from jackfield.catalog import Catalog
from jackfield.kernel.errors import UnknownName
from jackfield.manifest.manifest import Manifest
from jackfield_service.subjects.mcp.action_tools import action_tools, invocation_of
from jackfield_service.subjects.mcp.discovery_tools import DISCOVERY
from jackfield_service.subjects.mcp.tool_names import RESERVED, tool_name

_FORM = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONG = "postManagementCompaniesCompanyIdApiCredentialsApiCredentialIdAllowedOriginsOriginId"
_WIDE = {
    "search": ["actions", "other"],
    "adyen-management": [_LONG, f"{_LONG}Again", "getMe"],
    "list": ["connections"],
    "a-connector-whose-own-name-is-longer-than-what-a-tool-keeps-of-it": ["one", "two"],
    "a-connector-whose-own-name-is-longer-than-what-a-tool-keeps-of-that": ["one", "two"],
}


def _manifest(key: str, actions: list[str]) -> Manifest:
    usual = {
        "title": "Act",
        "effect": "read",
        "inputs": {"type": "object"},
        "output": {"type": "object"},
    }
    about = {
        "manifestVersion": 1,
        "key": key,
        "title": key,
        "version": "1.0.0",
        "description": "",
        "connectionTypes": [],
    }
    return Manifest.from_json(
        {**about, "actions": [{"key": action, **usual} for action in actions]}
    )


def _catalog(wide: dict[str, list[str]]) -> Any:
    made = {key: _manifest(key, actions) for key, actions in wide.items()}

    def find(key: str) -> Manifest:
        if key not in made:
            raise UnknownName(f"no connector '{key}'")
        return made[key]

    catalog = mock.MagicMock(spec=Catalog)
    catalog.__iter__.side_effect = lambda: iter(made)
    catalog.look.side_effect = lambda key: (None, made[key])
    catalog.find.side_effect = find
    return catalog


def _names(wide: dict[str, list[str]]) -> list[str]:
    return [tool.name for tool in action_tools(_catalog(wide))]


def test_names_fit_strict_clients() -> None:
    """Each action has a tool of its own, whose name has at most 64 letters, digits, '_' and '-',
    and is none of ours.
    """
    names = _names(_WIDE)
    assert len({*names}) == len(names) == sum(map(len, _WIDE.values()))
    assert [name for name in names if not _FORM.fullmatch(name) or name in RESERVED] == []


def test_own_tools_are_reserved() -> None:
    """The names that actions may not take are those of the tools that find and run actions."""
    assert {tool.name for tool in DISCOVERY} == RESERVED


@pytest.mark.parametrize(
    ("connector", "action", "expected"),
    [("aws-ses", "sendEmail", "aws-ses_sendEmail"), ("aws.s3", "putObject", "aws_s3_putObject")],
)
def test_names_are_readable(connector: str, action: str, expected: str) -> None:
    """A name is connector, '_' and action; dots become '_'."""
    assert tool_name(connector, action) == expected


def test_names_do_not_depend_on_what_else_is_installed() -> None:
    """A connector's tools keep their names when others are installed or removed."""
    for key, actions in _WIDE.items():
        assert {*_names({key: actions})} <= {*_names(_WIDE)}


def test_each_name_calls_its_action() -> None:
    """Listed names run the action that they stand for; dotted names of earlier versions do, too;
    others run nothing.
    """
    catalog = _catalog(_WIDE)
    for key, actions in _WIDE.items():
        for action in actions:
            for name in (tool_name(key, action), f"{key}.{action}"):
                assert invocation_of(catalog, name, {}) == {
                    "connector": key,
                    "action": action,
                    "inputs": {},
                }
    for name in (
        "search_actions",
        "",
        "_",
        "nope_x",
        "adyen-management_nope",
        "adyen-management_postManagementCompanies_00000000",
    ):
        assert invocation_of(catalog, name, {}) is None


def test_pages_miss_nothing() -> None:
    """A list that goes on after any tool has exactly those that follow it, in one order."""
    names = _names(_WIDE)
    for number, name in enumerate(names):
        assert [tool.name for tool in action_tools(_catalog(_WIDE), name)] == names[number + 1 :]
