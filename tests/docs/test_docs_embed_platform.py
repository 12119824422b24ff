"""The page that leads a platform from an empty server to a customer's first call: its commands and
its program, in their order.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from doc_pages import ROOT, Block, blocks
from jackfield.testing import Answer, Provider, Request
from ports import free_port

if TYPE_CHECKING:
    from tests.docs.reader import Reader

pytest_plugins = ["warm", "tests.docs.reader"]
PAGE = ROOT / "docs" / "tutorial" / "embed-platform.md"
TSC = Path(sys.prefix) / "node" / "node_modules" / ".bin" / "tsc"
TOKEN = "github_pat_" + "x" * 40
NODE = """
declare const process: { env: Record<string, string | undefined> };
declare module "node:http" {
  interface Request { url?: string }
  interface Response { writeHead(status: number, headers?: Record<string, string>): Response; end(text?: string): void }
  function createServer(answer: (request: Request, response: Response) => void): { listen(port: number, host: string): void };
}
"""
"""What the program uses of Node's own types."""


@pytest.fixture
def github() -> Iterator[str]:
    """The address of a GitHub that knows one token and its user."""

    def answer(_number: int, request: Request) -> Answer:
        known = TOKEN in request.header("Authorization")
        return (
            Answer({"login": "ada", "id": 17, "name": "Ada"})
            if known
            else Answer({"message": "Bad credentials"}, 401)
        )

    with Provider(answer) as found:
        yield found.url


def at(body: str, server: str) -> str:
    """A block whose sessions lead to another GitHub than the real one."""
    body = body.replace(
        '"types": ["github/accessToken"]',
        f'"types": ["github/accessToken"], "defaults": {{"values": {{"server": "{server}"}}}}',
    )
    return body.replace(
        'types: ["github/accessToken"]',
        f'types: ["github/accessToken"], defaults: {{ values: {{ server: "{server}" }} }}',
    )


def connected(port: int, url: str) -> str:
    """What a customer does in a browser; the address to which the page leads in the end."""
    ada = Person(port).go(url)
    assert "The Shop" in ada.said
    ada.begin().press("Continue", token=TOKEN)
    assert "ada" in ada.said
    ada.press("Connect")
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', ada.text)
    location = ada.page.headers.get("location", "") if ada.page is not None else ""
    return location or (found[1].replace("&amp;", "&") if found else "")


@pytest.mark.skipif(
    shutil.which("jq") is None or shutil.which("curl") is None,
    reason="curl and jq are not installed",
)
def test_from_an_empty_server_to_the_first_call(
    reader: Reader, github: str, tmp_path: Path
) -> None:
    """Each command of the page works as printed, with the answers that it shows, and its program
    connects a second customer.
    """
    reader.set(JACKFIELD_ALLOW_HOSTS="127.0.0.1")
    for block in blocks(PAGE):
        found = Block(block.language, block.title, at(block.body, github), block.line)
        if block.title == "in a browser":
            session = json.loads((reader.folder / "session.json").read_text(encoding="utf-8"))
            back = parse_qs(urlsplit(connected(reader.port, session["url"])).query)
            reader.set(SESSION=back["session"][0], PROOF=back["proof"][0])
            continue
        reader.follow(found)
    _try_program(
        reader,
        tmp_path,
        at((ROOT / "examples" / "platform" / "shop.ts").read_text(encoding="utf-8"), github),
    )


def _try_program(reader: Reader, folder: Path, text: str) -> None:
    """Compile the program, run it, and let a customer use it."""
    if not TSC.exists():
        pytest.skip(
            "typescript is not installed in .venv/node ('make clients' does it, where there is npm)"
        )
    port = free_port()
    (folder / "shop.mts").write_text(text.replace("9000", str(port)), encoding="utf-8")
    (folder / "node.d.ts").write_text(NODE, encoding="utf-8")
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
    done = subprocess.run(
        [TSC, *options, "shop.mts", "node.d.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    given = {
        "PATH": os.environ["PATH"],
        "URL": reader.get("URL"),
        "PLATFORM": reader.get("PLATFORM"),
    }
    with subprocess.Popen(["node", "shop.mjs"], cwd=folder, env=given) as program:
        try:
            _listens(port)
            shop = Person(port)
            shop.go("/connect")
            assert shop.page is not None
            back = urlsplit(connected(reader.port, shop.page.headers["location"]))
            assert (back.port, back.path) == (port, "/connected")
            assert Person(port).go(f"{back.path}?{back.query}").text == "Connected as ada."
            assert Person(port).go("/connected?session=x").text == "Nothing was connected."
            assert "not_found" in Person(port).go("/connected?session=x&proof=y").text
        finally:
            program.kill()


def _listens(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        threading.Event().wait(0.05)
    raise AssertionError("the program does not listen")
