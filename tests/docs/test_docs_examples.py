"""What the documentation shows is true: its examples run, its commands exist, its links lead
somewhere.
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from doc_pages import ROOT, Page, blocks, commands, matches, pages
from fake_aws import FakeAws
from jackfield.testing import Answer, Provider, Request
from plugboard import declare, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

CONNECTORS = ROOT / "connectors"
MADE = ROOT / "docs" / "reference" / "connectors"
"""Pages that are made when the site is built."""
CONNECTIONS = """\
connections:
  acme-ses:
    type: aws/awsAssumeRole
    values:
      roleARN: arn:aws:iam::123456789012:role/acme-ses
      accessKeyId: AKIAIOSFODNN7EXAMPLE
      secretAccessKey: {$env: ACME_SECRET_ACCESS_KEY}
      externalId: acme-7f3a9c
      region: eu-west-1
      sender: noreply@example.com
"""
MAIL = {
    "connector": "aws-ses",
    "action": "sendEmail",
    "inputs": {"to": "ada@example.com", "subject": "Hello", "text": "Hello"},
}
ROLE = "arn:aws:iam::123456789012:role/acme-ses"


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """An AWS account with the role and the identities of the pages."""
    identities = ["example.com", "example.org", "noreply@example.com"]
    with FakeAws(identities=identities, roles={ROLE: {"external_id": "acme-7f3a9c"}}) as fake:
        yield fake


@pytest.fixture
def notes() -> Iterator[str]:
    """The URL of the notes server of the page about a client of one's own: it knows one token and
    three notes, two a page.
    """

    def answer(_number: int, request: Request) -> Answer:
        if request.header("Authorization") != "Bearer open-sesame":
            return Answer(status=401)
        listed = (
            {"notes": ["n2"]}
            if request.path.endswith("=n1")
            else {"notes": ["n0", "n1"], "next": "n1"}
        )
        return Answer({"id": "n3"} if request.changes else listed)

    with Provider(answer) as found:
        yield found.url


@pytest.fixture
def patch(
    tmp_path: Path, aws: FakeAws, notes: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """A folder in which every page's examples can run: files, connections, an AWS, connectors
    installed.
    """
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    declare(
        site,
        "jackfield-aws-ses",
        "jackfield.connectors",
        {"aws-ses": "jackfield_aws_ses:connector"},
    )
    files = {
        "connections.yaml": CONNECTIONS,
        "body.txt": "The report is attached.\n",
        "report.pdf": "%PDF-1.7\n",
        "mail.json": json.dumps(MAIL),
        "mails.jsonl": f"{json.dumps(MAIL)}\n" * 3,
    }
    for name, content in files.items():
        (project / name).write_text(content, encoding="utf-8")
    values = {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "ACME_SECRET_ACCESS_KEY": "secret/of+acme",
        "JACKFIELD_CONNECTIONS": "connections.yaml",
        "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/default.db",
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "NOTES_URL": notes,
        "NOTES_TOKEN": "open-sesame",
        "PYTHONPATH": f"{project}:{ROOT / 'runtime'}",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    with plugged(project, site):
        yield monkeypatch


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


_CALLERS, _AUTHORS = (
    ROOT / "docs" / f"{name}.md" for name in ("tutorial/callers", "reference/own-client")
)
WITH_CODE = [
    path
    for path in pages()
    # tests of their own run them in a real shell
    if path.name
    not in ("first-connector.md", "first-agent.md", "publish-openapi.md", "embed-platform.md")
    and path.name != "once.md"  # and this one beside a client of the reader
    and path not in (_CALLERS, _AUTHORS)  # tests below run them, and look at what they did
    and any(block.language in ("python", "shell") for block in blocks(path))
]


@pytest.mark.parametrize("path", WITH_CODE, ids=_name)
def test_examples_run(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Every example of a page runs, in order, and answers what the page shows; its files may be
    those of a folder of examples.
    """
    if (folder := ROOT / "examples" / path.stem).is_dir():
        shutil.copytree(folder, Path(), dirs_exist_ok=True)
    assert Page(path, patch).run() > 0


def test_examples_send_what_they_say(patch: pytest.MonkeyPatch, aws: FakeAws) -> None:
    """The tutorial's mails arrive: text, files and recipients as its commands name them."""
    assert Page(_CALLERS, patch).run() > 0
    report = next(message for message in aws.messages if message.subject == "The report")
    assert report.to == ("ada@example.com", "bob@example.com")
    assert [attachment.name for attachment in report.attachments] == ["report.pdf"]
    assert {"sts:AssumeRole", "sesv2:SendEmail", "ses:ListIdentities"} <= set(aws.calls())


def test_a_client_of_ones_own_makes_a_connector(patch: pytest.MonkeyPatch) -> None:
    """The page about a client of one's own ends with an installed connector of two actions, whose
    files are an example.
    """
    shutil.copytree(
        ROOT / "examples" / "notes",
        Path(),
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    declare(
        Path(), "jackfield-notes", "jackfield.connectors", {"notes": "jackfield_notes:connector"}
    )
    assert Page(_AUTHORS, patch).run() > 0
    manifest = json.loads(Path("jackfield_notes/connector.json").read_text(encoding="utf-8"))
    assert [action["key"] for action in manifest["actions"]] == ["addNote", "listNotes"]


READERS: dict[str, Callable[[str], object]] = {"json": json.loads, "yaml": yaml.safe_load}


def test_blocks_can_be_read() -> None:
    """Every JSON and YAML block of a page is JSON and YAML, and every block says what language it
    is in.
    """
    faults = []
    for path in pages():
        if re.search(r"^```\n(?!\n|$)[^`]*\n```$", path.read_text(encoding="utf-8"), re.MULTILINE):
            faults.append(f"{_name(path)}: a block without a language")
        for block in blocks(path):
            try:
                READERS.get(block.language, str)(block.body)
            except (ValueError, yaml.YAMLError) as error:
                faults.append(f"{_name(path)}: {error}")
    assert faults == []


_READMES = [
    path
    for path in ROOT.rglob("*.md")
    if not any(
        part.startswith(".") or part in ("node_modules", "site", "docs")
        for part in path.relative_to(ROOT).parts
    )
]


def _headings(path: Path) -> set[str]:
    """Anchors of a page: its headings, as GitHub and mkdocs write them."""
    text = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    bare = [
        re.sub(r"[`*]|\[|\]\([^)]*\)", "", line).lower()
        for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    ]
    return {re.sub(r"[^\w\- ]", "", line).strip().replace(" ", "-") for line in bare}


def test_links_lead_to_files() -> None:
    """A relative link of a page, an example or a package's README leads to a file of the
    repository, and what follows ``#`` to a heading of it.
    """
    broken, documented = [], {*pages()}
    for path in documented | {*_READMES}:
        text = re.sub(
            r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            to, _, heading = target.partition("#")
            if "://" in to or to.startswith("mailto:"):
                continue
            place = path.parent / to if to else path
            is_page = path in documented
            if is_page and MADE in place.resolve().parents:
                continue  # the strict build of the site has that page, and looks for it
            is_there = place.is_file() if is_page else place.exists()
            if not is_there or (
                heading and place.suffix == ".md" and heading not in _headings(place)
            ):
                broken.append((_name(path), target))
    assert broken == []


def test_links_name_the_page_that_they_lead_to() -> None:
    """An example that calls its link by a page's name leads to that page: one was cut in two, and
    its name went with the other half.
    """
    wrong = []
    for path in (ROOT / "examples").rglob("*.md"):
        for name, to in re.findall(
            r"\[([A-Z][^\]]+)\]\(([^)#\s]+\.md)\)", path.read_text(encoding="utf-8")
        ):
            title = (
                (path.parent / to).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            )
            if name != title:
                wrong.append((_name(path), name, title))
    assert wrong == []


def test_the_changelog_says_what_there_is() -> None:
    """The changelog of a version that was not released has at most 300 lines."""
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").count("\n") <= 300


def test_pages_cite_what_readers_have() -> None:
    """No page cites a section of a contract that is not in the repository."""
    assert [
        _name(path)
        for path in pages()
        if re.search(r"contract \u00a7", path.read_text(encoding="utf-8"))
    ] == []


def test_the_site_searches_offline() -> None:
    """Search needs no server and no script of another host."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "  - offline\n" in settings
    assert "    - assets/iframe-worker.js\n" in settings


def test_the_picture_of_the_pipe_is_the_same_everywhere() -> None:
    """README and home page draw the same pipe, and its stages are the pipe's modules; attempts are
    its run.
    """
    pictures = {
        block.body
        for path in (ROOT / "README.md", ROOT / "docs" / "index.md")
        for block in blocks(path)
        if block.language == "text"
    }
    assert len(pictures) == 1
    for stage in re.findall(r"─► (\w+) ", pictures.pop()):
        module = {"run": "attempts"}.get(stage, stage)
        assert (
            stage == "JSON" or (ROOT / "runtime" / "jackfield" / "call" / f"{module}.py").is_file()
        )


REFERENCE = {
    "AWS Role ARN": ["Role ARN", "Access Key ID", "Secret Access Key", "External ID"],
    "AWS SES Access Key and Secret": ["Access Key ID", "Secret Access Key"],
    "List Identities": ["AWS Region", "Identity Type", "Next Token", "Connection"],
    "Send Email": [
        "AWS Region",
        "To Address",
        "Cc Address",
        "Bcc Address",
        "Sender Email",
        "Reply To",
        "Subject",
        "Text",
        "Html",
        "Attachments",
        "Connection",
    ],
}
"""The rows of the document that the connector must be a match for."""


_PAGES = ("aws-ses-actions-send-email", "aws-ses-actions-identities", "aws-ses-connections")


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """Pages of connectors by name, as the site is built with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        return dict(runpy.run_path(str(ROOT / ".ci" / "generate.py"))["connector_pages"](ROOT))


def test_pages_of_connectors_can_be_read(made: dict[str, str], tmp_path: Path) -> None:
    """Each connector has its pages, and their JSON and YAML blocks are JSON and YAML."""
    assert {path.parent.name for path in CONNECTORS.glob("*/openapi.json")} | {
        "aws-ses",
        "http",
        "redis",
    } <= set(made)
    for name, text in made.items():
        page = tmp_path / f"{name}.md"
        page.write_text(text, encoding="utf-8")
        for block in blocks(page):
            READERS.get(block.language, str)(block.body)


@pytest.mark.parametrize("section", REFERENCE)
def test_page_of_amazon_ses_has_every_row_of_the_reference(
    section: str, made: dict[str, str]
) -> None:
    """The page of Amazon SES has each documented input, under the same title."""
    text = "".join(made[name] for name in _PAGES)
    part = re.split(
        r"\n##+ (?!#)", text.split(f"# {section}\n")[1].split("\n## ")[0].split("\n### AWS")[0]
    )
    titles = re.findall(r"^- \*\*([^*]+)\*\*", "".join(part), re.MULTILINE)
    assert [title for title in REFERENCE[section] if title not in titles] == []


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ({"a": "…"}, {"a": "b"}, True),
        ({"a": "x…z"}, {"a": "xyz"}, True),
        ({"a": "x…z"}, {"a": "xy"}, False),
        ({"a": 1.5}, {"a": 99.5}, True),
        ({"a": 1.0}, {"a": 1}, False),
        ({"database": "x", "version": 3}, {"database": "x", "version": 4}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ([1], [1, 2], False),
    ],
)
def test_answers_are_compared(shown: object, real: object, same: bool) -> None:
    """A shown answer stands for a real one of the same members; '…' and fractions stand for
    anything.
    """
    assert matches(shown, real) is same


def test_commands_of_a_block() -> None:
    """A shell block is read as commands, with here-documents and expected exit codes."""
    body = "make test   # all\ncat > a.txt <<'END'\nhello\nEND\njackfield invoke  # exit 2\n"
    assert list(commands(body)) == [
        ("make test", "", 0),
        ("cat > a.txt <<'END'", "hello\n", 0),
        ("jackfield invoke", "", 2),
    ]
