"""A LangGraph node whose effect happens once, over retries, crashes and resumes."""

from typing import TypedDict

import shop
from jackfield import InvocationFailed
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy


class State(TypedDict, total=False):
    order: str
    amount: int
    charge: str


def pay(state: State, runtime: Runtime) -> State:
    here = runtime.execution_info
    key = f"{here.thread_id}/{here.task_id}"
    return {"charge": shop.charge(key, state["order"], state["amount"])}


def retried(error: Exception) -> bool:
    return not isinstance(error, InvocationFailed) or error.result.error.retryable


graph = StateGraph(State)
graph.add_node("pay", pay, retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.1, retry_on=retried))
graph.add_edge(START, "pay")
graph.add_edge("pay", END)
