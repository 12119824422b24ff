"""``jackfield generate aws``: a service frozen into a connector without code, which runs like any
other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog, EntryPoint
from jackfield.connector import DeclarationError, InvalidInput
from jackfield.manifest.parts import example
from jackfield.schema.cache import check_schemas
from jackfield_aws.virtual.bound import bound
from jackfield_aws.virtual.command import command
from jackfield_aws.virtual.freeze import frozen
from jackfield_aws.virtual.source import AwsSource
from jackfield_market.refusals import NotInstalled
from jackfield_market.static_check import check_source
from jackfield_market.wheels import parse_wheel
from moto_rig import Rig, moto_rig
from plugboard import declare
from shell import Shell
from wheel_maker import FILE, INFO, PACKAGE, wheel_bytes

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


def test_a_frozen_service_runs_against_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifest's schemas compile, it is the same the second time, and its actions send, list
    and fail like those of the service.
    """
    folder = tmp_path / "frozen"
    assert command(["sqs", "--out", str(folder), "--json"]) == 0
    assert command(["sqs", "--out", str(folder), "--check"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["actions"] == 23
    monkeypatch.syspath_prepend(str(folder))
    catalog = Catalog([EntryPoint("aws-sqs", "jackfield_aws_sqs:aws", "jackfield-aws-sqs")])
    check_schemas(catalog.find("aws-sqs"))
    assert catalog.differs("aws-sqs") is None
    with (
        moto_rig(tmp_path / "home") as rig,
        Jackfield(database_url="none", catalog=catalog) as jackfield,
    ):
        frozen = Rig(jackfield, rig.connection["values"]["endpoint"], family="aws-")
        queue = frozen.output("sqs/createQueue", QueueName="q")["QueueUrl"]
        assert frozen.output("sqs/listQueues", fetchAll=True)["QueueUrls"] == [queue]
        missing = frozen.result("sqs/getQueueUrl", QueueName="nope")
        assert missing.error is not None
        assert missing.error.code == "not_found"


def test_a_frozen_service_is_a_project_that_is_checked_tested_and_packed(shell: Shell) -> None:
    """As its author finds it, the project is bronze, passes its own tests and ruff, and becomes a
    wheel. A list in it has nested items.
    """
    declare(
        shell.plugs,
        "jackfield-aws-commands",
        "jackfield.commands",
        {"generate.aws": "jackfield_aws.virtual.command:command"},
    )
    declare(
        shell.plugs,
        "jackfield-aws-bindings",
        "jackfield.bindings",
        {"aws": "jackfield_aws.virtual.bound:bound"},
    )
    assert (
        "tests/test_aws_kinesis.py"
        in shell.run("generate", "aws", "kinesis", "--select", "list*", "--select", "get*").json[
            "files"
        ]
    )
    found = shell.run("check", "aws-kinesis").json
    failed = {rule["name"] for rule in found["rules"] if rule["passed"] is False}
    assert found["grade"] == "bronze"
    assert failed <= {
        "everything-explained",
        "examples-present",
        "actions-are-run",
        "outputs-explained",
        "changelog-present",
        "typed",
    }
    for words in (
        "pytest -q -n 0 -p no:cacheprovider",
        "ruff check --no-cache .",
        "ruff format --no-cache --check .",
    ):
        done = subprocess.run(
            [sys.executable, "-m", *words.split()],
            cwd=shell.folder / "aws-kinesis",
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert shell.run("pack", "aws-kinesis", "--out", "dist").json["connector"] == "aws-kinesis"


def test_actions_with_examples_are_run_by_check(shell: Shell) -> None:
    """Reads and deletions of AWS are POST requests; with an example each is run by the rules of
    bronze, and keeps them.
    """
    declare(
        shell.plugs,
        "jackfield-aws-commands",
        "jackfield.commands",
        {"generate.aws": "jackfield_aws.virtual.command:command"},
    )
    declare(
        shell.plugs,
        "jackfield-aws-bindings",
        "jackfield.bindings",
        {"aws": "jackfield_aws.virtual.bound:bound"},
    )
    shell.run("generate", "aws", "sqs", "--select", "getQueueUrl", "--select", "deleteQueue")
    path = shell.folder / "aws-sqs" / "jackfield_aws_sqs" / "connector.json"
    manifest = json.loads(path.read_bytes())
    inputs = {
        "deleteQueue": {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q"},
        "getQueueUrl": {"QueueName": "q"},
    }
    for action in manifest["actions"]:
        shown = {"awsRegion": "eu-west-1", **inputs[action["key"]]}
        action["examples"] = [
            example("aws-sqs", "0.1.0", action["key"], action["title"], shown, {})
        ]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    rules = {rule["name"]: rule for rule in shell.run("check", "aws-sqs", "--json").json["rules"]}
    assert rules["effects-fit-methods"]["evidence"] == [
        "ran 2 of 2 actions against a loopback provider"
    ]
    assert [
        name
        for name, rule in rules.items()
        if rule["tier"] in ("bronze", "silver") and rule["passed"] is False
    ] == []


def test_what_belongs_to_the_author_is_written_once(shell: Shell) -> None:
    """A new generation leaves tests, README and project file as they are, and writes the
    manifest.
    """
    declare(
        shell.plugs,
        "jackfield-aws-commands",
        "jackfield.commands",
        {"generate.aws": "jackfield_aws.virtual.command:command"},
    )
    shell.run("generate", "aws", "sts")
    mine = shell.folder / "aws-sts" / "tests" / "test_aws_sts.py"
    mine.write_text("# mine\n", encoding="utf-8")
    assert shell.run("generate", "aws", "sts", "--select", "get*").json["files"] == [
        "jackfield_aws_sts/connector.json"
    ]
    assert mine.read_text(encoding="utf-8") == "# mine\n"


def test_a_selection_keeps_only_what_matches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--select`` takes patterns of action keys, and ``--check`` notices that another selection
    would differ.
    """
    arguments = ["s3", "--out", str(tmp_path), "--key", "acme-s3", "--select"]
    assert command([*arguments, "getObject*"]) == 0
    manifest = json.loads(
        (tmp_path / "jackfield_acme_s3" / "connector.json").read_text(encoding="utf-8")
    )
    assert "getObjectTagging" in [action["key"] for action in manifest["actions"]]
    assert all(action["effect"] == "read" for action in manifest["actions"])
    assert command([*arguments, "putObject*", "--check"]) == 1
    capsys.readouterr()


@pytest.mark.parametrize(
    "arguments", [["s4"], ["s3", "--select", "nope*"], ["s3", "--key", "No_Key"]]
)
def test_what_cannot_be_frozen_says_why(arguments: list[str]) -> None:
    """An unknown service, a selection of nothing and a wrong key are invalid inputs."""
    with pytest.raises(InvalidInput):
        command(arguments)


@pytest.mark.parametrize(
    ("service", "key", "change", "message"),
    [
        (
            "ec2",
            "terminateInstances",
            {"effect": "read"},
            "the effect read, but ec2:TerminateInstances is idempotent",
        ),
        (
            "sts",
            "getSessionToken",
            {"handsOutCredentials": False},
            "lacks 'handsOutCredentials' for 'getSessionToken'",
        ),
    ],
)
def test_security_8_a_frozen_manifest_is_not_believed_to_be_harmless(
    service: str, key: str, change: dict[str, Any], message: str
) -> None:
    """One from a marketplace that calls ``terminateInstances`` a read is refused when it is
    installed, and when it is loaded; one that is more cautious than this package is taken.
    """
    honest = frozen(
        service,
        "acme",
        "1.0.0",
        [key],
        AwsSource().manifest(f"aws.{service}").raw["connectionTypes"],
    )
    cautious, lying = (
        {**honest, "actions": [{**honest["actions"][0], **one}]}
        for one in ({"effect": "write"}, change)
    )
    for manifest in (honest, cautious):
        assert bound(manifest).actions[key].key == key
    with pytest.raises(DeclarationError, match=message):
        bound(lying)

    def without_code(content: dict[str, bytes]) -> None:
        del content[f"{PACKAGE}/__init__.py"]
        content[f"{PACKAGE}/connector.json"] = json.dumps(lying).encode()
        content[f"{INFO}/entry_points.txt"] = (
            f"[jackfield.connectors]\nacme = {PACKAGE}:aws\n".encode()
        )

    with pytest.raises(NotInstalled, match=message):
        check_source(parse_wheel(FILE, wheel_bytes(without_code)))
