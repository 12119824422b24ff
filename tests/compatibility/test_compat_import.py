"""Other systems' files as connections of the command line, and imported into a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_aws import FakeAws
from jackfield import Jackfield
from jackfield.errors import InvalidConnection
from jackfield.pipe.drafting import Giver
from plugboard import declare, plugged
from shell import Shell
from sidecars import component

pytest_plugins = ["shell_fixture"]

SAMPLES = Path(__file__).parent / "samples"
OWN = "connections: {own: {type: aws/apiKeySecret, values: {accessKeyId: A, secretAccessKey: s}}}\n"


@pytest.fixture
def ses(shell: Shell, tmp_path: Path) -> Iterator[Shell]:
    """A shell in which Amazon SES is installed."""
    declare(tmp_path / "site", "jackfield-aws-ses", "jackfield.connectors", {"aws-ses": "jackfield_aws_ses:connector"})
    with plugged(tmp_path / "site"):
        yield shell


def test_a_component_is_a_connection_like_any_other(ses: Shell, aws: FakeAws) -> None:
    """JACKFIELD_CONNECTIONS may name it; it is listed, shown with its secrets masked, and sends with its defaults."""
    ses.write("box.yaml", component("box", emailCc="cc@rcpt.test"))
    ses.set(JACKFIELD_CONNECTIONS="box.yaml")
    assert [(row["name"], row["type"]) for row in ses.run("connections", "list").json] == [("box", "aws/apiKeySecret")]
    shown = ses.run("connections", "show", "box")
    assert "dapr-secret" not in shown.out
    assert ses.run("invoke", "aws-ses", "sendEmail", "html=<p>x</p>").code == 0
    assert ses.run("invoke", "aws-ses", "sendEmail", "html=<p>x</p>", "to=z@rcpt.test", "cc=").code == 0
    first, second = aws.messages
    assert (first.source, first.to, first.cc, first.content.subject) == (
        "ops@sender.test",
        ("desk@rcpt.test",),
        ("cc@rcpt.test",),
        "Nightly report",
    )
    assert (second.to, second.cc) == (("z@rcpt.test",), ())


def test_what_cannot_be_read_is_listed(ses: Shell) -> None:
    """A fault is told on stderr, the exit code is 1, and the rest is listed."""
    ses.write("box.yaml", f"{component('box')}---\nkind: Komponent\nspec: {{}}\n")
    ses.set(JACKFIELD_CONNECTIONS="box.yaml")
    answer = ses.run("connections", "list")
    assert (answer.code, len(answer.json)) == (1, 1)
    assert "box.yaml, document 2: kind: must be 'Component'" in answer.err


@pytest.fixture
def kept(ses: Shell, tmp_path: Path) -> Shell:
    """A shell with a database to import into."""
    ses.set(JACKFIELD_CONNECTIONS="", JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path}/kept.db")
    return ses


@pytest.mark.parametrize(
    ("sample", "names"),
    [
        ("dapr-component.yaml", ["outbox"]),
        ("dapr-secrets.yaml", ["outbox"]),
        ("thand-static.yaml", ["alerts"]),
        ("thand-endpoint.yaml", ["alerts-local"]),
        ("vcap.json", ["link-eu"]),
        ("prismatic-integration.yaml", ["Mail-by-role", "Mail-by-key"]),
        ("prismatic-instance.json", ["Mail-by-key"]),
    ],
)
@pytest.mark.parametrize("by", ["path", "stdin"])
def test_each_file_can_be_imported(kept: Shell, sample: str, names: list[str], by: str) -> None:
    """The connections of a file, or of standard input, are kept; secrets of a store's file come along from a path."""
    source = SAMPLES / sample
    (kept.folder / "secrets.json").write_bytes((source.parent / "secrets.json").read_bytes())
    if by == "path":
        answer = kept.run("connections", "import", str(source), "--no-test")
    else:
        answer = kept.run("connections", "import", "-", "--no-test", stdin=source.read_text())
    assert (answer.code, [(row["name"], row["result"]) for row in answer.json]) == (0, [(name, "added") for name in names]), answer.err
    kept.set(JACKFIELD_CONNECTIONS="")
    assert sorted(row["name"] for row in kept.run("connections", "list").json) == sorted(names)


def test_the_variable_itself_can_be_imported(kept: Shell) -> None:
    """The platform's variable is named as for connections; without it that is said."""
    assert kept.run("connections", "import", "$VCAP_SERVICES").json["error"]["code"] == "invalid_connection"
    kept.set(VCAP_SERVICES=(SAMPLES / "vcap.json").read_text())
    answer = kept.run("connections", "import", "$VCAP_SERVICES", "--no-test")
    assert [row["name"] for row in answer.json] == ["link-eu"]
    assert "default inputs are not kept with a stored connection: to" in answer.err


@pytest.mark.parametrize("sample", ["dapr-secrets.yaml", "thand-endpoint.yaml", "path", "variable"])
def test_a_document_from_afar_reads_nothing_of_the_host(kept: Shell, sample: str) -> None:
    """What somebody sends over the network gets no variable and no file of this host, whatever it names."""
    kept.write("secrets.json", '{"ses": {"key": "hush", "secret": "hush"}}')
    kept.write("own.yaml", OWN)
    kept.set(TEST_ENDPOINT="http://hush", VCAP_SERVICES=(SAMPLES / "vcap.json").read_text())
    texts = {"path": "own.yaml", "variable": "$VCAP_SERVICES"}
    text = texts[sample] if sample in texts else (SAMPLES / sample).read_text()
    with Jackfield() as jackfield:
        try:
            rows = jackfield.connections.import_document(text, test=False, giver=Giver("remote"))
        except InvalidConnection:
            rows = []
        kept_values = [jackfield.connections.known.find(row["name"]).values for row in rows if row["result"] == "added"]
    assert "hush" not in repr([dict(values) for values in kept_values]) + repr(rows)
    assert len(kept_values) == (1 if sample == "thand-endpoint.yaml" else 0)


def test_an_import_of_nothing_known_is_refused(kept: Shell) -> None:
    """What was expected is said; of a file with something good in it, the good is kept and the bad is a row."""
    refused = kept.run("connections", "import", "-", stdin="hello: world\n")
    assert (refused.code, refused.json["error"]["code"]) == (2, "invalid_connection")
    assert "expected 'connections:" in refused.json["error"]["message"]
    mixed = kept.run("connections", "import", "-", "--no-test", stdin=f"{OWN}---\nhello: world\n---\na: [\n")
    assert mixed.code == 2
    assert [row["result"] for row in mixed.json] == ["added", "refused", "refused"]
