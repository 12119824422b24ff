"""A Temporal activity whose effect happens once, over its retries and the loss of its worker."""

import shop
from jackfield import InvocationFailed
from temporalio import activity
from temporalio.exceptions import ApplicationError


@activity.defn
def pay(order: str, amount: int) -> str:
    here = activity.info()
    try:
        return shop.charge(f"{here.workflow_run_id}/{here.activity_id}", order, amount)
    except InvocationFailed as error:
        failure = error.result.error
        raise ApplicationError(
            str(error), error.result.meta.invocation_id, type=failure.code, non_retryable=not failure.retryable
        ) from error
