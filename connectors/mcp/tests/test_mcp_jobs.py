"""A server's tasks are jobs: polled by the runtime, answered, cancelled, and found again by another
process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_rig import (
    Answers,
    Talk,
    ToolServer,
    call,
    generate,
    installed,
    running,
    said,
    serving,
    tool,
)
from waiting import until

EXTENSION = "io.modelcontextprotocol/tasks"
ASKED = {
    "ok": {
        "method": "elicitation/create",
        "params": {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}},
    }
}
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


class TaskServer(ToolServer):
    """Server whose calls become tasks, which are in the states of ``states``, one after the other;
    the last one stays.
    """

    def __init__(self, *states: Mapping[str, Any], **more: Any) -> None:
        super().__init__(tool(**more))
        self.capabilities["extensions"] = {EXTENSION: {}}
        self.states = [*states]
        self.on_call = lambda talk: talk.result(
            {"resultType": "task", "taskId": "t-1", "status": "working", "ttlMs": None}
        )
        self.on_other = self.task

    def task(self, talk: Talk) -> None:
        """Answer a request for the task."""
        assert talk.message["params"]["taskId"] == talk.headers["Mcp-Name"] == "t-1"
        assert EXTENSION in talk.message["params"]["_meta"][_CAPABILITIES]["extensions"]
        if talk.message["method"] == "tasks/cancel":
            self.states = [{"status": "cancelled"}]
        if talk.message["method"] != "tasks/get":
            talk.result({"resultType": "complete"})
            return
        state = self.states[0]
        self.states = self.states[1:] or self.states
        talk.result({"resultType": "complete", "taskId": "t-1", **state})


def working(text: str = "melting") -> dict[str, Any]:
    """A task that runs."""
    return {"status": "working", "statusMessage": text, "pollIntervalMs": 1}


def done(**result: Any) -> dict[str, Any]:
    """A task that has a result."""
    return {"status": "completed", "result": said("done", **result)}


@contextmanager
def stage(folder: Path, server: ToolServer, answers: Answers | None = None) -> Iterator[Any]:
    """Run the server, its connector and a runtime with a journal."""
    folder.mkdir(exist_ok=True)
    with serving(server):
        generate(folder, server.url)
        with installed(folder, database=f"sqlite:///{folder}/j.db", answers=answers) as jackfield:
            yield jackfield


def told(jackfield: Any, begun: Any, text: str) -> None:
    """Wait until a job says something."""
    until(
        lambda: (jackfield.wait(begun.meta.invocation_id, 0.5).progress or {}).get("text") == text
    )


def test_a_task_is_a_job(tmp_path: Path) -> None:
    """The call waits for its end, within its deadline; the task was made once, and looked at until
    it had ended.
    """
    server = TaskServer(working(), working("cooling"), done())
    with stage(tmp_path, server) as jackfield:
        action = jackfield.catalog.find("notes").actions["addNote"]
        seen: list[Any] = []
        result = call(jackfield, follow=seen.append)
    assert (action.is_job, action.can_cancel) == (True, True)
    assert (result.status, result.output["content"]) == (
        "succeeded",
        [{"type": "text", "text": "done"}],
    )
    assert (server.count("tools/call"), server.count("tasks/get")) == (1, 3)
    assert "melting" in [one["text"] for one in seen]


def test_a_task_outlives_its_call(tmp_path: Path) -> None:
    """A call whose time is over leaves a job that runs; another process ends it."""
    server = TaskServer(working())
    with stage(tmp_path, server) as jackfield:
        begun = call(jackfield, timeoutSeconds=2)
        assert begun.status == "running"
        told(jackfield, begun, "melting")
        server.states = [done()]
        with running(database=f"sqlite:///{tmp_path}/j.db") as other:
            assert other.wait(begun.meta.invocation_id, 30).status == "succeeded"
    assert server.count("tools/call") == 1


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (
            {"status": "completed", "result": said("no such note", isError=True)},
            "rejected",
            "no such note",
        ),
        (
            {"status": "failed", "error": {"code": -32603, "message": "it broke"}},
            "rejected",
            "it broke",
        ),
        ({"status": "failed", "error": "disk full"}, "rejected", "disk full"),
        ({"status": "cancelled", "statusMessage": "by the boss"}, "rejected", "by the boss"),
    ],
)
def test_a_task_without_success(
    tmp_path: Path, state: dict[str, Any], code: str, words: str
) -> None:
    """The server's word ends the job, with its reason."""
    with stage(tmp_path, TaskServer(state)) as jackfield:
        error = call(jackfield).error
    assert (error.code, words in error.message) == (code, True)


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize(
    "state",
    [
        {**done(), "error": {"code": 1, "message": "disk full"}},
        {**done(), "error": "disk full"},
        {"status": "completed", "result": {**said("done"), "error": "disk full"}},
    ],
)
def test_a_task_with_a_result_and_an_error(
    tmp_path: Path, state: dict[str, Any], is_stored: bool
) -> None:
    """Such a task is in doubt, as a direct answer is, also where the job cannot be stored."""
    server = TaskServer(working(), state)
    with serving(server):
        generate(tmp_path, server.url)
        with installed(
            tmp_path, database=f"sqlite:///{tmp_path}/j.db" if is_stored else "none"
        ) as jackfield:
            found = call(jackfield, timeoutSeconds=60)
    assert (found.status, server.count("tools/call"), server.count("tasks/get")) == (
        "in_doubt",
        1,
        2,
    )


@pytest.mark.parametrize("error", [None, {}, ""])
def test_a_task_with_a_result_and_an_empty_error(tmp_path: Path, error: Any) -> None:
    """An empty error is as if left out."""
    with stage(tmp_path, TaskServer({**done(), "error": error})) as jackfield:
        assert call(jackfield, timeoutSeconds=60).status == "succeeded"


def test_an_answer_that_makes_no_sense_ends_nothing(tmp_path: Path) -> None:
    """A status that nobody knows, or a result that is none: the job is looked at again."""
    server = TaskServer({"status": "dancing"}, {"status": "completed"}, done())
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, timeoutSeconds=60).status == "succeeded"
    assert server.count("tasks/get") == 3


LOST: list[tuple[Callable[[Talk], object], str]] = [
    (lambda talk: talk.error(-32602, "Unknown task"), "Unknown task"),
    (lambda talk: talk.error(-32602, "Unknown task", 404), "Unknown task"),
    (lambda talk: talk.json(b"", 404), "status 404"),
    (lambda talk: talk.json(b"", 410), "status 410"),
]


@pytest.mark.parametrize(("answer", "words"), LOST)
def test_a_task_that_the_server_has_lost(
    tmp_path: Path, answer: Callable[[Talk], object], words: str
) -> None:
    """The job goes on, and its status says why nothing is known of it; once the server knows the
    task again, it ends.
    """
    server, is_lost = TaskServer(working()), [True]
    server.on_other = lambda talk: answer(talk) if is_lost else server.task(talk)
    with stage(tmp_path, server) as jackfield:
        begun = call(jackfield, timeoutSeconds=2)
        assert (
            begun.status,
            words in jackfield.wait(begun.meta.invocation_id, 0.5).progress["text"],
        ) == ("running", True)
        is_lost.clear()
        server.states = [done()]
        assert jackfield.wait(begun.meta.invocation_id, 30).status == "succeeded"
    assert server.count("tools/call") == 1


@pytest.mark.parametrize(("answer", "words"), LOST)
def test_a_task_that_the_server_has_kept_as_long_as_it_said(
    tmp_path: Path, answer: Callable[[Talk], object], words: str
) -> None:
    """Once that time is over, nobody will learn the outcome of a task that the server does not
    know: the write is in doubt at once.
    """
    server = TaskServer(working())
    server.on_call = lambda talk: talk.result(
        {"resultType": "task", "taskId": "t-1", "status": "working", "ttlMs": 1}
    )
    server.on_other = answer
    with stage(tmp_path, server) as jackfield:
        found = call(jackfield, timeoutSeconds=60)
    assert (found.status, words in found.error.message, server.count("tasks/get")) == (
        "in_doubt",
        True,
        1,
    )


@pytest.mark.parametrize(
    "answer",
    [
        lambda talk: talk.json(b"", 403),
        lambda talk: talk.json(b"", 302, Location="/login"),
        lambda talk: talk.error(-32601, "Method not found"),
        lambda talk: talk.json(b"", 500),
    ],
)
def test_a_task_that_cannot_be_read_after_its_time(
    tmp_path: Path, answer: Callable[[Talk], object]
) -> None:
    """What says nothing of the task ends nothing: the outcome may still be told."""
    server = TaskServer(done())
    server.on_call = lambda talk: talk.result(
        {"resultType": "task", "taskId": "t-1", "status": "working", "ttlMs": 0}
    )
    server.on_other = lambda talk: (
        server.task(talk) if server.count("tasks/get") > 1 else answer(talk)
    )
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield, timeoutSeconds=60).status == "succeeded"


def test_a_task_is_cancelled(tmp_path: Path) -> None:
    """The server is told, once; the end says that the job was cancelled."""
    server = TaskServer(working())
    with stage(tmp_path, server) as jackfield:
        begun = call(jackfield, timeoutSeconds=2)
        jackfield.cancel(begun.meta.invocation_id)
        ended = jackfield.wait(begun.meta.invocation_id, 30)
    assert (ended.error.code, server.count("tasks/cancel")) == ("cancelled", 1)


def test_an_output_at_once(tmp_path: Path) -> None:
    """A server makes a task when it likes: a result is the result."""
    server = TaskServer()
    server.on_call = lambda talk: talk.result(said("at once"))
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).output["content"][0]["text"] == "at once"
    assert server.count("tasks/get") == 0


def test_a_task_that_nobody_has_asked_for(tmp_path: Path) -> None:
    """A server that does not declare tasks gets no capability for them, and a task from it makes no
    sense: the write is in doubt.
    """
    server = TaskServer()
    del server.capabilities["extensions"]
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "in_doubt"
    assert "extensions" not in server.requests[-1][0]["params"]["_meta"][_CAPABILITIES]


def test_a_task_without_a_journal(tmp_path: Path) -> None:
    """Its call polls it, and is in doubt at its deadline."""
    server = TaskServer(working(), done())
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path) as jackfield:
            assert call(jackfield).status == "succeeded"
            server.states = [working()]
            assert call(jackfield, timeoutSeconds=2).status == "in_doubt"


def test_a_task_with_a_bad_name(tmp_path: Path) -> None:
    """A task that cannot be asked for again leaves the write in doubt."""
    server = TaskServer()
    server.on_call = lambda talk: talk.result(
        {"resultType": "task", "taskId": "", "status": "working"}
    )
    with stage(tmp_path, server) as jackfield:
        assert call(jackfield).status == "in_doubt"


def test_a_task_that_asks(tmp_path: Path) -> None:
    """Where nobody answers, its progress says so; where a package does, the task goes on."""
    server = TaskServer({"status": "input_required", "inputRequests": ASKED, "pollIntervalMs": 1})
    with stage(tmp_path / "one", server) as jackfield:
        told(
            jackfield,
            call(jackfield, timeoutSeconds=8),
            "The server waits for a person's answer: Sure?",
        )
    server = TaskServer(
        {"status": "input_required", "inputRequests": ASKED, "pollIntervalMs": 1}, done()
    )
    with stage(tmp_path / "two", server, Answers()) as jackfield:
        assert call(jackfield).status == "succeeded"
    update = next(message for message, _ in server.requests if message["method"] == "tasks/update")
    assert update["params"]["inputResponses"] == {"ok": {"action": "accept", "content": {}}}


def test_echoed_credentials_in_a_task(tmp_path: Path) -> None:
    """What a task says of itself, on its way and at its end, is masked."""
    token = "t0ken-4711-abcdef"
    server = TaskServer(working(f"you are {token}"))
    with serving(server):
        generate(tmp_path, server.url)
        with installed(tmp_path, "bearer", f"sqlite:///{tmp_path}/j.db", token=token) as jackfield:
            begun = call(jackfield, timeoutSeconds=2)
            until(
                lambda: (
                    "you are"
                    in str(
                        (jackfield.wait(begun.meta.invocation_id, 0.5).progress or {}).get("text")
                    )
                )
            )
            shown = str(jackfield.wait(begun.meta.invocation_id, 0.5).progress)
            server.states = [
                {"status": "failed", "error": {"code": -32603, "message": f"no {token}"}}
            ]
            ended = str(jackfield.wait(begun.meta.invocation_id, 60).to_json())
    assert ("you are" in shown, token in shown, "no " in ended, token in ended) == (
        True,
        False,
        True,
        False,
    )
