"""The DSL form of Thand's workflows: notify, set, switch and if; everything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.jackfield_dapr.workflow_files import PROVIDER, Runner, notify

from fake_aws import FakeAws
from shell import Answer

pytest_plugins = ["shell_fixture", "tests.jackfield_dapr.workflow_fixture"]

SAMPLES = Path(__file__).parents[1] / "jackfield_formats" / "samples"


def test_t14_the_dsl_form_notifies(flow: Runner, aws: FakeAws) -> None:
    """A message is an expression over what --set gives; the subject is the one that is given."""
    flow.do(notify(message='${ "Hi \\($context.user.name)" }', subject="Welcome"))
    flow.step("--set", 'user={"name": "Kim"}')
    assert (aws.messages[0].content.text, aws.messages[0].content.subject) == ("Hi Kim", "Welcome")


def test_a_workflow_reads_no_variable_of_our_own(
    flow: Runner, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expressions see the environment, in which the master key may be: a workflow could mail it to
    its author.
    """
    monkeypatch.setenv("JACKFIELD_X", "hush-4711")
    monkeypatch.setenv("DESK", "desk-4711")
    flow.do(notify(message='${ "\\(.DESK) \\(.JACKFIELD_X) \\(env.JACKFIELD_X)" }'))
    flow.step()
    assert aws.messages[0].content.text == "desk-4711 null null"


def test_t14_without_a_subject_there_is_the_usual_one(flow: Runner, aws: FakeAws) -> None:
    """Strictly the subject is always the usual one, and nothing but provider, recipient and message
    is read.
    """
    flow.do(notify(subject="Welcome", cc="boss@rcpt.test"))
    flow.step("--compat", "strict")
    flow.do(notify())
    flow.step()
    assert [(message.content.subject, message.cc) for message in aws.messages] == [
        ("Workflow Notification", ())
    ] * 2


def test_t15_a_page_of_a_message_shows_its_characters(flow: Runner, aws: FakeAws) -> None:
    """The HTML that is made of a message means nothing but its text."""
    flow.do(notify(message='<b>x</b> & "y"\n<script>alert(1)</script>'))
    flow.step()
    content = aws.messages[0].content
    assert content.text == '<b>x</b> & "y"\n<script>alert(1)</script>'
    assert "&lt;b&gt;x&lt;/b&gt; &amp; &quot;y&quot;<br>\n&lt;script&gt;" in str(content.html)
    assert "<b>" not in str(content.html)


@pytest.mark.parametrize(
    ("given", "ran", "sent"),
    [
        (
            ['user={"name": "Kim", "email": "kim@rcpt.test"}', 'watchers=["lee@rcpt.test"]'],
            ["choose", "words", "tell"],
            2,
        ),
        (['user={"name": "Kim"}'], ["choose", "words", "tell"], 0),
        (["quiet=true", "user={}"], ["choose"], 0),
    ],
)
def test_branches_are_taken_as_they_say(
    flow: Runner, aws: FakeAws, given: list[str], ran: list[str], sent: int
) -> None:
    """switch, set and if do what the sample says, and then ends it."""
    flow.file(
        yaml.safe_load((SAMPLES / "thand-dsl.yaml").read_text())["workflows"], {"alerts": PROVIDER}
    )
    answer = flow_run(flow, given)
    assert (answer.code, [step["name"] for step in answer.json["steps"]]) == (0, ran)
    assert len(aws.messages) == sent
    assert {message.content.text for message in aws.messages} <= {"Hi Kim, you are in."}


def flow_run(flow: Runner, given: list[str]) -> Answer:
    """A run with values given."""
    return flow.run(*(word for item in given for word in ("--set", item)))


def test_then_may_lead_anywhere_but_not_for_ever(flow: Runner, aws: FakeAws) -> None:
    """A task may lead to any other; a circle ends with an error."""
    flow.do(
        {"one": {"set": {"a": 1}, "then": "three"}},
        {"two": {"set": {"b": 1}, "then": "end"}},
        {"three": {"set": {"c": 1}, "then": "two"}},
    )
    assert [step["name"] for step in flow.run().json["steps"]] == ["one", "three", "two"]
    flow.do({"one": {"set": {"a": 1}, "then": "one"}})
    answer = flow.run()
    assert (answer.code, answer.json["status"]) == (2, "failed")
    assert "more than 1,000 tasks" in answer.json["steps"][-1]["error"]


def test_a_switch_without_a_case_goes_on(flow: Runner, aws: FakeAws) -> None:
    """Where no case fits, the next task follows."""
    flow.do({"choose": {"switch": [{"never": {"when": "${ false }", "then": "end"}}]}}, notify())
    assert [step["name"] for step in flow.run().json["steps"]] == ["choose", "tell"]


def test_an_expression_that_fails_ends_the_workflow(flow: Runner, aws: FakeAws) -> None:
    """The expression is quoted, its values are not."""
    flow.do(notify(message="${ $context.user + 1 }"))
    step = flow.step("--set", 'user="hush"', code=2)
    assert (
        step["error"]
        == "message: the expression '$context.user + 1': a text and a number cannot be added"
    )
    assert aws.received == 0


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ({"call": "http", "with": {}}, "do[1].x: the task 'call' is not supported"),
        (
            {"thand": "approvals", "with": {}},
            "do[1].x: the task thand 'approvals' is not supported; supported: notify",
        ),
        ({"for": {}, "do": []}, "do[1].x: the task 'for' is not supported"),
        ({}, "do[1].x: the task without a kind is not supported"),
        ({"thand": "notify"}, "do[1].x.with: must be an object"),
        ({"set": 5}, "do[1].x.set: must be an object"),
        ({"set": {}, "then": 5}, "do[1].x.then: must be the name of a task"),
        ({"set": {}, "then": "nowhere"}, "'x': then: no task is named 'nowhere'"),
        ({"set": {}, "if": 5}, "do[1].x.if: must be an expression"),
        ({"set": {}, "if": "${ ( }"}, "do[1].x.if: the expression '(' cannot be read"),
        ({"set": {"a": "${ ( }"}}, "do[1].x: a: the expression '(' cannot be read"),
        ({"switch": {}}, "do[1].x.switch: must be a list"),
        ({"switch": ["a"]}, "do[1].x.switch[0]: must be an object"),
        ({"switch": [{"a": {}}]}, "do[1].x.switch[0].a: must be an object with 'then'"),
        (5, "do[1].x: must be an object"),
    ],
)
def test_other_tasks_are_refused_before_anything_is_sent(
    flow: Runner, aws: FakeAws, task: object, says: str
) -> None:
    """What cannot be run is refused by name, although a task before it could be."""
    flow.do(notify(), {"x": task})
    message = flow.refusal()
    assert message.startswith("flow.yaml: workflows.granted: the workflow 'Access granted': ")
    assert says in message
    assert aws.received == 0
