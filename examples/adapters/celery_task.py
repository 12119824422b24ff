"""A Celery task whose effect happens once, over redelivery and retries."""

import os

import payments
import shop
from celery import Celery
from jackfield import InvocationFailed

app = Celery("shop", broker=os.environ.get("BROKER_URL", "memory://"), backend=os.environ.get("RESULT_BACKEND", "cache+memory://"))


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True, autoretry_for=(payments.Declined,), default_retry_delay=1)
def pay(self, order: str, amount: int) -> str:
    try:
        return shop.charge(self.request.id, order, amount)
    except InvocationFailed as error:
        if error.result.error.retryable:
            raise self.retry(exc=error)
        raise
