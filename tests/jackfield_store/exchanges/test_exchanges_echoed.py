"""Twenty-one failures of each kind of connector, whose provider says the connection's secret back
in every encoding.

What the journal keeps of them is complete, request by request. The secret stands nowhere: not in
the exchanges, their command lines of curl, the Result, or the database's file. Body and header
field say it, in refusals, server's errors and cut answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield.redaction.spellings import ENCODERS, FRAMES, TEXTUAL
from tests.jackfield_isolation.isolated_sources import sources_of

from http_rig import Acme
from inmemory import installed
from isolated import install_from, isolating
from jackfield import Result
from jackfield.connector import Connector, Inputs, Output
from jackfield.testing import Answer, Provider
from jackfield_aws.direct.switch import SWITCH
from jackfield_http import HttpClient
from jackfield_market.testing.loopback_provider import Step
from jackfield_store.journal.exchanges import exchanges_of, with_curl
from jackfield_store.runtime import Jackfield
from leaks import leaks
from rig import KEY_ID, Rig, key_values
from smtp_rig import HOST, LOGIN, MAIL, authority
from smtp_server import CUT, SmtpServer, resolving
from warm import launchers, warm_python
from warm_child import forked_children

__all__ = ["forked_children", "launchers", "warm_python"]
SECRET = "s3cr3t/Va\"lue+47=11%x<&>'y"
KINDS = (
    "application/json",
    "text/plain; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/html",
)
STATUSES = (409, 500, 422, 503)


class Named(Inputs):
    """A thing to make."""

    name: str


class Made(Output):
    """What was made."""

    state: str


def said() -> Iterator[tuple[str, str, str, int]]:
    """Each encoding of the secret within a text, with the encoded secret, a media type and a
    status.
    """
    for (encode, frame), kind, status in zip(
        zip(ENCODERS.values(), cycle(FRAMES)), cycle(KINDS), cycle(STATUSES)
    ):
        planted = encode(SECRET)
        yield planted, frame.replace("%s", planted), kind, status


def field(planted: str) -> dict[str, str]:
    """A header field that says it, where one can."""
    return {"X-Said": planted.replace("\n", " ")} if planted.isascii() else {}


def answers() -> list[Step]:
    """What an HTTP provider answers, one for each encoding: each fourth answer is a success that is
    cut.
    """
    made: list[Step] = []
    for number, (planted, text, kind, status) in enumerate(said()):
        cut = number % 4 == 3
        headers = {"Content-Type": kind, **field(planted)}
        made.append(
            Answer(
                status=200 if cut else status,
                headers=headers,
                content=text.encode(),
                missing=10 if cut else 0,
            )
        )
    return made


def kept(jackfield: Jackfield, result: Result) -> Mapping[str, Any]:
    """What the journal keeps of a call's exchanges."""
    journal = jackfield.journal
    assert journal is not None
    found = exchanges_of(journal, result.meta.invocation_id)
    assert found is not None, result.to_json()
    return found


def leaked(
    folder: Path, results: Sequence[Result], found: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Places in which the secret stands."""
    texts = [
        json.dumps(with_curl(one), ensure_ascii=ascii_) for one in found for ascii_ in (True, False)
    ]
    texts += [one["curl"] for item in found for one in with_curl(item)["exchanges"]]
    texts += [json.dumps(result.to_json()) for result in results]
    texts += [path.read_bytes().decode("latin-1") for path in folder.glob("journal.db*")]
    encoded = [
        (name, text[:200]) for text in texts for name in TEXTUAL if ENCODERS[name](SECRET) in text
    ]
    return [*encoded, *leaks([SECRET], texts)]


def test_over_the_http_kit(tmp_path: Path) -> None:
    """The kit's connectors in this process."""
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Acme])

    @connector.action("make", effect="write")
    def make(wanted: Named, api: HttpClient) -> Made:
        """Make a thing."""
        return Made(state=api.post("/things", json={"name": wanted.name}).json("/state"))

    script = answers()
    with Provider(script) as provider, installed(tmp_path, connector) as catalog:
        shop = {
            "shop": {"type": "acme/acmeToken", "values": {"server": provider.url, "token": SECRET}}
        }
        database = f"sqlite:///{tmp_path}/journal.db"
        with Jackfield(
            catalog=catalog, database_url=database, connections=[{"connections": shop}]
        ) as jackfield:
            call = {
                "connector": "acme",
                "action": "make",
                "connection": "shop",
                "inputs": {"name": "box"},
                "trace": True,
            }
            results = [jackfield.invoke(call) for _ in script]
            found = [kept(jackfield, result) for result in results]
        judge(results, found, provider.requests, provider.url)
    assert leaked(tmp_path, results, found) == []


def test_over_an_isolated_connector(tmp_path: Path) -> None:
    """A connector that sends from a process of its own."""
    install_from(tmp_path, "wired", "wired.py", files=dict(sources_of("jackfield_http")))
    script = answers()
    with Provider(script) as provider:
        account = {
            "account": {
                "type": "wired/account",
                "values": {"server": provider.url, "token": SECRET},
            }
        }
        with isolating(
            tmp_path, account, database_url=f"sqlite:///{tmp_path}/journal.db"
        ) as jackfield:
            call = {
                "connector": "wired",
                "action": "order",
                "connection": "account",
                "inputs": {},
                "trace": True,
            }
            results = [jackfield.invoke(call) for _ in script]
            found = [kept(jackfield, result) for result in results]
        judge(results, found, provider.requests, provider.url)
    assert leaked(tmp_path, results, found) == []


def judge(
    results: Sequence[Result], found: Sequence[Mapping[str, Any]], requests: Sequence[Any], url: str
) -> None:
    """Every request that the provider got is kept, in order, with its answer's status."""
    assert [result.status for result in results].count("succeeded") == 0
    exchanges = [one for item in found for one in item["exchanges"]]
    assert [(one["method"], one["url"]) for one in exchanges] == [
        (one.method, f"{url}{one.path}") for one in requests
    ]
    assert all(item["captured"] and not item["dropped"] for item in found)
    assert all("status" in one["response"] for one in exchanges)
    assert len(exchanges) >= len(ENCODERS)


@pytest.mark.parametrize("direct", [True, False], ids=["wire", "botocore"])
def test_over_aws(tmp_path: Path, direct: bool) -> None:
    """Operations of AWS over jackfield's wire and over botocore's client."""
    script = [
        {
            "do": "body",
            "status": status,
            "body": text,
            "contentType": kind,
            "headers": field(planted),
            "operation": "SendEmail",
        }
        for planted, text, kind, status in said()
    ]
    environment = {
        "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/journal.db",
        **({} if direct else {SWITCH: "0"}),
    }
    users = {KEY_ID: {"secret": SECRET}}
    with Rig(
        tmp_path,
        script=script,
        values=key_values(secretAccessKey=SECRET),
        environment=environment,
        users=users,
    ) as rig:
        results = [rig.jackfield.invoke({**rig.mail(), "trace": True}) for _ in script]
        found = [kept(rig.jackfield, result) for result in results]
        sent = rig.aws.calls().count("sesv2:SendEmail")
    assert [result.status for result in results].count("succeeded") == 0
    exchanges = [one for item in found for one in item["exchanges"]]
    assert (len(exchanges), {one["method"] for one in exchanges}) == (sent, {"POST"})
    assert [one["response"]["status"] for one in exchanges][: len(script)] == [
        one["status"] for one in script
    ][: len(exchanges)]
    assert all("Hello Ada" in one["request"]["body"] for one in exchanges)
    assert leaked(tmp_path, results, found) == []


def test_over_smtp(tmp_path: Path) -> None:
    """A driver that cannot be seen: each failure says that nothing was captured."""
    script = {".": [CUT] * len(ENCODERS)}
    with SmtpServer(authority().serving(HOST), script) as server, resolving({HOST: server.port}):
        link = {"type": "aws-ses/smtp", "values": {"hostname": HOST, **LOGIN}}
        environment = {"AWS_CA_BUNDLE": str(authority().bundle)}
        database = f"sqlite:///{tmp_path}/journal.db"
        with Jackfield(
            connections=[{"link": link}], environment=environment, database_url=database
        ) as jackfield:
            call = {
                "connector": "aws-ses",
                "action": "sendEmail",
                "connection": "link",
                "inputs": MAIL,
                "trace": True,
            }
            results = [jackfield.invoke(call) for _ in ENCODERS]
            found = [kept(jackfield, result) for result in results]
    assert {result.status for result in results} == {"in_doubt"}
    assert found == [{"captured": False, "dropped": 0, "exchanges": []}] * len(results)
    texts = [json.dumps(result.to_json()) for result in results]
    assert (
        leaks(
            [LOGIN["password"]],
            [
                *texts,
                *(path.read_bytes().decode("latin-1") for path in tmp_path.glob("journal.db*")),
            ],
        )
        == []
    )
