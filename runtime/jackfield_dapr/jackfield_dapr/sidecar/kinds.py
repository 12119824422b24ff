"""Bindings by the type of their component. A type that is not listed here is carried out by its
alias alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jackfield_dapr.sidecar.aws_bindings import dynamodb, sns, sqs
from jackfield_dapr.sidecar.calls import Call, Response
from jackfield_dapr.sidecar.http_binding import http
from jackfield_dapr.sidecar.mail_bindings import by_alias, smtp
from jackfield_dapr.sidecar.s3_binding import s3

_KINDS: Mapping[str, Callable[[Call], Response]] = {
    "bindings.http": http,
    "bindings.smtp": smtp,
    "bindings.aws.s3": s3,
    "bindings.aws.sqs": sqs,
    "bindings.aws.sns": sns,
    "bindings.aws.dynamodb": dynamodb,
}


def respond(call: Call) -> Response:
    """Carry out a call by the code of its type, unless another package's connector has declared an
    alias of its own for the type.

    :raises BindingError: if the call cannot be carried out or fails.
    """
    return (_KINDS.get(call.alias.key, by_alias) if "used" in call.alias.raw else by_alias)(call)
