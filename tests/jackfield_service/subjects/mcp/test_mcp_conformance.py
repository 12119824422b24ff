"""The public conformance suite against our endpoint of MCP, in both revisions of the protocol; what
is not offered has its reason here.

The suite knows its tools by their names, and sends no token: ``mcp_conformance`` maps the ones,
adds the other, and changes nothing else.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_conformance import conforming
from mcp_suite import REVISIONS, judged, missing, required

_REASONS = {
    "no prompts, completions, logging, and no resources but the files of results": (
        "completion-complete",
        "logging-set-level",
        "prompts-get-embedded-resource",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-with-image",
        "prompts-list",
        "resources-read-binary",
        "resources-read-text",
        "resources-subscribe",
        "resources-templates-read",
        "resources-unsubscribe",
        "tools-call-with-logging",
        "caching:sep-2549-prompts-list-caching-hints",
        "input-required-result-non-tool-request",
    ),
    (
        "of what is asked in the client, forms alone, of 2026-07-28: no sampling, no roots, and "
        "nothing on a stream"
    ): (
        "elicitation-sep1034-defaults",
        "elicitation-sep1330-enums",
        "tools-call-elicitation",
        "tools-call-sampling",
        "input-required-result-basic-list-roots",
        "input-required-result-basic-sampling",
        "input-required-result-capability-check",
        "input-required-result-multiple-input-requests",
        "tasks-mrtr-composition",
        "tasks-mrtr-input",
        "tasks-dispatch-and-envelope:tasks-result-type-complete-on-non-task-responses",
    ),
    "no tool needs a capability: without it, the call is answered as it always was": (
        "server-stateless:sep-2575-missing-capability-http-400",
        "server-stateless:sep-2575-server-rejects-undeclared-capability",
        "tasks-required-task-error",
    ),
    "the text is about the call, and the output is structured": (
        "tasks-request-headers:tasks-headers-tolerate-mcp-method-on-tools-call",
    ),
    (
        "no input goes into a header, and a tool's schema has no rules at its top, which "
        "providers of models refuse"
    ): (
        "http-custom-header-server-validation",
        "json-schema-2020-12",
    ),
}
NOT_OFFERED = {name: reason for reason, names in _REASONS.items() for name in names}


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_suite_judges_our_endpoint(tmp_path: Path, revision: str) -> None:
    """Each scenario that the revision requires runs, and no check fails, nor warns, but those that
    are not offered.
    """
    if reason := missing():
        pytest.skip(reason)
    with conforming(tmp_path) as stand:
        found = judged(
            "server", revision, tmp_path / "results", "--url", f"http://127.0.0.1:{stand.port}/mcp"
        )
    assert found.unexcused(NOT_OFFERED) == {}
    assert found.stale(NOT_OFFERED) == []
    assert required("server", revision) - found.ran == set()
