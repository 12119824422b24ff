"""Runs one adapter in its framework, as a program of a user does: ``python drive.py FRAMEWORK ORDER``. It prints what came out, as JSON.

What a second run for the same order does is what the framework does with its like: resume the thread, retry the flow run, ask again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

FOLDER = Path(os.environ["PAYMENTS"]).parent


def langgraph(order: str) -> Any:
    """A thread that is begun, or resumed from its last checkpoint."""
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph_node import graph

    here: Any = {"configurable": {"thread_id": order}}
    with SqliteSaver.from_conn_string(str(FOLDER / "langgraph.db")) as saver:
        app = graph.compile(checkpointer=saver)
        is_new = not app.get_state(here).next
        return app.invoke({"order": order, "amount": 5} if is_new else None, here, durability="sync")["charge"]


def pydantic_ai(order: str) -> Any:
    """A model that calls the tool until it has answered."""
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
    from pydantic_ai.models.function import AgentInfo, FunctionModel
    from pydantic_ai_tool import Deps, agent

    def model(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        last = messages[-1].parts[-1]
        if isinstance(last, ToolReturnPart) and last.outcome == "success":
            return ModelResponse(parts=[TextPart(str(last.content))])
        return ModelResponse(parts=[ToolCallPart("pay", {"amount": 5})])

    return agent.run_sync("Charge it.", model=FunctionModel(model), deps=Deps(order)).output


def openai_agents(order: str) -> Any:
    """A model that calls the tool until it has answered, three times at most."""
    from agents import Model, ModelResponse, RunConfig, Runner, Usage, set_tracing_disabled
    from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
    from openai_agents_tool import About, agent

    set_tracing_disabled(disabled=True)

    class Scripted(Model):
        def __init__(self) -> None:
            self.asked = 0

        async def get_response(self, system_instructions: Any, input: Any, *_: Any, **__: Any) -> ModelResponse:
            self.asked += 1
            said = "" if isinstance(input, str) else input[-1].get("output", "")
            if said.startswith("charge of") or self.asked > 3:
                text = ResponseOutputText(text=said, type="output_text", annotations=[])
                answer: Any = ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
            else:
                call = {"arguments": '{"amount": 5}', "call_id": f"call-{self.asked}", "name": "pay", "type": "function_call"}
                answer = ResponseFunctionToolCall.model_validate(call)
            return ModelResponse(output=[answer], usage=Usage(), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    return Runner.run_sync(agent, "Charge it.", context=About(order), run_config=RunConfig(model=Scripted())).final_output


def prefect(order: str) -> Any:
    """A flow run that is begun, or retried under its ID, as a worker does."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import AwaitingRetry
    from prefect_task import checkout

    known, given = FOLDER / f"{order}.flow", {"order": order, "amount": 5}
    with get_client(sync_client=True) as client:
        if known.exists():
            run = UUID(known.read_text())
            client.set_flow_run_state(run, AwaitingRetry(), force=True)
        else:
            run = client.create_flow_run(checkout, parameters=given).id
            known.write_text(str(run))
        found = client.read_flow_run(run)
    return run_flow(checkout, flow_run=found, parameters=given)


def fastapi(order: str) -> Any:
    """A client that sends the same key again."""
    import httpx
    from fastapi_endpoint import app

    async def sent() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as client:
            return await client.post("/charges", json={"order": order, "amount": 5}, headers={"Idempotency-Key": order})

    answer = asyncio.run(sent())
    if answer.is_error:
        raise RuntimeError(f"{answer.status_code} {answer.text}")
    return answer.json()


def fastmcp(order: str) -> Any:
    """A client that calls the tool with the same key again."""
    from fastmcp import Client
    from fastmcp_tool import server

    async def called() -> Any:
        async with Client(server) as client:
            return (await client.call_tool("pay", {"key": order, "order": order, "amount": 5})).data

    return asyncio.run(called())


def celery(order: str) -> Any:
    """A client of a worker that runs elsewhere."""
    from celery_task import pay

    return pay.delay(order, 5).get(timeout=900)


def temporal(address: str) -> Any:
    """A worker, until it is killed."""
    from temporal_activity import pay
    from temporalio.client import Client
    from temporalio.worker import Worker

    async def works() -> None:
        client = await Client.connect(address)
        await Worker(
            client, task_queue="shop", activities=[pay], activity_executor=ThreadPoolExecutor(1), max_concurrent_activities=1
        ).run()

    asyncio.run(works())


def main() -> None:
    """Run, and print the value, or what was raised."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    runs = {run.__name__: run for run in (langgraph, pydantic_ai, openai_agents, prefect, fastapi, fastmcp, celery, temporal)}
    del sys.path[1]  # this folder
    try:
        told = {"value": runs[sys.argv[1]](sys.argv[2])}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error} {error.__cause__!r}"}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
