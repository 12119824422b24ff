"""Offers: all of AWS for the operator's own surfaces, ``jackfield offers``, and servers that run
meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from http_stand import clean, standing
from jackfield import Jackfield
from jackfield_store.access import Workspaces
from mcp_talk import called, remote
from moto_rig import Rig, offer
from moto_server import moto_server

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_INLINE = {
    "type": "apiKeySecret",
    "values": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s-4711"},
}
_QUEUE = {"awsRegion": "eu-west-1", "QueueUrl": "http://queue/q"}


class Command:
    """``jackfield`` as an operator runs it, with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self._folder = folder

    def __call__(self, *words: str, code: int = 0, **environment: str) -> Any:
        """Run a command; its JSON."""
        command = [sys.executable, "-m", "jackfield", *words, "--json"]
        given = clean(self.home, JACKFIELD_DATABASE_URL="none", **environment)
        done = subprocess.run(
            command,
            env=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=os.fspath(self._folder),
        )
        assert done.returncode == code, done.stdout + done.stderr
        self.err = done.stderr
        return json.loads(done.stdout)


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_n9_all_of_aws_can_be_called_at_once(tmp_path: Path) -> None:
    """The library calls a service of AWS that nobody has offered, and refuses what hands out
    credentials.
    """
    with (
        moto_server() as url,
        Jackfield(database_url="none", environment={"JACKFIELD_HOME": str(tmp_path)}) as jackfield,
    ):
        rig = Rig(jackfield, url)
        rig.output("s3/createBucket", awsRegion="us-east-1", Bucket="reports")
        assert [
            item["Name"] for item in rig.output("s3/listBuckets", awsRegion="us-east-1")["Buckets"]
        ] == ["reports"]
        refused = rig.result("sts/getSessionToken", awsRegion="us-east-1").error
    assert refused is not None
    assert (refused.code, refused.hint) == (
        "unknown_action",
        (
            "The operator can offer it with the command line: 'offers add "
            "aws.sts.getSessionToken --operator'."
        ),
    )


def test_n9_the_list_names_all_services_in_one_line(jackfield: Command) -> None:
    """``connectors list`` stays short and says how to see the others; ``show`` and ``schema`` know
    them; a search finds their actions.
    """
    keys = {row["key"] for row in jackfield("connectors", "list")}
    assert not any("." in key for key in keys)
    assert "every service of aws is a connector, too: aws.SERVICE" in jackfield.err
    assert "aws.s3" in {row["key"] for row in jackfield("connectors", "list", "--all")}
    assert jackfield("connectors", "show", "aws.s3")["key"] == "aws.s3"
    assert jackfield("schema", "aws.s3", "listBuckets")["type"] == "object"
    first = jackfield("search", "list", "buckets")[0]
    assert (first["connector"], first["action"]) == ("aws.s3", "listBuckets")


def test_what_is_not_offered_is_found_and_says_so(jackfield: Command) -> None:
    """A search finds what exists and is not offered, with the command that offers it; once that has
    run, the row is like any other.
    """
    [row] = [
        row
        for row in jackfield("search", "get", "secret", "value")
        if row["action"] == "getSecretValue"
    ]
    assert row["offered"] is False
    assert row["offer"] == "jackfield offers add aws.secretsmanager.getSecretValue --operator"
    assert (
        f"aws.secretsmanager.getSecretValue is not offered here; '{row['offer']}' offers it"
        in jackfield.err
    )
    jackfield(*row["offer"].split()[1:])
    [row] = [
        row
        for row in jackfield("search", "get", "secret", "value")
        if row["action"] == "getSecretValue"
    ]
    assert "offered" not in row


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (
            ("aws.s33", "listBuckets"),
            "unknown_connector",
            "AWS has no service 's33'; did you mean 'aws.s3'?",
            "connectors list",
        ),
        (
            ("aws.s3", "listBukets"),
            "unknown_action",
            "'aws.s3' has no action 'listBukets'; did you mean 'listBuckets'?",
            "listBuckets, ",
        ),
        (
            ("aws.kms", "decrypt"),
            "unknown_action",
            "'aws.kms.decrypt' exists but is not offered here",
            "offers add aws.kms.decrypt --operator'",
        ),
    ],
)
def test_a_refusal_says_what_exists(
    jackfield: Command, words: tuple[str, str], code: str, message: str, hint: str
) -> None:
    """A typing error is told from what is not offered."""
    error = jackfield("invoke", *words, code=2)["error"]
    assert (error["code"], error["message"]) == (code, message)
    assert hint in error["hint"]


def test_what_is_not_offered_to_a_workspace_says_how_to_offer_it(jackfield: Command) -> None:
    """The operator who works in a tenant's workspace sees the tenant's offers, and the command that
    adds to them.
    """
    error = jackfield("invoke", "aws.s3", "listBuckets", code=2, JACKFIELD_WORKSPACE="acme")[
        "error"
    ]
    assert (error["message"], error["hint"]) == (
        "'aws.s3' exists but is not offered here",
        "Run 'jackfield offers add aws.s3 --workspace acme'.",
    )


def test_offers_are_listed_added_shown_and_removed(jackfield: Command) -> None:
    """An offer has a pattern, effects and audiences; adding one takes nothing away from the
    operator.
    """
    own = {
        "workspace": "default",
        "pattern": "aws.*",
        "effects": ["read", "idempotent", "write"],
        "mcp": False,
        "operator": True,
    }
    assert jackfield("offers", "list") == [own]
    assert jackfield("offers", "show") == {
        "workspace": "default",
        "offers": [{name: own[name] for name in own if name != "workspace"}],
    }
    reads = {
        "workspace": "default",
        "pattern": "aws.s3.list*",
        "effects": ["read"],
        "mcp": True,
        "operator": False,
    }
    assert jackfield("offers", "add", "s3.list*", "--effects", "read", "--mcp") == [own, reads]
    assert (
        jackfield("offers", "add", "aws.sqs.get*", "--effects", "read", "--mcp")[2]["pattern"]
        == "aws.sqs.get*"
    )
    assert jackfield("offers", "add", "sns", "--effects", "change")[3]["effects"] == [
        "idempotent",
        "write",
    ]
    assert len(jackfield("offers", "remove", "sns")) == 3
    assert "aws.ec2" in {row["key"] for row in jackfield("connectors", "list", "--all")}
    shown = jackfield("offers", "show", "s3")
    assert (
        "putObject" in shown["operator"],
        "putObject" in shown["tenants"],
        "listBuckets" in shown["mcp"],
    ) == (True, False, True)
    assert (shown["handOutCredentials"], "createSession" in shown["operator"]) == (
        ["createSession", "presignGet", "presignPost", "presignPut"],
        False,
    )
    assert jackfield("offers", "add", "s3.createSession", "--operator")[1]["operator"]
    shown = jackfield("offers", "show", "aws.s3")
    assert ("createSession" in shown["operator"], "createSession" in shown["tenants"]) == (
        True,
        False,
    )
    left = jackfield("offers", "remove", "aws.s3.list*")
    assert [row["pattern"] for row in left] == ["aws.*", "aws.s3.createSession", "aws.sqs.get*"]
    assert jackfield("offers", "show", "aws.s3")["tenants"] == []
    jackfield("offers", "remove", "*", "--operator")
    assert {row["key"] for row in jackfield("connectors", "list") if "." in row["key"]} == {
        "aws.s3",
        "aws.sqs",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "s33"), "AWS has no service 's33'; did you mean 'aws.s3'?"),
        (
            ("add", "s3.listBukets"),
            "'aws.s3' has no action that fits 'listBukets'; did you mean 'listBuckets'?",
        ),
        (
            ("add", "s3", "--effects", "reads"),
            "--effects 'reads' is not a list of read, idempotent, write, change",
        ),
        (
            ("add", "s3.createSession", "--effects", "read"),
            "'s3.createSession' hands out credentials and counts as a write",
        ),
        (("add", "s3", "--mcp", "--operator"), "--mcp and --operator cannot be combined"),
        (("add", "s3", "--workspace", "no/name"), "the workspace's name is not valid: 'no/name'"),
        (("remove", "s3"), "'aws.s3' is not offered to 'default'"),
        (("remove", "*"), "'aws.*' is not offered to 'default'"),
    ],
)
def test_a_change_that_cannot_be_made_says_why(
    jackfield: Command, words: tuple[str, ...], message: str
) -> None:
    """Nothing is written then."""
    assert message in jackfield("offers", *words, code=2)["error"]["message"]
    assert not (jackfield.home / "offers.json").exists()


def test_a_running_server_takes_offers_at_once(tmp_path: Path) -> None:
    """What is added or withdrawn holds for the next requests over HTTP and MCP; a tenant cannot
    tell what exists from what does not.
    """
    jackfield = Command(tmp_path / "home")
    (tmp_path / "home").mkdir()
    with standing(tmp_path, JACKFIELD_HOME=str(tmp_path / "home")) as stand:
        Workspaces(stand.host.storage.database, stand.host.storage.vault, stand.host.clock).create(
            "acme"
        )
        client = stand.client(workspace="acme")
        server = remote(stand.port, client.token)
        say = {
            "connector": "aws.sqs",
            "action": "purgeQueue",
            "connection": _INLINE,
            "inputs": _QUEUE,
            "dryRun": True,
        }

        def code() -> Any:
            stand.host.catalog.refresh()
            return client.post("/v1/invocations", say).json.get("error", {}).get("code")

        def over_mcp() -> Any:
            return (
                called(server, "execute_action", **say)
                .structured_content.get("error", {})
                .get("code")
            )

        missing = {
            key: client.get(f"/v1/connectors/{key}").json["detail"].replace(key, "KEY")
            for key in ("aws.sqs", "aws.nope")
        }
        assert missing["aws.sqs"] == missing["aws.nope"]
        assert (code(), over_mcp()) == ("unknown_connector", "unknown_connector")
        jackfield("offers", "add", "sqs", "--workspace", "acme")
        assert (code(), over_mcp()) == (None, "unknown_connector")
        jackfield("offers", "add", "sqs.send*", "--workspace", "acme", "--mcp")
        assert (code(), over_mcp()) == (None, "unknown_action")
        jackfield("offers", "remove", "sqs", "--workspace", "acme")
        assert (code(), over_mcp()) == ("unknown_action", "unknown_action")


def test_the_console_shows_all_of_aws_to_the_operator_alone(tmp_path: Path) -> None:
    """A session by the one-time link sees services in its pages, which name them once; one by a
    token does not.
    """
    from tests.jackfield_service.shell.pages.console_client import placed, token

    with placed(tmp_path) as place:
        operator, tenant = place.signed_in(), place.signed_in(token(place, "manage"))
        page = operator.get("/connectors").words
        assert "aws.*" in page
        assert "Amazon Simple Storage Service" not in page
        assert "List Buckets" in operator.get("/connectors/aws.s3").words
        assert "List Buckets" in operator.get("/connectors?q=list+buckets").words
        assert operator.get("/connectors/aws.sts/actions/getSessionToken").status == 404
        assert "aws.*" not in tenant.get("/connectors").words
        assert tenant.get("/connectors/aws.s3").status == 404


def test_the_file_of_offers_is_not_lost_while_two_write(tmp_path: Path) -> None:
    """Two operators add at the same time; both offers are there afterwards."""
    services = ["s3", "sqs", "sns", "ec2"]
    environment = clean(tmp_path, JACKFIELD_DATABASE_URL="none")
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "jackfield", "offers", "add", name, "--workspace", "acme"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for name in services
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    (found,) = json.loads((tmp_path / "offers.json").read_text())["acme"]["aws"]
    assert sorted(found["services"]) == sorted(services)


def test_an_older_file_is_read_and_grows(tmp_path: Path) -> None:
    """A file with one offer for each source stays valid, and keeps its members."""
    offer(tmp_path, {"acme": {"services": ["s3"], "effects": ["read"]}, "*": {"services": ["sts"]}})
    jackfield = Command(tmp_path)
    rows = jackfield("offers", "add", "sqs", "--workspace", "acme")
    assert [(row["pattern"], row["effects"]) for row in rows] == [
        ("aws.s3", ["read"]),
        ("aws.sqs", ["read", "idempotent", "write"]),
    ]
    written = json.loads((tmp_path / "offers.json").read_text())
    assert written["*"] == {"aws": [{"services": ["sts"]}]}
