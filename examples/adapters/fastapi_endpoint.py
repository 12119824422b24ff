"""A FastAPI endpoint whose effect happens once for a caller's Idempotency-Key."""

from typing import Annotated

import payments
import shop
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from jackfield import InvocationFailed
from pydantic import BaseModel

app = FastAPI()


class Order(BaseModel):
    order: str
    amount: int


def customer() -> str:
    return "acme"  # whoever your authentication finds


@app.post("/charges")
def pay(body: Order, customer: Annotated[str, Depends(customer)], idempotency_key: Annotated[str, Header(max_length=100)]) -> str:
    try:
        return shop.charge(f"{customer}/{idempotency_key}", body.order, body.amount)
    except payments.Declined as error:
        raise HTTPException(402, f"declined: {error}") from error


@app.exception_handler(InvocationFailed)
def failed(_request: object, error: InvocationFailed) -> JSONResponse:
    told = {"status": error.result.status, "code": error.result.error.code, "invocationId": error.result.meta.invocation_id}
    return JSONResponse(told, error.result.error.http_status)
