"""What the commands that manage something have in common, each with a row: tables, pages,
workspaces, refusals, and none without a database.
"""

from __future__ import annotations

import json
import re

import pytest

from operating import journalled
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating", "warm"]
pytestmark = [pytest.mark.usefixtures("warm_python"), pytest.mark.above_sql]

SAY = json.dumps(
    {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "hi"}}
)
ADD = ("connections", "add", "room", "--type", "echo/token", "--values", "-")


def test_lists_are_tables_on_a_terminal(operator: Shell) -> None:
    """Lists are drawn for people, with what their rows say and with headings."""
    token = operator.run("tokens", "create", "--scope", "read", "--name", "eyes").json["id"]
    (invocation,) = journalled("succeeded")
    operator.run(*ADD, stdin="token: t")
    operator.set(NO_COLOR="1", COLUMNS="200")
    for words, said in (
        (("connections", "list"), ("echo/token", "Status", "untested")),
        (("tokens", "list"), (token, "eyes")),
        (("workspaces", "list"), ("default",)),
        (("invocations", "list"), (invocation[:13],)),
        (("options", "echo", "voices"), ("Alto",)),
        (("search", "post"), ("Post a Note",)),
    ):
        shown = operator.on_terminal(*words).out
        assert [text for text in said if text not in shown] == [], words
        assert not shown.startswith("["), words


def test_a_list_ends_at_its_limit_and_goes_on_at_its_cursor(operator: Shell) -> None:
    """Where more follow, stderr names the cursor; stdout stays an array. A limit is a number from 1
    to 10,000.
    """
    made = {
        "tokens": [
            operator.run("tokens", "create", "--scope", "read").json["id"] for _ in range(3)
        ],
        "invocations": journalled("succeeded", "succeeded", "succeeded"),
    }
    for noun, key in (("tokens", "id"), ("invocations", "invocationId")):
        first = operator.run(noun, "list", "--limit", "2")
        cursor = re.search(r"--cursor (\S+)", first.err)
        assert cursor, noun
        second = operator.run(noun, "list", "--limit", "2", "--cursor", cursor[1])
        assert sorted(row[key] for row in first.json + second.json) == sorted(made[noun])
        assert (len(first.json), second.err) == (2, "")
        for limit in ("0", "10001", "-1"):
            answer = operator.run(noun, "list", f"--limit={limit}")
            assert (
                answer.code,
                "--limit: must be a whole number from 1 to 10,000"
                in answer.json["error"]["message"],
            ) == (2, True)


def test_commands_about_a_workspace_take_its_name(operator: Shell) -> None:
    """``--workspace`` goes before JACKFIELD_WORKSPACE, and that before ``default``, in every
    command that runs in a workspace.
    """
    assert operator.run("workspaces", "create", "acme").code == 0
    operator.set(JACKFIELD_WORKSPACE="acme")
    assert operator.run(*ADD, stdin="token: t").code == 0
    token = operator.run("tokens", "create", "--scope", "read").json["id"]
    (invocation,) = journalled("succeeded", workspace="acme")
    operator.set(JACKFIELD_CONNECTIONS="")
    rows = (
        ("connections", "name", "room"),
        ("tokens", "id", token),
        ("invocations", "invocationId", invocation),
    )
    for noun, key, found in rows:
        assert [row[key] for row in operator.run(noun, "list").json] == [found]
        assert operator.run(noun, "list", "--workspace", "default").json == []
    operator.set(JACKFIELD_WORKSPACE="default")
    for noun, key, found in rows:
        assert [row[key] for row in operator.run(noun, "list", "--workspace", "acme").json] == [
            found
        ]
        assert operator.run(noun, "list").json == []
    words = ("invoke", "echo", "say", "--connection", "room", "text=a", "--dry-run")
    assert (operator.run(*words, "--workspace", "acme").code, operator.run(*words).code) == (0, 2)
    assert operator.run("schedules", "list", "--workspace", "acme").json == []
    assert operator.run("search", "say", "--workspace", "acme").code == 0


def test_what_is_not_found_may_be_in_another_workspace(operator: Shell) -> None:
    """The hint for a name or an ID that the workspace does not have names the option that selects
    another.
    """
    for words in (
        ("schedules", "show", "x"),
        ("invocations", "show", "x"),
        ("callbacks", "show", "x"),
        ("tokens", "revoke", "x"),
    ):
        error = operator.run(*words).json["error"]
        assert f"'jackfield {words[0]} list' shows" in error["hint"]
        assert error["hint"].endswith("'--workspace' selects another.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("tokens create", "the following arguments are required: --scope"),
        ("tokens create --scope write", "invalid choice: 'write'"),
        (
            "tokens create --scope read --expires soon",
            "--expires 'soon' is neither a duration nor a date",
        ),
        ("tokens create --scope read --expires 2001-01-01", "1 member of the token is not valid"),
        ("tokens create --scope read --workspace nope", "no workspace is named 'nope'"),
        ("tokens create --scope read --allow aws-ses", "1 pattern is not valid"),
        ("tokens create --scope read --block a/* --block b", "1 pattern is not valid"),
        ("tokens explain nobody --action echo", "--action takes connector/action"),
        ("tokens explain nobody --action ecko/say", "did you mean 'echo'?"),
        ("tokens explain nobody --action echo/sey", "did you mean 'say'?"),
        ("tokens explain nobody --action echo/say", "no token has the ID 'nobody'"),
        ("workspaces set default", "no setting is given"),
        ("workspaces set default --allow x/* --no-allow", "cannot be combined"),
        ("workspaces set nope --keep-inputs yes", "no workspace is named 'nope'"),
        ("workspaces show defaul", "did you mean 'default'?"),
        ("workspaces create default", "the workspace 'default' exists already"),
        ("workspaces create a/b", "the workspace's name is not valid"),
        ("workspaces create acme --block effect:wrong", "1 pattern is not valid"),
        (
            "workspaces create acme --retention-days 0",
            "must be a whole number from 1 to 3,650, not '0'",
        ),
        (
            "workspaces create acme --retention-days few",
            "must be a whole number from 1 to 3,650, not 'few'",
        ),
        ("workspaces create acme --keep-inputs perhaps", "invalid choice"),
        ("oauth-clients show nope", "no OAuth client is named 'nope'"),
        ("oauth-clients add x --values -", "2 members of the OAuth client are not valid"),
        ("oauth-clients update x", "give --values or --server"),
        ("events show nope", "no event has the ID 'nope'"),
        ("events list --types quota.lwo", "did you mean 'quota.low'?"),
        ("events list --after x", "'x' is not a cursor"),
        ("events list --after 7", "the cursor '7' is not of this database"),
        ("callbacks add ftp://x/", "1 member of the callback is not valid"),
        ("callbacks add https://example.com/ --types quota.lwo", "did you mean 'quota.low'?"),
        ("callbacks add https://example.com/ --filter {", "--filter takes a JSON object"),
        ("callbacks show nope", "no callback has the ID 'nope'"),
        ("deliveries show nope", "no delivery has the ID 'nope'"),
        ("deliveries resend", "give the IDs of deliveries, or --dead"),
        ("audit verify --head x", "the known head is not valid"),
        ("audit list --cursor x", "invalid cursor"),
        ("invocations list --cursor nonsense", "invalid cursor"),
        ("invocations list --since yesterday", "neither a duration nor a date"),
        ("invocations list --status lost", "invalid choice: 'lost'"),
        ("invocations stats --since yesterday", "neither a duration nor a date"),
    ],
)
def test_refusals(operator: Shell, words: str, said: str) -> None:
    """What is not valid is refused with exit code 2 and a sentence, and nothing is made."""
    noun = words.partition(" ")[0]
    before = operator.run(noun, "list").json
    answer = operator.run(*words.split(), stdin='{"clientSecret": {"$env": "X"}}')
    assert answer.code == 2
    assert said in answer.json["error"]["message"]
    assert operator.run(noun, "list").json == before


@pytest.mark.parametrize(
    "words",
    [
        *(
            f"{noun} list"
            for noun in (
                "approvals",
                "audit",
                "callbacks",
                "connect-sessions",
                "deliveries",
                "events",
                "files",
                "invocations",
                "keys",
                "mcp-servers",
                "oauth-clients",
                "schedules",
                "subscriptions",
                "suppressions",
                "tokens",
                "workspaces",
            )
        ),
        "db check",
        "queue stats",
        " ".join(ADD),
    ],
)
def test_without_a_database(shell: Shell, words: str) -> None:
    """Without a database there is nothing to manage, and the refusal names the variable."""
    shell.set(JACKFIELD_DATABASE_URL="none")
    answer = shell.run(*words.split(), stdin="token: t")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert (
        "JACKFIELD_DATABASE_URL" in answer.json["error"]["message"] + answer.json["error"]["hint"]
    )
