"""A connector answers in a child as it does in this process: every kind of question that jackfield
asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isolated import both_ways
from jackfield_store.runtime import Jackfield

CONNECTIONS = {
    name: {"type": "rich/named", "values": {"name": name}} for name in ("ada", "beginner")
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Jackfield, Jackfield]]:
    """A runtime with the connector in this process, and one with the connector in a child."""
    with both_ways(tmp_path_factory.mktemp("home"), "rich", CONNECTIONS) as runtimes:
        yield runtimes


def invoke(
    action: str, inputs: dict[str, Any], connection: str = "ada", **more: Any
) -> Callable[[Jackfield], Any]:
    """A call, as what the caller sees of its Result."""

    def run(runtime: Jackfield) -> Any:
        given = {
            "connector": "rich",
            "action": action,
            "connection": connection,
            "inputs": inputs,
            **more,
        }
        found = runtime.invoke(given).to_json()
        return {
            **found,
            "meta": {
                name: value
                for name, value in found["meta"].items()
                if name not in {"invocationId", "durationMs"}
            },
        }

    return run


def without_time(trial: dict[str, Any]) -> dict[str, Any]:
    """A connection with its last test, without the time of that."""
    return {**trial, "lastTest": trial["lastTest"]["steps"]}


QUESTIONS: dict[str, Callable[[Jackfield], Any]] = {
    "a paced write": invoke("say", {"text": "hi"}),
    "a call beyond the plan": invoke("say", {"text": "hello"}, "beginner"),
    "a preview": invoke("say", {"text": "hi", "preview": True}, dryRun=True),
    "a dry run": invoke("say", {"text": "hi"}, dryRun=True),
    "a repeat that finds it done": invoke("forget", {"text": "hi"}),
    "a refusal with details": invoke("refuse", {"text": "hi"}),
    "a success with warnings": invoke("warn", {"text": "hi"}),
    "a success in part": invoke("halve", {"text": "hi"}),
    "a failure in part": invoke("halve", {"text": "hi"}, partial="fail"),
    "all pages": invoke("list", {"fetchAll": True}),
    "one page": invoke("list", {"nextToken": "2"}),
    "a page that may be the last": invoke("list", {"nextToken": "9"}),
    "an input that is wrong": invoke("say", {"text": 5}),
    "live choices": lambda runtime: runtime.options(
        "rich", "rooms", connection="ada", inputs={"floor": 3}
    ),
    "a connection's test": lambda runtime: without_time(runtime.connections.test("ada")),
    "policies": lambda runtime: runtime.connections.policy("ada", principal_arn="me"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_is_the_same(both: tuple[Jackfield, Jackfield], question: str) -> None:
    """Both give one answer."""
    ours, isolated = (QUESTIONS[question](runtime) for runtime in both)
    assert isolated == ours


def test_w2_a_throttle_slows_the_same_calls(both: tuple[Jackfield, Jackfield]) -> None:
    """The inputs by which an action is paced hold for a child, too: other values do not wait."""
    for runtime in both:
        found = [
            invoke("throttle", {"text": text}, timeoutSeconds=5)(runtime)
            for text in ("slow", "fine", "slow")
        ]
        seen = [(one.get("error", {}).get("code"), one["meta"]["attempts"]) for one in found]
        assert seen == [("rate_limited", 1), (None, 1), ("rate_limited", 0)]


def test_a_page_that_may_be_the_last_leaves_its_list_open(
    both: tuple[Jackfield, Jackfield],
) -> None:
    """A list is not complete where the action could not tell its end, in a child, too."""
    for runtime in both:
        meta = QUESTIONS["a page that may be the last"](runtime)["meta"]
        assert (meta["complete"], meta["warnings"]) == (
            False,
            [{"path": "", "message": "the list may go on False"}],
        )


def test_events_come_from_a_process_of_its_own(both: tuple[Jackfield, Jackfield]) -> None:
    """A caller who asks for events gets them one by one from a child, too, and the Result at the
    end.
    """
    for runtime in both:
        stream = runtime.stream(
            {"connector": "rich", "action": "count", "connection": "ada", "inputs": {"text": "hi"}}
        )
        assert [event["number"] for event in stream] == [0, 1, 2]
        assert stream.result.unwrap() == {"events": [{"number": number} for number in range(3)]}


def test_m2_warnings_of_an_action_are_bounded(both: tuple[Jackfield, Jackfield]) -> None:
    """What an action says about its success is in ``meta.warnings``: at most 20 entries, each
    bounded, with a pointer or none.
    """
    for runtime in both:
        warnings = QUESTIONS["a success with warnings"](runtime)["meta"]["warnings"]
        assert warnings[0] == {"path": "/text", "message": "ada was told"}
        assert len(warnings) == 20
        assert {(item["path"], len(item["message"])) for item in warnings[1:]} == {("", 1000)}


def test_the_key_of_an_invocation(both: tuple[Jackfield, Jackfield]) -> None:
    """An action that is idempotent by its key reads it in the child."""
    result = both[1].invoke(
        {"connector": "rich", "action": "byKey", "connection": "ada", "inputs": {"text": "hi"}}
    )
    assert result.unwrap()["TheText"] == f"hi {result.meta.invocation_id}"
