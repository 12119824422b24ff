"""Virtual actions with ``waitUntil`` are jobs: AWS is asked to start once, and looked at until the
state is reached, whoever looks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import jmespath
import pytest

from aws_paged import Pages
from clocks import StillClock
from jackfield import Jackfield, Result
from jackfield_aws.virtual import models
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.starts import STARTS
from jackfield_aws.virtual.states import OWN, REASONS
from moto_rig import EVERYTHING, Rig, offer
from moto_server import moto_server

ROLE = "arn:aws:iam::123456789012:role/r"
MACHINE = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
TEMPLATE = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})


class Waits:
    """Runtime with a journal over moto; its time passes where a call waits."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.clock = url, StillClock()
        environment = offer(home, {"default": EVERYTHING})
        inline = Rig(None, url).connection  # type: ignore[arg-type]  # for its connection's values
        files = [
            {"connections": {"main": {"type": "aws/apiKeySecret", "values": inline["values"]}}}
        ]
        database = f"sqlite:///{home}/jackfield.db"
        self.jackfield = Jackfield(
            connections=files, database_url=database, environment=environment, clock=self.clock
        )

    def result(self, action: str, seconds: float = 60.0, **inputs: Any) -> Result:
        """Invoke ``athena/startQueryExecution`` over the stored connection."""
        service, _, key = action.partition("/")
        call = {
            "connector": f"aws.{service}",
            "action": key,
            "connection": "main",
            "inputs": inputs,
            "timeoutSeconds": seconds,
        }
        return self.jackfield.invoke(call)

    def output(self, action: str, **inputs: Any) -> Any:
        """Invoke an action that must succeed, and return its output."""
        found = self.result(action, **inputs)
        assert found.status == "succeeded", found.error
        return found.output

    def moves(self, model: str, looks: int) -> None:
        """Let moto change a resource's state after some looks at it."""
        body = json.dumps(
            {"model_name": model, "transition": {"progression": "manual", "times": looks}}
        ).encode()
        asked = Request(
            f"{self.url}/moto-api/state-manager/set-transition",
            body,
            {"Content-Type": "application/json"},
        )
        build_opener(ProxyHandler({})).open(asked).close()


@pytest.fixture(name="waits", scope="module")
def _waits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waits]:
    with moto_server() as url:
        waits = Waits(url, tmp_path_factory.mktemp("home"))
        with waits.jackfield:
            yield waits


def test_a_query_is_started_once_and_waited_for_beyond_its_call(waits: Waits) -> None:
    """The call is over while Athena runs the query: it answers with the state, and the end has what
    both operations returned.
    """
    waits.moves("athena::execution", 20)
    asked = {
        "QueryString": "SELECT 1",
        "ResultConfiguration": {"OutputLocation": "s3://b/"},
        "waitUntil": "querySucceeded",
    }
    found = waits.result("athena/startQueryExecution", 30, **asked)
    assert (found.status, found.progress) == ("running", {"fraction": 0.0, "text": "QUEUED"})
    ended = found.wait()
    assert ended.output is not None
    execution = ended.output["QueryExecution"]
    assert (ended.status, ended.output["QueryExecutionId"]) == (
        "succeeded",
        execution["QueryExecutionId"],
    )
    assert (execution["Status"]["State"], ended.meta.attempts, ended.meta.warnings) == (
        "SUCCEEDED",
        1,
        (),
    )
    assert len(waits.output("athena/listQueryExecutions")["QueryExecutionIds"]) == 1


def test_an_execution_that_is_cancelled_is_stopped_at_aws(waits: Waits) -> None:
    """Step Functions is told to stop it, and the state that it then has ends the job."""
    machine = waits.output(
        "stepfunctions/createStateMachine", name="m", definition=MACHINE, roleArn=ROLE
    )["stateMachineArn"]
    found = waits.result(
        "stepfunctions/startExecution",
        30,
        stateMachineArn=machine,
        input="{}",
        waitUntil="executionSucceeded",
    )
    assert (found.status, (found.progress or {})["text"]) == ("running", "RUNNING")
    assert waits.jackfield.cancel(found.meta.invocation_id)
    ended = waits.jackfield.wait(found.meta.invocation_id)
    assert ended.error is not None
    assert (ended.error.code, "'ABORTED'" in ended.error.message) == ("cancelled", True)
    executions = waits.output("stepfunctions/listExecutions", stateMachineArn=machine)["executions"]
    assert [row["status"] for row in executions] == ["ABORTED"]
    late = waits.result(
        "stepfunctions/describeExecution",
        executionArn=executions[0]["executionArn"],
        waitUntil="executionSucceeded",
    )
    assert late.error is not None
    assert (late.status, late.error.code) == ("failed", "rejected")


def test_a_stack_is_created_and_deleted_and_looks_end_without_a_cancel_of_aws(waits: Waits) -> None:
    """A job of CloudFormation ends with the stack's own state, or with its absence; a mere wait
    ends when nobody wants it any more.
    """
    made = waits.output(
        "cloudformation/createStack",
        StackName="s",
        TemplateBody=TEMPLATE,
        waitUntil="stackCreateComplete",
    )
    assert [stack["StackStatus"] for stack in made["Stacks"]] == ["CREATE_COMPLETE"]
    assert made["StackId"] == made["Stacks"][0]["StackId"]
    waits.output("cloudformation/deleteStack", StackName="s", waitUntil="stackDeleteComplete")
    never = waits.result(
        "cloudformation/describeStacks", 30, StackName="s", fetchAll=True, waitUntil="stackExists"
    )
    assert never.status == "running"
    assert waits.jackfield.cancel(never.meta.invocation_id)
    ended = waits.jackfield.wait(never.meta.invocation_id)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == ("failed", "cancelled")


def test_what_has_not_started_is_not_waited_for(tmp_path: Path) -> None:
    """An answer that names nothing to look at ends the call: ECS had no room for the task, which is
    a refusal.
    """
    body = json.dumps({"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]})
    environment = offer(tmp_path, {"default": EVERYTHING})
    with Pages() as server, Jackfield(database_url="none", environment=environment) as jackfield:
        server.answers = [
            {
                "status_code": 200,
                "headers": {"Content-Type": "application/x-amz-json-1.1"},
                "body": body,
            }
        ]
        rig = Rig(jackfield, server.url)
        found = rig.result("ecs/runTask", taskDefinition="t", waitUntil="tasksStopped")
        assert found.error is not None
        assert (found.error.code, "RESOURCE:MEMORY" in found.error.message, len(server.asked)) == (
            "rejected",
            True,
            1,
        )


def test_every_row_fits_the_models_of_aws() -> None:
    """Operations, waiters, inputs, places in answers and states of all rows are those that the
    installed botocore knows.
    """
    faults = []
    for (service, name), row in STARTS.items():
        model, waiter = models.service_model(service), models.waiters(service).get(row.waiter)
        if waiter is None or name not in model.operation_names:
            faults.append(f"{service} {name}: no such operation or waiter")
            continue
        known = model.operation_model(name)
        members = {
            *known.input_shape.members,
            *(known.output_shape.members if known.output_shape is not None else ()),
        }
        for operation, given in (
            (waiter["operation"], row.given),
            *((row.cancel,) if row.cancel is not None else ()),
        ):
            shape = model.operation_model(operation).input_shape
            if not {*shape.required_members} <= given.keys() <= shape.members.keys():
                faults.append(
                    f"{service} {name}: {operation} takes other inputs than {', '.join(given)}"
                )
            faults += [
                f"{service} {name}: '{place}'"
                for place in given.values()
                if not _names(place) <= members
            ]
    for service, waiters in OWN.items():
        for name, waiter in waiters.items():
            shape = _at(
                models.service_model(service).operation_model(waiter["operation"]).output_shape,
                waiter["acceptors"][0]["argument"],
            )
            states = {acceptor["expected"] for acceptor in waiter["acceptors"]}
            faults += [f"{service} {name}: no state {state}" for state in states - {*shape.enum}]
    for (service, operation), place in REASONS.items():
        answer = models.service_model(service).operation_model(operation).output_shape
        faults += [
            f"{service} {operation}: '{one}'"
            for one in place.split(" || ")
            if _at(answer, one).type_name != "string"
        ]
    assert faults == []
    assert len({action_key(name) for _service, name in STARTS}) >= 35


def _names(place: str) -> set[str]:
    """First names of a JMESPath."""
    found: set[str] = set()
    waiting = [jmespath.compile(place).parsed]
    while waiting:
        node = waiting.pop()
        if node["type"] == "field":
            found.add(node["value"])
        children = node["children"]
        waiting += (
            children[:1]
            if node["type"] in ("subexpression", "index_expression", "projection", "flatten")
            else children
        )
    return found


def _at(shape: Any, place: str) -> Any:
    """Shape at a path of names and indexes."""
    for part in place.replace("[0]", "").split("."):
        shape = shape.members[part]
        shape = shape.member if shape.type_name == "list" else shape
    return shape
