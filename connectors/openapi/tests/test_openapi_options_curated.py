"""Each option of each connection type of the connectors that are made of documents, at the wire,
stored and inline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from jackfield.catalog import installed_here
from jackfield.connector import JackfieldError
from jackfield_store.runtime import Jackfield
from options_rig import Seen, Wire, wired

Values = Mapping[str, Any]
Look = Callable[[Wire], bool]
_CALLS: Mapping[str, tuple[str, Values]] = {
    "github": ("createIssue", {"owner": "o", "repo": "r", "title": "t"}),
    "slack": ("postMessage", {"channel": "C1", "text": "t"}),
    "stripe": ("createCustomer", {"name": "n"}),
}
"""A write of each connector, which is sent over the connection."""
TYPES = {
    (manifest.key, row["key"]): row
    for manifest in installed_here({}).manifests()
    for row in manifest.raw["connectionTypes"]
    if manifest.raw.get("http")
}
APPROVED = {kind for kind, row in TYPES.items() if row.get("authorizes")}
OWN = "own=1"


def _path(text: str) -> Look:
    return lambda wire: any(text in one.path for one in wire.seen)


def _look_for(text: str) -> Look:
    """Whether a token was asked for with this text, in the body or in the login."""
    return lambda wire: any(
        text in one.body or text in one.form.get("login", "") for one in wire.asked("/token")
    )


def _approved_for(scope: str) -> Look:
    return lambda wire: any(
        dict(parse_qsl(urlsplit(one.path).query)).get("scope") == scope
        for one in wire.asked("/authorize")
    )


_OPTIONS: Mapping[str, tuple[Callable[[Wire], Values], Look]] = {
    "server": (lambda wire: {"server": f"{wire.url}/mine"}, _path("/mine/")),
    "token": (
        lambda _wire: {"token": "t-own"},
        lambda wire: any("t-own" in one.headers.get("authorization", "") for one in wire.seen),
    ),
    "clientId": (lambda _wire: {"clientId": "c-own"}, _path("client_id=c-own")),
    "clientSecret": (lambda _wire: {"clientSecret": "s-own"}, _look_for("s-own")),
    "scopes": (lambda _wire: {"scopes": "gist"}, _approved_for("gist")),
    "authorizationUrl": (
        lambda wire: {"authorizationUrl": f"{wire.url}/authorize?{OWN}"},
        _path(f"/authorize?{OWN}"),
    ),
    "tokenUrl": (lambda wire: {"tokenUrl": f"{wire.url}/token?{OWN}"}, _path(f"/token?{OWN}")),
    "revocationUrl": (
        lambda wire: {"revocationUrl": f"{wire.url}/revoke?{OWN}"},
        _path(f"/revoke?{OWN}"),
    ),
    "deviceUrl": (lambda wire: {"deviceUrl": f"{wire.url}/device?{OWN}"}, _path(f"/device?{OWN}")),
}
"""What an option is given, and what is seen on the wire with it: with the values of ``_base`` in
its place, that must not be there.
"""


@pytest.fixture(name="wire", scope="module")
def _wire() -> Iterator[Wire]:
    """The server."""
    with wired() as found:
        yield found


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


def _base(kind: tuple[str, str], wire: Wire) -> dict[str, Any]:
    """Values for all options, so that nothing leaves this machine."""
    known = {
        "server": wire.url,
        "token": "t-1",
        "clientId": "c-1",
        "clientSecret": "s-1",
        "scopes": "repo",
    }
    urls = {
        f"{name}Url": f"{wire.url}/{path}"
        for name, path in (("authorization", "authorize"), ("token", "token"))
    }
    more = {"revocationUrl": f"{wire.url}/revoke", "deviceUrl": f"{wire.url}/device"}
    return {
        name: value
        for name, value in {**known, **urls, **more}.items()
        if name in TYPES[kind]["schema"]["properties"]
    }


def _approve(jackfield: Jackfield, wire: Wire) -> None:
    """Approve as a person does, on a page and on another device."""
    begun = jackfield.connections.authorizing().begin("main", "https://platform.example/callback")
    wire.seen.append(Seen(0, "GET", begun["url"], {}, ""))
    asked = dict(parse_qsl(urlsplit(begun["url"]).query))
    jackfield.connections.authorizing().complete(
        begun["id"], {"state": asked["state"], "code": "c"}
    )
    with suppress(JackfieldError):  # the server has no code for it
        jackfield.connections.authorizing().begin_device("main")


def _seen(
    jackfield: Jackfield, wire: Wire, kind: tuple[str, str], values: Values, *, stored: bool
) -> list[Seen]:
    """Send a write over a connection with these values; what the server was asked. A stored one is
    removed at the end.
    """
    wire.seen.clear()
    (key, name), (action, inputs) = kind, _CALLS[kind[0]]
    asked: dict[str, Any] = {"connector": key, "action": action, "inputs": inputs}
    if not stored:
        jackfield.invoke({**asked, "connection": {"type": f"{key}/{name}", "values": values}})
        return wire.seen
    jackfield.connections.add("main", f"{key}/{name}", values, test=False)
    try:
        if kind in APPROVED:
            _approve(jackfield, wire)
        jackfield.invoke({**asked, "connection": "main"})
    finally:
        jackfield.connections.remove("main")
    return wire.seen


def test_each_option_and_connector_is_known() -> None:
    """A new connector without a call here, or an option that nothing looks at, is a fault."""
    assert {key for key, _ in TYPES} == {*_CALLS}
    assert {name for row in TYPES.values() for name in row["schema"]["properties"]} == {*_OPTIONS}


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "inline"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, row in TYPES.items() for name in row["schema"]["properties"]],
)
def test_an_option_at_the_wire(
    jackfield: Jackfield, wire: Wire, kind: tuple[str, str], name: str, *, stored: bool
) -> None:
    """The wire shows it, and does not with another value. Where a person has to approve, there is
    nothing to send inline.
    """
    values, look = _OPTIONS[name]
    base = _base(kind, wire)
    if kind in APPROVED and not stored:
        assert not _seen(jackfield, wire, kind, {**base, **values(wire)}, stored=False)
        return
    assert _seen(jackfield, wire, kind, {**base, **values(wire)}, stored=stored)
    assert look(wire), wire.seen
    assert _seen(jackfield, wire, kind, base, stored=stored)
    assert not look(wire), wire.seen
