"""Calls to Amazon SES beyond sending, with typed parameters and responses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_pascal

from jackfield.connector import Field, Inputs, Output, Pagination, Sent, Unavailable
from jackfield_aws import AwsClients
from jackfield_aws_ses.examples import example
from jackfield_aws_ses.fields import Region, region_field


class Regional(Inputs):
    """Inputs of an action in one region."""

    aws_region: Region = region_field()


class Watched(Inputs):
    """Inputs of a trigger in one region."""

    aws_region: Region | None = Field(
        None, title="AWS Region", blank="absent", description="By default the connection's region."
    )


class Paged(Regional):
    """Inputs of an action that lists something page by page."""

    next_token: str | None = Field(
        None,
        title="Next Token",
        blank="absent",
        description="The token that the previous page returned, to fetch the page after it.",
    )
    fetch_all: bool = Field(
        False,
        title="Fetch All",
        blank="absent",
        description="Fetch every page and merge them; 'Next Token' is then ignored.",
    )
    page_size: int | None = Field(
        None,
        title="Page Size",
        blank="absent",
        schema={"minimum": 1, "maximum": 1000},
        description="Items per page, 1 to 1000.",
    )


class Answer(Output):
    """Answer of Amazon SES under its own member names. Members that a later version of the service
    adds are dropped.
    """

    model_config = ConfigDict(alias_generator=to_pascal, extra="ignore")


Moment = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""Time in a response, converted to UTC: botocore reads it in this machine's time zone."""


class Done(Answer):
    """Empty output: Amazon SES confirms without content."""


A = TypeVar("A", bound=Answer)


def ask(
    aws: AwsClients,
    region: str | None,
    operation: str,
    parameters: Mapping[str, Any],
    *needed: str,
    service: str = "sesv2",
) -> dict[str, Any]:
    """Call an operation (``get_account``) without the parameters that are None, and return its
    response.

    :raises Unavailable: if the response has no request ID or lacks a member of ``needed``:
        something other than Amazon SES answered.
    """
    answer = getattr(aws.client(service, region), operation)(**filled(parameters))
    found = answer if isinstance(answer, dict) else {}
    if not found.get("ResponseMetadata", {}).get("RequestId") or any(
        name not in found for name in needed
    ):
        raise _unclear(operation)
    return found


def read(model: type[A], answer: Mapping[str, Any], **more: Any) -> A:
    """Build an output from a response. ``more`` are members that jackfield adds.

    :raises Unavailable: if a member's type differs from the service's model.
    """
    try:
        return model.model_validate({**answer, **more})
    except ValidationError:
        raise _unclear(model.__name__) from None


def filled(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that are not None."""
    return {name: value for name, value in parameters.items() if value is not None}


def pages(items: str, most: int = 1000) -> Pagination:
    """Return the paging of an action whose inputs are ``Paged`` and whose output lists ``items``;
    ``most`` is the largest page.
    """
    return Pagination("nextToken", "NextToken", items, "fetchAll", "pageSize", most)


def iam(*operations: str) -> dict[str, list[str]]:
    """Return the permissions of an action that calls these operations of Amazon SES."""
    return {"aws:iam": [f"ses:{operation}" for operation in operations]}


def _unclear(operation: str) -> Unavailable:
    hint = (
        "A proxy, or an endpoint that is not Amazon SES, may have answered instead: check "
        "HTTPS_PROXY and the endpoint."
    )
    return Unavailable(
        f"Amazon SES gave no clear answer to {operation}", sent=Sent.UNKNOWN, hint=hint
    )


def one_example(
    action: str, title: str, inputs: Mapping[str, Any], output: Mapping[str, Any], **meta: Any
) -> tuple[dict[str, Any], ...]:
    """Return an action's single example, in eu-west-1."""
    return (example(title, action, {"awsRegion": "eu-west-1", **inputs}, output, **meta),)
