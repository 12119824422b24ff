"""Pagination of an operation: the members for the tokens, and the lists to merge. From botocore's
paginators, or from its shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Pagination
from jackfield_aws.virtual.effects import effect_of
from jackfield_aws.virtual.models import paginators

FETCH_ALL = "fetchAll"
"""Input that requests every page."""
_TOKENS = (
    "NextToken",
    "nextToken",
    "Marker",
    "NextMarker",
    "ContinuationToken",
    "PaginationToken",
    "NextPageToken",
)
"""Names of page tokens that are equal in input and output."""
SIZES = frozenset(("maxresults", "pagesize", "maxitems", "limit", "maxrecords"))
"""Names of page sizes in lower case."""
EXCLUDED: Mapping[tuple[str, str], tuple[str, frozenset[str]]] = {
    ("kinesis", "ListShards"): (
        "NextToken",
        frozenset(("StreamName", "StreamARN", "StreamCreationTimestamp", "ExclusiveStartShardId")),
    ),
    ("kinesis", "ListStreamConsumers"): ("NextToken", frozenset(("StreamCreationTimestamp",))),
    ("lightsail", "GetSubdomains"): ("pageToken", frozenset(("subdomainName",))),
}
"""Token of an operation, and the inputs that it replaces, which must not be sent with it (API
references of the services).
"""


def pages_of(service: str, operation: Any) -> Pagination | None:
    """Return an operation's pagination; None if the operation has no pagination, or if its
    pagination is uncertain.
    """
    found = paginators(service).get(operation.name)
    if found is None:
        return _from_shapes(service, operation)
    inputs, outputs, items = (
        _as_list(found["input_token"]),
        _as_list(found["output_token"]),
        _as_list(found["result_key"]),
    )
    tokens = tuple(zip(inputs, outputs, strict=True))
    (token_input, token_output), *further = tokens
    return Pagination(
        token_input=token_input,
        token_output=token_output,
        items=items[0],
        all_input=FETCH_ALL,
        size_input=found.get("limit_key"),
        further_tokens=tuple(further),
        further_items=tuple(items[1:]),
        more=found.get("more_results"),
    )


def _as_list(value: Any) -> list[str]:
    return [*value] if isinstance(value, list) else [value]


def _from_shapes(service: str, operation: Any) -> Pagination | None:
    """Return the pagination of an operation without a paginator: a read with one token in input and
    output, and one list to merge. None for others.
    """
    if (
        operation.input_shape is None
        or operation.output_shape is None
        or effect_of(service, operation) != "read"
    ):
        return None
    given, answer = operation.input_shape.members, operation.output_shape.members
    tokens = [
        name
        for name in _TOKENS
        if all(name in side and side[name].type_name == "string" for side in (given, answer))
    ]
    lists = [name for name, shape in answer.items() if shape.type_name == "list"]
    if len(tokens) != 1 or len(lists) != 1:
        return None
    size = next(
        (
            name
            for name, shape in given.items()
            if name.lower() in SIZES and shape.type_name in ("integer", "long")
        ),
        None,
    )
    return Pagination(
        token_input=tokens[0],
        token_output=tokens[0],
        items=lists[0],
        all_input=FETCH_ALL,
        size_input=size,
    )
