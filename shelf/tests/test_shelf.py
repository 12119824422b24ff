"""Each service of the shelf at a fake made from its file: sign-ins, accounts, actions, pages, throttling, and reproducible projects."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from jackfield.kernel.errors import JackfieldError
from jackfield.manifest.manifest import Manifest
from jackfield_market.testing.fake_pages import ITEMS
from jackfield_market.testing.playing import at
from jackfield_market.trying import connect, fake_runtime, first_read
from jackfield_openapi.shelf.projects import built, project_files
from jackfield_openapi.shelf.services import Service, read_shelf

SHELF = Path(__file__).parent.parent
SERVICES = read_shelf(SHELF)
LICENCE = (SHELF / "LICENSE").read_text(encoding="utf-8")


@cache
def _manifest(key: str) -> dict[str, Any]:
    service = next(one for one in SERVICES if one.key == key)
    found: dict[str, Any] = json.loads(json.dumps(built(service).manifest))
    return found


def _types() -> list[Any]:
    pairs = [(service.key, row["key"]) for service in SERVICES for row in _manifest(service.key)["connectionTypes"]]
    return [pytest.param(key, kind, id=f"{key}/{kind}") for key, kind in pairs]


KEYS = [service.key for service in SERVICES]


@pytest.mark.parametrize(("key", "kind"), _types())
def test_the_right_credentials_sign_in(key: str, kind: str) -> None:
    """The test of a connection is ok and names the account, and wrong credentials fail it."""
    manifest = _manifest(key)
    row = next(one for one in manifest["connectionTypes"] if one["key"] == kind)
    with fake_runtime(manifest, kind) as (jackfield, fake):
        shown = connect(jackfield, fake, "right", kind)
        assert shown["status"] == "ok", shown
        if "account" in row["http"]:
            assert shown["account"]["id"] == fake.account[0]
            assert fake.account[1] in shown["account"]["label"] or shown["account"]["label"] == fake.account[0]
        secrets = [name for name, about in row["schema"]["properties"].items() if about.get("writeOnly")]
        if fake.needs_approval:
            fake.revoke()
            assert jackfield.connections.test("right")["status"] == "failing"
            return
        assert secrets
        for name in (one for one in secrets if one in fake.values):
            jackfield.connections.add("wrong", f"{key}/{kind}", {**fake.values, name: "another-secret-4711"}, test=False)
            found = jackfield.connections.test("wrong")
            assert found["status"] == "failing", found
            assert "another-secret" not in json.dumps(found)
            jackfield.connections.remove("wrong")


@pytest.mark.parametrize(("key", "kind"), _types())
def test_no_secret_is_told_or_kept_in_clear(key: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys in paths and queries included: no Result, connection, traced exchange or file of the runtime has the secret of a connection."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    manifest = _manifest(key)
    row = next(one for one in manifest["connectionTypes"] if one["key"] == kind)
    hidden = [name for name, about in row["schema"]["properties"].items() if about.get("writeOnly")]
    action, inputs = first_read(Manifest.from_json(manifest))
    called = {"connector": key, "action": action, "inputs": inputs, "trace": True}
    with fake_runtime(manifest, kind) as (jackfield, fake):
        told = [json.dumps(connect(jackfield, fake, "right", kind))]
        secrets = [fake.values[name] for name in hidden if name in fake.values] + [*fake.tokens.access, *fake.tokens.refresh]
        assert secrets
        told.append(str(jackfield.invoke({**called, "connection": "right"})))
        wrong = {name: "another-secret-4711" if name in hidden else value for name, value in fake.values.items()}
        jackfield.connections.add("wrong", f"{key}/{kind}", wrong, test=False)
        told += [json.dumps(jackfield.connections.test("wrong")), str(jackfield.invoke({**called, "connection": "wrong"}))]
        kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file.name != "connector.json")
    assert kept
    for secret in [*secrets, "another-secret-4711"]:
        assert not [text for text in told if secret in text]
        assert secret.encode() not in kept


@pytest.mark.parametrize("service", SERVICES, ids=KEYS)
def test_tasks_name_actions(service: Service) -> None:
    """Each everyday task in words is done by an action that there is."""
    keys = {action["key"] for action in _manifest(service.key)["actions"]}
    assert set(service.about.get("tasks", {}).values()) <= keys


@pytest.mark.parametrize(("key", "kind"), _types())
def test_an_approval_is_refreshed(key: str, kind: str) -> None:
    """An access token that has expired is refreshed, once, and the refresh token rotates; a wrong client secret is refused."""
    manifest = _manifest(key)
    action, inputs = first_read(Manifest.from_json(manifest))
    with fake_runtime(manifest, kind) as (jackfield, fake):
        if not fake.needs_approval:
            assert fake.values
            return
        connect(jackfield, fake, "ada", kind)
        before = set(fake.tokens.refresh)
        fake.expire()
        called = {"connector": key, "action": action, "connection": "ada", "inputs": inputs}
        jackfield.invoke(called).unwrap()
        assert fake.tokens.refresh.isdisjoint(before)
        values = {**fake.values, "clientSecret": "wrong"}
        jackfield.connections.add("bob", f"{key}/{kind}", values, test=False)
        authorizing = jackfield.connections.authorizing()
        begun = authorizing.begin("bob", "https://localhost/oauth2/callback")
        with pytest.raises(JackfieldError):
            authorizing.complete(begun["id"], fake.approve(begun["url"]))


@pytest.mark.parametrize("key", KEYS)
def test_every_action_runs(key: str) -> None:
    """Each action succeeds with the inputs of its example, and each list is read whole."""
    manifest = _manifest(key)
    kind = manifest["connectionTypes"][0]["key"]
    with fake_runtime(manifest, kind) as (jackfield, fake):
        connect(jackfield, fake, "main", kind)
        for action in manifest["actions"]:
            inputs = action["examples"][0]["invocation"]["inputs"]
            called = {"connector": key, "action": action["key"], "connection": "main", "inputs": inputs}
            output = jackfield.invoke(called).unwrap()
            if "pagination" not in action:
                continue
            own = {name: value for name, value in inputs.items() if name != action["pagination"]["tokenInput"]}
            whole = jackfield.invoke({**called, "inputs": {**own, "fetchAll": True}})
            output = whole.unwrap()
            items = at(output, "/" + action["pagination"]["items"].removeprefix("/"))
            assert len(items) == ITEMS, (action["key"], output)
            assert whole.meta.complete is True, action["key"]


@pytest.mark.parametrize("key", KEYS)
def test_a_throttled_call_waits(key: str) -> None:
    """One 429 costs one request more."""
    manifest = _manifest(key)
    kind = manifest["connectionTypes"][0]["key"]
    action, inputs = first_read(Manifest.from_json(manifest))
    with fake_runtime(manifest, kind) as (jackfield, fake):
        connect(jackfield, fake, "main", kind)
        before = len(fake.provider.requests)
        fake.throttle(1)
        jackfield.invoke({"connector": key, "action": action, "connection": "main", "inputs": inputs}).unwrap()
        assert len(fake.provider.requests) - before == 2


@pytest.mark.parametrize("service", SERVICES, ids=KEYS)
def test_a_project_is_reproducible(service: Service) -> None:
    """The same file gives the same bytes, and its facts have a page and a date, or are marked as not seen."""
    assert project_files(service, LICENCE) == project_files(service, LICENCE)
    assert service.about.get("seen") or service.about.get("known")
    assert "account" in service.about or "probe" in _manifest(service.key)["connectionTypes"][0]["http"]
