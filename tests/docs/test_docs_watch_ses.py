"""The pages that set SES up and watch it: their commands are valid as printed."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from pathlib import Path

import pytest

from doc_pages import ROOT, blocks
from jackfield.cli.main import main
from jackfield_aws_ses_simulator.embedded import EmbeddedAws

PAGE = ROOT / "docs" / "tutorial" / "watch-ses.md"
CONNECTION = {
    "type": "aws/apiKeySecret",
    "values": {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "secret/of+acme",
        "region": "eu-west-1",
    },
}
EVENTS, RECEIVED = PAGE.with_name("mail-events.md"), PAGE.with_name("received-mail.md")
TENANTS = PAGE.with_name("ses-tenants.md")
_NEED_MORE = tuple(
    f"jackfield {noun}"
    for noun in ("connections test", "subscriptions", "suppressions", "workspaces")
)
"""The test of a connection asks AWS, the others need a database."""
LINES = [
    line
    for page in (PAGE, EVENTS, RECEIVED, TENANTS)
    for block in blocks(page)
    if block.language == "sh"
    for line in block.body.splitlines()
]
_TRUE_ALREADY = {
    "conflict": "createIdentity",
    "not_found": "deleteSuppressedRecipient",
    "rejected": "getCostAndUsage",
}
"""On the simulator, the domain is verified, nobody has bounced yet, and there is no bill."""
COMMANDS = [line for line in LINES if not line.startswith(_NEED_MORE)]


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: " ".join(line.split()[1:4]))
def test_a_command_of_the_page_is_valid(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call passes every check of a dry run, and other commands succeed."""
    words = shlex.split(line)[1:]
    path = tmp_path / "connections.json"
    path.write_text(
        json.dumps({"connections": {"acme-ses": CONNECTION, "ses-owner": CONNECTION}}),
        encoding="utf-8",
    )
    for name, value in {
        "CONNECTIONS": str(path),
        "HOME": str(tmp_path / "home"),
        "DATABASE_URL": "none",
    }.items():
        monkeypatch.setenv(f"JACKFIELD_{name}", value)
    more = ["--dry-run"] if words[0] == "invoke" else []
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main([*words, *more]) == 0, printed.getvalue()


def test_every_command_of_the_page_works_on_the_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From top to bottom, over a role and a database: what the page shows can be tried without an
    account.
    """
    with EmbeddedAws() as aws:
        path = tmp_path / "connections.json"
        places = {
            "CONNECTIONS": str(path),
            "HOME": str(tmp_path),
            "DATABASE_URL": f"sqlite:///{tmp_path / 'jackfield.db'}",
        }
        for name, value in {
            **{f"JACKFIELD_{name}": place for name, place in places.items()},
            **aws.environment(),
        }.items():
            monkeypatch.setenv(name, value)
        values = {
            name: value
            for name, value in aws.connection_values().items()
            if not name.lower().endswith("endpoint")
        }
        text = json.dumps(
            {"connections": {"acme-ses": {"type": "aws-ses/awsAssumeRole", "values": values}}}
        )
        path.write_text(text, encoding="utf-8")
        for line in (
            line
            for block in blocks(PAGE)
            if block.language == "sh"
            for line in block.body.splitlines()
        ):
            words = shlex.split(line)[1:]
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                code = main(
                    [*words, "--json"]
                    if words[0] != "connections" or "policy" not in words
                    else words
                )
            refused = None if code == 0 else json.loads(printed.getvalue())["error"]["code"]
            assert refused is None or _TRUE_ALREADY.get(refused) in words, (
                line,
                printed.getvalue(),
            )
