"""Other systems' files as connections of the command line, and imported into a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import component

from fake_aws import FakeAws
from jackfield.connections.provenance import Provenance
from jackfield.kernel.errors import InvalidConnection
from jackfield_store.runtime import Jackfield
from plugboard import declare, plugged
from shell import Shell

pytest_plugins = ["shell_fixture"]

SAMPLES = Path(__file__).parent / "samples"
OWN = "connections: {own: {type: aws/apiKeySecret, values: {accessKeyId: A, secretAccessKey: s}}}\n"


@pytest.fixture
def ses(shell: Shell, tmp_path: Path) -> Iterator[Shell]:
    """A shell in which Amazon SES is installed."""
    declare(
        tmp_path / "site",
        "jackfield-aws-ses",
        "jackfield.connectors",
        {"aws-ses": "jackfield_aws_ses:connector"},
    )
    with plugged(tmp_path / "site"):
        yield shell


def test_a_component_is_a_connection_like_any_other(ses: Shell, aws: FakeAws) -> None:
    """JACKFIELD_CONNECTIONS may name it; it is listed, shown with its secrets masked, and sends
    with its defaults.
    """
    ses.write("box.yaml", component("box", emailCc="cc@rcpt.test"))
    ses.set(JACKFIELD_CONNECTIONS="box.yaml")
    assert [(row["name"], row["type"]) for row in ses.run("connections", "list").json] == [
        ("box", "aws/apiKeySecret")
    ]
    shown = ses.run("connections", "show", "box")
    assert "dapr-secret" not in shown.out
    assert ses.run("invoke", "aws-ses", "sendEmail", "html=<p>x</p>").code == 0
    assert (
        ses.run("invoke", "aws-ses", "sendEmail", "html=<p>x</p>", "to=z@rcpt.test", "cc=").code
        == 0
    )
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


_SAMPLES = {
    "dapr-component.yaml": ["outbox"],
    "dapr-secrets.yaml": ["outbox"],
    "thand-static.yaml": ["alerts"],
    "thand-endpoint.yaml": ["alerts-local"],
    "vcap.json": ["link-eu"],
    "prismatic-integration.yaml": ["Mail-by-role", "Mail-by-key"],
    "prismatic-instance.json": ["Mail-by-key"],
}


@pytest.mark.parametrize(
    ("by", "sample", "names"),
    [  # one file of each format comes over standard input, the next one from a path
        pytest.param(
            by,
            sample,
            names,
            id=f"{by}-{sample}",
            marks=() if (place + turn) % 2 == 0 else pytest.mark.campaign,
        )
        for turn, by in enumerate(["stdin", "path"])
        for place, (sample, names) in enumerate(_SAMPLES.items())
    ],
)
def test_each_file_can_be_imported(kept: Shell, sample: str, names: list[str], by: str) -> None:
    """The connections of a file, or of standard input, are kept; secrets of a store's file come
    along from a path.
    """
    source = SAMPLES / sample
    (kept.folder / "secrets.json").write_bytes((source.parent / "secrets.json").read_bytes())
    if by == "path":
        answer = kept.run("connections", "import", str(source), "--no-test")
    else:
        answer = kept.run("connections", "import", "-", "--no-test", stdin=source.read_text())
    assert (answer.code, [(row["name"], row["result"]) for row in answer.json]) == (
        0,
        [(name, "added") for name in names],
    ), answer.err
    kept.set(JACKFIELD_CONNECTIONS="")
    assert sorted(row["name"] for row in kept.run("connections", "list").json) == sorted(names)


def test_an_import_keeps_the_sender_of_a_component(kept: Shell, aws: FakeAws) -> None:
    """A stored connection has the component's sender; its recipients and subject are not kept,
    which is told.
    """
    answer = kept.run("connections", "import", "-", "--no-test", stdin=component("box"))
    assert "'box': default inputs are not stored with a connection: subject, to" in answer.err
    mail = ("invoke", "aws-ses", "sendEmail", "--connection", "box", "html=<p>x</p>")
    assert kept.run(*mail, "to=z@rcpt.test", "subject=Hello").code == 0
    assert [(message.source, message.to) for message in aws.messages] == [
        ("ops@sender.test", ("z@rcpt.test",))
    ]
    assert kept.run(*mail).json["error"]["code"] == "invalid_input"


def test_the_variable_itself_can_be_imported(kept: Shell) -> None:
    """The platform's variable is named as for connections; without it that is said."""
    assert (
        kept.run("connections", "import", "$VCAP_SERVICES").json["error"]["code"]
        == "invalid_connection"
    )
    kept.set(VCAP_SERVICES=(SAMPLES / "vcap.json").read_text())
    answer = kept.run("connections", "import", "$VCAP_SERVICES", "--no-test")
    assert [row["name"] for row in answer.json] == ["link-eu"]
    assert "default inputs are not stored with a connection: to" in answer.err


@pytest.mark.parametrize("sample", ["dapr-secrets.yaml", "thand-endpoint.yaml", "path", "variable"])
def test_a_document_from_afar_reads_nothing_of_the_host(kept: Shell, sample: str) -> None:
    """What somebody sends over the network gets no variable and no file of this host, whatever it
    names.
    """
    kept.write("secrets.json", '{"ses": {"key": "hush", "secret": "hush"}}')
    kept.write("own.yaml", OWN)
    kept.set(TEST_ENDPOINT="http://hush", VCAP_SERVICES=(SAMPLES / "vcap.json").read_text())
    texts = {"path": "own.yaml", "variable": "$VCAP_SERVICES"}
    text = texts[sample] if sample in texts else (SAMPLES / sample).read_text()
    with Jackfield() as jackfield:
        try:
            rows = jackfield.connections.import_document(
                text, test=False, provenance=Provenance("remote")
            )
        except InvalidConnection:
            rows = []
        kept_values = [
            jackfield.connections.known.find(row["name"]).values
            for row in rows
            if row["result"] == "added"
        ]
    assert "hush" not in repr([dict(values) for values in kept_values]) + repr(rows)
    assert len(kept_values) == (1 if sample == "thand-endpoint.yaml" else 0)


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("prismatic-instance.json", "Mail-by-key"),
        ("$VCAP_SERVICES", "link-eu"),
        ("own.yaml", "own"),
    ],
)
def test_a_file_may_be_imported_while_it_is_read(kept: Shell, sample: str, name: str) -> None:
    """What JACKFIELD_CONNECTIONS names can be kept too; the file goes first until it is taken out,
    which is told.
    """
    kept.write("own.yaml", f"---\n{OWN}---\n{OWN.replace('own', 'other')}")
    path = str(SAMPLES / sample) if sample.startswith("p") else sample
    kept.set(JACKFIELD_CONNECTIONS=path, VCAP_SERVICES=(SAMPLES / "vcap.json").read_text())
    for words, result in ((), "added"), (("--replace",), "replaced"):
        answer = kept.run("connections", "import", path, "--no-test", *words)
        assert (answer.code, answer.json[0]["name"], answer.json[0]["result"]) == (
            0,
            name,
            result,
        ), answer.err
        assert f"the connection '{name}' of {sample}" in answer.err
        assert "takes precedence over the stored one until the file is no longer read" in answer.err
    kept.set(JACKFIELD_CONNECTIONS="")
    assert name in [row["name"] for row in kept.run("connections", "list").json]


def test_another_file_that_would_hide_it_is_still_refused(kept: Shell) -> None:
    """Only the file itself may go on hiding what is kept of it: not a file of the same name
    elsewhere, nor standard input.
    """
    (kept.folder / "more").mkdir()
    kept.write("own.yaml", OWN)
    kept.write("more/own.yaml", OWN)
    kept.set(JACKFIELD_CONNECTIONS="own.yaml")
    for path in "more/own.yaml", "-":
        answer = kept.run("connections", "import", path, "--no-test", stdin=OWN)
        assert (answer.code, answer.json[0]["result"]) == (2, "refused")
        assert "which would hide the stored connection" in answer.json[0]["error"]["message"]


def test_a_folder_is_imported_as_one(kept: Shell) -> None:
    """A component and its secret store may stand in two files; one that is imported alone misses
    its store, which is told.
    """
    outbox, store = (SAMPLES / "dapr-secrets.yaml").read_text().split("---")
    kept.write("parts/outbox.yaml", outbox)
    kept.write("parts/store.yaml", store)
    kept.write("parts/secrets.json", (SAMPLES / "secrets.json").read_text())
    alone = kept.run("connections", "import", "parts/outbox.yaml", "--no-test")
    assert (alone.code, "no secret store is named" in alone.err) == (2, True)
    assert "import their folder" in alone.json[0]["error"]["hint"]
    kept.set(JACKFIELD_CONNECTIONS="parts")
    answer = kept.run("connections", "import", "parts/", "--no-test")
    assert (answer.code, [(row["name"], row["result"]) for row in answer.json]) == (
        0,
        [("outbox", "added")],
    ), answer.err


def test_a_folder_of_nothing_is_refused(kept: Shell) -> None:
    """A folder without connections is told as such, one that has some is imported but for its
    faults.
    """
    (kept.folder / "none").mkdir()
    assert (
        "none of its YAML and JSON files contains connections"
        in kept.run("connections", "import", "none").json["error"]["message"]
    )
    kept.write("some/a.yaml", "a: [\n")
    kept.write("some/b.yaml", OWN)
    answer = kept.run("connections", "import", "some", "--no-test")
    assert (answer.code, [row["result"] for row in answer.json]) == (2, ["added", "refused"])


LINK = {
    "name": "l",
    "credentials": {
        "hostname": "vpce-1.email-smtp.eu-west-1.vpce.amazonaws.com",
        "username": "A",
        "password": "s",
    },
}
KEYS = {
    "key": "l",
    "connection": {"component": {"key": "aws-ses"}, "key": "apiKeySecret"},
    "inputs": {"accessKeyId": "A", "secretAccessKey": "s"},
}
TWICE = {
    "privatelink": (
        {"privatelink": [LINK, LINK]},
        "twice.json: privatelink[0]",
        "twice.json: privatelink[1]",
    ),
    "prismatic": (
        {"configVariables": [KEYS, KEYS]},
        "twice.json: configVariables[0]",
        "twice.json: configVariables[1]",
    ),
}


@pytest.mark.parametrize(("document", "first", "second"), TWICE.values(), ids=TWICE)
def test_a_name_twice_in_one_file_is_told(
    kept: Shell, document: object, first: str, second: str
) -> None:
    """It is told with both places: of a file that is read, the name cannot be used; of an import,
    the first is kept, replacing or not.
    """
    kept.write("twice.json", json.dumps(document))
    for words, result in ((), "added"), (("--replace",), "replaced"):
        answer = kept.run("connections", "import", "twice.json", "--no-test", *words)
        assert (answer.code, [row["result"] for row in answer.json]) == (2, [result, "refused"])
        assert f"the connection 'l' is defined twice: in {first} and in {second}" in answer.err
    kept.set(JACKFIELD_CONNECTIONS="twice.json")
    listed = kept.run("connections", "list")
    assert (
        listed.code,
        f"the connection 'l' is defined more than once: in {first} and {second}" in listed.err,
    ) == (1, True)


def test_an_import_of_nothing_known_is_refused(kept: Shell) -> None:
    """What was expected is said; of a file with something good in it, the good is kept and the bad
    is a row.
    """
    refused = kept.run("connections", "import", "-", stdin="hello: world\n")
    assert (refused.code, refused.json["error"]["code"]) == (2, "invalid_connection")
    assert "expected 'connections:" in refused.json["error"]["message"]
    mixed = kept.run(
        "connections", "import", "-", "--no-test", stdin=f"{OWN}---\nhello: world\n---\na: [\n"
    )
    assert mixed.code == 2
    assert [row["result"] for row in mixed.json] == ["added", "refused", "refused"]
