"""Confusion of delegated roles: the metadata of one publisher's connectors says nothing about
another's, whoever signs it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.jackfield_market.storefront import Storefront
from tuf.api.metadata import TargetFile

from jackfield_market.catalogue import _changing
from jackfield_market.role_keys import default_keys
from jackfield_market.site.shelf import path_of
from shell import Shell

pytest_plugins = ["tests.jackfield_market.shop_fixture"]


def _signed_by_another(shop: Storefront, stated: dict[str, bytes], *, drop: bool) -> None:
    """Let the role of ``mallory`` list paths of acme, as whoever has the online keys could;
    ``drop`` takes them out of acme's own role.
    """
    with _changing(str(shop.site), default_keys(str(shop.site)), None) as work:
        edit = work.edit({}, None)
        own, other = work.registry.role_of("acme"), work.registry.role_of("umbrella")
        roles = {role: dict(work.repository.targets(role)) for role in (own, other)}
        for path, content in stated.items():
            (shop.site / path).write_bytes(content)
            roles[other][path] = TargetFile.from_data(path, content, ["sha256"])
            if drop:
                roles[own].pop(path, None)
        work.repository.publish(replace(edit, roles=roles), work.now)


@pytest.mark.parametrize("drop", [False, True])
def test_security_2_a_role_lists_the_files_of_another_publisher(
    shell: Shell, shop: Storefront, *, drop: bool
) -> None:
    """What the role of ``mallory`` says about the list of acme's releases is not read: the paths of
    its delegation end at its own.
    """
    shop.add("umbrella", publisher="mallory")
    path = path_of("acme")
    listed: Any = json.loads((shop.site / path).read_bytes())
    listed["releases"][0]["grade"] = "platinum"
    _signed_by_another(shop, {path: json.dumps(listed).encode()}, drop=drop)
    answer = shell.run("install", "acme", "--from", "site")
    assert answer.code != 0
    error = answer.json["error"]
    assert (error["code"], "does not match its signed metadata" in error["message"]) == (
        ("unknown_connector", False) if drop else ("not_allowed", True)
    )
