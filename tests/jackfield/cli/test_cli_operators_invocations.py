"""``jackfield invocations``, on SQLite and PostgreSQL."""

from __future__ import annotations

import getpass
import json
import os
import pwd
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jackfield_service.subjects.invocations.command import _shortened
from operating import journalled, storage
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating", "warm"]
pytestmark = [pytest.mark.usefixtures("warm_python"), pytest.mark.above_sql]


def _ids(operator: Shell, *words: str) -> list[str]:
    answer = operator.run("invocations", "list", *words)
    assert answer.code == 0, answer.out
    return [row["invocationId"] for row in answer.json]


def test_list(operator: Shell) -> None:
    """Invocations come newest first, those that fit every filter."""
    succeeded, failed, doubted = journalled("succeeded", "failed", "in_doubt")
    (shouted,) = journalled("succeeded", action="shout")
    assert _ids(operator) == [shouted, doubted, failed, succeeded]
    assert _ids(operator, "--status", "in_doubt") == [doubted]
    assert _ids(operator, "--action", "say", "--status", "succeeded") == [succeeded]
    assert _ids(operator, "--connection", "hall", "--connector", "echo", "--limit", "1") == [
        shouted
    ]
    assert _ids(operator, "--connector", "aws-ses") == []


def test_the_hint_of_a_doubt_has_the_command_that_settles_it(operator: Shell) -> None:
    """The command runs as it is printed, and is what a look without a marker refers to. Then there
    is no doubt any more.
    """
    hint = operator.run("invoke", "echo", "post", 'fault:={"kind": "reset"}').json["error"]["hint"]
    command = re.search(r"'jackfield (invocations resolve [^']+)'", hint)
    assert command is not None
    identifier = command[1].split()[2]
    unmarked = operator.run("invocations", "look", identifier)
    assert (unmarked.code, command[0] in unmarked.json["error"]["hint"]) == (2, True)
    assert operator.run(*command[1].split()).json["status"] == "succeeded"
    assert operator.run(*command[1].split()).code == 2
    assert (
        "is not in doubt: its status is 'succeeded'"
        in operator.run("invocations", "look", identifier).json["error"]["message"]
    )


def test_l40_each_filter_is_a_flag(operator: Shell, tmp_path: Path) -> None:
    """L40: key, correlation id, label, error code, caller, text and time narrow the list as they do
    over HTTP.
    """
    context = {"correlationId": "c-1", "labels": {"team": "red"}}
    about = {
        "connector": "echo",
        "action": "say",
        "connection": "hall",
        "inputs": {"text": "hi"},
        "idempotencyKey": "order-1",
    }
    (tmp_path / "invocation.json").write_text(json.dumps({**about, "context": context}))
    (tmp_path / "wrong.json").write_text(
        json.dumps({**about, "idempotencyKey": "order-2", "inputs": {"text": 5}})
    )
    labelled = operator.run("invoke", "--file", str(tmp_path / "invocation.json")).json["meta"][
        "invocationId"
    ]
    refused = operator.run("invoke", "--file", str(tmp_path / "wrong.json")).json
    (other,) = journalled("failed")
    wrong, every = (
        refused["meta"]["invocationId"],
        {labelled, refused["meta"]["invocationId"], other},
    )
    for words, expected in (
        (("--idempotency-key", "order-1"), {labelled}),
        (("--idempotency-key", "order"), set()),
        (("--correlation-id", "c-1"), {labelled}),
        (("--label", "team"), {labelled}),
        (("--label", "team=red"), {labelled}),
        (("--label", "team=blue"), set()),
        (("--error-code", refused["error"]["code"]), {wrong}),
        (("--error-code", "unavailable"), {other}),
        (("--caller", "test"), {other}),
        (("--caller", f"cli:{getpass.getuser()}"), {labelled, wrong}),
        (("--search", "ORDER-"), {labelled, wrong}),
        (("--since", "1h"), every),
        (("--until", "1h"), set()),
        (("--until", datetime.now(UTC).date().isoformat()), every),
        (("--until", "2025-01-01"), set()),
        (
            (
                "--until",
                "2199-01-01",
                "--search",
                "order-2",
                "--caller",
                f"cli:{getpass.getuser()}",
            ),
            {wrong},
        ),
    ):
        assert set(_ids(operator, *words)) == expected, words
    for words in (("--since", "yesterday"), ("--status", "lost")):
        assert operator.run("invocations", "list", *words).code == 2


def test_show(operator: Shell) -> None:
    """``show`` prints an entry with its Result."""
    (identifier,) = journalled("succeeded")
    shown = operator.run("invocations", "show", identifier)
    assert shown.code == 0
    assert (shown.json["invocationId"], shown.json["status"], shown.json["output"]) == (
        identifier,
        "succeeded",
        {"said": "Hi"},
    )
    missing = operator.run("invocations", "show", "nope")
    assert (missing.code, missing.json["error"]["code"]) == (2, "invalid_invocation")


def test_who_called_and_when(operator: Shell) -> None:
    """A call from the command line names its account, and the times of its tries are as all other
    times are.
    """
    assert operator.run("invoke", "echo", "say", "text=hi").json["status"] == "succeeded"
    (row,) = operator.run("invocations", "list").json
    assert row["caller"] == f"cli:{getpass.getuser()}"
    (attempt,) = row["attempts"]
    for moment in (attempt["startedAt"], attempt["endedAt"]):
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)


def test_workspaces_are_apart(operator: Shell) -> None:
    """Another workspace's invocations are not there."""
    operator.run("workspaces", "create", "acme")
    (identifier,) = journalled("in_doubt", workspace="acme")
    assert _ids(operator) == []
    assert _ids(operator, "--workspace", "acme") == [identifier]
    assert operator.run("invocations", "show", identifier).code == 2
    assert operator.run("invocations", "resolve", identifier, "--as", "failed").code == 2
    assert operator.run("invocations", "list", "--workspace", "nope").code == 2


@pytest.mark.parametrize("name", ["typo", "../x", "a b"])
def test_a_workspace_that_nobody_made(operator: Shell, name: str) -> None:
    """A workspace that there is not, or cannot be, is refused by every command, and nothing is kept
    for it.
    """
    operator.run("workspaces", "create", "types")
    operator.set(JACKFIELD_WORKSPACE=name)
    values = (
        '{"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "secret-4711", "region": '
        '"eu-west-1"}'
    )
    for words in (
        ("invocations", "list"),
        ("invocations", "purge"),
        ("connections", "list"),
        ("connections", "add", "x", "--type", "aws-ses/apiKeySecret", "--values", "-", "--no-test"),
        ("invoke", "aws-ses", "sendEmail", "--dry-run"),
        ("tokens", "create", "--scope", "read"),
    ):
        answer = operator.run(*words, stdin=values)
        assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation"), words
        assert "workspace" in answer.json["error"]["message"]
        assert "jackfield workspaces" in answer.json["error"]["hint"]
    operator.run("workspaces", "create", "typo")
    operator.set(JACKFIELD_WORKSPACE="typo")
    assert operator.run("connections", "list").json == []


def test_resolve(operator: Shell) -> None:
    """A doubt ends as the person says, who is named; what is in no doubt cannot be resolved."""
    first, second = journalled("in_doubt", "in_doubt")
    resolved = operator.run("invocations", "resolve", first, "--as", "succeeded")
    assert resolved.code == 0
    assert (resolved.json["status"], resolved.json["resolvedBy"]) == (
        "succeeded",
        f"cli:{getpass.getuser()}",
    )
    failed = operator.run(
        "invocations", "resolve", second, "--as", "failed", "--note", "not in their list"
    ).json
    assert (failed["status"], failed["meta"]["resolution"]["note"]) == (
        "failed",
        "not in their list",
    )
    assert "note" not in resolved.json["meta"]["resolution"]
    again = operator.run("invocations", "resolve", first, "--as", "failed")
    assert again.code == 2
    assert "is not in doubt" in again.json["error"]["message"]
    assert operator.run("invocations", "resolve", second).code == 2


def test_a_person_without_a_name(operator: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account without a name can resolve a doubt too."""

    def nobody(_account: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    (identifier,) = journalled("in_doubt")
    assert (
        operator.run("invocations", "resolve", identifier, "--as", "failed").json["resolvedBy"]
        == f"cli:uid-{os.getuid()}"
    )


def test_stats(operator: Shell) -> None:
    """``stats`` counts by connector, action and status, since a moment."""
    journalled("succeeded", "succeeded", "failed")
    rows = operator.run("invocations", "stats", "--since", "1h").json
    assert [(row["action"], row["status"], row["invocations"]) for row in rows] == [
        ("say", "failed", 1),
        ("say", "succeeded", 2),
    ]
    assert operator.run("invocations", "stats", "--since", "2199-01-01").json == []
    assert len(operator.run("invocations", "stats").json) == 2
    assert operator.run("invocations", "stats", "--since", "yesterday").code == 2


def test_what_a_dead_process_left_behind(operator: Shell) -> None:
    """An invocation whose process has ended is listed as what it is: in doubt, where it may have
    been sent.
    """
    answer = operator.python(
        (
            "import sys; sys.path.insert(0, 'support'); from operating import journalled; "
            "print(journalled('running')[0])"
        ).replace("'support'", repr(str(__import__("operating").__file__).rpartition("/")[0]))
    )
    assert answer.code == 0, answer.err
    assert _ids(operator, "--status", "in_doubt") == [answer.out.strip()]


def test_purge(operator: Shell) -> None:
    """``purge`` deletes what was kept long enough, and never what is in doubt."""
    old, doubted, _young = journalled("succeeded", "in_doubt", "succeeded")
    _aged(31, old, doubted)
    assert operator.run("invocations", "purge").json == {"purged": 1}
    assert doubted in _ids(operator)
    assert old not in _ids(operator)


def test_purge_goes_by_what_the_workspace_says_now(operator: Shell) -> None:
    """A change of ``retentionDays`` holds for the entries that are there, whether it raises or
    lowers it; a doubt that was resolved stays for its own year.
    """
    ten, forty, resolved = journalled("succeeded", "failed", "in_doubt")
    operator.run("invocations", "resolve", resolved, "--as", "failed")
    _aged(10, ten)
    _aged(40, forty, resolved)
    operator.run("workspaces", "set", "default", "--retention-days", "60")
    assert operator.run("invocations", "purge").json == {"purged": 0}
    operator.run("workspaces", "set", "default", "--retention-days", "9")
    assert operator.run("invocations", "purge").json == {"purged": 2}
    assert _ids(operator) == [resolved]
    with storage() as opened, opened.database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET purge_after = 1 WHERE workspace = 'default' AND id = :id",
            {"id": resolved},
        )
    assert operator.run("invocations", "purge").json == {"purged": 1}


def _aged(days: int, *identifiers: str) -> None:
    """Have entries be so many days old."""
    with storage() as opened, opened.database.write() as transaction:
        for identifier in identifiers:
            transaction.change(
                "UPDATE invocations SET created_at = created_at - :age, settled_at = settled_at - "
                ":age "
                "WHERE workspace = 'default' AND id = :id",
                {"id": identifier, "age": days * 86_400.0},
            )


def test_b12_a_prefix_of_an_id(operator: Shell) -> None:
    """``show`` and ``resolve`` take the beginning of an id where only one invocation begins so;
    tables on a terminal show such ids.
    """
    doubted, other = journalled("in_doubt", "succeeded")
    common = next(size for size in range(36) if doubted[size] != other[size])
    for whole in (doubted, other):
        assert (
            operator.run("invocations", "show", whole[: common + 1]).json["invocationId"] == whole
        )
    several = operator.run("invocations", "show", doubted[:common])
    assert (several.code, "several invocations begin with" in several.json["error"]["message"]) == (
        2,
        True,
    )
    short = [
        row["invocationId"]
        for row in _shortened([{"invocationId": whole} for whole in (doubted, other)])
    ]
    assert [len(text) for text in short] == [max(13, common + 1)] * 2
    assert operator.run("invocations", "resolve", doubted[: common + 1], "--as", "failed").code == 0


def test_the_queue_on_the_command_line(operator: Shell) -> None:
    """``queue stats`` counts by workspace, ``dead`` lists dead letters, and ``redrive`` queues them
    again or says why not.
    """
    queued = operator.run(
        "invoke", "echo", "say", "text=x", "--connection", "hall", "--queue", "--priority", "7"
    ).json["invocationId"]
    assert operator.run("invocations", "show", queued).json["priority"] == 7
    with storage() as found:
        found.database.record(
            lambda transaction: transaction.change(
                "UPDATE invocations SET status = 'failed', settled_at = 1, dead_at = 1", {}
            )
        )
    (dead,) = operator.run("queue", "dead").json
    assert (dead["invocationId"], dead["deliveries"]) == (queued, 0)
    assert operator.run("queue", "stats").json == [
        {
            "workspace": "default",
            "queued": 0,
            "delayed": 0,
            "released": 0,
            "running": 0,
            "dead": 1,
            "oldestSeconds": None,
        }
    ]
    again = operator.run("queue", "redrive", "--all")
    assert (again.code, again.json) == (0, {"redriven": [queued], "refused": []})
    refused = operator.run("queue", "redrive", queued)
    assert (refused.code, refused.json["redriven"]) == (2, [])
    assert "is not dead" in refused.json["refused"][0]["error"]["message"]
    assert operator.run("queue", "redrive").code == 2
    assert operator.run("queue", "stats", "--workspace", "default").json[0]["queued"] == 1


def test_a_key_that_is_queued_is_queued_once(operator: Shell) -> None:
    """The same command again prints the same ID, and says that it is a repeat; another request
    under the key is refused.
    """
    words = ("invoke", "echo", "say", "--connection", "hall", "--idempotency-key", "k", "--queue")
    first, again, other = (operator.run(*words, text) for text in ("text=x", "text=x", "text=y"))
    assert (again.code, again.json) == (0, {**first.json, "replayed": True})
    assert (other.code, other.json["error"]["code"]) == (2, "idempotency_conflict")


def test_budgets_are_settings_of_the_workspace(operator: Shell) -> None:
    """Rates and concurrencies are set by name and merged; 0 removes one."""
    words = (
        "--queue-rate",
        "12.5",
        "--queue-concurrency",
        "8",
        "--connection-rate",
        "hall=2",
        "--connection-concurrency",
        "*=3",
    )
    assert operator.run("workspaces", "set", "default", *words).code == 0
    shown = operator.run(
        "workspaces",
        "set",
        "default",
        "--connection-concurrency",
        "hall=1",
        "--connection-concurrency",
        "*=0",
    ).json
    assert (shown["queueRate"], shown["queueConcurrency"]) == (12.5, 8)
    assert shown["connectionBudgets"] == {"hall": {"rate": 2.0, "concurrency": 1}}
    for wrong in (
        ("--queue-rate", "-1"),
        ("--connection-rate", "hall"),
        ("--connection-rate", "no/name=1"),
        ("--queue-rate", "nan"),
    ):
        assert operator.run("workspaces", "set", "default", *wrong).code == 2, wrong


def test_quotas_are_settings_of_the_workspace_and_of_tokens(operator: Shell) -> None:
    """They replace the list; beyond one the command fails by name; what is no quota is refused, and
    shown by its place.
    """
    one = {"count": 1, "per": "month", "of": {"effect": "write"}}
    shown = operator.run("workspaces", "set", "default", "--quota", json.dumps(one)).json
    assert shown["quotas"] == [one]
    found = [
        operator.run("invoke", "echo", "post", "--connection", "hall", "text=x") for _ in range(2)
    ]
    assert [(answer.code, answer.json["status"]) for answer in found] == [
        (0, "succeeded"),
        (1, "failed"),
    ]
    assert found[1].json["error"]["code"] == "quota_exceeded"
    for wrong in (("--quota", "{"), ("--quota", "{}"), ("--quota", json.dumps(one), "--no-quota")):
        assert operator.run("workspaces", "set", "default", *wrong).code == 2, wrong
    assert operator.run("workspaces", "set", "default", "--no-quota").json["quotas"] == []
    assert operator.run("invoke", "echo", "post", "--connection", "hall", "text=x").code == 0
    made = operator.run("tokens", "create", "--scope", "invoke", "--quota", json.dumps(one))
    assert made.code == 0
    assert operator.run("tokens", "create", "--scope", "invoke", "--quota", "5").code == 2


def test_quotas_are_set_on_a_connection(operator: Shell) -> None:
    """With it, beside new values or alone, without a test; they are shown, and removed."""
    one, two = ({"count": count, "per": "month", "of": {"effect": "write"}} for count in (1, 2))
    values = {"token": "secret-4711"}
    how = ("--values", "-", "--no-test")
    made = operator.run(
        "connections",
        "add",
        "attic",
        "--type",
        "echo/token",
        *how,
        "--quota",
        json.dumps(one),
        stdin=json.dumps(values),
    )
    assert made.json["quotas"] == [one]
    found = [
        operator.run("invoke", "echo", "post", "--connection", "attic", "text=x").code
        for _ in range(2)
    ]
    assert found == [0, 1]
    assert operator.run("connections", "replace", "attic", "--quota", json.dumps(two)).json[
        "quotas"
    ] == [two]
    assert operator.run("invoke", "echo", "post", "--connection", "attic", "text=x").code == 0
    assert operator.run("connections", "replace", "attic", *how, stdin=json.dumps(values)).json[
        "quotas"
    ] == [two]
    assert operator.run("connections", "show", "attic").json["quotas"] == [two]
    assert "quotas" not in operator.run("connections", "replace", "attic", "--no-quota").json
    for wrong in (
        (),
        ("--quota", "{}"),
        ("--quota", json.dumps(one), "--no-quota"),
        ("--quota", "5", "--version", "1"),
    ):
        assert operator.run("connections", "replace", "attic", *wrong).code == 2, wrong
