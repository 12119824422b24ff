"""Each option of each connection type of the connector ``http`` at the wire, stored and inline:
what is accepted has its effect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

import jackfield_http
from jackfield.catalog import installed_here
from jackfield_store.runtime import Jackfield
from options_rig import OPTIONS, REQUIRED, Option, Seen, Wire, wired
from raw_server import make_certificate
from tls_front import certificate_and_key, fronting

_MANIFEST = json.loads((Path(jackfield_http.__file__).parent / "connector.json").read_text())
TYPES: dict[str, dict[str, Any]] = {row["key"]: row for row in _MANIFEST["connectionTypes"]}
APPROVED = {key for key, row in TYPES.items() if row.get("authorizes")}
"""Types that a person approves: they are stored, since there is nothing to send without the
approval.
"""
TLS = ("caCertificate", "certificate", "privateKey")
TESTED = ("testPath", "accountIdPlace", "accountLabelPlace")
"""Options of a connection's test, which is of stored ones."""
ELSEWHERE = {
    "allowedHosts": "test_a_host_that_is_listed",
    "deviceUrl": "test_http_oauth2_device.py",
    "issuer": "test_an_issuer",
}
PERSON = {"testPath": "/me"}
OF_TEST: dict[str, tuple[dict[str, str], str, str]] = {
    "testPath": ({"testPath": "/me"}, "id", "usual"),
    "accountIdPlace": ({**PERSON, "accountIdPlace": "/data/id"}, "id", "placed"),
    "accountLabelPlace": (
        {**PERSON, "accountIdPlace": "/data/id", "accountLabelPlace": "/data/name"},
        "label",
        "Placed",
    ),
}
CALLS = 3


def _options() -> list[tuple[str, str]]:
    rows = [(key, name) for key, row in TYPES.items() for name in row["schema"]["properties"]]
    return [
        (key, name) for key, name in rows if name not in TYPES[key]["schema"].get("required", ())
    ]


def _clear() -> list[tuple[str, str]]:
    return [(key, name) for key, name in _options() if name in OPTIONS]


@pytest.fixture(name="wire", scope="module")
def _wire() -> Iterator[Wire]:
    """The server."""
    with wired() as found:
        yield found


@pytest.fixture(name="pem", scope="module")
def _pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, which is its own authority."""
    return make_certificate(tmp_path_factory.mktemp("pem"))


@pytest.fixture(name="jackfield", scope="module")
def _jackfield(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jackfield]:
    """A runtime with the installed connectors."""
    home = str(tmp_path_factory.mktemp("home"))
    with Jackfield(
        catalog=installed_here({}),
        database_url=f"sqlite:///{home}/j.db",
        environment={"JACKFIELD_HOME": home},
    ) as found:
        yield found


def _base(key: str, server: str, pem: Path) -> dict[str, Any]:
    """The values that a type needs, for a server in clear text or over TLS."""
    certificate, private = certificate_and_key(pem)
    more = {"certificate": certificate, "privateKey": private} if key == "mutualTls" else {}
    urls = {"tokenUrl": f"{server}/token", "authorizationUrl": f"{server}/authorize"}
    asks = {name: url for name, url in urls.items() if name in TYPES[key]["schema"]["properties"]}
    return {"server": server, **REQUIRED[key], **asks, **more}


def _approve(jackfield: Jackfield, wire: Wire, name: str) -> None:
    """Approve as a person does: the page of the authorization server is opened, and its answer is
    brought back.
    """
    begun = jackfield.connections.authorizing().begin(name, "https://platform.example/callback")
    asked = dict(parse_qsl(urlsplit(begun["url"]).query))
    wire.nonce = asked.get("nonce", "")
    wire.seen.append(Seen(0, "GET", begun["url"], {}, ""))
    jackfield.connections.authorizing().complete(
        begun["id"], {"state": asked["state"], "code": "c"}
    )


def _called(
    jackfield: Jackfield,
    wire: Wire,
    key: str,
    values: dict[str, Any],
    *,
    stored: bool,
    times: int = CALLS,
) -> list[Any]:
    """Send writes over a connection with these values. A stored one is removed at the end."""
    wire.seen.clear()
    inputs = {"method": "POST", "url": "/x", "json": {}}
    asked: dict[str, Any] = {"connector": "http", "action": "request", "inputs": inputs}
    if not stored:
        return [
            jackfield.invoke({**asked, "connection": {"type": f"http/{key}", "values": values}})
            for _ in range(times)
        ]
    jackfield.connections.add("main", f"http/{key}", values, test=False)
    try:
        if key in APPROVED:
            _approve(jackfield, wire, "main")
        return [jackfield.invoke({**asked, "connection": "main"}) for _ in range(times)]
    finally:
        jackfield.connections.remove("main")


def test_each_option_is_looked_at() -> None:
    """An option of any type that no test here or elsewhere looks at is a fault: what is accepted
    must have its effect.
    """
    known = {*OPTIONS, *TLS, *TESTED, *ELSEWHERE}
    assert [(key, name) for key, name in _options() if name not in known] == []


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "inline"])
@pytest.mark.parametrize(("key", "name"), _clear())
def test_an_option_at_the_wire(
    jackfield: Jackfield, wire: Wire, pem: Path, key: str, name: str, stored: bool
) -> None:
    """The wire shows it, and does not without it. Where a person has to approve, there is nothing
    to send inline.
    """
    option: Option = OPTIONS[name]
    base = {**_base(key, wire.url, pem), **option.needs(wire)}
    if name == "server":  # the one type that works without it
        base.pop("server")
    given = {**base, **option.values(wire)}
    if key in APPROVED and not stored:
        assert {
            one.status for one in _called(jackfield, wire, key, given, stored=False, times=1)
        } == {"failed"}
        assert not wire.seen
        return
    found = _called(jackfield, wire, key, given, stored=stored)
    assert [one.error and one.error.message for one in found] == [None] * CALLS
    assert option.look(wire), wire.seen
    _called(jackfield, wire, key, base, stored=stored)
    assert not option.look(wire), wire.seen


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "inline"])
@pytest.mark.parametrize("key", [key for key in TYPES if key not in APPROVED])
def test_certificates_at_the_wire(
    jackfield: Jackfield, wire: Wire, pem: Path, key: str, stored: bool
) -> None:
    """The authority of the connection vouches for the server, whose handshake sees the certificate;
    without the authority, nothing is sent.
    """
    certificate, private = certificate_and_key(pem)
    offers = {
        name for name in ("certificate", "privateKey") if name in TYPES[key]["schema"]["properties"]
    }
    with fronting(wire.port, pem, certificate if offers else None) as front:
        base = _base(key, front.url, pem)
        if offers:
            base |= {"certificate": certificate, "privateKey": private}
        found = _called(
            jackfield, wire, key, {**base, "caCertificate": certificate}, stored=stored, times=1
        )
        assert [one.error and one.error.message for one in found] == [None]
        assert (set(front.certified), len(wire.asked("/x"))) == ({bool(offers)}, 1)
        assert _called(jackfield, wire, key, base, stored=stored, times=1)[0].status == "failed"
        assert not wire.seen


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (key, name)
        for key in TYPES
        if key not in APPROVED
        for name in OF_TEST
        if name in TYPES[key]["schema"]["properties"]
    ],
)
def test_options_of_a_test(
    jackfield: Jackfield, wire: Wire, pem: Path, key: str, name: str
) -> None:
    """The test of a connection asks for the path, and finds the account at the places that the
    connection names.
    """
    values, member, wanted = OF_TEST[name]
    wire.seen.clear()
    shown = jackfield.connections.add(
        "tested", f"http/{key}", {**_base(key, wire.url, pem), **values}
    )
    jackfield.connections.remove("tested")
    assert (shown["status"], shown["account"][member], bool(wire.asked("/me"))) == (
        "ok",
        wanted,
        True,
    )


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "inline"])
def test_a_host_that_is_listed(jackfield: Jackfield, wire: Wire, stored: bool) -> None:
    """Without a server, this machine is reached if the connection lists it, and not else."""
    asked = {"connector": "http", "action": "request", "inputs": {"url": f"{wire.url}/x"}}
    statuses = []
    for values in ({"allowedHosts": ["127.0.0.1"]}, {}):
        wire.seen.clear()
        connection: Any = {"type": "http/anonymous", "values": values}
        if stored:
            jackfield.connections.add("open", "http/anonymous", values, test=False)
            connection = "open"
        statuses.append(
            (jackfield.invoke({**asked, "connection": connection}).status, len(wire.seen))
        )
        if stored:
            jackfield.connections.remove("open")
    assert statuses == [("succeeded", 1), ("failed", 0)]


@pytest.mark.parametrize("issuer", ["https://issuer.example", "https://other.example"])
def test_an_issuer(jackfield: Jackfield, wire: Wire, pem: Path, issuer: str) -> None:
    """An ID token of another issuer than the connection's is refused."""
    jackfield.connections.add(
        "sso",
        "http/openIdConnect",
        {**_base("openIdConnect", wire.url, pem), "issuer": issuer},
        test=False,
    )
    try:
        if issuer == "https://issuer.example":
            _approve(jackfield, wire, "sso")
        else:
            with pytest.raises(Exception, match="ID token"):
                _approve(jackfield, wire, "sso")
    finally:
        jackfield.connections.remove("sso")


@pytest.mark.parametrize("key", [key for key in TYPES if key not in APPROVED])
@pytest.mark.parametrize(
    ("values", "path"),
    [({"proxyUsername": "ada"}, "/proxy"), ({"proxyPassword": "pw"}, "/proxyUsername")],
)
def test_halves_of_a_proxy(
    jackfield: Jackfield, wire: Wire, pem: Path, key: str, values: dict[str, str], path: str
) -> None:
    """A login without its proxy, or a password without its user, would do nothing: it is refused at
    what is missing.
    """
    more = {"proxy": wire.url} if "proxyPassword" in values else {}
    error = _called(
        jackfield, wire, key, {**_base(key, wire.url, pem), **values, **more}, stored=False, times=1
    )[0].error
    assert (error.code, [one.path for one in error.details], wire.seen) == (
        "invalid_connection",
        [path],
        [],
    )
