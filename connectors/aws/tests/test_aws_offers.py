"""All of AWS is offered to the operator's own surfaces; what is not offered says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from http_stand import clean
from jackfield import Jackfield
from moto_rig import Rig
from moto_server import moto_server

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


class Command:
    """``jackfield`` as an operator runs it, with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self._folder = folder

    def __call__(self, *words: str, code: int = 0, **environment: str) -> Any:
        """Run a command; its JSON."""
        command = [sys.executable, "-m", "jackfield", *words, "--json"]
        given = clean(self.home, JACKFIELD_DATABASE_URL="none", **environment)
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, cwd=os.fspath(self._folder))
        assert done.returncode == code, done.stdout + done.stderr
        self.err = done.stderr
        return json.loads(done.stdout)


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path) -> Command:
    return Command(tmp_path)


def test_n9_all_of_aws_can_be_called_at_once(tmp_path: Path) -> None:
    """The library calls a service of AWS that nobody has offered, and refuses what hands out credentials."""
    with moto_server() as url, Jackfield(database_url="none", environment={"JACKFIELD_HOME": str(tmp_path)}) as jackfield:
        rig = Rig(jackfield, url)
        rig.output("s3/createBucket", awsRegion="us-east-1", Bucket="reports")
        assert [item["Name"] for item in rig.output("s3/listBuckets", awsRegion="us-east-1")["Buckets"]] == ["reports"]
        refused = rig.result("sts/getSessionToken", awsRegion="us-east-1").error
    assert refused is not None
    assert (refused.code, refused.hint) == (
        "unknown_action",
        "The operator can offer it: 'jackfield offers add aws.sts.getSessionToken --operator'.",
    )


def test_n9_the_list_names_all_services_in_one_line(jackfield: Command) -> None:
    """``connectors list`` stays short and says how to see the others; ``show`` and ``schema`` know them; a search finds their actions."""
    keys = {row["key"] for row in jackfield("connectors", "list")}
    assert not any("." in key for key in keys)
    assert "every service of aws is a connector, too: aws.SERVICE" in jackfield.err
    assert "aws.s3" in {row["key"] for row in jackfield("connectors", "list", "--all")}
    assert jackfield("connectors", "show", "aws.s3")["key"] == "aws.s3"
    assert jackfield("schema", "aws.s3", "listBuckets")["type"] == "object"
    first = jackfield("search", "list", "buckets")[0]
    assert (first["connector"], first["action"]) == ("aws.s3", "listBuckets")
    assert not [row for row in jackfield("search", "get", "secret", "value") if row["action"] == "getSecretValue"]


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (("aws.s33", "listBuckets"), "unknown_connector", "AWS has no service 's33'; did you mean 'aws.s3'?", "connectors list"),
        (("aws.s3", "listBukets"), "unknown_action", "'aws.s3' has no action 'listBukets'; did you mean 'listBuckets'?", "copyObject"),
        (
            ("aws.kms", "decrypt"),
            "unknown_action",
            "'aws.kms.decrypt' exists but is not offered here",
            "offers add aws.kms.decrypt --operator'",
        ),
    ],
)
def test_a_refusal_says_what_exists(jackfield: Command, words: tuple[str, str], code: str, message: str, hint: str) -> None:
    """A typing error is told from what is not offered."""
    error = jackfield("invoke", *words, code=2)["error"]
    assert (error["code"], error["message"]) == (code, message)
    assert hint in error["hint"]


def test_what_is_not_offered_to_a_workspace_says_how_to_offer_it(jackfield: Command) -> None:
    """The operator who works in a tenant's workspace sees the tenant's offers, and the command that adds to them."""
    error = jackfield("invoke", "aws.s3", "listBuckets", code=2, JACKFIELD_WORKSPACE="acme")["error"]
    assert (error["message"], error["hint"]) == (
        "'aws.s3' exists but is not offered here",
        "Run 'jackfield offers add aws.s3 --workspace acme'.",
    )


def test_the_console_shows_all_of_aws_to_the_operator_alone(tmp_path: Path) -> None:
    """A session by the one-time link sees services in its pages, which name them once; one by a token does not."""
    from console_client import placed, token

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
