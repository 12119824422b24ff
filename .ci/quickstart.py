"""Follow docs/tutorial/quickstart.md from wheels: a new environment, pip as it is configured, each
line of the page.

``quickstart.py WHEELS``. Only the packages' names and the server's address are others than on the
page.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial" / "quickstart.md"
_BLOCK = re.compile(
    r'^```(?P<language>sh|python)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


class Provider(BaseHTTPRequestHandler):
    """Answers as the API on the page."""

    def do_GET(self) -> None:
        """Describe a repository."""
        content = json.dumps({"full_name": self.path.removeprefix("/repos/")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_about: object) -> None:
        """Say nothing."""


def follow(wheels: Path, folder: Path, server: str) -> str:
    """Run the page; return what its commands print.

    :raises CalledProcessError: if one ends otherwise than the page says.
    """
    packages = " ".join(
        str(path)
        for name in ("jackfield", "jackfield_store", "jackfield_http")
        for path in wheels.glob(f"{name}-[0-9]*.whl")
    )
    lines = ["set -e"]
    for found in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if found["title"]:
            (folder / found["title"]).write_text(found["body"], encoding="utf-8")
            continue
        for line in found["body"].splitlines():
            command, _, code = line.partition("  # exit ")
            lines.append(f"{{ {command}; }} && exit 1 || test $? -eq {code}" if code else command)
    script = "\n".join(lines).replace(
        "pip install 'jackfield[store]' jackfield-http", f"pip install -qq {packages}"
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JACKFIELD_", "PYTHON", "VIRTUAL_ENV"))
    }
    own = {
        "JACKFIELD_HOME": str(folder / "home"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
    }
    path = {"PATH": os.pathsep.join([str(folder), kept.get("PATH", "")])}
    (folder / "python3").symlink_to(sys.executable)
    command = ["bash", "-c", script.replace("https://api.github.com", server)]
    return subprocess.run(
        command, cwd=folder, env=kept | own | path, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def main(wheels: Path) -> None:
    """Follow the page, and look at what a reader would see."""
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = follow(wheels, Path(folder), f"http://127.0.0.1:{server.server_port}").splitlines()
        server.shutdown()
    listed, called, _schema, journal, python, refused = said
    assert [row["key"] for row in json.loads(listed)] == ["http"], listed
    assert json.loads(called)["output"]["body"] == {"full_name": "python/cpython"}, called
    assert json.loads(journal)[0]["status"] == "succeeded", journal
    assert python == "succeeded"
    assert json.loads(refused)["error"]["details"][0]["path"] == "/url", refused
    print("quickstart: followed from wheels")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
