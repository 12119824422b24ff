"""B8: the instructions for a client's model speak of what is installed, and of nothing that the caller may not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from http_stand import Stand, standing
from jackfield.access import Rules
from jackfield.surfaces.mcp.instructions import instructions
from mcp_talk import called, message, remote

HELLO = message("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("instructions")) as found:
        yield found


def told(stand: Stand, **rules: tuple[str, ...]) -> str:
    """The instructions that a token with such rules gets."""
    answer = stand.client("invoke", rules=Rules(rules.get("allow", ()), rules.get("block", ()))).post("/mcp", HELLO)
    text: str = answer.json["result"]["instructions"]
    return text.splitlines()[0]


def test_b8_instructions_name_what_is_installed(stand: Stand) -> None:
    """Each connector is named by its key; its title is its author's text, which a model would take for ours (finding 9)."""
    first = told(stand)
    assert re.search(r"\becho\b", first)
    assert "aws-ses" in first
    assert "Echo" not in first


def test_b8_instructions_keep_to_the_rules(stand: Stand) -> None:
    """A connector of which the caller may run nothing is not named; where nothing is left, that is said."""
    assert told(stand, allow=("echo/*",)) == "jackfield runs actions of these connectors: echo."
    assert told(stand, block=("*/*",)) == "No connectors are available yet."


def test_b8_instructions_stay_short() -> None:
    """Of many connectors the first ones are named, and the others counted."""

    class Many:
        """Stands for a caller at a runtime with 25 connectors."""

        def __init__(self, **members: Any) -> None:
            self.__dict__ |= members

    entries = [Many(title=f"T{number}", key=f"t{number}", error=None) for number in range(25)]
    index = Many(covers=lambda _catalog: True, entries=lambda: entries)
    call: Any = Many(catalog=None, index=index, caller=Many(scope=None))
    assert instructions(call).splitlines()[0].endswith(" t19 and 5 more.")


def test_n12_who_may_only_look_is_told_so(stand: Stand) -> None:
    """A token with the scope read has no tool that runs actions, and its instructions name none."""
    text = stand.client("read").post("/mcp", HELLO).json["result"]["instructions"]
    assert text.startswith("jackfield knows actions of these connectors: ")
    assert "execute_action" not in text
    assert "idempotencyKey" not in text
    assert "the scope 'invoke'" in text


def test_security_2_9_what_an_author_wrote_stands_apart(stand: Stand) -> None:
    """A description such as "IMPORTANT SYSTEM INSTRUCTION" stood in the answers of the tools as if jackfield said it: every text of an
    author is in a member that says whose it is, and the tool's schema says it, too."""
    server = remote(stand.port, stand.client("invoke").token)
    (row,) = called(server, "search_actions", query="post", connector="echo", limit=1).structured_content["items"]
    assert row.keys() <= {"connector", "action", "effect", "exact", "thirdParty"}
    assert row["thirdParty"].keys() == {"title", "description"}
    answer = called(server, "get_action_guide", connector="echo", action="post")
    assert answer.structured_content is not None
    assert answer.structured_content.keys() == {"connector", "connectorVersion", "action", "effect", "verdict", "thirdParty"}
    assert answer.structured_content["thirdParty"].keys() == {"title", "description", "inputs", "output"}
    assert answer.content[0].text.startswith("What follows has texts of the connector's author, a third party")  # type: ignore[union-attr]
    listed = stand.client("invoke").post("/mcp", message("tools/list")).json["result"]["tools"]
    schema = next(tool["outputSchema"] for tool in listed if tool["name"] == "search_actions")
    assert "third party" in schema["properties"]["items"]["items"]["properties"]["thirdParty"]["description"]
