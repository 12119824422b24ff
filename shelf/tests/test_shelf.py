"""Each service of the shelf at a fake made from its file: sign-ins, accounts, actions, pages,
throttling, and reproducible projects.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from jackfield.connector.evidence_rows import unfit_looks
from jackfield.manifest.manifest import Manifest
from jackfield_http.bindings.error_rows import errors_of
from jackfield_http.errors import Refusal
from jackfield_http.headers import Headers
from jackfield_market.testing.fake_proof import action_faults, sign_in_faults, throttling_faults
from jackfield_market.testing.fake_runtime import connect, fake_runtime, first_read
from jackfield_openapi.shelf.answers import NONE, QUESTIONS, UNKNOWN
from jackfield_openapi.shelf.projects import built, project_files
from jackfield_openapi.shelf.services import Service, read_shelf
from jackfield_store.access.images import image_fault

SHELF = Path(__file__).parent.parent
SERVICES = read_shelf(SHELF)
LICENCE = (SHELF / "LICENSE").read_text(encoding="utf-8")


@cache
def _manifest(key: str) -> dict[str, Any]:
    service = next(one for one in SERVICES if one.key == key)
    found: dict[str, Any] = json.loads(json.dumps(built(service).manifest))
    return found


def _types() -> list[Any]:
    pairs = [
        (service.key, row["key"])
        for service in SERVICES
        for row in _manifest(service.key)["connectionTypes"]
    ]
    return [pytest.param(key, kind, id=f"{key}/{kind}") for key, kind in pairs]


KEYS = [service.key for service in SERVICES]


@pytest.mark.parametrize(("key", "kind"), _types())
def test_credentials(key: str, kind: str) -> None:
    """Right credentials are ok and name the account; wrong, empty and another account's are refused
    as unauthenticated, and shown nowhere.

    An approval that has expired is refreshed once, and the refresh token rotates; one that was
    ended and a wrong client secret are refused.
    """
    assert list(sign_in_faults(_manifest(key), kind)) == []


@pytest.mark.parametrize(("key", "kind"), _types())
def test_fields_are_called_what_a_person_calls_them(key: str, kind: str) -> None:
    """Each has a title of its own, which begins as a title does: no name of a variable."""
    schema = next(row["schema"] for row in _manifest(key)["connectionTypes"] if row["key"] == kind)
    titles = [field["title"] for field in schema["properties"].values()]
    assert (
        [title for title in titles if not title[:1].isupper()],
        len(titles) - len(set(titles)),
    ) == ([], 0)


@pytest.mark.parametrize(
    "file", sorted((SHELF / "icons").glob("*.svg")), ids=lambda file: file.stem
)
def test_an_icon_is_its_services_and_only_draws(file: Path) -> None:
    """A tile and one path, of at most 5,000 characters, in the manifest of the service that is
    called as its file; nothing that runs or loads.
    """
    text = file.read_text(encoding="utf-8").strip()
    shown = _manifest(file.stem)["icon"]
    assert unquote(shown) == f"data:image/svg+xml;utf8,{text}"
    assert ([*map(text.count, ("<rect ", "<path ", "<"))], image_fault(shown, 5_000)) == (
        [1, 1, 4],
        None,
    )
    service = next(one for one in SERVICES if one.key == file.stem)
    assert "Simple Icons" in project_files(service, LICENCE)["README.md"].decode()


@pytest.mark.parametrize(("key", "kind"), _types())
def test_no_secret_is_told_or_kept_in_clear(
    key: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys in paths and queries included: no Result, connection, traced exchange or file of the
    runtime has the secret of a connection.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    manifest = _manifest(key)
    row = next(one for one in manifest["connectionTypes"] if one["key"] == kind)
    hidden = [name for name, about in row["schema"]["properties"].items() if about.get("writeOnly")]
    action, inputs = first_read(Manifest.from_json(manifest))
    called = {"connector": key, "action": action, "inputs": inputs, "trace": True}
    with fake_runtime(manifest, kind) as (jackfield, fake):
        told = [json.dumps(connect(jackfield, fake, "right", kind))]
        secrets = [fake.values[name] for name in hidden if name in fake.values] + [
            *fake.tokens.access,
            *fake.tokens.refresh,
        ]
        assert secrets
        told.append(str(jackfield.invoke({**called, "connection": "right"})))
        wrong = {
            name: "another-secret-4711" if name in hidden else value
            for name, value in fake.values.items()
        }
        jackfield.connections.add("wrong", f"{key}/{kind}", wrong, test=False)
        told += [
            json.dumps(jackfield.connections.test("wrong")),
            str(jackfield.invoke({**called, "connection": "wrong"})),
        ]
        kept = b"".join(
            file.read_bytes()
            for file in tmp_path.rglob("*")
            if file.is_file() and file.name != "connector.json"
        )
    assert kept
    for secret in [*secrets, "another-secret-4711"]:
        assert not [text for text in told if secret in text]
        assert secret.encode() not in kept


@pytest.mark.parametrize("key", KEYS)
def test_each_doubt_has_evidence_or_the_reason_why_there_is_none(key: str) -> None:
    """What looks ask is there, and each write says how its lost calls are found, or why they are
    not.
    """
    manifest = _manifest(key)
    assert list(unfit_looks(manifest)) == []
    writes = [
        row
        for row in manifest["actions"]
        if row["effect"] == "write" or row.get("idempotentBy") == "key"
    ]
    assert [row["key"] for row in writes if not row.keys() & {"evidence", "noEvidence"}] == []


@pytest.mark.parametrize("service", SERVICES, ids=KEYS)
def test_eight_questions_are_answered(service: Service) -> None:
    """Each answer has its page or is unknown, which the proof shows; none is said of what the
    connector does not do alone.
    """
    answers = service.about["answers"]
    given = {name: answers[name] for name in QUESTIONS}
    assert all(
        row in (UNKNOWN, NONE) or (row["says"] and urlsplit(row["url"]).scheme == "https")
        for row in given.values()
    )
    unknown = [title for name, title in QUESTIONS.items() if given[name] == UNKNOWN]
    assert [
        text for text in service.proof.get("known", ()) if text in QUESTIONS.values()
    ] == unknown
    is_approved = any(kind == "oauth2" for kind in service.signs_in_by)
    has_lists = any("pagination" in action for action in _manifest(service.key)["actions"])
    assert (given["approvals"] == NONE) is not is_approved
    assert (given["ends"] == NONE) is (given["empty"] == NONE) is not has_lists


@pytest.mark.parametrize("service", SERVICES, ids=KEYS)
def test_tasks_name_actions(service: Service) -> None:
    """Each service has three everyday tasks in words, done by actions that there are."""
    keys = {action["key"] for action in _manifest(service.key)["actions"]}
    assert len(service.about["tasks"]) == 3
    assert set(service.about["tasks"].values()) <= keys


@pytest.mark.parametrize("key", KEYS)
def test_every_action_runs(key: str) -> None:
    """Each action succeeds with the inputs of its example, and each list is read whole."""
    assert list(action_faults(_manifest(key))) == []


@pytest.mark.parametrize("key", KEYS)
def test_a_throttled_call_waits(key: str) -> None:
    """One 429 costs one request more."""
    assert list(throttling_faults(_manifest(key))) == []


@pytest.mark.parametrize(
    "key", [service.key for service in SERVICES if service.about["errors"].get("like") == "google"]
)
@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("userRateLimitExceeded", "rate_limited"),
        ("quotaExceeded", "quota_exceeded"),
        ("insufficientPermissions", "forbidden"),
    ],
)
def test_a_limit_told_by_its_reason_alone_is_one(key: str, reason: str, code: str) -> None:
    """Google's older APIs answer 403 for a limit and for a right that is missing."""
    refused = {
        "error": {
            "code": 403,
            "message": "Refused.",
            "errors": [{"domain": "global", "reason": reason}],
        }
    }
    error = errors_of(_manifest(key)["http"]["errors"]).explain(
        Refusal("GET /", 403, Headers(()), refused)
    )
    assert error.code == code


@pytest.mark.parametrize(
    ("key", "seconds"), [("airtable", 30.0), ("quickbooks", 60.0), ("trello", 10.0)]
)
def test_a_wait_that_no_answer_tells_is_known(key: str, seconds: float) -> None:
    """Where the provider's pages alone say how long to wait, the file says it; a header field that
    does comes first.
    """
    explain = errors_of(_manifest(key)["http"]["errors"]).explain
    refusals = [
        Refusal("GET /", 429, Headers(given), {"message": "Slow down."})
        for given in ((), ((b"retry-after", b"7"),))
    ]
    assert [explain(one).retry_after for one in refusals] == [seconds, 7.0]


@pytest.mark.parametrize(
    ("key", "status", "fields", "body", "code", "seconds"),
    [
        ("toggl", 402, ((b"x-toggl-quota-resets-in", b"1800"),), {}, "quota_exceeded", 1800.0),
        ("toggl", 402, (), {}, "quota_exceeded", None),
        (
            "hubspot",
            429,
            (),
            {"policyName": "TEN_SECONDLY_ROLLING", "message": "Slow down."},
            "rate_limited",
            10.0,
        ),
        (
            "hubspot",
            429,
            (),
            {"message": "You have reached your secondly limit."},
            "rate_limited",
            1.0,
        ),
        (
            "hubspot",
            429,
            (),
            {"policyName": "DAILY", "message": "You have reached your daily limit."},
            "quota_exceeded",
            None,
        ),
    ],
)
def test_a_limit_waits_as_its_own_words_say(
    key: str,
    status: int,
    fields: tuple[tuple[bytes, bytes], ...],
    body: dict[str, str],
    code: str,
    seconds: float | None,
) -> None:
    """Of several limits each has its wait: in a header field of the provider's own, by its name, or
    none.
    """
    error = errors_of(_manifest(key)["http"]["errors"]).explain(
        Refusal("GET /", status, Headers(fields), body)
    )
    assert (error.code, error.retry_after) == (code, seconds)


@pytest.mark.parametrize("service", SERVICES, ids=KEYS)
def test_a_project_is_reproducible(service: Service) -> None:
    """The same file gives the same bytes, and its facts have a page and a date, or are marked as
    not seen.
    """
    assert project_files(service, LICENCE) == project_files(service, LICENCE)
    assert service.about.get("seen") or service.about.get("known")
    assert (
        "account" in service.about
        or "probe" in _manifest(service.key)["connectionTypes"][0]["http"]
    )


def _said_twice(node: Any) -> Iterator[str]:
    """Yield each member that an object of a file has twice."""
    if isinstance(node, yaml.MappingNode):
        named = [key.value for key, _ in node.value]
        yield from (
            f"{name} in line {node.start_mark.line + 1}"
            for name in sorted(set(named))
            if named.count(name) > 1
        )
    children = (
        (child for _, child in node.value) if isinstance(node, yaml.MappingNode) else node.value
    )
    for child in children if isinstance(node, yaml.CollectionNode) else ():
        yield from _said_twice(child)


@pytest.mark.parametrize("key", KEYS)
def test_no_file_says_a_member_twice(key: str) -> None:
    """Of two the last counts, and nobody learns that what the first one says is lost."""
    assert (
        list(
            _said_twice(
                yaml.compose((SHELF / "services" / f"{key}.yaml").read_text(encoding="utf-8"))
            )
        )
        == []
    )
