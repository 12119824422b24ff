"""Thand's workflows, run as a user runs them: ``jackfield run FILE``, against a real endpoint of
AWS.
"""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from tests.jackfield_dapr.workflow_files import CONFIG, PROVIDER, Runner, notify
from tests.jackfield_formats.foreign_files import write

from fake_aws import FakeAws
from shell import Shell

pytest_plugins = ["shell_fixture", "tests.jackfield_dapr.workflow_fixture"]

SAMPLES = Path(__file__).parents[1] / "jackfield_formats" / "samples"


def test_t1_each_recipient_gets_a_mail_of_its_own(flow: Runner, aws: FakeAws) -> None:
    """Two recipients are two mails with one To each, both texts, and the outcome of each."""
    flow.steps(CONFIG)
    step = flow.step()
    assert sorted(message.to for message in aws.messages) == [
        ("kim@rcpt.test",),
        ("lee@rcpt.test",),
    ]
    for message in aws.messages:
        content = message.content
        assert (message.source, message.kind, content.subject) == (
            "alerts@sender.test",
            "simple",
            "Access on",
        )
        assert (content.text, content.html, content.charsets["text"]) == (
            "You are in.",
            "<h1>You are in.</h1>",
            "UTF-8",
        )
    assert (step["task"], step["status"], step["provider"]) == ("notify", "succeeded", "mail-eu")
    assert [item["to"] for item in step["recipients"]] == ["kim@rcpt.test", "lee@rcpt.test"]
    sent = {message.to[0]: message.message_id for message in aws.messages}
    assert {
        item["to"]: item["result"]["output"]["MessageId"] for item in step["recipients"]
    } == sent


def test_t1_mails_are_sent_side_by_side(flow: Runner, aws: FakeAws) -> None:
    """Both mails are on their way before either is answered."""
    flow.steps(CONFIG)
    aws.script([{"do": "hang", "operation": "SendEmail", "times": 2}])
    seen: list[bool] = []

    def release() -> None:
        seen.append(aws.wait_until(lambda fake: fake.received == 2))
        aws.release()

    watch = Thread(target=release)
    watch.start()
    step = flow.step()
    watch.join()
    assert (step["status"], seen) == ("succeeded", [True])


@pytest.mark.parametrize("extra", [{"fanout": "single"}, {"cc": "boss@rcpt.test"}])
def test_t1_one_mail_may_go_to_all(flow: Runner, aws: FakeAws, extra: dict[str, str]) -> None:
    """With fanout: single, or with copies that would come once for each recipient, one mail goes to
    all.
    """
    flow.steps({**CONFIG, **extra})
    assert flow.step()["recipients"][0]["to"] == CONFIG["to"]
    (message,) = aws.messages
    assert (message.to, message.cc) == (
        ("kim@rcpt.test", "lee@rcpt.test"),
        ("boss@rcpt.test",) if "cc" in extra else (),
    )


def test_t2_the_sender_comes_from_the_environment(
    flow: Runner, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider's type may be named directly, and its sender be a variable."""
    monkeypatch.setenv("MAIL_FROM", "ops@sender.test")
    config = {name: value for name, value in PROVIDER["config"].items() if name != "platform"}  # type: ignore[attr-defined]
    flow.file(
        [{"name": "w", "steps": [{"task": "notify", "config": CONFIG}]}],
        {"mail-eu": {**PROVIDER, "provider": "email.ses", "config": config}},
    )
    flow.step()
    assert {message.source for message in aws.messages} == {"ops@sender.test"}


@pytest.mark.parametrize("name", ["mail-eu", "Ops mail", "email", "email.ses"])
def test_a_provider_is_found_by_key_name_or_type(flow: Runner, aws: FakeAws, name: str) -> None:
    """All three say which provider is meant."""
    flow.steps({**CONFIG, "provider": name})
    assert flow.step()["provider"] == "mail-eu"


def test_a_key_goes_before_a_name_and_that_before_a_type(flow: Runner, aws: FakeAws) -> None:
    """Where several fit, the closest one is taken."""
    providers = {
        "a": {**PROVIDER, "name": "email"},
        "b": {**PROVIDER, "name": "a"},
        "c": PROVIDER,
    }
    for name, found in (("a", "a"), ("email", "a"), ("email.ses", "a"), ("Ops mail", "c")):
        flow.file(
            [
                {
                    "name": "w",
                    "steps": [
                        {
                            "task": "notify",
                            "config": {**CONFIG, "provider": name, "to": "kim@rcpt.test"},
                        }
                    ],
                }
            ],
            providers,
        )
        assert flow.step()["provider"] == found, name


@pytest.mark.parametrize("entry", [{"enabled": False}, {"config": {"platform": "ses"}}])
def test_t5_t6_a_provider_that_is_not_there_is_told(
    flow: Runner, aws: FakeAws, entry: dict[str, Any]
) -> None:
    """A provider that is not enabled, or was left out as broken, is not found; nothing is sent."""
    flow.file(
        [{"name": "w", "steps": [{"task": "notify", "config": CONFIG}]}],
        {"mail-eu": {**PROVIDER, **entry}},
    )
    assert flow.refusal().startswith("no matching provider found for name: mail-eu")
    assert aws.received == 0


def test_t5_other_providers_stay_usable(flow: Runner, aws: FakeAws) -> None:
    """A broken provider is told on stderr, and the others notify."""
    providers = {"bad": {**PROVIDER, "config": {"platform": "ses"}}, "mail-eu": PROVIDER}
    flow.file([{"name": "w", "steps": [{"task": "notify", "config": CONFIG}]}], providers)
    answer = flow.run()
    assert answer.code == 0
    assert "providers.bad: missing email configuration field(s): [from]" in answer.err


def test_t10_recipients_may_be_one_text(flow: Runner, aws: FakeAws) -> None:
    """Commas part recipients, but not inside a name."""
    flow.steps(
        {**CONFIG, "to": 'kim@rcpt.test, "Lee, Ada" <lee@rcpt.test>, Min, Countess <min@rcpt.test>'}
    )
    assert [item["to"] for item in flow.step()["recipients"]] == [
        "kim@rcpt.test",
        '"Lee, Ada" <lee@rcpt.test>',
        "Min, Countess <min@rcpt.test>",
    ]


@pytest.mark.parametrize("to", [[], "", None, [5], {"a": 1}])
def test_t11_somebody_must_be_told(flow: Runner, aws: FakeAws, to: object) -> None:
    """Without a recipient nothing is asked of SES."""
    flow.steps({**CONFIG, "to": to})
    step = flow.step(code=2)
    assert (step["status"], step["error"]) == (
        "failed",
        "a contact 'to' must be provided for notifiers",
    )
    assert aws.received == 0


def test_t11_something_must_be_said(flow: Runner, aws: FakeAws) -> None:
    """Without a message nothing is asked of SES."""
    flow.steps({"provider": "mail-eu", "to": "kim@rcpt.test"})
    assert flow.step(code=2)["error"].startswith("invalid notification request")
    assert aws.received == 0


def test_t12_one_that_fails_is_a_warning(flow: Runner, aws: FakeAws) -> None:
    """Where one of two mails is refused the task is partial, with a warning that names the one; the
    workflow has not succeeded.
    """
    flow.steps({**CONFIG, "to": ["kim@rcpt.test", "lee@rcpt"]})
    answer = flow.run()
    (step,) = answer.json["steps"]
    assert (answer.json["status"], step["status"]) == ("failed", "partial")
    assert step["warning"].startswith("1 of 2 notification requests failed: lee@rcpt: ")
    assert [item["result"]["status"] for item in step["recipients"]] == ["succeeded", "failed"]
    assert answer.code == 2
    assert step["warning"] in answer.err


def test_t12_one_that_the_provider_refuses_is_a_warning(flow: Runner, aws: FakeAws) -> None:
    """Where SES refuses one of two mails, the other one has arrived, and both outcomes are told."""
    aws.configure(sandbox=True, identities=["sender.test", "kim@rcpt.test"])
    flow.steps(CONFIG)
    step = flow.step(code=1)
    assert [item["result"].get("error", {}).get("code") for item in step["recipients"]] == [
        None,
        "rejected",
    ]
    assert step["warning"].startswith("1 of 2 notification requests failed: lee@rcpt.test: ")
    assert [message.to for message in aws.messages] == [("kim@rcpt.test",)]


def test_t12_one_that_is_throttled_to_the_end_is_a_warning(flow: Runner, aws: FakeAws) -> None:
    """A mail that SES throttles beyond its deadline is told."""
    flow.steps({**CONFIG, "to": ["kim@rcpt.test"], "fanout": "each"})
    fault = {
        "do": "status",
        "status": 400,
        "code": "TooManyRequestsException",
        "operation": "SendEmail",
        "headers": {"Retry-After": "90"},
    }
    aws.script([{**fault, "always": True}])
    step = flow.step("--timeout", "20s", code=1)
    assert step["recipients"][0]["result"]["error"]["code"] == "rate_limited"
    assert step["error"].startswith("all notification requests failed: kim@rcpt.test: ")


def test_f1_every_recipient_gets_a_mail_from_a_provider_that_throttles(
    flow: Runner, aws: FakeAws
) -> None:
    """20 recipients where SES accepts 10 mails a second, eight at a time: 20 mails, and the
    workflow has succeeded.
    """
    aws.configure(rates={"SendEmail": 10})
    to = [f"user{number}@rcpt.test" for number in range(20)]
    flow.steps({**CONFIG, "to": to})
    answer = flow.run()
    assert (answer.code, answer.json["status"]) == (0, "succeeded")
    assert sorted(address for message in aws.messages for address in message.to) == sorted(to)


OTHER = {**PROVIDER, "name": "New mail", "config": {**PROVIDER["config"], "access_key_id": "k2"}}  # type: ignore[dict-item]
BOTH = {"mail-eu": PROVIDER, "mail-new": OTHER}


@pytest.mark.parametrize(
    ("weights", "least", "most"),
    [((90, 10), 1, 12), ((10, 90), 28, 39), ((1, 0), 0, 0), ((0, 1), 40, 40)],
)
def test_traffic_moves_from_one_provider_to_another_by_weight(
    flow: Runner, aws: FakeAws, weights: tuple[int, int], least: int, most: int
) -> None:
    """Each recipient gets one mail, through a provider chosen by weight; the answer has the
    recipients in their order, and the shares.
    """
    to = [f"user{number}@rcpt.test" for number in range(40)]
    config = {**CONFIG, "to": to, "provider": dict(zip(BOTH, weights, strict=True))}
    flow.file(
        [{"name": "w", "steps": [{"task": "notify", "type": "email", "config": config}]}], BOTH
    )
    step = flow.step()
    moved = [message.to[0] for message in aws.messages if message.access_key_id == "k2"]
    assert least <= len(moved) <= most
    assert step["provider"] == {"mail-eu": 40 - len(moved), "mail-new": len(moved)}
    assert [item["to"] for item in step["recipients"]] == to
    assert sorted(message.to[0] for message in aws.messages) == sorted(to)


def test_a_higher_weight_moves_no_one_back(flow: Runner, aws: FakeAws) -> None:
    """Whoever has moved to the new provider stays there while its weight grows."""
    to = [f"user{number}@rcpt.test" for number in range(40)]
    shares: list[set[str]] = []
    for weight in (20, 50, 80):
        config = {**CONFIG, "to": to, "provider": {"mail-eu": 100 - weight, "mail-new": weight}}
        flow.file([{"name": "w", "steps": [{"task": "notify", "config": config}]}], BOTH)
        before = len(aws.messages)
        flow.step()
        shares.append(
            {message.to[0] for message in aws.messages[before:] if message.access_key_id == "k2"}
        )
    assert shares[0] < shares[1] < shares[2]


def test_one_mail_to_all_has_one_provider(flow: Runner, aws: FakeAws) -> None:
    """With fanout: single the one mail goes through one of the providers."""
    flow.file(
        [
            {
                "name": "w",
                "steps": [
                    {
                        "task": "notify",
                        "config": {
                            **CONFIG,
                            "fanout": "single",
                            "provider": {"mail-eu": 1, "mail-new": 1},
                        },
                    }
                ],
            }
        ],
        BOTH,
    )
    assert sorted(flow.step()["provider"].values()) == [0, 1]
    assert len(aws.messages) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mail-eu": 0}, "'steps[0]': every provider has the weight 0"),
        (
            {"mail-eu": -1},
            "'steps[0]': the weight of the provider 'mail-eu' must be a number of at least 0",
        ),
        (
            {"mail-eu": "x"},
            "'steps[0]': the weight of the provider 'mail-eu' must be a number of at least 0",
        ),
        ({"mail-eu": 1, "mail-x": 1}, "no matching provider found for name: mail-x"),
        ({}, "'steps[0]': no provider is set"),
        (["mail-eu"], "'steps[0]': no provider is set"),
    ],
)
def test_wrong_weights_are_refused_before_anything_is_sent(
    flow: Runner, aws: FakeAws, given: object, says: str
) -> None:
    """Weights are numbers, one of them above 0, and every provider must be there."""
    flow.file(
        [{"name": "w", "steps": [{"task": "notify", "config": {**CONFIG, "provider": given}}]}]
    )
    assert flow.refusal() == says
    assert aws.received == 0


def test_a_disabled_provider_is_told(flow: Runner, aws: FakeAws) -> None:
    """A workflow whose provider is switched off says that it is there, and where to switch it
    on.
    """
    flow.file(
        [{"name": "w", "steps": [{"task": "notify", "config": CONFIG}]}],
        {"mail-eu": {**PROVIDER, "enabled": False}},
    )
    says = "flow.yaml: providers.mail-eu exists, but not enabled: set 'enabled: true'"
    assert flow.refusal() == f"no matching provider found for name: mail-eu ({says})"


def test_a_configuration_set_is_an_option_of_the_task(flow: Runner, aws: FakeAws) -> None:
    """The task's set goes over the provider's."""
    provider = {**PROVIDER, "config": {**PROVIDER["config"], "configuration_set": "usual"}}  # type: ignore[dict-item]
    steps = [
        {"task": "notify", "config": {**CONFIG, "to": "kim@rcpt.test", **more}}
        for more in ({}, {"configuration_set": "reports"})
    ]
    flow.file([{"name": "w", "steps": steps}], {"mail-eu": provider})
    aws.configure(configuration_sets=["usual", "reports"])
    assert flow.run().code == 0
    assert [message.configuration_set for message in aws.messages] == ["usual", "reports"]


def test_f1_a_workflow_with_losses_has_not_succeeded(flow: Runner, aws: FakeAws) -> None:
    """Where some mails of a task are lost the next task runs, and the workflow says that it
    failed.
    """
    flow.file(
        [
            {
                "name": "w",
                "steps": [
                    {"task": "notify", "config": {**CONFIG, "to": ["kim@rcpt.test", "lee@rcpt"]}},
                    {"task": "notify", "config": CONFIG},
                ],
            }
        ]
    )
    answer = flow.run()
    assert [step["status"] for step in answer.json["steps"]] == ["partial", "succeeded"]
    assert (answer.code, answer.json["status"]) == (2, "failed")


def test_t13_all_that_fail_end_the_workflow(flow: Runner, aws: FakeAws) -> None:
    """Where every mail fails the task has failed with all causes, and what follows is not run."""
    aws.configure(identities=["example.com"])
    flow.file(
        [
            {
                "name": "w",
                "steps": [
                    {"task": "notify", "config": CONFIG},
                    {"task": "notify", "config": CONFIG},
                ],
            }
        ]
    )
    answer = flow.run()
    (step,) = answer.json["steps"]
    assert (answer.code, answer.json["status"], step["status"]) == (1, "failed", "failed")
    assert step["error"].startswith("all notification requests failed: kim@rcpt.test: ")
    assert "; lee@rcpt.test: " in step["error"]
    assert aws.received == 2


def test_a_mail_in_doubt_is_told_and_not_repeated(flow: Runner, aws: FakeAws) -> None:
    """A mail that may have been sent is in doubt: exit code 3, one delivery."""
    flow.steps({**CONFIG, "to": "kim@rcpt.test"})
    aws.script([{"do": "reset", "operation": "SendEmail"}])
    assert flow.step(code=3)["status"] == "in_doubt"
    assert aws.accepted == 1


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([{"task": "approve"}], "steps[0]: the task 'approve' is not supported; supported: notify"),
        ([{"type": "email"}], "steps[0]: the task without a name is not supported"),
        ([5], "steps[0]: must be an object"),
        ({}, "steps: must be a list"),
        ([{"task": "notify"}], "steps[0].config: must be an object"),
        ([{"task": "notify", "type": 5, "config": {}}], "steps[0].type: must be a string"),
        (
            [
                {"task": "notify", "config": CONFIG, "name": "a"},
                {"task": "notify", "config": CONFIG, "name": "a"},
            ],
            "two tasks are named 'a'",
        ),
    ],
)
def test_other_steps_are_refused_before_anything_is_sent(
    flow: Runner, aws: FakeAws, steps: object, says: str
) -> None:
    """The same holds of the list form."""
    flow.file([{"name": "granted", "steps": steps}])
    assert says in flow.refusal()
    assert aws.received == 0


def test_a_notification_of_another_kind_is_refused(flow: Runner, aws: FakeAws) -> None:
    """A provider of mail sends no chat messages."""
    flow.steps(CONFIG, type="slack")
    assert flow.refusal() == "the provider 'mail-eu' notifies by 'email', not by 'slack'"


# Which workflow, and from where


def test_a_workflow_is_named_where_there_are_several(flow: Runner, aws: FakeAws) -> None:
    """A key or a name says which; a wrong one is told with the nearest."""
    step = {"task": "notify", "config": {**CONFIG, "to": "kim@rcpt.test"}}
    flow.file(
        {
            "first": {"name": "First one", "steps": [step]},
            "second": {"steps": [step]},
            "off": {"enabled": False, "steps": [step]},
        }
    )
    assert flow.refusal() == "the file has 3 workflows"
    assert flow.refusal("secnd") == "no workflow is named 'secnd'; did you mean 'second'?"
    assert flow.refusal("off") == "the workflow 'off' is not enabled"
    assert [flow.run(name).json["workflow"] for name in ("first", "First one", "second")] == [
        "First one",
        "First one",
        "second",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "flow.yaml: it is not YAML"),
        ("", "flow.yaml: it is empty"),
        ("a: 1", "the file has no workflow"),
        ("workflows: 5", "workflows: must be a list, or an object"),
        ("workflows: [5]", "workflows[0]: a workflow must be an object"),
        ("workflows: [{name: w}]", "the workflow 'w': it needs 'steps' or 'do'"),
    ],
)
def test_a_file_without_a_workflow_is_refused(
    flow: Runner, shell: Shell, text: str, says: str
) -> None:
    """What is wrong with the file is told."""
    write(shell.folder, "flow.yaml", text)
    assert says in flow.refusal()


BROKEN = "---\nworkflows: [{name: granted, steps: [\n"


@pytest.mark.parametrize("words", [(), ("granted",)])
@pytest.mark.parametrize("by", ["path", "stdin"])
def test_a_broken_document_beside_a_good_one_is_told(
    flow: Runner, shell: Shell, words: tuple[str, ...], by: str
) -> None:
    """Where the workflow stands in what cannot be read, that is said, with its place: on stderr and
    in the error.
    """
    flow.file([])
    text = (shell.folder / "flow.yaml").read_text() + BROKEN
    write(shell.folder, "flow.yaml", text)
    answer = flow.run(*words) if by == "path" else shell.run("run", "-", *words, stdin=text)
    fault = f"{'flow.yaml' if by == 'path' else 'stdin'}, document 2: it is not YAML: "
    assert answer.code == 2
    assert f"Parts of the file cannot be read: {fault}" in answer.json["error"]["hint"]
    assert f"jackfield: {fault}" in answer.err


@pytest.mark.parametrize("by", ["path", "stdin"])
def test_a_broken_document_is_told_once_where_the_workflow_runs(
    flow: Runner, shell: Shell, aws: FakeAws, by: str
) -> None:
    """A fault spoils only what it is in, and is told all the same."""
    flow.steps({**CONFIG, "to": "kim@rcpt.test"})
    text = (shell.folder / "flow.yaml").read_text() + BROKEN
    write(shell.folder, "flow.yaml", text)
    answer = flow.run() if by == "path" else shell.run("run", "-", stdin=text)
    assert (answer.code, len(aws.messages)) == (0, 1)
    assert answer.err.count("document 2: it is not YAML") == 1


def test_all_that_is_broken_is_told(flow: Runner, shell: Shell) -> None:
    """A file of which nothing can be read tells every document."""
    answer = shell.run("run", "-", stdin=f"a: [\n{BROKEN}")
    assert answer.json["error"]["message"].startswith("stdin, document 1: it is not YAML")
    assert answer.json["error"]["details"][0]["message"].startswith(
        "stdin, document 2: it is not YAML"
    )


def test_two_workflows_of_one_name_are_refused(flow: Runner, aws: FakeAws) -> None:
    """Nobody knows which was meant: neither runs, and both places are told."""
    step = {"task": "notify", "config": {**CONFIG, "to": "kim@rcpt.test"}}
    flow.file(
        [
            {"name": "granted", "steps": [step]},
            {"name": "granted", "steps": [step]},
            {"name": "other", "steps": [step]},
        ]
    )
    assert (
        flow.refusal("granted")
        == "2 workflows are named 'granted': flow.yaml: workflows[0] and flow.yaml: workflows[1]"
    )
    assert flow.run("other").code == 0
    assert len(aws.messages) == 1


def test_a_workflow_may_stand_alone_and_use_connections_of_our_own(
    flow: Runner, shell: Shell, aws: FakeAws
) -> None:
    """A DSL document without anything around it runs from stdin, with a connection of a connection
    file as its provider.
    """
    values = {
        "accessKeyId": "k1",
        "secretAccessKey": "s1",
        "region": "eu-west-1",
        "sender": "ops@sender.test",
    }
    write(
        shell.folder,
        "own.yaml",
        yaml.safe_dump({"connections": {"ours": {"type": "aws/apiKeySecret", "values": values}}}),
    )
    shell.set(JACKFIELD_CONNECTIONS="own.yaml")
    document = {"document": {"dsl": "1.0.0", "name": "alone"}, "do": [notify(provider="ours")]}
    answer = shell.run("run", "-", stdin=json.dumps(document))
    assert (answer.code, answer.json["workflow"]) == (0, "alone")
    assert aws.messages[0].source == "ops@sender.test"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with an identity of its own, and a profile beside it; nothing of an earlier
    identity is left.
    """
    config = write(
        tmp_path,
        "aws-config",
        "[profile rota]\naws_access_key_id = AKIROTA\naws_secret_access_key = s\n",
    )
    for name, value in {
        "ACCESS_KEY_ID": "AKIMACHINE",
        "SECRET_ACCESS_KEY": "s",
        "CONFIG_FILE": str(config),
        "REGION": "eu-west-3",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.mark.parametrize(
    ("sample", "key", "region"),
    [
        ("thand-iam-role.yaml", "AKIMACHINE", "us-east-1"),
        ("thand-direct.yaml", "AKIMACHINE", "us-east-1"),
        ("thand-profile.yaml", "AKIROTA", "us-west-2"),
        ("thand-static.yaml", "AKITHANDSAMPLE", "eu-west-1"),
        ("thand-endpoint.yaml", "test", "us-east-1"),
    ],
)
def test_each_form_of_a_provider_runs_the_workflow(
    flow: Runner, machine: None, aws: FakeAws, shell: Shell, sample: str, key: str, region: str
) -> None:
    """The document's workflow sends through each of the five providers: as the machine, as a
    profile, by keys, to an endpoint.
    """
    providers = yaml.safe_load((SAMPLES / sample).read_text())["providers"]
    name, workflow = (
        next(iter(providers)),
        yaml.safe_load((SAMPLES / "thand-workflow.yaml").read_text())["workflows"],
    )
    workflow[0]["steps"][0]["config"]["provider"] = name
    flow.file(workflow, providers)
    if sample == "thand-endpoint.yaml":
        shell.set(TEST_ENDPOINT=aws.url, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert flow.step()["provider"] == name
    (message,) = aws.messages
    assert (message.access_key_id, message.region, message.source) == (
        key,
        region,
        "alerts@sender.test",
    )


def test_a_connection_that_cannot_notify_is_refused(
    flow: Runner, shell: Shell, aws: FakeAws
) -> None:
    """A connection of a connector that declares no notification is no provider."""
    shell.set(JACKFIELD_CONNECTIONS="connections.yaml")
    flow.do(notify(provider="hall"))
    assert (
        flow.refusal() == "the connection 'hall' of the type 'echo/token' cannot send notifications"
    )


def test_providers_may_be_in_other_files(flow: Runner, shell: Shell, aws: FakeAws) -> None:
    """A workflow file may use the providers of the files that the environment names; a folder that
    holds itself is no problem.
    """
    for name in ("thand-workflow.yaml", "thand-static.yaml"):
        write(shell.folder, name, (SAMPLES / name).read_text())
    shell.set(JACKFIELD_CONNECTIONS=f"thand-static.yaml:{shell.folder}/thand-workflow.yaml")
    answer = shell.run("run", "thand-workflow.yaml", "granted")
    assert answer.code == 0, answer.err
    (message,) = aws.messages
    assert (message.access_key_id, message.to, message.content.subject) == (
        "AKITHANDSAMPLE",
        ("kim@rcpt.test",),
        "Access on",
    )
    assert "<h1>Access on</h1>" in str(message.content.html)


def test_a_dry_run_sends_nothing(flow: Runner, aws: FakeAws) -> None:
    """Everything up to the mails is done."""
    flow.steps(CONFIG)
    assert {item["result"]["meta"]["dryRun"] for item in flow.step("--dry-run")["recipients"]} == {
        True
    }
    assert aws.received == 0


@pytest.mark.parametrize("word", ["name", "=1", "name=Kim", "name={"])
def test_values_are_json(flow: Runner, aws: FakeAws, word: str) -> None:
    """--set takes a name and JSON, and says how to write a text."""
    flow.steps(CONFIG)
    assert flow.refusal("--set", word)
