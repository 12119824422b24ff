"""The public conformance suite against our endpoint of MCP, in both revisions of the protocol; what is not offered has its reason here.

The suite knows its tools by their names, and sends no token: ``mcp_conformance`` maps the ones, adds the other, and changes nothing else.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mcp_campaign import REVISIONS, installed
from mcp_conformance import conforming

_REASONS = {
    "no prompts, resources, completions, logging": (
        "completion-complete", "logging-set-level", "prompts-get-embedded-resource", "prompts-get-simple", "prompts-get-with-args",
        "prompts-get-with-image", "prompts-list", "resources-list", "resources-read-binary", "resources-read-text", "resources-subscribe",
        "resources-templates-read", "resources-unsubscribe", "tools-call-with-logging", "tools-call-embedded-resource",
        "tools-call-mixed-content", "caching:sep-2549-prompts-list-caching-hints", "caching:sep-2549-resources-list-caching-hints",
        "caching:sep-2549-resources-templates-list-caching-hints", "input-required-result-non-tool-request",
    ),
    "nothing is asked in the client: no sampling, no roots, and a person is asked by a link, never by a form": (
        "elicitation-sep1034-defaults", "elicitation-sep1330-enums", "tools-call-elicitation", "tools-call-sampling",
        "input-required-result-basic-elicitation", "input-required-result-basic-list-roots", "input-required-result-basic-sampling",
        "input-required-result-capability-check", "input-required-result-multi-round", "input-required-result-multiple-input-requests",
        "input-required-result-request-state", "input-required-result-result-type", "input-required-result-tampered-state",
        "tasks-mrtr-composition", "tasks-mrtr-input", "tasks-dispatch-and-envelope:tasks-result-type-complete-on-non-task-responses",
    ),
    "no tool needs a capability: without it, the call is answered as it always was": (
        "server-stateless:sep-2575-missing-capability-http-400", "server-stateless:sep-2575-server-rejects-undeclared-capability",
        "tasks-required-task-error",
    ),
    "the text is about the call, and the output is structured": (
        "tasks-request-headers:tasks-headers-tolerate-mcp-method-on-tools-call",
    ),
    "no input goes into a header, and a tool's schema has no rules at its top, which providers of models refuse": (
        "http-custom-header-server-validation", "json-schema-2020-12",
    ),
}  # fmt: skip
NOT_OFFERED = {name: reason for reason, names in _REASONS.items() for name in names}


def failures(folder: Path, port: int, results: Path, revision: str) -> tuple[set[str], dict[str, str]]:
    """Return the scenarios of a revision that ran, and its failed checks."""
    path = f"{folder / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    words = ["node", "node_modules/@modelcontextprotocol/conformance/dist/index.js", "server", "--url", f"http://127.0.0.1:{port}/mcp"]
    words += ["--requirements", revision, "-o", str(results)]
    subprocess.run(words, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, check=False)
    ran, failed = set[str](), dict[str, str]()
    for found in sorted(results.glob("server-*/checks.json")):
        name = re.sub(r"-\d{4}-\d{2}-\d{2}T.*", "", found.parent.name.removeprefix("server-"))
        checks: list[Any] = json.loads(found.read_text(encoding="utf-8"))
        ran.add(name)
        failed |= {f"{name}:{one['id']}": str(one.get("errorMessage")) for one in checks if one["status"] == "FAILURE"}
    return ran, failed


def main() -> int:
    """Run the suite; return how many checks fail that are offered, and how many reasons are about nothing that fails."""
    folder, wrong = installed(), 0
    with tempfile.TemporaryDirectory() as place, conforming(Path(place)) as stand:
        for revision in REVISIONS:
            ran, failed = failures(folder, stand.port, Path(place) / revision, revision)
            excused = {check for check in failed if check in NOT_OFFERED or check.partition(":")[0] in NOT_OFFERED}
            stale = {name for name in NOT_OFFERED if name.partition(":")[0] in ran and not any(check.startswith(name) for check in failed)}
            for check in sorted(failed.keys() - excused):
                sys.stdout.write(f"{revision} {check}: FAILED: {failed[check]}\n")
            for name in sorted(stale):
                sys.stdout.write(f"{revision} {name}: passes, though it is said not to be offered\n")
            wrong += len(failed.keys() - excused) + len(stale) + (not ran)
            whole = len(ran - {check.partition(":")[0] for check in failed})
            sys.stdout.write(f"{revision}: {len(ran)} scenarios, {whole} without a failed check; {len(excused)} checks are not offered\n")
    return wrong


if __name__ == "__main__":
    raise SystemExit(1 if main() else 0)
