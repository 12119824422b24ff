"""``jackfield try``: a first read without an account, against a fake that is made from the
connector's manifest.
"""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from jackfield.catalog import Catalog
from jackfield.cli.main import main
from jackfield.kernel.errors import InvalidInvocation
from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.fake_proof import sign_in_faults
from jackfield_market.testing.fake_runtime import connect, fake_runtime, kind_of
from jackfield_market.trying import tried


@pytest.mark.parametrize(("key", "account"), [("github", "Ada Example"), ("slack", "Ada Example")])
def test_a_connector_is_tried_without_an_account(
    key: str, account: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The connection's test is ok and names the account, a list is read, and the calls are
    shown.
    """
    assert main(["try", key, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["connection"]["test"], said["connection"]["account"]["label"]) == ("ok", account)
    assert said["result"]["status"] == "succeeded"
    assert said["calls"]["shell"].startswith(
        f"jackfield invoke {key} {said['action']} --connection my-{key}"
    )


def test_items_have_names(github: dict[str, Any]) -> None:
    """Items of a list have the members that name them, as far as its schema has such texts, where
    the examples have none.
    """
    row = next(one for one in github["actions"] if one["key"] == "listGists")
    row["examples"] = [{**row["examples"][0], "result": {"status": "succeeded", "output": {}}}]
    item = {
        "id": {"type": "string"},
        "Title": {"type": "string"},
        "state": {"enum": ["open"]},
        "due": {"type": "string", "format": "date"},
    }
    row["output"] = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/o.Named"}}},
    }
    github.setdefault("$defs", {})["o.Named"] = {"type": "object", "properties": item}
    found = tried(Manifest.from_json(github), action="listGists")
    assert found["result"]["output"]["items"] == [
        {"id": "1", "Title": "Title 1"},
        {"id": "2", "Title": "Title 2"},
    ]


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ([], "jackfield install acme --from CATALOGUE"),
        (["services/acme.yaml"], "jackfield shelf build acme --pack"),
        (
            ["services/acme.yaml", "build/dist/jackfield_acme-0.1.0-py3-none-any.whl"],
            "Its wheel is built: 'pip install shelf/build/dist/",
        ),
    ],
)
def test_what_is_not_installed_is_said_how_to_install(
    files: list[str],
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a catalogue, or from the file of a shelf in the current folder, or its wheel."""
    monkeypatch.chdir(tmp_path)
    for name in files:
        file = tmp_path / "shelf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    assert main(["try", "acme", "--json"]) != 0
    assert hint in json.loads(capsys.readouterr().out)["error"]["hint"]


def test_a_connector_with_code_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Its requests are its own, so no fake can be made of its manifest."""
    assert main(["try", "aws-ses"]) == 2
    assert "has code of its own" in capsys.readouterr().out


@pytest.fixture
def github() -> dict[str, Any]:
    """Manifest of the connector for GitHub, whose ``oauth`` sends the client's secret in the
    body.
    """
    return deepcopy(dict(Catalog.installed().find("github").whole()))


def test_a_connector_without_a_sign_in_is_tried(github: dict[str, Any]) -> None:
    """An API that is open to all needs no credential, and a type with one is preferred; other types
    are refused by their kind.
    """
    about = next(row for row in github["connectionTypes"] if row["key"] == "accessToken")
    free = {
        **about,
        "key": "anonymous",
        "schema": {"type": "object", "properties": {}},
        "http": {"credentials": [], "probe": "/user"},
    }
    hard = {
        **about,
        "key": "signed",
        "http": {**about["http"], "credentials": [{"kind": "awsSigV4"}]},
    }
    github["connectionTypes"] = [free, hard, about]
    assert kind_of(github) == "accessToken"
    github["connectionTypes"] = [free, hard]
    assert kind_of(github) == "anonymous"
    with fake_runtime(github, "anonymous") as (jackfield, fake):
        assert connect(jackfield, fake, "all", "anonymous")["status"] == "ok"
        assert (
            jackfield.invoke(
                {"connector": "github", "action": "listGists", "connection": "all", "inputs": {}}
            ).error
            is None
        )
    for wanted, words in (
        ("signed", "cannot sign in by awsSigV4"),
        ("absent", "no connection type 'absent'"),
    ):
        with pytest.raises(InvalidInvocation, match=words):
            kind_of(github, wanted)


def test_an_application_signs_in_by_its_own_credentials(github: dict[str, Any]) -> None:
    """The fake gives a token to the right client only, and refuses one that proves itself in
    another way.
    """
    credential = {
        "kind": "oauth2ClientCredentials",
        "scheme": "app",
        "tokenUrl": "https://github.com/login/oauth/access_token",
        "clientAuthentication": "basic",
    }
    secret = {"clientId": {"type": "string"}, "clientSecret": {"type": "string", "writeOnly": True}}
    about = next(row for row in github["connectionTypes"] if row["key"] == "accessToken")
    schema = {"type": "object", "required": [*secret], "properties": secret}
    github["connectionTypes"] = [
        {
            **about,
            "key": "app",
            "schema": schema,
            "http": {**about["http"], "credentials": [credential]},
        }
    ]
    assert kind_of(github) == "app"
    assert list(sign_in_faults(github, "app")) == []
    truth = deepcopy(github)
    truth["connectionTypes"][0]["http"]["credentials"][0]["clientAuthentication"] = "body"
    assert list(sign_in_faults(github, "app", truth)) != []


def test_the_fake_insists_on_what_the_manifest_says(github: dict[str, Any]) -> None:
    """An approval is exchanged, refreshed once, and ended; the fake refuses a client that proves
    itself in another way.
    """
    called = {"connector": "github", "action": "listGists", "connection": "ada", "inputs": {}}
    with fake_runtime(github, "oauth") as (jackfield, fake):
        assert connect(jackfield, fake, "ada", "oauth")["status"] == "ok"
        first = set(fake.tokens.refresh)
        fake.expire()
        assert jackfield.invoke(called).error is None
        assert fake.tokens.refresh.isdisjoint(first)
        fake._row["http"]["credentials"][0]["clientAuthentication"] = "basic"
        fake.expire()
        refused = jackfield.invoke(called).error
        assert refused is not None
        assert refused.code == "unauthenticated"


def test_the_fake_refuses_what_it_does_not_know(github: dict[str, Any]) -> None:
    """Wrong credentials get the provider's error, and a throttled request is sent again."""
    with fake_runtime(github, "accessToken") as (jackfield, fake):
        connect(jackfield, fake, "ada", "accessToken")
        fake.throttle(1)
        called = {
            "connector": "github",
            "action": "listGists",
            "connection": "ada",
            "inputs": {"fetchAll": True},
        }
        result = jackfield.invoke(called)
        assert len(result.unwrap()["items"]) == 3
        jackfield.connections.add("bob", "github/accessToken", {"token": "wrong"}, test=False)
        refused = jackfield.invoke({**called, "connection": "bob"})
        assert refused.error is not None
        assert refused.error.code == "unauthenticated"


@pytest.mark.parametrize(
    ("account", "label"),
    [
        ({"header": "x-account"}, "4711"),
        ({"path": "/account/name", "id": "/number", "label": ["/owner/name"]}, "Ada Example"),
    ],
)
def test_an_account_is_in_a_header_or_at_a_path_of_its_own(
    github: dict[str, Any], account: dict[str, Any], label: str
) -> None:
    """Where the body of the test's answer does not name it, a header field or a further read
    does.
    """
    row = next(one for one in github["connectionTypes"] if one["key"] == "accessToken")
    row["http"]["account"] = account
    with fake_runtime(github, "accessToken") as (jackfield, fake):
        assert connect(jackfield, fake, "ada", "accessToken")["account"] == {
            "id": "4711",
            "label": label,
        }


def test_the_fake_tells_actions_of_one_path_apart(github: dict[str, Any]) -> None:
    """Of two with the same path, a request is the one whose fixed query it has."""
    plain = next(action for action in github["actions"] if action["key"] == "listGists")
    starred = deepcopy(plain)
    starred["key"] = starred["examples"][0]["invocation"]["action"] = "listStarred"
    starred["http"]["query"] = "starred=true"
    starred["examples"][0]["result"]["output"]["items"][0]["description"] = "A star"
    github["actions"] = [plain, starred]
    github["triggers"], github["optionSources"] = [], []
    with fake_runtime(github, "accessToken") as (jackfield, fake):
        connect(jackfield, fake, "ada", "accessToken")
        call = {"connector": "github", "connection": "ada", "inputs": {}}
        found = [
            jackfield.invoke({**call, "action": key}).unwrap()["items"][0]["description"]
            for key in ("listStarred", "listGists")
        ]
    assert found[0] == "A star" != found[1]


def test_the_fake_finds_what_differs_from_the_truth(github: dict[str, Any]) -> None:
    """A fake of another manifest refuses the requests of one with a wrong host, path, endpoint or
    key's prefix.
    """
    wrong = deepcopy(github)
    wrong["servers"][0]["url"] = "https://api.github.example"
    for change in (
        wrong,
        _with(github, "tokenUrl", "https://github.com/login/token"),
        _with(github, "clientAuthentication", "basic"),
    ):
        assert list(sign_in_faults(change, "oauth", github)) != []
    assert list(sign_in_faults(github, "oauth", github)) == []


def _with(manifest: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    found = deepcopy(manifest)
    row = next(one for one in found["connectionTypes"] if one["key"] == "oauth")
    row["http"]["credentials"][0][name] = value
    return found
