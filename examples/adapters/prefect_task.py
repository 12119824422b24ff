"""A Prefect task whose effect happens once in a flow run, over retries of task and flow."""

import shop
from jackfield import InvocationFailed
from prefect import flow, task
from prefect.runtime import flow_run


def retried(_task, _run, state) -> bool:
    error = state.result(raise_on_failure=False)
    return not isinstance(error, InvocationFailed) or error.result.error.retryable


@task(retries=3, retry_delay_seconds=0, retry_condition_fn=retried)
def pay(order: str, amount: int) -> str:
    return shop.charge(f"{flow_run.id}/{order}", order, amount)


@flow
def checkout(order: str, amount: int) -> str:
    return pay(order, amount)
