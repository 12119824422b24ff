"""``/v1/installations`` and the console's marketplace: a running server installs, upgrades and
removes connectors of its catalogues.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.storefront import Files, Storefront
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from clocks import FakeClock
from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers import Rules
from jackfield.kernel.errors import JackfieldError
from jackfield_market.installing.operations import Operations
from jackfield_market.installing.sources import read_root
from jackfield_market.refusals import NotInstalled
from jackfield_market.server_installer import ServerInstaller
from shell import Shell

pytest_plugins = ["shell_fixture"]


@pytest.fixture
def shop(shell: Shell) -> Storefront:
    """A catalogue with acme 1.0.0."""
    store = Storefront(shell).open()
    store.add()
    return store


@pytest.fixture
def url(shop: Storefront) -> str:
    """The catalogue's address."""
    return f"file://{shop.site}"


@pytest.fixture
def stand(shop: Storefront, url: str, tmp_path: Path) -> Iterator[Stand]:
    """A server that installs from the catalogue."""
    from dataclasses import replace

    settings = replace(
        SETTINGS, installer=partial(ServerInstaller, str(tmp_path / "http" / "home"), (url,))
    )
    with standing(tmp_path / "http", settings) as found:
        yield found


def greet(client: Client, **members: Any) -> dict[str, Any]:
    """The Result of a call of the connector."""
    body = {"connector": "acme", "action": "greet", "inputs": {"name": "Ada"}, **members}
    found: dict[str, Any] = client.post("/v1/invocations", body).json
    return found


def test_a_running_server_installs_upgrades_and_removes(
    stand: Stand, shop: Storefront, url: str
) -> None:
    """Each change holds from the next call on, is found by search, and is in the audit log with its
    actor.
    """
    client = stand.client()
    assert greet(client)["error"]["code"] == "unknown_connector"
    (offered,) = client.get("/v1/installations:available").json["items"]
    assert (
        offered["connector"],
        offered["version"],
        offered["source"],
        "installed" in offered,
    ) == ("acme", "1.0.0", url, False)
    made = client.post("/v1/installations", {"name": "acme"})
    assert (made.status, made.json["version"], made.json["publisher"]["publisher"]) == (
        201,
        "1.0.0",
        "acme-labs",
    )
    assert "path" not in made.json
    found = greet(client)
    assert found.get("output") == {"Greeting": "Hello Ada from 1.0.0"}, found["error"]
    assert "acme" in [item["connector"] for item in client.get("/v1/actions?q=greet").json["items"]]
    assert client.post("/v1/installations", {"name": "acme", "from": url}).status == 200

    shop.add(version="1.1.0")
    (row,) = client.get("/v1/installations:outdated").json["items"]
    assert (row["status"], row["latest"]) == ("outdated", "1.1.0")
    planned = client.post("/v1/installations/acme/upgrade", {"dryRun": True}).json
    assert [step["to"] for step in planned["upgraded"]] == ["1.1.0"]
    assert greet(client)["meta"]["connectorVersion"] == "1.0.0"
    assert client.post("/v1/installations/acme/upgrade", {}).json["refused"] == []
    assert greet(client)["meta"]["connectorVersion"] == "1.1.0"
    assert greet(client, connectorVersion="<1.1")["output"] == {"Greeting": "Hello Ada from 1.0.0"}
    rows = client.get("/v1/installations").json["items"]
    assert [(row["version"], row["default"]) for row in rows] == [("1.1.0", True), ("1.0.0", False)]

    gone = client.call("DELETE", "/v1/installations/acme?version=1.1.0").json
    assert gone == {"removed": [{"connector": "acme", "version": "1.1.0"}]}
    assert greet(client)["meta"]["connectorVersion"] == "1.0.0"
    assert client.call("DELETE", "/v1/installations/acme").status == 200
    assert greet(client)["error"]["code"] == "unknown_connector"
    assert client.call("DELETE", "/v1/installations/acme").status == 404
    events = [item["event"] for item in client.get("/v1/audit?object=connector:acme").json["items"]]
    assert set(events) == {"connector.installed", "connector.upgraded", "connector.removed"}


def test_an_upgrade_that_breaks_callers(stand: Stand, shop: Storefront) -> None:
    """It is refused with the changes, unless the request allows it."""
    client = stand.client()
    assert client.post("/v1/installations", {"name": "acme"}).status == 201

    def without_action(files: Files) -> None:
        for path, content in files.items():
            if path.endswith(("connector.json", "__init__.py")):
                files[path] = content.replace(b'"greet"', b'"welcome"')

    shop.add(version="2.0.0", change=without_action)
    refused = client.post("/v1/installations/acme/upgrade", {}).json
    assert refused["upgraded"] == []
    assert [change["level"] for change in refused["refused"][0]["changes"]][:1] == ["breaking"]
    assert [
        step["to"]
        for step in client.post("/v1/installations/acme/upgrade", {"allowBreaking": True}).json[
            "upgraded"
        ]
    ] == ["2.0.0"]


def test_who_may_change_connectors(stand: Stand) -> None:
    """Only tokens of the operator's workspace, with the scope manage and without rules; the others
    change nothing.
    """
    others = [
        stand.client("invoke"),
        stand.client("manage", "acme"),
        stand.client("manage", rules=Rules(("acme/*",))),
        Client(stand.port),
    ]
    requests = [
        ("GET", "", None),
        ("POST", "", {"name": "acme"}),
        ("POST", "/acme/upgrade", {}),
        ("DELETE", "/acme", None),
    ]
    for client in others:
        assert {
            client.call(method, f"/v1/installations{path}", body).status
            for method, path, body in requests
        } <= {401, 403}
    assert stand.client().get("/v1/installations").json["items"] == []


def test_requests_that_are_not_valid(stand: Stand) -> None:
    """Nothing is fetched from elsewhere than the operator's catalogues."""
    elsewhere = {"name": "acme", "from": "http://10.0.0.1/site"}
    bodies = [
        {},
        {"name": 1},
        {"name": ""},
        elsewhere,
        {"name": "acme", "root": "x"},
        {"name": "a b c"},
    ]
    assert [stand.client().post("/v1/installations", body).status for body in bodies] == [
        400
    ] * len(bodies)
    assert stand.client().get("/v1/installations").json["items"] == []


def test_what_is_refused_installs_nothing(stand: Stand, shop: Storefront) -> None:
    """A wheel that was altered after it was signed is refused with the rule's name, and the server
    goes on.
    """
    wheel = next((shop.site / "packages").glob("*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b" ")
    answer = stand.client().post("/v1/installations", {"name": "acme"})
    assert (answer.status, answer.json["code"]) == (403, "not_allowed")
    assert greet(stand.client())["error"]["code"] == "unknown_connector"


def test_a_key_is_no_specifier(stand: Stand) -> None:
    """A path names one connector: versions in it change nothing, and the audit log has the key
    alone.
    """
    client = stand.client()
    assert client.post("/v1/installations", {"name": "Jackfield_Acme >=0"}).status == 201
    for path in ("acme%3E%3D0", "acme%3D%3D1.0.0", "acme%5B%5D", "Acme", "jackfield-acme"):
        assert client.call("DELETE", f"/v1/installations/{path}").status == 404
        assert client.post(f"/v1/installations/{path}/upgrade", {}).status == 404
    assert client.call("DELETE", "/v1/installations/acme?version=1,%3E0").status == 400
    assert len(client.get("/v1/installations").json["items"]) == 1
    targets = {
        row["object"]
        for row in client.get("/v1/audit").json["items"]
        if row["event"].startswith("connector.")
    }
    assert targets == {"connector:acme"}


def test_answers_without_paths_of_the_server(stand: Stand, tmp_path: Path) -> None:
    """What a policy forbids, or a lost root, is told without the folders of the server."""
    home, client = tmp_path / "http" / "home", stand.client()
    assert client.post("/v1/installations", {"name": "acme"}).status == 201
    assert client.call("DELETE", "/v1/installations/acme").status == 200
    home.joinpath("install-policy.toml").write_text('connectors = ["other"]')
    told = [client.post("/v1/installations", {"name": "acme"})]
    home.joinpath("install-policy.toml").unlink()
    next(home.glob("catalogues/*/root.json")).unlink()
    told += [
        client.post("/v1/installations", {"name": "acme"}),
        client.get("/v1/installations:available"),
    ]
    for answer in told:
        assert answer.status == 403
        text = f"{answer.json['detail']} {answer.json['hint']} {answer.json['details']}"
        assert str(home) not in text
        assert "JACKFIELD_HOME" in text


def test_a_server_without_catalogues(tmp_path: Path) -> None:
    """It says how to name one."""
    with standing(tmp_path) as stand:
        answer = stand.client().post("/v1/installations", {"name": "acme"})
        assert (answer.status, "--install-from" in answer.json["hint"]) == (403, True)


def test_pages_read_the_catalogues_once_in_five_minutes(
    shop: Storefront, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pages say of newer versions is kept so long, for as long as the same is installed, by
    whichever process; a fault is not.
    """
    read, outdated = list[str](), Operations.outdated

    def counted(operations: Operations) -> list[dict[str, Any]]:
        read.append("")
        return outdated(operations)

    monkeypatch.setattr(Operations, "outdated", counted)
    home, clock = tmp_path / "home", FakeClock()
    mine, others = (
        ServerInstaller(str(home), (url,), clock=clock),
        ServerInstaller(str(home), (url,)),
    )
    others.install("acme", None)
    assert [mine.newer() for _ in range(3)] == [[], [], []]
    shop.add(version="1.1.0")
    assert (mine.newer(), mine.outdated()[0]["latest"], len(read)) == ([], "1.1.0", 2)
    clock.advance(300)
    assert ([row["latest"] for row in mine.newer()], len(read)) == (["1.1.0"], 3)
    others.upgrade("acme", breaking=False, dry_run=False)
    assert (mine.newer(), mine.newer(), len(read)) == ([], [], 4)
    clock.advance(300)
    home.joinpath("install-policy.toml").write_text("connectors = 7")
    for _ in range(2):
        with pytest.raises(JackfieldError):
            mine.newer()
    home.joinpath("install-policy.toml").unlink()
    assert mine.newer() == []


@pytest.fixture
def place(url: str, tmp_path: Path) -> Iterator[Place]:
    """A console that installs from the catalogue."""
    folder = tmp_path / "console"
    with placed(folder, installer=partial(ServerInstaller, str(folder / "home"), (url,))) as found:
        yield found


def test_the_console_installs_upgrades_and_removes(place: Place, shop: Storefront) -> None:
    """Its pages show publisher, grade, permissions and what an upgrade changes, and each button
    does what it says.
    """
    browser = place.signed_in(token(place, "manage"))
    assert 'href="/marketplace"' in browser.get("/connectors").text
    listed = browser.get("/marketplace")
    assert all(
        text in listed.words
        for text in ("Acme", "acme-labs", "Install acme: acme:Greet Install 1.0.0")
    )
    assert 'action="/marketplace/acme/installation"' in listed.text
    shown = browser.get("/marketplace/acme").words
    assert all(text in shown for text in ("acme-labs", "acme: acme:Greet", "Install 1.0.0"))
    browser.change(
        "/marketplace/acme", "/marketplace/acme/installation", source=f"file://{shop.site}"
    )
    assert (
        "Acme was installed. Version 1.0.0 is used now."
        in browser.get("/marketplace?done=installed&connector=acme").words
    )
    assert "Greets." in browser.get("/connectors").words
    shop.add(version="1.1.0")
    assert "outdated" in browser.get("/marketplace").words
    assert all(
        'hx-get="/marketplace?newer=' in browser.get(address).text
        for address in ("/connectors", "/connectors/acme")
    )
    for key in ("", "acme"):
        told = browser.get(f"/marketplace?newer={key}", hx_request="true")
        assert (
            "1.0.0 is used, 1.1.0 is newer" in told.words,
            'href="/marketplace/acme"' in told.text,
        ) == (True, True)
    assert "is newer" not in browser.get("/marketplace?newer=echo", hx_request="true").words
    assert "Upgrade from 1.0.0 to 1.1.0" in browser.get("/marketplace/acme").words
    upgraded = browser.change("/marketplace/acme", "/marketplace/acme/upgrade")
    assert (
        "Acme was upgraded. Version 1.1.0 is used now."
        in browser.get(upgraded.headers["location"]).words
    )
    assert "1.1.0 (default), 1.0.0" in browser.get("/marketplace/acme").words
    earlier = {"version": "1.0.0", "source": f"file://{shop.site}"}
    browser.change("/marketplace/acme", "/marketplace/acme/version", **earlier)
    shown = browser.get("/marketplace/acme").words
    assert "Upgrade from 1.0.0 to 1.1.0 1.1.0 is newer, and installed. Calls use 1.0.0" in shown
    assert (
        "newest version is installed" in shown,
        "outdated" in browser.get("/marketplace").words,
    ) == (False, True)
    browser.change("/marketplace/acme", "/marketplace/acme/upgrade")
    shown = browser.get("/marketplace/acme").words
    assert (
        "1.1.0 (default), 1.0.0" in shown,
        "newest version is installed, and calls use it" in shown,
    ) == (True, True)
    back = browser.change("/marketplace/acme", "/marketplace/acme/version", **earlier)
    assert (
        "Acme was changed. Version 1.0.0 is used now."
        in browser.get(back.headers["location"]).words
    )
    assert "1.0.0 (default), 1.1.0" in browser.get("/marketplace/acme").words
    newer = {"version": "1.1.0", "source": f"file://{shop.site}"}
    refused = browser.change("/marketplace/acme", "/marketplace/acme/version", **newer)
    assert (refused.status, "callers may break" in refused.words) == (409, True)
    assert "1.0.0 (default), 1.1.0" in browser.get("/marketplace/acme").words
    assert (
        browser.change(
            "/marketplace/acme", "/marketplace/acme/version", breaking="on", **newer
        ).status
        == 303
    )
    shown = browser.get("/marketplace/acme").words
    assert ("1.1.0 (default), 1.0.0" in shown, "These stop" in shown) == (True, False)
    schedule = {
        "name": "nightly",
        "every": "24h",
        "invocation": {"connector": "acme", "action": "greet", "inputs": {"name": "Ada"}},
    }
    asking = {
        "authorization": f"Bearer {token(place, 'manage')}",
        "content-type": "application/json",
    }
    assert (
        place.client().send("POST", "/v1/schedules", json.dumps(schedule).encode(), asking).status
        == 201
    )
    browser.change("/marketplace/acme", "/marketplace/acme/version", **earlier)
    assert (
        "and with the new version from then on: schedule nightly ."
        in browser.get("/marketplace/acme").words
    )
    browser.change("/marketplace/acme", "/marketplace/acme/upgrade")
    browser.change("/marketplace/acme", "/marketplace/acme/removal", version="1.0.0")
    assert (
        "These stop in this workspace: schedule nightly ." in browser.get("/marketplace/acme").words
    )
    browser.change("/marketplace/acme", "/marketplace/acme/removal")
    assert (
        "Status no connector 'acme' is installed. Install it again"
        in browser.get("/schedules/nightly").words
    )
    assert "Greets." not in browser.get("/connectors").words


def test_hosts_are_shown(place: Place, stand: Stand, shop: Storefront) -> None:
    """The console's page and the rows over HTTP list the hosts of a connector; a page's path names
    a key only.
    """
    browser, client = place.signed_in(token(place, "manage")), stand.client()
    assert "the hosts of its connections only" in browser.get("/marketplace/acme").words
    shop.add(version="1.1.0", hosts=["api.acme.test"])
    assert "api.acme.test" in browser.get("/marketplace/acme").words
    assert browser.get("/marketplace/acme%3E%3D0").status == 404
    made = client.post("/v1/installations", {"name": "acme"})
    (offered,), (row,) = (
        client.get(f"/v1/installations{part}").json["items"] for part in (":available", "")
    )
    assert made.json["hosts"] == offered["hosts"] == row["hosts"] == ["api.acme.test"]


def test_the_console_offers_nothing_to_others(place: Place) -> None:
    """Who may not change connectors sees no button, and is refused."""
    for given in ({"scope": "read"}, {"scope": "manage", "rules": Rules(("acme/*",))}):
        browser = place.signed_in(token(place, **given))
        assert "/marketplace" not in browser.get("/connectors").text
        assert browser.get("/marketplace").status == 403


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--install-from", "http://catalogue.example"],
            "anyone on the network could choose the root of trust",
        ),
        (
            ["--install-from", "http://10.0.0.7:8000/site"],
            "anyone on the network could choose the root of trust",
        ),
        (["--install-from", "https://catalogue.example", "--root", "missing.json"], "missing.json"),
        (
            ["--install-from", "https://catalogue.example", "--root", "other.json"],
            "is not the root.json of a catalogue",
        ),
        (
            [
                "--install-from",
                "http://a.example",
                "--install-from",
                "http://b",
                "--root",
                "other.json",
            ],
            "1 --root for 2 --install-from",
        ),
        (["--root", "other.json"], "1 --root for 0 --install-from"),
    ],
)
def test_a_server_trusts_no_root_that_the_network_chooses(
    shell: Shell, words: list[str], text: str
) -> None:
    """Corners H5: over plain HTTP, the first person on the path chose the root that all later
    checks rest on; ``--root`` pins it.
    """
    (shell.folder / "other.json").write_text('{"signed": {"_type": "timestamp"}}')
    given = [str(shell.folder / word) if word.endswith(".json") else word for word in words]
    refused = shell.run("serve", "--port", "0", *given)
    assert (refused.code, text in refused.out + refused.err) == (2, True)


def test_a_server_installs_only_below_the_root_that_it_was_given(
    shop: Storefront, url: str, tmp_path: Path, shell: Shell
) -> None:
    """With the catalogue's root.json it installs; with the root of another catalogue it refuses."""
    other = Storefront(shell, "other").open()
    roots = {
        name: read_root(str(place.site / "metadata" / "root.json"))
        for name, place in (("own", shop), ("other", other))
    }
    with pytest.raises(NotInstalled) as refused:
        ServerInstaller(str(tmp_path / "foreign"), (url,), {url: roots["other"]}).install(
            "acme", None
        )
    assert refused.value.rule == "signature"
    assert (
        ServerInstaller(str(tmp_path / "pinned"), (url,), {url: roots["own"]}).install(
            "acme", None
        )["version"]
        == "1.0.0"
    )


def test_a_revoked_connector_is_shown_wherever_it_is_installed(
    place: Place,
    url: str,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Corners H2: overview, connector page and lists said nothing, and the marketplace "The
    catalogues are empty.".
    """
    browser, asking = (
        place.signed_in(token(place, "manage")),
        {"authorization": f"Bearer {token(place, 'manage')}"},
    )
    browser.change("/marketplace/acme", "/marketplace/acme/installation", source=url)
    assert "jackfield_connectors_revoked 0.0" in place.client().get("/metrics", **asking).text
    key = json.loads((shell.folder / "acme-labs.key.pub").read_text())["keyId"]
    assert shell.run("catalogue", "revoke", "site", key, "--reason", "stolen").code == 0
    with caplog.at_level("WARNING", "jackfield.market"):
        installer = place.host.installer
        assert installer is not None
        (row,) = installer.revoked()
        assert installer.revoked() == [row]
    assert (row["connector"], row["version"], row["keyId"], row["reason"]) == (
        "acme",
        "1.0.0",
        key,
        "stolen",
    )
    (warning,) = (
        record.getMessage() for record in caplog.records if "was revoked on" in record.getMessage()
    )
    assert "the connector 'acme' 1.0.0 is installed" in warning
    for address in ("/", "/connectors/acme", "/marketplace", "/marketplace/acme"):
        shown = browser.get(address).words
        assert "The release 1.0.0 of acme was revoked on" in shown, address
        assert "stolen" in shown
        assert "The catalogues are empty" not in shown
        assert "The newest version is installed" not in shown
    assert "revoked" in browser.get("/connectors").words
    items = json.loads(place.client().get("/v1/connectors", **asking).text)["items"]
    (listed,) = (item for item in items if item["key"] == "acme")
    assert listed["revoked"]["reason"] == "stolen"
    assert "jackfield_connectors_revoked 1.0" in place.client().get("/metrics", **asking).text
    monkeypatch.setenv("JACKFIELD_HOME", str(place.host.catalog.home))
    (row,) = (item for item in shell.run("connectors", "list").json if item["key"] == "acme")
    assert row["revoked"]["at"]
    browser.change("/marketplace/acme", "/marketplace/acme/removal")
    assert "jackfield_connectors_revoked 0.0" in place.client().get("/metrics", **asking).text
