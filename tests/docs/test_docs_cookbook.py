"""The cookbook's tasks work as shown: as commands, in Python, over HTTP, and in the console."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed

from doc_pages import ROOT, blocks
from http_stand import Stand, standing
from jackfield.cli.main import main
from jackfield.testing import Answer, Provider, Request
from moto_rig import offer
from moto_server import moto_server, tell

PAGES = sorted((ROOT / "docs" / "tutorial").glob("cookbook-*.md"))
TASKS = 10
_LISTS = ("/issues", "/pulls")


def _agree(_number: int, request: Request) -> Answer:
    """Stand for GitHub, Slack, Stripe and a shop: agree to everything; lists are empty."""
    is_list = request.method == "GET" and request.path.partition("?")[0].endswith(_LISTS)
    return Answer(
        []
        if is_list
        else {
            "ok": True,
            "id": 1,
            "merged": True,
            "sha": "6dcb09b",
            "data": [],
            "has_more": False,
            "channels": [],
            "object": "list",
        }
    )


@pytest.fixture(name="provider", scope="module")
def _provider() -> Iterator[str]:
    with Provider(_agree) as found:
        yield found.url


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(name="file", scope="module")
def _file(tmp_path_factory: pytest.TempPathFactory, aws: str, provider: str) -> Path:
    keys = {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "secret/of+acme",
        "endpoint": aws,
    }
    rows = {
        "acme-aws": {"type": "aws/apiKeySecret", "values": keys},
        "acme-github": {
            "type": "github/accessToken",
            "values": {"token": "ghp_4711", "server": provider},
        },
        "acme-slack": {
            "type": "slack/botToken",
            "values": {"token": "xoxb-4711", "server": provider},
        },
        "acme-stripe": {
            "type": "stripe/secretKey",
            "values": {"token": "sk_test_4711", "server": provider},
        },
        "acme-shop": {"type": "http/anonymous", "values": {"server": provider}},
    }
    path = tmp_path_factory.mktemp("connections") / "connections.yaml"
    path.write_text(json.dumps({"connections": rows}), encoding="utf-8")
    return path


@pytest.fixture(name="connections")
def _connections(file: Path, aws: str) -> Path:
    """The connections of the pages, to the provider and to a moto server in which there is nothing
    yet.
    """
    tell(aws, "reset")
    return file


@pytest.fixture(name="stand", scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[Stand]:
    """A server that offers the services of AWS that the pages name: an index of all of them takes
    seconds.
    """
    folder = tmp_path_factory.mktemp("stand")
    named = {body["connector"] for path in PAGES for body in _bodies(path)}
    offer(
        folder / "home",
        {
            "default": {
                "services": sorted(
                    name.removeprefix("aws.") for name in named if name.startswith("aws.")
                )
            }
        },
    )
    with standing(folder, JACKFIELD_CONNECTIONS=str(file)) as stand:
        yield stand


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with placed(tmp_path_factory.mktemp("console")) as place:
        yield place


def _bodies(path: Path) -> list[dict[str, Any]]:
    return [json.loads(block.body) for block in blocks(path) if block.language == "json"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("connections")
def test_the_cookbook_runs_over_http_and_has_its_forms(
    path: Path, stand: Stand, place: Place
) -> None:
    """Each body is answered by a Result that succeeded, and the console has a form at each
    address.
    """
    bodies = _bodies(path)
    assert len(bodies) == TASKS
    client = stand.client("invoke")
    for body in bodies:
        answer = client.post("/v1/invocations", body)
        assert answer.json["status"] == "succeeded", (body, answer.json)
    text = path.read_text(encoding="utf-8")
    browser = place.signed_in()
    for body in bodies:
        address = f"/connectors/{body['connector']}/actions/{body['action']}"
        assert f"`{address}`" in text
        assert browser.get(address).status == 200


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", ["sh", "py"])
def test_the_cookbook_runs_in_a_shell_and_in_python(
    path: Path, language: str, connections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command and each call does what the page's HTTP body says, and succeeds."""
    monkeypatch.chdir(connections.parent)
    for name, value in {
        "JACKFIELD_CONNECTIONS": str(connections),
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "JACKFIELD_DATABASE_URL": "none",
    }.items():
        monkeypatch.setenv(name, value)
    found = [block.body for block in blocks(path) if block.language == language]
    if language == "sh":
        assert len(found) == TASKS
        for line in found:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                assert main(shlex.split(line)[1:]) == 0, (line, printed.getvalue())
        return
    monkeypatch.delenv("JACKFIELD_CONNECTIONS")
    namespace: dict[str, Any] = {}
    head, *calls = found
    exec(head, namespace)
    assert len(calls) == TASKS
    for call in calls:
        exec(call, namespace)
    namespace["jackfield"].close()
